"""What nodes of the tree are about, in the words of questions: peers, edges, and the kinds of blocks."""

from __future__ import annotations

from collections.abc import Sequence

from meshc.lsp.analysis.question import ANYBODY, AboutEdge
from meshc_lang.tree.declaration import ExternalDecl, JwtDecl, MeshDecl, ServiceDecl
from meshc_lang.tree.node import Node
from meshc_lang.tree.policy import AnyPeer, Flow, IngressPeer, NamedPeer, SpiffePeer
from meshc_lang.tree.statement import DefaultsDecl, EdgeDecl, FaultDecl, RuleDecl, SloDecl
from meshc_lang.tree.value import Pair

_ROOTS: dict[type[Node], str] = {
    MeshDecl: "mesh",
    ServiceDecl: "service",
    ExternalDecl: "external",
    JwtDecl: "jwt",
    DefaultsDecl: "settings",
    EdgeDecl: "settings",
    RuleDecl: "settings",
    FaultDecl: "fault",
    SloDecl: "slo",
}
"""The kind of the block that each statement, or rule of a route, holds."""


def peer_text(node: Node) -> str:
    """Return a peer as the program calls it; empty for what is none."""
    match node:
        case NamedPeer():
            return node.name.text
        case AnyPeer():
            return ANYBODY
        case IngressPeer():
            return "ingress"
        case SpiffePeer():
            return node.id.text
    return ""


def edge_of(flow: Flow) -> AboutEdge:
    """Return the question about a flow."""
    part = flow.callee.part if isinstance(flow.callee, NamedPeer) else None
    return AboutEdge(peer_text(flow.caller), peer_text(flow.callee), None if part is None else part.text)


def block_of(nodes: Sequence[Node], pair: Pair) -> str:
    """Return the kind of the block in which an entry stands: `settings.retry`; empty where it is of no such kind."""
    kind = ""
    for node in nodes:
        if node is pair:
            return kind
        if type(node) in _ROOTS:
            kind = _ROOTS[type(node)]
        elif isinstance(node, Pair) and kind:
            kind = f"{kind}.{node.key.text}"
    return ""

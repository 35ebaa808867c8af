"""Prints what statements are made of: groups, grants, conditions, values, blocks, peers, matchers, targets."""

from __future__ import annotations

from typing import assert_never

from meshc_lang.layout import Layout
from meshc_lang.source import Span
from meshc_lang.tree.declaration import GroupDifference, GroupExpression, GroupList, GroupUnion, GroupWhere
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.policy import (
    AllOf,
    AnyMatcher,
    AnyOf,
    AnyPeer,
    Attribute,
    AttributeKind,
    Compare,
    Condition,
    Flow,
    FromPeer,
    Grant,
    HttpMatcher,
    IngressPeer,
    Matcher,
    NamedPeer,
    Not,
    PathName,
    PathPattern,
    PeerRef,
    Present,
    RegexPattern,
    RpcMatcher,
    SpiffePeer,
    TcpMatcher,
    Within,
)
from meshc_lang.tree.target import Target
from meshc_lang.tree.value import (
    Block,
    Decimal,
    Duration,
    Integer,
    ListValue,
    Pair,
    Path,
    Percent,
    PortLiteral,
    Range,
    Rate,
    Size,
    Switch,
    Value,
)

__all__ = [
    "PolicyWriter",
    "attribute_text",
    "because_text",
    "flow_text",
    "last_line",
    "matcher_text",
    "peer_text",
    "target_text",
]


class PolicyWriter(Layout):
    """Prints the parts of statements; where a method takes `before`, that is what the line holds already."""

    # ---- groups

    def group(self, node: GroupExpression, before: str, *, right: bool = False) -> str:
        """Print who is in a group; `right` of an operator an operator needs parentheses."""
        match node:
            case GroupUnion() | GroupDifference():
                sign = "|" if isinstance(node, GroupUnion) else "-"
                left = self.group(node.left, before) + f" {sign} "
                out = left + self.group(node.right, last_line(before + left), right=True)
                return f"({out})" if right else out
            case GroupList():
                return self.bracketed(
                    node.peers,
                    lambda peer, _: peer_text(peer),
                    opener=node.span.start,
                    closer=node.span.end - 1,
                    marks=("[", "]"),
                    before=before,
                    separator=",",
                )
            case GroupWhere():
                return f"where {self.condition(node.condition, before)}"
            case _:
                return peer_text(node)

    # ---- grants

    def grant(self, node: Grant, before: str) -> str:
        """Print a matcher and its guard."""
        guard = f" if {self.condition(node.guard, before)}" if node.guard else ""
        return matcher_text(node.matcher) + guard

    def granting(self, before: str, head: str, end: Span, grants: tuple[Grant, ...]) -> str:
        """Print a sentence up to its grants, which stand behind a colon or in braces, as they were written."""
        opener = self.mark_behind(end.end)
        if self.text[opener] != "{":
            head += " : "
            return head + self.after_commas(grants, self.grant, before + head)
        head += " "
        return head + self.bracketed(
            grants,
            self.grant,
            opener=opener,
            closer=self.mark_behind(grants[-1].span.end),
            marks=("{ ", " }"),
            before=before + head,
        )

    # ---- conditions

    def condition(self, node: Condition, before: str, *, inside: type[Condition] | None = None) -> str:
        """Print a condition, in parentheses where it would bind otherwise `inside` another."""
        match node:
            case Compare():
                return f"{attribute_text(node.attribute)} {node.comparison.value} {self.value(node.value, before)}"
            case Present():
                return f"{attribute_text(node.attribute)} present"
            case Within():
                return f"{attribute_text(node.attribute)} in {self.value(node.value, before)}"
            case FromPeer():
                return f"from {peer_text(node.peer)}"
            case Not():
                return f"not {self.condition(node.operand, before, inside=Not)}"
            case AllOf() | AnyOf():
                word = " and " if isinstance(node, AllOf) else " or "
                out = word.join(self.condition(operand, before, inside=type(node)) for operand in node.operands)
                # `and` binds closer than `or`: only an `and` in an `or` needs no parentheses.
                bare = inside is None or (isinstance(node, AllOf) and inside is AnyOf)
                return out if bare else f"({out})"
            case _:
                assert_never(node)

    # ---- values

    def value(self, node: Value, before: str) -> str:
        """Print a value as it was written."""
        match node:
            case Name():
                return node.text
            case Text():
                return node.span.text
            case Integer():
                return str(node.value)
            case Decimal() | Duration() | Percent() | Size() | Rate() | Path():
                return node.text
            case PortLiteral():
                return f"{node.number}/{node.protocol}"
            case Switch():
                return "on" if node.on else "off"
            case Range():
                return f"{self.value(node.low, before)}..{self.value(node.high, before)}"
            case ListValue():
                return self.bracketed(
                    node.items,
                    self.value,
                    opener=node.span.start,
                    closer=node.span.end - 1,
                    marks=("[", "]"),
                    before=before,
                    separator=",",
                )
            case Block():
                return self.block(node, before, marks=("{", "}"))
            case _:
                assert_never(node)

    def block(self, node: Block, before: str, marks: tuple[str, str] = ("{ ", " }")) -> str:
        """Print entries in braces."""
        return self.bracketed(
            node.pairs,
            self.pair,
            opener=node.span.start,
            closer=node.span.end - 1,
            marks=marks,
            before=before,
        )

    def pair(self, node: Pair, before: str) -> str:
        """Print an entry: a key and its value, or a key and a block."""
        key = node.key.text if isinstance(node.key, Name) else node.key.span.text
        if isinstance(node.value, Block) and ":" not in self.text[node.key.span.end : node.value.span.start]:
            return f"{key} " + self.block(node.value, f"{before}{key} ")
        return f"{key}: " + self.value(node.value, f"{before}{key}: ")

    def _with_block(self, before: str, head: str, body: Block) -> str:
        return f"{head} " + self.block(body, f"{before}{head} ")


def last_line(text: str) -> str:
    """Return what a text has behind its last line break."""
    return text[text.rfind("\n") + 1 :]


def flow_text(node: Flow) -> str:
    """Return `A -> B`."""
    return f"{peer_text(node.caller)} -> {peer_text(node.callee)}"


def peer_text(node: PeerRef) -> str:
    """Return one end of an edge."""
    match node:
        case NamedPeer():
            return f"{node.name}.{node.part}" if node.part else node.name.text
        case AnyPeer():
            return "any"
        case IngressPeer():
            return "ingress"
        case SpiffePeer():
            return node.id.span.text
        case _:
            assert_never(node)


def matcher_text(node: Matcher) -> str:
    """Return what a call must look like."""
    match node:
        case HttpMatcher():
            # `* /x` and `/x` say the same; which of them was written is kept.
            star = "* " if node.span.text.startswith("*") else ""
            methods = "|".join(method.text for method in node.methods) + " " if node.methods else star
            return methods + _path(node.path)
        case RpcMatcher():
            return f"rpc {node.service}/{'|'.join(node.methods)}"
        case TcpMatcher():
            return "tcp"
        case AnyMatcher():
            return "*"
        case _:
            assert_never(node)


def _path(node: PathPattern | RegexPattern | PathName) -> str:
    if isinstance(node, PathName):
        return node.name.text
    return node.text if isinstance(node, PathPattern) else f"~{node.pattern.span.text}"


def attribute_text(node: Attribute) -> str:
    """Return `header "x"` or `service.pci`."""
    if node.kind is AttributeKind.FIELD:
        return f"{node.owner}.{node.key}"
    written = node.span.text
    return f"{node.kind.value} {written[written.index(chr(34)) :]}"


def target_text(node: Target) -> str:
    """Return `v1 95%`."""
    part = f".{node.part}" if node.part else ""
    share = f" {node.share.text}" if node.share else ""
    return f"{node.name}{part}{share}"


def because_text(node: Text | None) -> str:
    """Return the reason with the blank before it; nothing where there is none."""
    return f" because {node.span.text}" if node is not None else ""

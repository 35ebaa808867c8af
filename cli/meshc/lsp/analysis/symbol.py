"""The names of a program where they stand: which are declared in a statement, and which are spoken of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from meshc_lang.incremental import Stretch
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.claim import ByVerdict, CaseDecl, MetricClaim, RoutedVerdict, SettingVerdict
from meshc_lang.tree.declaration import ExternalDecl, GroupDecl, ImportDecl, JwtDecl, LetDecl, MeshDecl, ServiceDecl
from meshc_lang.tree.node import Name, Node, Text
from meshc_lang.tree.policy import HttpMatcher, NamedPeer, PathName
from meshc_lang.tree.statement import (
    DefaultsDecl,
    FaultDecl,
    MirrorDecl,
    OverlayDecl,
    Ref,
    RouteDecl,
    RuleDecl,
    SloDecl,
    TemplateDecl,
    UseDecl,
)
from meshc_lang.tree.target import Target
from meshc_lang.tree.value import Block, ListValue, Pair
from meshc_lang.tree.walk import children


class NameKind(StrEnum):
    """What a name stands for. Services, externals and groups share one namespace: `PEER`."""

    PEER = "service, external or group"
    PORT = "port"
    VERSION = "version"
    RULE = "rule"
    VALUE = "value"
    PARAMETER = "parameter"
    TEMPLATE = "template"
    JWT = "jwt"
    FAULT = "fault"
    OVERLAY = "overlay"


class Role(StrEnum):
    """Whether a name is declared where it stands or used; a word is `PERHAPS` used: if there is such a name."""

    DECLARED = "declared"
    USED = "used"
    PERHAPS = "perhaps"


@dataclass(frozen=True, slots=True)
class Key:
    """A name that means the same wherever it stands; `owner` is the service or template that it belongs to."""

    kind: NameKind
    name: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A name where it stands. Of several `keys` the first that is declared is meant."""

    keys: tuple[Key, ...]
    span: Span
    role: Role

    @property
    def key(self) -> Key:
        """What is meant if nothing is known of the program."""
        return self.keys[0]


NOT_PEERS = frozenset({"any", "ingress", "mesh", "plaintext"})
"""Words that stand where a peer does and name none that is declared."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What the nodes around a name say about it: whose it is, and which names are a template's parameters."""

    owner: str = ""
    template: str = ""
    parameters: frozenset[str] = frozenset()


_Found = Iterator[Occurrence]


def occurrences(stretch: Stretch) -> tuple[Occurrence, ...]:
    """Return the names of a stretch in the order of the text. Of a statement that cannot be read, what it declares."""
    reading = stretch.reading
    found = [_declared(NameKind.PEER, name) for name in reading.unread if reading.statements is None]
    for statement in reading.statements or ():
        found += _in(statement, _Around())
    return tuple(sorted(found, key=lambda one: one.span.start))


def by_key(stretch: Stretch) -> dict[Key, list[Occurrence]]:
    """Return the names of a stretch by what they may mean."""
    table: dict[Key, list[Occurrence]] = {}
    for one in stretch.derived(occurrences):
        for key in one.keys:
            table.setdefault(key, []).append(one)
    return table


def _in(node: Node, around: _Around) -> _Found:
    find = _KINDS.get(type(node))
    yield from _below(node, around) if find is None else find(node, around)


def _below(node: Node, around: _Around, *without: Node | None) -> _Found:
    for child in children(node):
        if not any(child is one for one in without):
            yield from _in(child, around)


def _declared(kind: NameKind, name: Name | Text, owner: str = "") -> Occurrence:
    return Occurrence((Key(kind, name.text, owner),), _span_of(name), Role.DECLARED)


def _span_of(name: Name | Text) -> Span:
    """Return where the name itself stands, without the quotes of a text."""
    span = name.span
    return span if isinstance(name, Name) else Span(span.source, span.start + 1, span.end - 1)


def _used(name: Name | Text, around: _Around, *keys: Key, role: Role = Role.USED) -> _Found:
    if name.text in around.parameters:
        keys, role = (Key(NameKind.PARAMETER, name.text, around.template),), Role.USED
    yield Occurrence(keys, _span_of(name), role)


def _peer(name: Name, around: _Around, role: Role = Role.USED) -> _Found:
    if name.text not in NOT_PEERS:
        yield from _used(name, around, Key(NameKind.PEER, name.text), role=role)


# ---- one function a kind of node


def _declaration(kind: NameKind) -> Callable[[Any, _Around], _Found]:
    def find(node: Any, around: _Around) -> _Found:
        name: Name = node.name
        if name.text in around.parameters:
            yield from _used(name, around)
        else:
            yield _declared(kind, name)
        yield from _below(node, _with_owner(around, name.text), name)

    return find


def _service(node: ServiceDecl, around: _Around) -> _Found:
    owner = node.name.text
    if owner in around.parameters:
        yield from _used(node.name, around)
    else:
        yield _declared(NameKind.PEER, node.name)
    for pair in node.body.pairs:
        match pair.key.text, pair.value:
            case "versions", ListValue(items=items):
                yield from (_declared(NameKind.VERSION, item, owner) for item in items if isinstance(item, Name | Text))
            case "ports", Block(pairs=ports):
                yield from (_declared(NameKind.PORT, port.key, owner) for port in ports)
            case _:
                yield from _in(pair.value, around)


def _mesh(node: MeshDecl, around: _Around) -> _Found:
    yield from _below(node, around, node.name)


def _named_peer(node: NamedPeer, around: _Around) -> _Found:
    yield from _peer(node.name, around)
    if node.part is not None:
        yield from _used(node.part, around, Key(NameKind.PORT, node.part.text, node.name.text))


def _defaults(node: DefaultsDecl, around: _Around) -> _Found:
    yield from _peer(node.scope, around)
    yield from _in(node.body, around)


def _of_service(node: RouteDecl | MirrorDecl | SloDecl, around: _Around) -> _Found:
    yield from _peer(node.service, around)
    port = None if isinstance(node, SloDecl) else node.port
    if port is not None:
        yield from _used(port, around, Key(NameKind.PORT, port.text, node.service.text))
    yield from _below(node, _with_owner(around, node.service.text), node.service, port)


def _rule(node: RuleDecl, around: _Around) -> _Found:
    if node.name is not None:
        if node.name.text in around.parameters:
            yield from _used(node.name, around)
        else:
            yield _declared(NameKind.RULE, node.name, around.owner)
    for name in node.over:
        yield from _used(name, around, Key(NameKind.RULE, name.text, around.owner))
    yield from _below(node, around, node.name, *node.over)


def _target(node: Target, around: _Around) -> _Found:
    if node.part is None:
        version = Key(NameKind.VERSION, node.name.text, around.owner)
        yield from _used(node.name, around, version, Key(NameKind.PEER, node.name.text))
    else:
        yield from _peer(node.name, around)
        yield from _used(node.part, around, Key(NameKind.VERSION, node.part.text, node.name.text))
    if isinstance(node.share, Name):
        yield from _value_name(node.share, around)


def _case(node: CaseDecl, around: _Around) -> _Found:
    callee = node.flow.callee
    owner = callee.name.text if isinstance(callee, NamedPeer) else ""
    yield from _below(node, _with_owner(around, owner))


def _by(node: ByVerdict, around: _Around) -> _Found:
    yield from _used(node.name, around, Key(NameKind.RULE, node.name.text, around.owner))


def _import(node: ImportDecl, around: _Around) -> _Found:
    if node.service is not None:
        yield from _in(node.service, around)


def _matcher(node: HttpMatcher, around: _Around) -> _Found:
    yield from _in(node.path, around)


def _setting(node: SettingVerdict, around: _Around) -> _Found:
    yield from _in(node.value, around)


def _metric(node: MetricClaim, around: _Around) -> _Found:
    yield from _below(node, around, node.metric)


def _path_name(node: PathName, around: _Around) -> _Found:
    yield from _used(node.name, around, Key(NameKind.VALUE, node.name.text))


def _value_name(node: Name, around: _Around) -> _Found:
    """A bare word where a value stands: the name of a `let` if there is one, else a word of the language."""
    yield from _used(node, around, Key(NameKind.VALUE, node.text), role=Role.PERHAPS)


def _pair(node: Pair, around: _Around) -> _Found:
    yield from _in(node.value, around)


def _template(node: TemplateDecl, around: _Around) -> _Found:
    del around
    yield _declared(NameKind.TEMPLATE, node.name)
    owner = node.name.text
    yield from (_declared(NameKind.PARAMETER, name, owner) for name in node.parameters)
    inner = _Around(template=owner, parameters=frozenset(name.text for name in node.parameters))
    for statement in node.body:
        yield from _in(statement, inner)


def _use(node: UseDecl, around: _Around) -> _Found:
    yield from _used(node.name, around, Key(NameKind.TEMPLATE, node.name.text))
    for argument in node.arguments:
        if isinstance(argument, Name):
            # It may name something that is there, or something that the template declares.
            keys = Key(NameKind.VALUE, argument.text), Key(NameKind.PEER, argument.text)
            yield from _used(argument, around, *keys, role=Role.PERHAPS)
        else:
            yield from _in(argument, around)


def _ref(node: Ref, around: _Around) -> _Found:
    first, *rest = node.parts
    names = [part.text for part in rest]
    if first.text == "fault" and rest:
        yield from _used(rest[0], around, Key(NameKind.FAULT, names[0]))
    elif first.text not in NOT_PEERS:
        keys = [Key(kind, first.text) for kind in (NameKind.PEER, NameKind.VALUE, NameKind.JWT)]
        yield from _used(first, around, *keys)
        if names[:1] == ["route"] and len(rest) > 1:
            yield from _used(rest[1], around, Key(NameKind.RULE, names[1], first.text))


def _with_owner(around: _Around, owner: str) -> _Around:
    return _Around(owner, around.template, around.parameters)


_KINDS: dict[type[Node], Callable[[Any, _Around], _Found]] = {
    MeshDecl: _mesh,
    ServiceDecl: _service,
    ExternalDecl: _declaration(NameKind.PEER),
    GroupDecl: _declaration(NameKind.PEER),
    JwtDecl: _declaration(NameKind.JWT),
    LetDecl: _declaration(NameKind.VALUE),
    FaultDecl: _declaration(NameKind.FAULT),
    OverlayDecl: _declaration(NameKind.OVERLAY),
    TemplateDecl: _template,
    UseDecl: _use,
    ImportDecl: _import,
    NamedPeer: _named_peer,
    DefaultsDecl: _defaults,
    RouteDecl: _of_service,
    MirrorDecl: _of_service,
    SloDecl: _of_service,
    RuleDecl: _rule,
    Target: _target,
    CaseDecl: _case,
    RoutedVerdict: lambda node, around: _in(node.target, around),
    ByVerdict: _by,
    HttpMatcher: _matcher,
    SettingVerdict: _setting,
    MetricClaim: _metric,
    PathName: _path_name,
    Name: _value_name,
    Pair: _pair,
    Ref: _ref,
}
"""How names are found in each kind of node; one that is not here is looked through."""

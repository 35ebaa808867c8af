"""The statements of a document and the names of a program, as lists to jump by."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.place import Place, Range
from meshc.lsp.analysis.program import ProgramView, Site
from meshc.lsp.analysis.symbol import NameKind, Role, occurrences
from meshc_lang.incremental import Stretch
from meshc_lang.record import dataclass
from meshc_lang.tree.claim import AssertDecl, CaseDecl, TestDecl
from meshc_lang.tree.declaration import (
    EditionDecl,
    ExternalDecl,
    GroupDecl,
    ImportDecl,
    JwtDecl,
    LetDecl,
    MeshDecl,
    ServiceDecl,
)
from meshc_lang.tree.node import Node
from meshc_lang.tree.policy import Flow, Grant
from meshc_lang.tree.statement import (
    AllowDecl,
    DefaultsDecl,
    DenyDecl,
    EdgeDecl,
    FaultDecl,
    LimitDecl,
    OverlayDecl,
    RouteDecl,
    RuleDecl,
    SloDecl,
    TemplateDecl,
    UseDecl,
)
from meshc_lang.tree.value import Pair
from meshc_lang.tree.walk import children


class SymbolShape(StrEnum):
    """What an entry of an outline is drawn as; the words are those of LSP's `SymbolKind`."""

    FILE = "File"
    MODULE = "Module"
    NAMESPACE = "Namespace"
    CLASS = "Class"
    INTERFACE = "Interface"
    ENUM = "Enum"
    ENUM_MEMBER = "EnumMember"
    CONSTANT = "Constant"
    FUNCTION = "Function"
    METHOD = "Method"
    EVENT = "Event"
    FIELD = "Field"
    KEY = "Key"
    OPERATOR = "Operator"
    PACKAGE = "Package"
    BOOLEAN = "Boolean"


_SHAPES: dict[type[Node], SymbolShape] = {
    EditionDecl: SymbolShape.CONSTANT,
    ImportDecl: SymbolShape.FILE,
    MeshDecl: SymbolShape.NAMESPACE,
    ServiceDecl: SymbolShape.CLASS,
    ExternalDecl: SymbolShape.INTERFACE,
    GroupDecl: SymbolShape.ENUM,
    JwtDecl: SymbolShape.KEY,
    LetDecl: SymbolShape.CONSTANT,
    TemplateDecl: SymbolShape.FUNCTION,
    UseDecl: SymbolShape.FUNCTION,
    AllowDecl: SymbolShape.METHOD,
    DenyDecl: SymbolShape.METHOD,
    RouteDecl: SymbolShape.MODULE,
    RuleDecl: SymbolShape.OPERATOR,
    Grant: SymbolShape.OPERATOR,
    OverlayDecl: SymbolShape.PACKAGE,
    AssertDecl: SymbolShape.BOOLEAN,
    TestDecl: SymbolShape.EVENT,
    CaseDecl: SymbolShape.EVENT,
    Pair: SymbolShape.FIELD,
}
"""How statements and their parts are drawn; what is not here is a field."""

_LISTED = (RuleDecl, Grant, CaseDecl, Pair)
"""The parts of statements that have an entry of their own."""

_LONGEST = 80

_MOST_WITH_PARTS = 3000
"""With more statements nobody looks at the parts of all, and listing them keeps an editor waiting."""

_KINDS = {
    NameKind.PEER: SymbolShape.CLASS,
    NameKind.PORT: SymbolShape.FIELD,
    NameKind.VERSION: SymbolShape.ENUM_MEMBER,
    NameKind.RULE: SymbolShape.OPERATOR,
    NameKind.VALUE: SymbolShape.CONSTANT,
    NameKind.TEMPLATE: SymbolShape.FUNCTION,
    NameKind.JWT: SymbolShape.KEY,
    NameKind.FAULT: SymbolShape.EVENT,
    NameKind.OVERLAY: SymbolShape.PACKAGE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineEntry:
    """A statement, or a part of one: `range` is all of it, `selection` its name."""

    name: str
    detail: str
    shape: SymbolShape
    range: Range
    selection: Range
    children: tuple[OutlineEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSymbol:
    """A declared name; `container` is what it belongs to."""

    name: str
    shape: SymbolShape
    place: Place
    container: str


def outline(document: Document) -> tuple[OutlineEntry, ...]:
    """Return the statements of a document with their parts; of a very large one without them."""
    found: list[OutlineEntry] = []
    deep = len(document.source.stretches) <= _MOST_WITH_PARTS
    base = 0
    for stretch in document.source.stretches:
        statements = stretch.reading.statements
        if statements is None:
            found += _unread(document, stretch, base)
        for statement in statements or ():
            found.append(_entry(document, base, statement, deep=deep))
        base += len(stretch.text)
    return tuple(found)


def _entry(document: Document, base: int, node: Node, *, deep: bool = True) -> OutlineEntry:
    name, detail = _title(node)
    chosen = getattr(node, "name", None) or getattr(node, "flow", None) or getattr(node, "key", None) or node
    span = chosen.span if isinstance(chosen, Node) else node.span
    return OutlineEntry(
        name=_short(name),
        detail=_short(detail),
        shape=_SHAPES.get(type(node), SymbolShape.FIELD),
        range=document.range(base + node.span.start, base + node.span.end),
        selection=document.range(base + span.start, base + span.end),
        children=tuple(_entry(document, base, child) for child in _parts(node)) if deep else (),
    )


def _parts(node: Node) -> Iterator[Node]:
    """Return the parts of a statement that are listed: entries, grants, rules, cases, statements in it."""
    if isinstance(node, RuleDecl | Grant | CaseDecl):
        return
    inner = getattr(node, "body", None) or getattr(node, "items", None)
    if isinstance(node, TemplateDecl | OverlayDecl) and isinstance(inner, tuple):
        yield from inner
        return
    grants = [child for child in children(node) if isinstance(child, _LISTED)]
    if len(grants) == 1 and isinstance(grants[0], Grant):
        return
    yield from grants
    body = getattr(node, "value", inner) if isinstance(node, Pair) else inner
    if isinstance(body, Node):
        yield from (child for child in children(body) if isinstance(child, Pair))


def _title(node: Node) -> tuple[str, str]:
    """Return what an entry is called, and what is said beside it."""
    written = " ".join(node.span.text.split())
    name = getattr(node, "name", None)
    match node:
        case AllowDecl(flow=flow) | DenyDecl(flow=flow) | EdgeDecl(flow=flow) | LimitDecl(flow=flow):
            word = written.split(" ", 1)[0]
            return f"{word} {_text(flow)}", written[len(word) + 1 + len(_text(flow)) :].strip(" :")
        case FaultDecl(flow=flow):
            return f"fault {name}", _text(flow)
        case RouteDecl(service=service):
            return f"route {service}", ""
        case SloDecl(service=service):
            return f"slo {service}", ""
        case DefaultsDecl(scope=scope):
            return f"defaults {scope}", ""
        case RuleDecl() if name is not None:
            return str(name), written
        case TestDecl():
            return f"test {name}", ""
        case Pair(key=key):
            return key.text, written[len(key.text) :].strip(" :")
        case Grant() | CaseDecl() | RuleDecl():
            return written, ""
    if name is not None:
        return str(name), written.split(" ", 1)[0]
    return written, ""


def _text(flow: Flow) -> str:
    return " ".join(flow.span.text.split())


def _unread(document: Document, stretch: Stretch, base: int) -> Iterator[OutlineEntry]:
    """Return an entry for a statement that cannot be read, so that the outline does not flicker as it is written."""
    text = stretch.text.strip()
    line = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    if not line:
        return
    start = stretch.text.index(line)
    whole = document.range(base + start, base + len(stretch.text.rstrip()))
    shape = SymbolShape.FIELD
    yield OutlineEntry(name=_short(line.strip(" {")), detail="", shape=shape, range=whole, selection=whole)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def named_symbols(view: ProgramView, query: str) -> tuple[NamedSymbol, ...]:
    """Return the declared names that hold the letters of a query in their order, the nearest first."""
    found: list[tuple[int, NamedSymbol]] = []
    for document, stretch, base in view.stretches():
        for occurrence in stretch.derived(occurrences):
            shape = _KINDS.get(occurrence.key.kind)
            if occurrence.role is not Role.DECLARED or shape is None:
                continue
            rank = _rank(query.casefold(), occurrence.key.name.casefold())
            if rank is not None:
                site = Site(document, stretch, base, occurrence)
                container = occurrence.key.owner or document.key.rpartition("/")[2]
                name = occurrence.key.name
                found.append((rank, NamedSymbol(name=name, shape=shape, place=site.place, container=container)))
    found.sort(key=lambda one: (one[0], one[1].name, one[1].place))
    return tuple(symbol for _, symbol in found)


def _rank(query: str, name: str) -> int | None:
    if name.startswith(query):
        return 0
    if query in name:
        return 1
    letters = iter(name)
    return 2 if all(letter in letters for letter in query) else None

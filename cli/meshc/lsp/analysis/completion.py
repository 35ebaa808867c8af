"""What may come next at a place: words of the language, names of the program, fields, units, codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from meshc.lsp.analysis.context import Context, context_at
from meshc.lsp.analysis.directive import is_naming_codes
from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.hover import code_text
from meshc.lsp.analysis.pending import Pending
from meshc.lsp.analysis.place import Range
from meshc.lsp.analysis.program import ProgramView
from meshc.lsp.analysis.question import AllPeers, Fact
from meshc.lsp.analysis.symbol import NameKind
from meshc_compiler.reference.field import FIELDS, UNITS_OF_FIELDS, WORDS_OF_FIELDS, unit_kind
from meshc_lang.codes import CODES
from meshc_lang.incremental import Stretch
from meshc_lang.record import dataclass
from meshc_lang.reference import IN_OVERLAYS, STATEMENTS, WORDS, Entry
from meshc_lang.tree.claim import CaseDecl
from meshc_lang.tree.policy import Attribute, AttributeKind
from meshc_lang.tree.walk import walk

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_ATTRIBUTES = ("header", "query", "cookie", "claim")
_GRANTING = ("allow", "deny")
_CLAIMS = ("never", "always", "only", "every", "attempts", "deadline", "mtls")


class ItemKind(StrEnum):
    """What an item is drawn as; the words are those of LSP's `CompletionItemKind`."""

    KEYWORD = "Keyword"
    FIELD = "Field"
    CLASS = "Class"
    ENUM_MEMBER = "EnumMember"
    PROPERTY = "Property"
    FUNCTION = "Function"
    CONSTANT = "Constant"
    METHOD = "Method"
    VALUE = "Value"
    UNIT = "Unit"
    REFERENCE = "Reference"
    TEXT = "Text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that may be typed: `text` replaces what stands before the cursor; a `snippet` has places to fill in."""

    label: str
    kind: ItemKind
    text: str
    snippet: str = ""
    detail: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """The items, the best first, and the stretch that they replace."""

    items: tuple[Item, ...]
    range: Range


_Items = Iterator[Item]


class _WithPeers(ProgramView):
    """A view of which further services and externals are known."""

    def __init__(self, view: ProgramView, peers: Iterable[str]) -> None:
        super().__init__(view.documents, view.compiled)
        self._peers = frozenset(peers)

    def names(self, kind: NameKind, owner: str | None = None) -> list[str]:
        """Return the declared names of a kind, and the peers that are known besides."""
        found = super().names(kind, owner)
        return sorted({*found, *self._peers}) if kind is NameKind.PEER else found


def completion(view: ProgramView, document: Document, offset: int) -> Pending[Completion]:
    """Return what may come next at an offset; the services of imported manifests are asked for."""

    def finish(facts: tuple[Fact, ...]) -> Completion:
        peers = facts[0] if isinstance(facts[0], tuple) else ()
        return complete(view, document, offset, [name for name in peers if isinstance(name, str)])

    return Pending((AllPeers(),), finish)


def complete(view: ProgramView, document: Document, offset: int, peers: Iterable[str] = ()) -> Completion:
    """Return what may come next at an offset; `peers` are known besides those that documents declare."""
    context = context_at(document, offset)
    view = _WithPeers(view, peers)
    written = len(context.prefix)
    if context.comment is not None:
        found = tuple(_codes()) if is_naming_codes(context.comment) else ()
        word = document.word_at(offset)
        written = offset - word.start if word is not None else 0
    elif context.string is not None:
        found = tuple(_texts(view, context))
        written = len(context.string)
    else:
        found = tuple({item.label: item for item in _expected(view, context)}.values())
    return Completion(found, document.range(offset - written, offset))


def _expected(view: ProgramView, context: Context) -> _Items:
    if context.prefix[:1].isdigit():
        yield from _units(context)
    elif context.block:
        yield from _in_block(view, context)
    elif context.bracket == "" and context.begins:
        yield from _statements(context)
    else:
        yield from _in_sentence(view, context)


# ---- statements and sentences


def _statements(context: Context) -> _Items:
    for word, entry in STATEMENTS.items():
        yield _word(word, entry)
    if context.inside == "overlay":
        for word, entry in IN_OVERLAYS.items():
            yield _word(word, entry)


def _in_sentence(view: ProgramView, context: Context) -> _Items:
    last, keyword = context.last, context.keyword
    after = _AFTER.get(last)
    if after is not None:
        yield from after(view, context)
    elif keyword in _SENTENCES:
        yield from _SENTENCES[keyword](view, context)


def _granting(view: ProgramView, context: Context) -> _Items:
    """`allow` and `deny`: a caller, then an arrow, then what is granted."""
    words = context.words
    if context.bracket == "{":
        yield from _matchers() if context.begins else _after_matcher(context)
    elif len(words) == 1:
        yield from _callers(view)
    elif words[-1] == ",":
        yield from _matchers()
    elif "->" in words:
        if ":" in words or "{}" in words:
            yield from _after_matcher(context)
        yield from _words("because")
        if words[0] == "deny":
            yield from _words("unless")


def _edges(view: ProgramView, context: Context) -> _Items:
    if len(context.words) == 1:
        yield from _callers(view)
    elif context.keyword == "limit" and "->" in context.words:
        yield from _words("burst", "per")


def _fault(view: ProgramView, context: Context) -> _Items:
    if context.last == "on":
        yield from _callers(view)
    elif len(context.words) == 2:
        yield _word("on", Entry("fault NAME on A -> B", "Whose calls fare so."))


def _named(view: ProgramView, context: Context) -> _Items:
    """`defaults`, `route`, `mirror`, `slo`: of a service."""
    if len(context.words) == 1:
        if context.keyword == "defaults":
            yield Item(label="mesh", kind=ItemKind.KEYWORD, text="mesh", detail="every call of the mesh")
        yield from _peers(view)
    elif context.keyword == "mirror":
        yield from _matchers() if len(context.words) == 2 else _after_matcher(context)


def _route(view: ProgramView, context: Context) -> _Items:
    if context.bracket != "{":
        yield from _named(view, context)
        return
    words = context.words
    if context.begins:
        yield from _matchers()
    elif "=>" not in words:
        yield from _after_matcher(context)
    elif words[-1] == ",":
        yield from _names(view, NameKind.RULE, _service(context)) if "over" in words else _targets(view, context)
    else:
        yield from _words("as", "over")


def _test(view: ProgramView, context: Context) -> _Items:
    words = context.words
    if context.bracket != "{":
        return
    if context.begins:
        yield from _callers(view, besides=("plaintext",))
    elif words[-1] == "," and "is" in words:
        yield from _verdicts(view, context)
    elif "->" in words and "is" not in words:
        after = words[words.index("->") + 1 :]
        if len(after) == 1:
            yield from _methods()
            yield from _words("rpc", "tcp")
        else:
            yield from _words("is")


def _assert(view: ProgramView, context: Context) -> _Items:
    words = context.words
    if len(words) == 1:
        yield from (_word(word, WORDS.get(word, Entry(f"assert {word}", "Mutual TLS everywhere."))) for word in _CLAIMS)
    elif words[-1] == "every":
        yield Item(label="edge", kind=ItemKind.KEYWORD, text="edge")
    elif words[-1] in ("never", "always", "only", "mtls", "(", "to") or context.bracket == "(":
        yield from _callers(view)
    elif words[1:3] == ("every", "edge"):
        yield from (Item(label=word, kind=ItemKind.KEYWORD, text=word) for word in ("from", "to", "has"))
    elif "->" in words or "->*" in words:
        yield from _words("because")


def _group(view: ProgramView, context: Context) -> _Items:
    if "=" in context.words:
        yield from _peers(view)
        yield from _peer_words("ingress")
        yield from _words("where")


def _use(view: ProgramView, context: Context) -> _Items:
    if len(context.words) == 1:
        yield from _names(view, NameKind.TEMPLATE)
    elif context.bracket == "(":
        yield from _names(view, NameKind.VALUE)
        yield from _peers(view)


def _import(view: ProgramView, context: Context) -> _Items:
    if len(context.words) == 1:
        for kind in ("kubernetes", "proto", "openapi"):
            yield Item(label=kind, kind=ItemKind.KEYWORD, text=kind)
    elif context.last == "for":
        yield from _peers(view)


def _overlay_path(view: ProgramView, context: Context) -> _Items:
    if len(context.words) == 1:
        yield Item(label="mesh", kind=ItemKind.KEYWORD, text="mesh")
        yield Item(label="fault", kind=ItemKind.KEYWORD, text="fault")
        yield from _peers(view)
        for kind in (NameKind.VALUE, NameKind.JWT):
            yield from _names(view, kind)


_SENTENCES: dict[str, Callable[[ProgramView, Context], _Items]] = {
    "allow": _granting,
    "deny": _granting,
    "edge": _edges,
    "limit": _edges,
    "fault": _fault,
    "defaults": _named,
    "mirror": _named,
    "slo": _named,
    "route": _route,
    "test": _test,
    "assert": _assert,
    "group": _group,
    "use": _use,
    "import": _import,
    "set": _overlay_path,
    "drop": _overlay_path,
}
"""What may come next in a statement, by the word that it begins with."""


# ---- after a word or sign that says alone what follows


def _callees(view: ProgramView, context: Context) -> _Items:
    yield from _peers(view)
    if context.keyword in ("allow", "deny", "assert", "edge", "limit", "fault"):
        yield from _peer_words("any")


def _targets(view: ProgramView, context: Context) -> _Items:
    service = _service(context)
    yield from _names(view, NameKind.VERSION, service)
    if context.keyword == "mirror":
        yield from _peers(view)
    elif context.last == "=>":
        yield from _words("redirect", "respond")


def _conditions(view: ProgramView, context: Context) -> _Items:
    del view
    if context.keyword == "group":
        for field in ("namespace", "name", "service-account"):
            yield Item(label=f"service.{field}", kind=ItemKind.PROPERTY, text=f"service.{field}")
        return
    yield from _words(*_ATTRIBUTES, "from")
    yield Item(label="not", kind=ItemKind.KEYWORD, text="not")


def _matcher_begins(view: ProgramView, context: Context) -> _Items:
    del view
    if context.keyword in (*_GRANTING, "assert"):
        yield from _matchers()


def _verdicts(view: ProgramView, context: Context) -> _Items:
    del view, context
    yield from _words("allowed", "denied", "routed", "by")
    for word in ("limit", "mirror", "fault"):
        yield Item(label=word, kind=ItemKind.KEYWORD, text=word)
    for field, entry in FIELDS["settings"].items():
        if field in ("timeout", "retry"):
            yield Item(label=field, kind=ItemKind.PROPERTY, text=field, detail=entry.text)


def _per(view: ProgramView, context: Context) -> _Items:
    del view, context
    yield from _words(*_ATTRIBUTES)


def _rules(view: ProgramView, context: Context) -> _Items:
    yield from _names(view, NameKind.RULE, _service(context))


def _from(view: ProgramView, context: Context) -> _Items:
    del context
    yield from _callers(view)


_AFTER: dict[str, Callable[[ProgramView, Context], _Items]] = {
    "->": _callees,
    "->*": _callees,
    "=>": _targets,
    "if": _conditions,
    "unless": _conditions,
    "and": _conditions,
    "or": _conditions,
    "not": _conditions,
    "where": _conditions,
    ":": _matcher_begins,
    "is": _verdicts,
    "routed": _targets,
    "by": _rules,
    "over": _rules,
    "per": _per,
    "from": _from,
}


# ---- blocks


def _in_block(view: ProgramView, context: Context) -> _Items:
    if context.begins:
        for name, entry in FIELDS.get(context.block, {}).items():
            if name not in context.keys:
                yield Item(
                    label=name,
                    kind=ItemKind.FIELD,
                    text=f"{name}: ",
                    snippet=entry.snippet,
                    detail=entry.form,
                    doc=entry.text,
                )
        return
    for word in WORDS_OF_FIELDS.get(f"{context.block}.{context.words[0]}", ()):
        yield Item(label=word, kind=ItemKind.ENUM_MEMBER, text=word)
    yield from _names(view, NameKind.VALUE)


def _units(context: Context) -> _Items:
    """Behind a number: the units that its field, or its place, may have."""
    number = "".join(_leading_digits(context.prefix))
    kind = ""
    if context.block and context.words:
        kind = unit_kind(f"{context.block}.{context.words[0]}")
    elif context.keyword == "limit":
        kind = "rate"
    elif context.keyword in ("route", "mirror"):
        kind = "%"
    elif context.keyword in ("let", "use", "test", "set"):
        kind = "time"
    for unit in UNITS_OF_FIELDS.get(kind, ()):
        yield Item(label=number + unit, kind=ItemKind.UNIT, text=number + unit)


def _leading_digits(text: str) -> Iterator[str]:
    for character in text:
        if not (character.isdigit() or character == "."):
            return
        yield character


# ---- texts and comments


def _codes() -> _Items:
    for code in sorted(CODES.values(), key=lambda one: one.id):
        yield Item(
            label=code.id,
            kind=ItemKind.REFERENCE,
            text=code.id,
            detail=f"{code.name}: {code.summary}",
            doc=code_text(code),
        )


def _texts(view: ProgramView, context: Context) -> _Items:
    if context.last in _ATTRIBUTES:
        for name in attribute_names(view, AttributeKind(context.last)):
            yield Item(label=name, kind=ItemKind.TEXT, text=name)


def attribute_names(view: ProgramView, kind: AttributeKind) -> list[str]:
    """Return the names of headers, say, that the program speaks of."""
    names = {name for _, stretch, _ in view.stretches() for name in stretch.derived(_attributes).get(kind, ())}
    return sorted(names)


def _attributes(stretch: Stretch) -> dict[AttributeKind, frozenset[str]]:
    found: dict[AttributeKind, set[str]] = {}
    for node in walk(stretch.file):
        if isinstance(node, Attribute):
            found.setdefault(node.kind, set()).add(node.key)
        elif isinstance(node, CaseDecl):
            found.setdefault(AttributeKind.HEADER, set()).update(name for name, _ in node.request.headers)
            found.setdefault(AttributeKind.CLAIM, set()).update(name for name, _ in node.request.claims)
    return {kind: frozenset(names) for kind, names in found.items()}


# ---- items


def _word(word: str, entry: Entry) -> Item:
    return Item(label=word, kind=ItemKind.KEYWORD, text=word, snippet=entry.snippet, detail=entry.form, doc=entry.text)


def _words(*words: str) -> _Items:
    return (_word(word, WORDS[word]) for word in words)


def _peer_words(*words: str) -> _Items:
    return (Item(label=word, kind=ItemKind.KEYWORD, text=word, doc=WORDS[word].text) for word in words)


def _names(view: ProgramView, kind: NameKind, owner: str | None = None) -> _Items:
    shape = {
        NameKind.PEER: ItemKind.CLASS,
        NameKind.VERSION: ItemKind.ENUM_MEMBER,
        NameKind.TEMPLATE: ItemKind.FUNCTION,
        NameKind.RULE: ItemKind.REFERENCE,
        NameKind.PORT: ItemKind.PROPERTY,
    }.get(kind, ItemKind.CONSTANT)
    for name in view.names(kind, owner):
        yield Item(label=name, kind=shape, text=name, detail=kind.value)


def _peers(view: ProgramView) -> _Items:
    return _names(view, NameKind.PEER)


def _callers(view: ProgramView, besides: Iterable[str] = ()) -> _Items:
    yield from _peers(view)
    yield from _peer_words("any", "ingress", *besides)


def _methods() -> _Items:
    return (Item(label=method, kind=ItemKind.METHOD, text=method) for method in METHODS)


def _matchers() -> _Items:
    yield from _methods()
    yield from _words("rpc", "tcp")


def _after_matcher(context: Context) -> _Items:
    if context.words[-1] in METHODS or context.words[-1] in ("|", "rpc"):
        yield from _methods() if context.words[-1] == "|" else ()
    else:
        yield from _words("if")


def _service(context: Context) -> str:
    """Return the service that a sentence is about: that of a route or mirror, or the callee of a test's case."""
    if context.keyword == "test" and "->" in context.words:
        words = context.words
        return words[words.index("->") + 1].partition(".")[0] if words[-1] != "->" else ""
    about = (*context.head, *context.words)
    return about[1].partition(".")[0] if len(about) > 1 else ""

"""What is told about the thing under the cursor: its declaration, what it means, and where that comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized

from meshc.lsp.analysis.directive import directive_code_at
from meshc.lsp.analysis.document import Cursor
from meshc.lsp.analysis.pending import Pending, at_once
from meshc.lsp.analysis.place import Range
from meshc.lsp.analysis.program import ProgramView, Site
from meshc.lsp.analysis.question import (
    AboutGrant,
    AboutName,
    AboutRoute,
    EdgeFact,
    Fact,
    GrantFact,
    NameFact,
    Origin,
    Question,
    SettingFact,
)
from meshc.lsp.analysis.shape import block_of, edge_of, peer_text
from meshc.lsp.analysis.symbol import Key, NameKind
from meshc_compiler.reference.field import FIELDS
from meshc_lang.codes import Code
from meshc_lang.record import dataclass
from meshc_lang.reference import IN_OVERLAYS, STATEMENTS, WORDS
from meshc_lang.tree.declaration import Statement
from meshc_lang.tree.node import Name, Node
from meshc_lang.tree.policy import AnyPeer, Flow, Grant, IngressPeer
from meshc_lang.tree.statement import AllowDecl, DenyDecl, RouteDecl, RuleDecl
from meshc_lang.tree.value import Pair

_MOST_LISTED = 12


@dataclass(frozen=True, slots=True)
class Hover:
    """Markdown about a stretch of the text."""

    text: str
    range: Range


def hover(view: ProgramView, cursor: Cursor) -> Pending[Hover | None]:
    """Return what is told about a place; None where there is nothing to tell."""
    code = directive_code_at(cursor)
    if code is not None:
        return at_once(Hover(code_text(code[0]), cursor.range(code[1])))
    named = view.name_at(cursor)
    if named is not None:
        return _name(view, *named)
    for node in reversed(cursor.nodes):
        if isinstance(node, AnyPeer | IngressPeer):
            return _named_by_word(view, cursor, node)
        if isinstance(node, Pair):
            return _field(view, cursor, node)
        if isinstance(node, Grant | RuleDecl):
            if _is_on_word(cursor, WORDS):
                break
            return _grant(view, cursor, node)
        if isinstance(node, Flow) and not _is_on_word(cursor, WORDS):
            return _edge(view, cursor, node)
    return _word(view, cursor)


# ---- names


def _name(view: ProgramView, site: Site, key: Key) -> Pending[Hover | None]:
    declared = view.declared(key)
    head = _declaration_text(key, declared)
    range_ = site.range
    if key.kind is not NameKind.PEER:
        questions: tuple[Question, ...] = ()
        if key.kind is NameKind.RULE:
            questions = (AboutRoute(key.owner, key.name, ""),)
        return Pending(questions, lambda facts: Hover(_joined(head, *map(_grant_text(view), facts)), range_))

    def finish(facts: tuple[Fact, ...]) -> Hover | None:
        fact = facts[0]
        if not isinstance(fact, NameFact):
            return Hover(head, range_) if head else None
        # What is declared in a manifest is declared.
        text = _joined(head if declared else f"{fact.kind} `{fact.name}`", _name_text(view, fact))
        return Hover(text, range_)

    return Pending((AboutName(key.name),), finish)


def _declaration_text(key: Key, declared: list[Site]) -> str:
    """Return the declaration in short, with its doc comment."""
    if not declared:
        return f"{key.kind} `{key.name}`: not declared" if key.kind is not NameKind.VALUE else ""
    site = declared[0]
    statement = site.statement
    if statement is None:
        return f"`{key.name}`"
    doc = "\n".join(statement.doc) if isinstance(statement, Statement) else ""
    if key.kind in (NameKind.PORT, NameKind.VERSION, NameKind.RULE, NameKind.PARAMETER):
        shown = f"{key.kind} `{key.name}` of `{key.owner}`"
        return _joined(shown, _code(site.stretch.source.line(site.occurrence.span.first.line).strip()))
    first = statement.span.text
    lines = first.splitlines()
    shown = first if len(lines) <= _MOST_LISTED else "\n".join([*lines[:_MOST_LISTED], "…"])
    return _joined(_code(shown), doc)


def _named_by_word(view: ProgramView, cursor: Cursor, node: Node) -> Pending[Hover | None]:
    word = peer_text(node)
    entry = WORDS[word]
    range_ = cursor.range(node.span)

    def finish(facts: tuple[Fact, ...]) -> Hover:
        told = _name_text(view, facts[0]) if isinstance(facts[0], NameFact) else ""
        return Hover(_joined(f"`{word}`", entry.text, told), range_)

    return Pending((AboutName(word),), finish)


def _name_text(view: ProgramView, fact: NameFact) -> str:
    parts = ["  \n".join(f"{what}: `{value}`" for what, value in fact.rows)]
    if fact.members is not None:
        parts.append(f"{len(fact.members)} members: {_listed(fact.members)}")
    elif fact.kind in ("service", "external"):
        told = [f"`{name}` ({count})" if count > 1 else f"`{name}`" for name, count in fact.callers]
        parts.append(
            "may be called by " + ", ".join(told[:_MOST_LISTED]) + _more(told) if told else "nobody may call it"
        )
    parts.append(_settings_text(view, fact.settings, "for every caller"))
    return _joined(*parts)


# ---- edges, grants, rules


def _edge(view: ProgramView, cursor: Cursor, flow: Flow) -> Pending[Hover | None]:
    range_ = cursor.range(flow.span)

    def finish(facts: tuple[Fact, ...]) -> Hover | None:
        fact = facts[0]
        return Hover(edge_text(view, fact), range_) if isinstance(fact, EdgeFact) else None

    return Pending((edge_of(flow),), finish)


def edge_text(view: ProgramView, fact: EdgeFact) -> str:
    """Return what holds for the calls of one peer to another, as Markdown."""
    pairs = f" ({fact.pairs} pairs)" if fact.pairs > 1 else ""
    parts = [f"**{fact.caller} -> {fact.callee}**{pairs}"]
    for effect, words in (("allow", "allowed"), ("deny", "denied")):
        rules = [rule for rule in fact.rules if rule.effect == effect]
        lines = [
            f"- `{rule.text}`" + (f" because {rule.because}" if rule.because else "") + _where(view, rule.origin)
            for rule in rules[:_MOST_LISTED]
        ]
        if lines:
            parts.append(f"{words}:\n" + "\n".join(lines) + _more(rules))
        elif effect == "allow":
            parts.append("nothing is allowed")
    parts.append(_settings_text(view, fact.settings, ""))
    if fact.varying:
        parts.append("different from pair to pair: " + ", ".join(fact.varying))
    if fact.limits:
        parts.append("limit: " + ", ".join(fact.limits))
    return _joined(*parts)


def _grant(view: ProgramView, cursor: Cursor, node: Grant | RuleDecl) -> Pending[Hover | None]:
    statement = cursor.nodes[0]
    written = " ".join(node.span.text.split())
    question: Question | None = None
    match statement, node:
        case AllowDecl() | DenyDecl(), Grant():
            question = AboutGrant(peer_text(statement.flow.callee), written)
        case RouteDecl(), RuleDecl():
            question = AboutRoute(statement.service.text, "" if node.name is None else node.name.text, written)
    range_ = cursor.range(node.span)
    doc = "\n".join(statement.doc) if isinstance(statement, Statement) else ""
    head = _joined(_code(written), doc)

    def finish(facts: tuple[Fact, ...]) -> Hover:
        return Hover(_joined(head, *map(_grant_text(view), facts)), range_)

    return Pending(() if question is None else (question,), finish)


def _grant_text(view: ProgramView) -> Callable[[Fact], str]:
    def text(fact: Fact) -> str:
        if not isinstance(fact, GrantFact):
            return ""
        first = f"for example `{fact.witness}`" if fact.witness else "it decides no request"
        rows = [first, *(f"{what} `{value}`" for what, value in fact.rows)]
        return _joined("  \n".join(rows), _settings_text(view, fact.settings, ""))

    return text


# ---- fields and words


def _field(view: ProgramView, cursor: Cursor, pair: Pair) -> Pending[Hover | None]:
    block = block_of(cursor.nodes, pair)
    name = pair.key.text
    entry = FIELDS.get(block, {}).get(name)
    range_ = cursor.range(pair.key.span)
    if entry is None:
        return at_once(None)
    head = _joined(_code(entry.form), entry.text)
    question = _setting_question(cursor)
    if not block.startswith("settings") or question is None:
        return at_once(Hover(head, range_))
    setting = f"{block}.{name}".removeprefix("settings.").replace(".", " ")

    def finish(facts: tuple[Fact, ...]) -> Hover:
        fact = facts[0]
        rows = fact.settings if isinstance(fact, NameFact | EdgeFact | GrantFact) else ()
        wanted = tuple(row for row in rows if row.name == setting or row.name.startswith(f"{setting} "))
        return Hover(_joined(head, _settings_text(view, wanted, "")), range_)

    return Pending((question,), finish)


def _setting_question(cursor: Cursor) -> Question | None:
    statement = cursor.nodes[0]
    for node in reversed(cursor.nodes):
        if isinstance(node, RuleDecl) and isinstance(statement, RouteDecl):
            name = "" if node.name is None else node.name.text
            return AboutRoute(statement.service.text, name, " ".join(node.span.text.split()))
    flow = getattr(statement, "flow", None)
    if isinstance(flow, Flow):
        return edge_of(flow)
    scope = getattr(statement, "scope", None)
    return AboutName(scope.text) if isinstance(scope, Name) else None


def _word(view: ProgramView, cursor: Cursor) -> Pending[Hover | None]:
    """A word of the language, by its place: a keyword where a statement begins, or a word within one."""
    word = cursor.document.word_at(cursor.offset)
    if word is None or _in_comment_or_text(cursor):
        return at_once(None)
    start = word.start - cursor.base
    begins = not cursor.stretch.text[cursor.stretch.text.rfind("\n", 0, start) + 1 : start].strip()
    entry = (STATEMENTS.get(word.text) or IN_OVERLAYS.get(word.text)) if begins else None
    entry = entry or WORDS.get(word.text)
    if entry is None:
        return at_once(None)
    range_ = cursor.document.range(word.start, word.end)
    head = _joined(_code(entry.form), entry.text)
    statement = cursor.nodes[0] if cursor.nodes else None
    flow = getattr(statement, "flow", None)
    question = edge_of(flow) if begins and isinstance(flow, Flow) else None
    if question is None:
        return at_once(Hover(head, range_))

    def finish(facts: tuple[Fact, ...]) -> Hover:
        fact = facts[0]
        return Hover(_joined(head, edge_text(view, fact) if isinstance(fact, EdgeFact) else ""), range_)

    return Pending((question,), finish)


def _is_on_word(cursor: Cursor, words: Iterable[str]) -> bool:
    word = cursor.document.word_at(cursor.offset)
    return word is not None and word.text in words and not _in_comment_or_text(cursor)


def _in_comment_or_text(cursor: Cursor) -> bool:
    relative = cursor.offset - cursor.base
    if any(one.span.start <= relative <= one.span.end for one in cursor.stretch.reading.comments):
        return True
    before = cursor.stretch.text[cursor.stretch.text.rfind("\n", 0, relative) + 1 : relative]
    return before.count('"') % 2 == 1


# ---- Markdown


def code_text(code: Code) -> str:
    """Return the page of a code in short, as Markdown."""
    parts = [f"**{code.id}** {code.name} ({code.severity})", f"{code.summary[0].upper()}{code.summary[1:]}.", code.why]
    if code.bad:
        parts += ["Yields it:", _code(code.bad.rstrip()), "Put right:", _code(code.good.rstrip())]
    return _joined(*parts)


def plain_text(markdown: str) -> str:
    """Return Markdown of ours without its marks, for editors that show none."""
    kept = [line for line in markdown.splitlines() if not line.startswith("```")]
    return "\n".join(line.replace("**", "").replace("`", "").rstrip() for line in kept)


def _settings_text(view: ProgramView, rows: tuple[SettingFact, ...], head: str) -> str:
    lines = []
    for row in rows:
        where = f"{row.scope}{_where(view, row.origin)}"
        if row.effective:
            lines.append(f"- {row.name} `{row.value}`: {where}")
        else:
            lines.append(f"  - over `{row.value}`: {where}")
    return f"settings{' ' + head if head else ''}:\n" + "\n".join(lines) if lines else ""


def _where(view: ProgramView, origin: Origin | None) -> str:
    """Return where something is stated now, as the end of a line."""
    if origin is None:
        return ""
    document = view.documents.get(origin.key)
    name = origin.key.rpartition("/")[2]
    if document is None:
        return f", {name}"
    return f", {name}:{document.position(view.now(origin)).line + 1}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:_MOST_LISTED]) + _more(names)


def _more(items: Sized) -> str:
    left = len(items) - _MOST_LISTED
    return f" and {left} more" if left > 0 else ""


def _code(text: str) -> str:
    return f"```mesh\n{text}\n```"


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)

"""What is written between the lines: effective timeouts and tries at edges, callers at services, sizes of groups."""

from __future__ import annotations

from collections.abc import Iterator

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.pending import Pending
from meshc.lsp.analysis.place import Position, Range
from meshc.lsp.analysis.program import ProgramView
from meshc.lsp.analysis.question import AboutEdge, EdgeFact, Fact, HowMany, Question, SettingFact
from meshc.lsp.analysis.shape import edge_of
from meshc_lang.record import dataclass
from meshc_lang.tree.declaration import ExternalDecl, GroupDecl, ServiceDecl
from meshc_lang.tree.node import Node
from meshc_lang.tree.statement import AllowDecl, EdgeDecl

_MOST = 200
"""More statements than a screen shows: who asks for the hints of a whole file gets those of its beginning."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A remark behind a place of the text."""

    position: Position
    text: str


def hints(view: ProgramView, document: Document, range_: Range) -> Pending[tuple[Hint, ...]]:
    """Return the remarks on the statements of a range."""
    del view
    asked = list(_asked(document, range_))[:_MOST]

    def finish(facts: tuple[Fact, ...]) -> tuple[Hint, ...]:
        found = []
        for (question, offset, noun), fact in zip(asked, facts, strict=False):
            text = _text(question, fact, noun)
            if text:
                found.append(Hint(document.position(offset), text))
        return tuple(found)

    return Pending(tuple(question for question, _, _ in asked), finish)


def _asked(document: Document, range_: Range) -> Iterator[tuple[Question, int, str]]:
    source = document.source
    if not source.stretches:
        return
    first, last = document.offset(range_.start), document.offset(range_.end)
    for index in range(source.index_at(first), source.index_at(last) + 1):
        base = source.start_of(index)
        for statement in source.stretches[index].reading.statements or ():
            asked = _question(statement)
            if asked is not None and first <= base + asked[1] <= last:
                yield asked[0], base + asked[1], "member" if isinstance(statement, GroupDecl) else "caller"


def _question(statement: Node) -> tuple[Question, int] | None:
    match statement:
        case ServiceDecl() | ExternalDecl() | GroupDecl():
            return HowMany(statement.name.text), statement.name.span.end
        case AllowDecl() | EdgeDecl():
            return edge_of(statement.flow), statement.flow.span.end
    return None


def _text(question: Question, fact: Fact, noun: str) -> str:
    match question, fact:
        case HowMany(), int():
            return f"{fact} {noun}{'' if fact == 1 else 's'}"
        case AboutEdge(), EdgeFact():
            rows = {row.name: row for row in fact.settings if row.effective}
            parts = [_timeout(rows), _tries(rows)]
            return ", ".join(part for part in parts if part)
    return ""


def _timeout(rows: dict[str, SettingFact]) -> str:
    row = rows.get("timeout")
    return "" if row is None else f"timeout {row.value}"


def _tries(rows: dict[str, SettingFact]) -> str:
    limit, on = rows.get("retry limit"), rows.get("retry on")
    if limit is None or on is None or not limit.value.isdigit() or limit.value == "0":
        return ""
    return f"{int(limit.value) + 1} tries"

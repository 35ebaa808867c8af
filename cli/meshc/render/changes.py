"""What differs between two programs, as text, JSON, and workflow commands of GitHub."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from meshc.render.json import Json, document, request_json, span_json
from meshc.render.terminal import Ink, Terminal, terminal_of
from meshc_compiler.diff.change import Change, ChangeKind
from meshc_lang.record import dataclass
from meshc_lang.source import Span

SIGNS = {
    ChangeKind.OPENED: "+",
    ChangeKind.CLOSED: "-",
    ChangeKind.REROUTED: "~",
    ChangeKind.SETTINGS: "~",
    ChangeKind.IDENTITY: "@",
    ChangeKind.UNDECIDED: "?",
}
_INKS = {
    ChangeKind.OPENED: Ink.GOOD,
    ChangeKind.CLOSED: Ink.ERROR,
    ChangeKind.REROUTED: Ink.INFO,
    ChangeKind.SETTINGS: Ink.INFO,
    ChangeKind.IDENTITY: Ink.WARNING,
    ChangeKind.UNDECIDED: Ink.ERROR,
}

NOTHING = "no request fares otherwise, and nothing is declared otherwise"

_MOST_NAMES = 6
_MOST_SPANS = 4
_FEWEST_ALIKE = 3
"""So many changes of one kind, class and effect, to several callees, are told as one."""


@dataclass(frozen=True, slots=True)
class Row:
    """Changes that differ in nothing but who is called, and by whom."""

    changes: tuple[Change, ...]

    @property
    def first(self) -> Change:
        """The one of which the witness and the places are shown."""
        return self.changes[0]

    @property
    def edge(self) -> str:
        """Who calls whom: `web -> api`, or that there are many."""
        callees = [change.callee for change in self.changes]
        if not self.first.callers.words:
            return _shortened(callees)
        if len(callees) == 1:
            return f"{_shortened(self.first.callers.words)} -> {callees[0]}"
        froms = dict.fromkeys(word for change in self.changes for word in change.callers.words)
        return f"{_shortened(tuple(froms))} -> {_shortened(callees)}"

    @property
    def callers(self) -> int:
        """How many callers have the change, counted for each callee."""
        return sum(change.callers.count for change in self.changes)


def rows_of(changes: Sequence[Change]) -> tuple[Row, ...]:
    """Return the changes as rows, in their order."""
    alike: dict[object, list[Change]] = {}
    for change in changes:
        key: tuple[object, ...] = (change.kind, change.requests, change.before, change.after, change.overlays)
        alike.setdefault(key if change.kind is not ChangeKind.IDENTITY else id(change), []).append(change)
    rows: list[Row] = []
    for some in alike.values():
        if len(some) >= _FEWEST_ALIKE:
            rows.append(Row(tuple(some)))
        else:
            rows += [Row((change,)) for change in some]
    return tuple(sorted(rows, key=lambda row: row.first.sort_key))


def counts(changes: Sequence[Change]) -> str:
    """Return how many changes there are of each kind: `2 opened, 1 closed`."""
    found = Counter(change.kind for change in changes)
    return ", ".join(f"{found[kind]:,} {kind}" for kind in ChangeKind if found[kind]) or NOTHING


def render_changes(changes: tuple[Change, ...], form: str, old: str, new: str) -> str:
    """Return the changes in one of the forms."""
    match form:
        case "json":
            return document(changes=[_json(change) for change in changes])
        case "markdown":
            from meshc.render.changes_markdown import markdown

            return markdown(changes, old, new)
        case "github":
            return "".join(map(_annotation, changes))
        case _:
            return _text(changes, terminal_of(sys.stdout))


# ---- JSON


def _json(change: Change) -> Json:
    return {
        "kind": change.kind.value,
        "from": change.callers.text,
        "callers": list(change.callers.words),
        "caller_count": change.callers.count,
        "to": change.callee,
        "class": change.requests,
        "witness": request_json(change.witness),
        "before": change.before,
        "after": change.after,
        "spans": [
            {"side": side, **(span_json(span) or {})}
            for side, spans in (("old", change.old_spans), ("new", change.new_spans))
            for span in spans
        ],
        "overlays": list(change.overlays),
    }


# ---- text


def _text(changes: tuple[Change, ...], terminal: Terminal) -> str:
    if not changes:
        return f"{NOTHING}\n"
    blocks = ["\n".join(_lines(row, terminal)) + "\n" for row in rows_of(changes)]
    return "".join(blocks) + "\n" + terminal.paint(counts(changes), Ink.STRONG) + "\n"


def _lines(row: Row, terminal: Terminal) -> list[str]:
    change = row.first
    separator = " : " if change.callers.words else " "
    head = f"{SIGNS[change.kind]} {row.edge}{separator}{change.requests}"
    lines = [terminal.paint(terminal.safe(head), _INKS[change.kind])]
    only = f" (overlay {', '.join(change.overlays)})" if change.overlays else ""
    if change.kind is ChangeKind.UNDECIDED:
        lines.append(terminal.safe(f"    {change.after}{only}"))
    else:
        lines.append(terminal.safe(f"    {change.kind}: {change.before} => {change.after}{only}"))
    if change.witness is not None:
        lines.append(terminal.safe(f"    witness: {change.witness.text}"))
    if places := places_text(change):
        lines.append(terminal.paint(terminal.safe(f"    {places}"), Ink.FAINT))
    return lines


def places_text(change: Change) -> str:
    """Return where both programs say it: `was shop.mesh:3:1, is shop.mesh:4:1`."""
    told = [
        f"{word} {_shortened([_place(span) for span in spans], _MOST_SPANS)}"
        for word, spans in (("was", change.old_spans), ("is", change.new_spans))
        if spans
    ]
    return "; ".join(told)


def _place(span: Span) -> str:
    return f"{span} ({', '.join(span.notes)})" if span.notes else str(span)


def _shortened(words: Sequence[str], most: int = _MOST_NAMES) -> str:
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


# ---- GitHub


def _annotation(change: Change) -> str:
    """Return a change as an annotation of the line that makes it, in the new program if it has one."""
    from meshc.render.github import command

    span = next(iter((*change.new_spans, *change.old_spans)), None)
    level = "warning" if change.kind in {ChangeKind.OPENED, ChangeKind.UNDECIDED} else "notice"
    row = Row((change,))
    lines = [f"{row.edge} : {change.requests}" if change.callers.words else f"{row.edge} {change.requests}"]
    lines.append(f"{change.before} => {change.after}" if change.before else change.after)
    lines += [f"witness: {change.witness.text}"] if change.witness is not None else []
    return command(level, span if change.new_spans else None, f"meshc diff: {change.kind}", lines)

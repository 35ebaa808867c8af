"""What differs between two programs as Markdown, for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from meshc.render.changes import NOTHING, SIGNS, Row, counts, places_text, rows_of
from meshc.render.terminal import Terminal
from meshc_compiler.diff.change import Change, ChangeKind

_MOST_CHARACTERS = 24_000
"""Of the table, and of the details: GitHub takes comments of 65,536 characters."""

_LONGEST = 240
"""Characters of one cell."""

_PLAIN = Terminal()


def markdown(changes: Sequence[Change], old: str, new: str) -> str:
    """Return a heading with the counts, a table of the changes, and their witnesses and places folded away.

    All that comes from programs stands in code spans: it is shown as it is, and nothing of it is markup or a mention.
    """
    head = f"### meshc diff: {counts(changes) if changes else 'nothing changes'}\n\n"
    between = f"{_code(old)} → {_code(new)}\n"
    if not changes:
        return f"{head}{between}\n{NOTHING[0].upper()}{NOTHING[1:]}.\n"
    rows = rows_of(changes)
    table, shown = _filled([_table_line(row) for row in rows])
    details, _ = _filled([_details(row) for row in rows[:shown]])
    lines = [head + between, "| | calls | requests | before | after |", "|---|---|---|---|---|", *table]
    if shown < len(rows):
        lines += ["", f"… and {len(rows) - shown:,} more: `meshc diff` tells all of them."]
    lines += ["", "<details><summary>Witnesses and places</summary>", "", *details, "", "</details>"]
    return "\n".join(lines) + "\n"


def _filled(lines: list[str]) -> tuple[list[str], int]:
    """Return as many lines as there is room for."""
    room = _MOST_CHARACTERS
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return lines[:number], number
    return lines, len(lines)


def _table_line(row: Row) -> str:
    change = row.first
    only = f" in {', '.join(map(_cell, change.overlays))}" if change.overlays else ""
    kind = f"{SIGNS[change.kind]} {change.kind}"
    callers = f" ({row.callers:,} callers)" if row.callers > 1 else ""
    cells = (f"`{kind}`{only}", _cell(row.edge) + callers, _cell(change.requests), _cell(change.before))
    return f"| {' | '.join(cells)} | {_cell(change.after)} |"


def _details(row: Row) -> str:
    change = row.first
    parts = [f"- `{SIGNS[change.kind]}` {_code(row.edge)} {_code(change.requests)}"]
    if change.witness is not None:
        parts.append(f"  - witness: {_code(change.witness.text)}")
    elif change.kind is ChangeKind.UNDECIDED:
        parts.append(f"  - {_code(change.after)}")
    if places := places_text(change):
        parts.append(f"  - {_code(places)}")
    return "\n".join(parts)


def _cell(text: str) -> str:
    """Return a text for a cell of a table: a pipe would end it, in code too (GFM 4.10)."""
    return _code(text).replace("|", "\\|") if text else ""


def _code(text: str) -> str:
    """Return a text as a code span (CommonMark 6.1): its fence is longer than any run of backticks inside."""
    plain = _PLAIN.safe(text)
    plain = plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
    if not plain.strip():
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", plain)), default=0) + 1)
    pad = " " if plain[0] in "` " or plain[-1] in "` " else ""
    return f"{fence}{pad}{plain}{pad}{fence}"

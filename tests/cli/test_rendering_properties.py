"""Whatever stands in a program and wherever a finding points, it can be shown."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from meshc.render.json import findings_document
from meshc.render.terminal import Terminal, cell_count
from meshc.render.text import render_diagnostic
from meshc_lang.codes import Code, Severity
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix, Label
from meshc_lang.source import SourceText, Span

CODE = Code(id="MSH999", name="any", severity=Severity.ERROR, summary="s", why="w")
TEXT = st.text(
    st.one_of(st.sampled_from("ab {}\t\n\r漢e\u0301\x1b\x07\u202e\u200b\U0001f600\u2028"), st.characters()),
    max_size=120,
)


@st.composite
def diagnostics(draw: st.DrawFn) -> Diagnostic:
    source = SourceText(draw(TEXT) or "p.mesh", draw(TEXT))

    def span() -> Span:
        ends = sorted(draw(st.integers(0, len(source.text))) for _ in range(2))
        return source.span(*ends)

    labels = tuple(Label(span(), draw(TEXT)) for _ in range(draw(st.integers(0, 4))))
    fixes = tuple(
        Fix(title=draw(TEXT), applicability=draw(st.sampled_from(Applicability)), edits=(Edit(span(), draw(TEXT)),))
        for _ in range(draw(st.integers(0, 3)))
    )
    return Diagnostic(
        code=CODE, message=draw(TEXT), primary=span(), label=draw(TEXT), related=labels, help=draw(TEXT), fixes=fixes
    )


@given(diagnostics(), st.sampled_from([None, 20, 60, 100]), st.booleans())
def test_every_finding_can_be_shown_and_steers_no_terminal(
    diagnostic: Diagnostic, width: int | None, unicode: bool
) -> None:
    text = render_diagnostic(diagnostic, Terminal(width=width, unicode=unicode))
    assert text.startswith("error[MSH999] any: ")
    assert text.splitlines()[-1].startswith("explain: meshc explain MSH999")
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in text)
    assert not set(text) & set("\u202e\u2028\u2029\u2066\u200b")
    if not unicode:
        assert text.isascii()


@given(diagnostics())
def test_marks_stand_below_what_they_mark(diagnostic: Diagnostic) -> None:
    alone = Diagnostic(code=CODE, message="m", primary=diagnostic.primary)
    lines = render_diagnostic(alone, Terminal(width=10_000)).splitlines()
    marks = [(above, line) for above, line in pairwise(lines) if line.strip(" |^") == "" and "^" in line]
    for above, line in marks:
        assert line.index("^") <= cell_count(above) + 1


@given(diagnostics())
def test_every_finding_is_json(diagnostic: Diagnostic) -> None:
    (finding,) = json.loads(findings_document((diagnostic,)))["findings"]
    assert finding["message"] == diagnostic.message
    assert finding["primary"]["line"] >= 1
    assert (finding["primary"]["end_line"], finding["primary"]["end_column"]) >= (
        finding["primary"]["line"],
        finding["primary"]["column"],
    )

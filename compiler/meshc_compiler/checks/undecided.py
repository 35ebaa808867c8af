"""What the other checks could not decide of a port: told, so that their silence is not taken for proof."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.finding import labels_at
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic

_MOST_SHOWN = 3


def check_undecided(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Tell of each port of which something could not be decided: what, of which sentences, and at which bound."""
    for (callee, number), doubts in subject.doubts.items():
        port = subject.index.port_of(callee, number)
        name = callee if port is None or port.name is None else f"{callee}.{port.name}"
        for noun in dict.fromkeys(doubt.of for doubt in doubts.questions):
            asked = [doubt for doubt in doubts.questions if doubt.of == noun]
            spans = {span for doubt in asked for span in doubts.questions[doubt]}
            first, *others = sorted(spans, key=lambda span: span.sort_key)
            what = f"this {noun}" if not others else f"{len(spans)} {noun}s"
            link = "to" if noun == "grant" else "of"
            yield Diagnostic(
                code=authorization.NOT_VERIFIED,
                message=f"it could not be decided of {what} {link} `{name}` "
                + ", or ".join(f"whether {doubt}" for doubt in asked)
                + (f": {'; '.join(doubts.reasons)}" if doubts.reasons else ""),
                primary=first,
                related=labels_at(others[:_MOST_SHOWN], "nor of this one"),
                help="each comparison has a bound: write paths as templates, and values as lists",
                subject=f"proofs of {name}",
            )

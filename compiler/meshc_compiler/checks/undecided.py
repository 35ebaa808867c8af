"""What the other checks could not decide of a port's grants: told, so that their silence is not taken for proof."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.finding import labels_at
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic

_MOST_SHOWN = 3


def check_undecided(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Tell of each port of which something could not be decided: what, of which grants, and at which bound."""
    for (callee, number), doubts in subject.doubts.items():
        space = subject.space(callee, number)
        spans = {rule.origin for rules in doubts.values() for rule in rules if rule.origin is not None}
        if space is None or not spans:
            continue
        first, *others = sorted(spans, key=lambda span: span.sort_key)
        name = callee if space.port.name is None else f"{callee}.{space.port.name}"
        what = "this grant" if not others else f"{len(spans)} grants"
        questions = ", or ".join(f"whether {doubt}" for doubt in doubts)
        reasons = space.doubts
        yield Diagnostic(
            code=authorization.NOT_VERIFIED,
            message=f"it could not be decided of {what} to `{name}` {questions}"
            + (f": {'; '.join(reasons)}" if reasons else ""),
            primary=first,
            related=labels_at(others[:_MOST_SHOWN], "nor of this one"),
            help="each comparison has a bound: write paths as templates, and values as lists",
            subject=f"proofs of {name}",
        )

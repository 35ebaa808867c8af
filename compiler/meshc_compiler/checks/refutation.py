"""What is told of an assert that does not hold, or of which nothing could be proved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_compiler.ir.claim import Assertion
from meshc_lang.codes import Code, authorization
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.request import Request


def refutation(
    code: Code,
    claim: Assertion,
    *,
    detail: str = "",
    related: tuple[Label, ...] = (),
    witness: Request | None = None,
    help_line: str = "",
) -> Iterator[Diagnostic]:
    """Yield the finding that an assert does not hold; `detail` is the half-sentence that says why."""
    if claim.origin is None:
        return
    because = "" if claim.because is None else f" ({claim.because})"
    yield Diagnostic(
        code=code,
        message=f"the assert `{claim.text}` does not hold{because}" + (f": {detail}" if detail else ""),
        primary=claim.origin,
        related=related,
        witness=witness,
        help=help_line,
        subject=f"assert {claim.text}",
    )


def undecided_assert(claim: Assertion, where: str, reasons: Iterable[str] = ()) -> Iterator[Diagnostic]:
    """Yield the finding that neither a proof nor a counter-example was found; `where` says of what.

    The reasons are half-sentences, as `CalleeSpace.doubts` has them.
    """
    if claim.origin is None:
        return
    because = "; ".join(dict.fromkeys(reasons))
    because = f": {because}" if because else ""
    yield Diagnostic(
        code=authorization.NOT_VERIFIED,
        message=f"it could not be decided whether `{claim.text}` holds {where}{because}",
        primary=claim.origin,
        help="each comparison has a bound: write paths as templates, and conditions with fewer alternatives",
        subject=f"assert {claim.text}",
    )

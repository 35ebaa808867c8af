"""What a diagnostic code is."""

from __future__ import annotations

from enum import StrEnum

from meshc_lang.record import dataclass


class Severity(StrEnum):
    """How much a finding weighs: an error stops a build, a warning does not, an info only tells."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A diagnostic code: stable for ever, never reused. Its page in `docs/diagnostics/` is made from these fields.

    `bad` is a whole program that yields the code and `good` the same program put right; both are compiled by the
    tests, as `program.mesh` with `files` (name and text) beside it. Where a code cannot come from a program (an
    unreadable file, say) both are empty.
    """

    id: str
    name: str
    severity: Severity
    summary: str
    why: str
    bad: str = ""
    good: str = ""
    files: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.id} {self.name}"

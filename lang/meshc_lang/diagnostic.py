"""What meshc says about a program: findings as data; rendering is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from meshc_lang.codes.code import Code, Severity
from meshc_lang.record import dataclass, field
from meshc_lang.request import Request
from meshc_lang.source import Span

__all__ = [
    "Applicability",
    "Code",
    "Diagnostic",
    "Edit",
    "Fix",
    "Label",
    "Severity",
    "fingerprints",
    "has_errors",
    "in_order",
]


class Applicability(StrEnum):
    """How far a fix may be trusted: applied unasked, applied on request, or one of several to choose from."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    CHOOSE_ONE = "choose-one"


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement: the characters of `span` become `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A change that removes a finding, as a patch."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """A secondary place and the half-sentence that says why it matters."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding: a code, one sentence in the user's terms, the narrowest place, and a next step.

    `message` starts in lower case, has no full stop, and holds what the user typed in backticks. `subject` names what
    the finding is about in a way that survives moves (for example `route api/canary`): the fingerprint comes from it.
    """

    code: Code
    message: str
    primary: Span
    label: str = ""
    related: tuple[Label, ...] = ()
    witness: Request | None = None
    help: str = ""
    fixes: tuple[Fix, ...] = ()
    subject: str = field(default="")

    @property
    def severity(self) -> Severity:
        """The severity that the code carries."""
        return self.code.severity

    @property
    def key(self) -> tuple[tuple[str, int, int], str, str]:
        """Its place, code and message: two findings of one run that share them are the same."""
        return (self.primary.sort_key, self.code.id, self.message)

    @property
    def fingerprint(self) -> str:
        """A digest that stays the same when lines move: code, subject, message and the text under the span.

        Two findings may have the same; `fingerprints` tells them apart.
        """
        parts = (self.code.id, self.subject, self.message, " ".join(self.primary.text.split()))
        return _digest("\0".join(parts))


def has_errors(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> bool:
    """Tell whether any finding is an error."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)


def in_order(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the findings in reporting order (file, place, code), each once."""
    ordered: dict[tuple[tuple[str, int, int], str, str], Diagnostic] = {}
    for diagnostic in diagnostics:
        ordered.setdefault(diagnostic.key, diagnostic)
    return tuple(ordered[key] for key in sorted(ordered))


def fingerprints(diagnostics: Sequence[Diagnostic]) -> tuple[str, ...]:
    """Return the fingerprints of the findings of one run, each its own: of equal ones all but the first are numbered.

    The numbers follow the order given. So a finding keeps its fingerprint as long as no equal one comes before it.
    """
    seen: dict[str, int] = {}
    told: list[str] = []
    for diagnostic in diagnostics:
        own = diagnostic.fingerprint
        number = seen[own] = seen.get(own, 0) + 1
        told.append(own if number == 1 else _digest(f"{own}\0{number}"))
    return tuple(told)


def _digest(text: str) -> str:
    import hashlib  # here, since a check without findings needs none: 3 ms

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

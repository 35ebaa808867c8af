"""All that one run has to say about a program, as the machine-readable formats take it."""

from __future__ import annotations

from collections.abc import Sequence

from meshc_compiler.suppression import Suppressed
from meshc_lang.diagnostic import Diagnostic, Severity, fingerprints
from meshc_lang.record import dataclass

__all__ = ["Entry", "Report", "report_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A finding, its fingerprint in this run, and what keeps it silent if something does."""

    diagnostic: Diagnostic
    fingerprint: str
    suppressed: Suppressed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings of a run in order, suppressed ones among them, and the files that were read.

    `failing` are the severities that fail the command.
    """

    entries: tuple[Entry, ...]
    files: tuple[str, ...] = ()
    failing: frozenset[Severity] = frozenset({Severity.ERROR})

    @property
    def told(self) -> tuple[Entry, ...]:
        """The findings that nothing keeps silent."""
        return tuple(entry for entry in self.entries if entry.suppressed is None)


def report_of(
    diagnostics: Sequence[Diagnostic],
    suppressed: Sequence[Suppressed] = (),
    files: Sequence[str] = (),
    failing: frozenset[Severity] = frozenset({Severity.ERROR}),
) -> Report:
    """Return the report of findings; a fingerprint does not change when its finding is suppressed."""
    silent = {id(one.diagnostic): one for one in suppressed}
    everything = sorted(
        [*diagnostics, *(one.diagnostic for one in suppressed)],
        key=lambda one: (one.primary.sort_key, one.code.id, one.message),
    )
    return Report(
        entries=tuple(
            Entry(diagnostic=one, fingerprint=fingerprint, suppressed=silent.get(id(one)))
            for one, fingerprint in zip(everything, fingerprints(everything), strict=True)
        ),
        files=tuple(files),
        failing=failing,
    )

"""One difference between two programs, about a class of requests or about what is declared."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from meshc_lang.record import dataclass
from meshc_lang.request import Request
from meshc_lang.source import Span


class ChangeKind(StrEnum):
    """What a difference does to the requests of its class, in the order in which people want to read of it."""

    OPENED = "opened"
    """They were refused and are allowed."""
    CLOSED = "closed"
    """They were allowed and are refused."""
    REROUTED = "rerouted"
    """They, or copies of them, go elsewhere, or the caller's sidecar answers otherwise."""
    SETTINGS = "settings"
    """They are treated otherwise: times, retries, bounds, limits, faults, health checks."""
    IDENTITY = "identity"
    """Who or what something is: services, ports, SPIFFE IDs, mutual TLS, externals, issuers of tokens."""
    UNDECIDED = "undecided"
    """Whether anything changes for them could not be decided within the bounds of the proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerGroup:
    """Callers for whom the same changes. `rest` says that everybody is among them whom neither program names there.

    `names` (sorted) are workloads, SPIFFE IDs or `plaintext`; with `rest` they are told as `any`, less those in
    `besides` (sorted). `count` is how many workloads of the programs that makes.
    """

    names: tuple[str, ...] = ()
    rest: bool = False
    besides: tuple[str, ...] = ()
    count: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """The callers in words of the language, one each."""
        if not self.rest:
            return self.names
        beyond = f"any except {', '.join(self.besides)}" if self.besides else "any"
        return (beyond, *(name for name in self.names if name == "plaintext"))

    @property
    def text(self) -> str:
        """The callers in one text."""
        return ", ".join(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A difference. `callers` is empty where it is about what is declared; then `witness` is one of it, or None.

    `callee` is the callee with its port as it is written, or what was declared otherwise. `requests` is the class, as
    grants of the language; of a declaration, the part of it. `old_spans` and `new_spans` are where the two programs say
    so. `overlays` are the overlays that have the change where the program by itself has it not.
    """

    kind: ChangeKind
    callers: CallerGroup = CallerGroup()
    callee: str
    requests: str
    before: str
    after: str
    witness: Request | None = None
    old_spans: tuple[Span, ...] = ()
    new_spans: tuple[Span, ...] = ()
    overlays: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two changes the same, whichever overlay has them."""
        return (self.callee, self.kind, self.requests, self.callers.text, self.before, self.after)

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Their order: by kind, callee, callers, requests."""
        order = tuple(ChangeKind).index(self.kind)
        return (order, self.callee, self.callers.text, self.requests, self.before, self.after, self.overlays)

    def in_overlays(self, overlays: tuple[str, ...]) -> Change:
        """Return the change as one that only these overlays have."""
        return replace(self, overlays=overlays)

"""How calls behave: settings with their provenance, merged from general to specific, field by field."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import IntEnum
from typing import Generic, TypeVar

from meshc_lang.record import dataclass, field
from meshc_lang.source import Span

T = TypeVar("T")


class Scope(IntEnum):
    """Where a value was stated; the greater is the more specific and wins."""

    MESH = 0
    SERVICE = 1
    EDGE = 2
    ROUTE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    """A value and where it comes from."""

    value: T
    scope: Scope
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The pause before a try: grows exponentially from `low_ns` (jittered), at most `high_ns` nanoseconds."""

    low_ns: int
    high_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the program states about calls; None where it states nothing.

    `timeout_ns` is the whole of a call, retries included, in nanoseconds. `retry_limit` is the number of extra tries
    (0 by `retry: off`). `retry_on` holds condition names (sorted): connect-failure, reset, refused-stream,
    gateway-error, 5xx, sNNN for a status, and the gRPC ones. `retry_budget` is the share of active requests that may
    be retries, in millionths. `per_try_timeout_ns` bounds each try. A time of 0 is `off`, stated against a more general
    scope; it is taken out of the settings that a call has in the end (`effective`).
    """

    timeout_ns: Setting[int] | None = None
    retry_limit: Setting[int] | None = None
    retry_on: Setting[tuple[str, ...]] | None = None
    retry_budget: Setting[int] | None = None
    retry_backoff: Setting[Backoff] | None = None
    per_try_timeout_ns: Setting[int] | None = None
    idempotent: Setting[bool] | None = None

    def under(self, specific: Settings) -> Settings:
        """Return these settings with each field that `specific` states put over them."""
        stated = {f.name: value for f in fields(specific) if (value := getattr(specific, f.name)) is not None}
        return replace(self, **stated) if stated else self

    def effective(self) -> Settings:
        """Return the settings with the times that are `off` left out: no bound is the same as none stated."""
        off = {
            name: None
            for name in ("timeout_ns", "per_try_timeout_ns")
            if (stated := getattr(self, name)) is not None and stated.value == 0
        }
        return replace(self, **off) if off else self

    @property
    def retries(self) -> bool:
        """Whether any extra try is made: a limit above zero and at least one condition."""
        return bool(self.retry_limit and self.retry_limit.value and self.retry_on and self.retry_on.value)


NOTHING_STATED = Settings()
"""Settings of a scope about which the program says nothing."""

"""Whether a set of requests holds any: a request out of it, the proof that there is none, or neither."""

from __future__ import annotations

from typing import TypeAlias

from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A request out of a set. `caller` is the number of a caller's bit; `query` is written as behind the `?`."""

    caller: int
    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    claims: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """The set is empty: proved."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Neither a proof nor a witness was found."""


Answer: TypeAlias = Witness | Nothing | Undecided
"""Whether a set holds any request."""

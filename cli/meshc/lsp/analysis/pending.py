"""An answer that needs to know something about the compiled program first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from meshc.lsp.analysis.question import Fact, Question
from meshc_lang.record import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pending(Generic[T]):
    """Questions, and what makes the answer of what is known about them; a fact is None where nothing is known."""

    questions: tuple[Question, ...]
    finish: Callable[[tuple[Fact, ...]], T]


def at_once(value: T) -> Pending[T]:
    """Return an answer that needs to know nothing."""
    return Pending((), lambda _: value)

"""A digest of any part of the IR, made quickly: what is cached is found again by it, so no two parts may share one.

`dump` makes text for people, which leaves out what holds nothing; here every field is told, with the class that has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any

from meshc_compiler.ir.policy import Rule
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.setting import Settings
from meshc_compiler.ir.workload import External, Service, Workload

__all__ = ["Fingerprints"]

_OFTEN = frozenset({External, RouteRule, Rule, Service, Settings, Workload})
"""What several workloads hold the same of: the mesh's own parts, and settings that were merged once."""


class Fingerprints:
    """Makes fingerprints of parts of one mesh. Where a part was written does not count; what many hold is told once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, str]] = {}
        self._getters: dict[type, Callable[[Any], tuple[Any, ...]]] = {}

    def of(self, part: object) -> str:
        """Return the SHA-256 (hexadecimal) of a part: equal parts have the same, whatever program they come from.

        Raises:
            TypeError: it holds something that the IR does not consist of.
        """
        return hashlib.sha256(self._text(part).encode("utf-8", "surrogatepass")).hexdigest()

    def _text(self, value: Any) -> str:
        kind = type(value)
        if kind is str or kind is int or kind is bool or value is None:
            return repr(value)
        if kind is tuple:
            return f"({','.join(map(self._text, value))})"
        if kind in _OFTEN:
            known = self._known.get(id(value))
            if known is None:
                text = hashlib.sha256(self._record(value).encode("utf-8", "surrogatepass")).hexdigest()
                known = self._known[id(value)] = (value, text)  # it is kept so that nothing else gets its id
            return known[1]
        if isinstance(value, Enum):
            return f"{kind.__name__}.{value.name}"
        return self._record(value)

    def _record(self, value: Any) -> str:
        kind = type(value)
        getter = self._getters.get(kind)
        if getter is None:
            if kind is frozenset:
                return f"{{{','.join(sorted(map(self._text, value)))}}}"
            if not is_dataclass(value):
                raise TypeError(f"the IR has no {kind.__name__}")
            getter = self._getters[kind] = _values(tuple(field.name for field in fields(value) if field.compare))
        told = [
            "-" if held is None else repr(held) if type(held) is str else self._text(held) for held in getter(value)
        ]
        return f"{kind.__name__}({','.join(told)})"


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) == 1:
        one = attrgetter(names[0])
        return lambda value: (one(value),)
    several: Callable[[Any], tuple[Any, ...]] = attrgetter(*names) if names else lambda _value: ()
    return several

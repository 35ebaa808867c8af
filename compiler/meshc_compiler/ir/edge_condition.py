"""What an assert asks of the settings of an edge."""

from __future__ import annotations

from typing import TypeAlias

from meshc_compiler.ir.setting import Backoff, Balance
from meshc_lang.record import dataclass

EdgeValue: TypeAlias = int | str | bool | tuple[str, ...] | Backoff | Balance
"""A value of a field: nanoseconds, millionths and counts are numbers."""


@dataclass(frozen=True, slots=True)
class EdgeCompare:
    """A field compared with a value by `==`, `!=`, `<=`, `<`, `>=` or `>`.

    `field` is one of `Settings`, or `mtls` (`strict`, `permissive`, `off`), `protocol`, `attempts` (tries of a call).
    A time that is not stated is longer than any; a retry limit that is not stated is 0; of other fields that are not
    stated only `!=` holds.
    """

    field: str
    comparison: str
    value: EdgeValue


@dataclass(frozen=True, slots=True)
class EdgePresent:
    """One of these fields of `Settings` is stated and not `off`."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EdgeAllOf:
    """All operands hold."""

    operands: tuple[EdgeCondition, ...]


@dataclass(frozen=True, slots=True)
class EdgeAnyOf:
    """Some operand holds."""

    operands: tuple[EdgeCondition, ...]


@dataclass(frozen=True, slots=True)
class EdgeNot:
    """The operand does not hold."""

    operand: EdgeCondition


EdgeCondition: TypeAlias = EdgeCompare | EdgePresent | EdgeAllOf | EdgeAnyOf | EdgeNot
"""What must hold of an edge."""

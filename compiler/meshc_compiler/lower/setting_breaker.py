"""`breaker { … }`: how much a caller asks of a callee at once, and when it leaves an instance alone."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.lower.field import Fields, wrong_type
from meshc_compiler.lower.stated import Stated
from meshc_lang.tree.value import Block, Switch, Value

_BOUNDS = {
    "max-requests": "breaker_max_requests",
    "max-pending": "breaker_max_pending",
    "max-connections": "breaker_max_connections",
    "consecutive-5xx": "outlier_consecutive_5xx",
}

_MOST = 2**32 - 1
"""What every target can count to; a bound of nothing at all is `off`, or no `allow`."""


def lower_breaker(value: Value, stated: Stated, findings: Findings) -> None:
    """Note what a `breaker` states; `off` lifts every bound of a more general scope."""
    match value:
        case Switch(on=False):
            for name in _BOUNDS.values():
                stated.note(name, 0, "breaker")
        case Block():
            inner = stated.inside(Fields(value, "`breaker`", "settings.breaker", findings))
            for key, name in _BOUNDS.items():
                inner.note(name, inner.fields.integer(key, 1, _MOST, off=True), key)
            inner.note("outlier_eject_ns", inner.fields.time("eject"), "eject")
            inner.note("outlier_interval_ns", inner.fields.time("interval"), "interval")
            inner.note("outlier_max_ejected", inner.fields.share("max-ejected"), "max-ejected")
        case _:
            example = "`off` or a block, for example `breaker { max-requests: 100 }`"
            wrong_type(findings, "`breaker`", example, value)

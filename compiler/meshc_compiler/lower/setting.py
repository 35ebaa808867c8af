"""Blocks of settings: how calls behave, with where each value was stated. Each subject has a file of its own."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.setting import Scope, Settings
from meshc_compiler.lower.field import Fields
from meshc_compiler.lower.setting_balance import lower_balance
from meshc_compiler.lower.setting_breaker import lower_breaker
from meshc_compiler.lower.setting_retry import lower_retry
from meshc_compiler.lower.setting_telemetry import lower_telemetry
from meshc_compiler.lower.stated import Stated
from meshc_lang.tree.value import Block

_TIMES = {
    "timeout": "timeout_ns",
    "connect-timeout": "connect_timeout_ns",
    "idle-timeout": "idle_timeout_ns",
}
_SUBJECTS = {
    "retry": lower_retry,
    "breaker": lower_breaker,
    "balance": lower_balance,
    "telemetry": lower_telemetry,
}


def lower_settings(block: Block, owner: str, scope: Scope, findings: Findings) -> Settings:
    """Return what a block states. A field with an error is left out, so that nothing depends on it."""
    fields = Fields(block, owner, "settings", findings)
    stated = Stated(fields, scope)
    for key, name in _TIMES.items():
        stated.note(name, fields.duration(key), key)
    for key, lower in _SUBJECTS.items():
        value = fields.get(key)
        if value is not None:
            lower(value, stated, findings)
    return stated.settings()

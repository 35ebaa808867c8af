"""How long a call may wait, with the times that it is made of."""

from __future__ import annotations

from meshc_compiler.call_graph import Case
from meshc_lang.units import print_duration


def wait_text(case: Case) -> str:
    """Return how long a call may wait, and the tries and pauses that add up to it: `700ms (2 × 300ms + 1 × 100ms)`."""
    wait, settings = case.wait_ns, case.settings
    if wait is None:
        return "for ever"
    per_try, timeout = settings.per_try_timeout_ns, settings.timeout_ns
    if per_try is None or (timeout is not None and timeout.value == wait):
        return print_duration(wait)
    parts = [f"{case.tries} × {print_duration(per_try.value)}"]
    backoff = settings.retry_backoff
    if backoff is not None and case.tries > 1:
        parts.append(f"{case.tries - 1} × {print_duration(backoff.value.high_ns)}")
    return f"{print_duration(wait)} ({' + '.join(parts)})"

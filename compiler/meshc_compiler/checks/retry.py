"""Retries: that they can happen at all, in the time there is, and do no harm."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.situation import request_in_case
from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.setting import Setting, Settings
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.space.request_space import Nothing, Undecided, Witness
from meshc_lang.codes import resilience
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.source import Span
from meshc_lang.units import print_duration

HARMLESS = frozenset({"connect-failure", "refused-stream"})
"""Conditions after which the first try has certainly had no effect: the callee never saw it."""

UNSAFE = RequestMatch(methods=("PATCH", "POST"))
"""The methods that need not be idempotent (RFC 9110 §9.2.2); rpcs are POST."""

_ANY = RequestMatch()


def check_retries(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find settings of retries that cannot work, and those that could repeat what must not be repeated.

    A setting counts for many calls; it is told once, at the place where it is stated.
    """
    told: set[tuple[str, Span | None]] = set()
    for caller, callee, port, rule, settings in _situations(subject):
        for diagnostic in _problems(subject, caller, callee, port, rule, settings):
            key = (diagnostic.code.id, diagnostic.primary)
            if key not in told:
                told.add(key)
                yield diagnostic


def _situations(subject: CheckSubject) -> Iterator[tuple[str | None, str, ServicePort, RouteRule | None, Settings]]:
    """Yield each case in which calls can have settings of their own: callee, route's rule, and edge if it states any.

    A caller of None stands for all of whose edge nothing is stated.
    """
    index, mesh = subject.index, subject.mesh
    ports = [(service.name, port) for service in mesh.services for port in service.ports]
    ports += [(external.name, external.port) for external in mesh.externals]
    for callee, port in ports:
        if not port.protocol.is_http:
            continue
        route = index.routes.get((callee, port.number))
        rules = (None, *(route.rules if route else ()))
        for caller in (None, *index.callers_with_settings(callee, port.number)):
            for rule in rules:
                settings = index.settings(caller or "", callee, port.number, rule)
                if settings.retry_limit is not None or settings.per_try_timeout_ns is not None:
                    yield caller, callee, port, rule, settings


def _problems(
    subject: CheckSubject,
    caller: str | None,
    callee: str,
    port: ServicePort,
    rule: RouteRule | None,
    settings: Settings,
) -> Iterator[Diagnostic]:
    limit = settings.retry_limit
    tries = 1 + (limit.value if limit is not None and settings.retries else 0)
    per_try, timeout = settings.per_try_timeout_ns, settings.timeout_ns
    what = f"calls of `{callee}`" if caller is None else f"calls from `{caller}` to `{callee}`"
    idle = limit is not None and limit.value > 0 and not settings.retries
    short = per_try is not None and timeout is not None and per_try.value * tries > timeout.value
    if (idle or short) and isinstance(request_in_case(subject, caller, callee, port, rule, _ANY)[0], Nothing):
        # No call has these settings: each has others of its own, or none is allowed.
        return
    if idle and limit is not None and limit.origin is not None:
        yield Diagnostic(
            code=resilience.RETRY_WITHOUT_CONDITIONS,
            message=f"{what} are retried on no condition, so `limit` has no effect",
            primary=limit.origin,
            help="say on what, for example `on: [connect-failure, refused-stream]`",
            subject=f"retry {callee}",
        )
    if short and per_try is not None and timeout is not None:
        primary = _place(per_try, timeout)
        if primary is not None:
            times = f"{tries} tries of {print_duration(per_try.value)}" if tries > 1 else print_duration(per_try.value)
            other = timeout.origin if primary is per_try.origin else per_try.origin
            yield Diagnostic(
                code=resilience.TRIES_EXCEED_TIMEOUT,
                message=f"{what} have {print_duration(timeout.value)} in all, less than {times}",
                primary=primary,
                related=() if other is None else (Label(other, "together with this"),),
                help=f"state `timeout: {print_duration(per_try.value * tries)}` or more, or a shorter `per-try`",
                subject=f"retry {callee}",
            )
    conditions = settings.retry_on
    if conditions is None or not settings.retries or HARMLESS.issuperset(conditions.value):
        return
    if (settings.idempotent is not None and settings.idempotent.value) or settings.retry_key_header is not None:
        return
    answer, space = request_in_case(subject, caller, callee, port, rule, UNSAFE)
    if isinstance(answer, Undecided):
        subject.note_doubt(space, Doubt.REPEATED, conditions.origin)
    if not isinstance(answer, Witness) or conditions.origin is None:
        return
    risky = [condition for condition in conditions.value if condition not in HARMLESS]
    yield Diagnostic(
        code=resilience.UNSAFE_RETRY,
        message=f"{what} that need not be idempotent are tried again after `{risky[0]}`",
        primary=conditions.origin,
        witness=space.request(answer),
        help="retry on `connect-failure` and `refused-stream` only, or state `idempotent: true` or a `key-header`",
        subject=f"retry {callee}",
    )


def _place(first: Setting[int], second: Setting[int]) -> Span | None:
    """Return the place of the more specific of two settings: there the contradiction came about."""
    return second.origin if second.scope > first.scope else first.origin

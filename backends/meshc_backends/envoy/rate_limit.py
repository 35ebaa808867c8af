"""Rate limits: a token bucket for each limit, caller and header value (`…filters.http.local_ratelimit.v3`).

The filter stands behind authorisation, so a request that is denied costs no token. Who calls comes from the verified
certificate. Buckets live in one Envoy process.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshc_backends.carried import NotCarriedError
from meshc_backends.envoy.message import Message, typed
from meshc_backends.envoy.names import unique_names
from meshc_compiler.ir.caller import AnyCaller, PlaintextCaller, TheseCallers
from meshc_compiler.ir.policy import Limit
from meshc_lang.record import dataclass

RATE_LIMIT_FILTER = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"

BUCKETS_AT_MOST = 10_000
"""How many callers or header values Envoy remembers for one limit; the longest unused goes first, and returns full."""

_ALWAYS: Message = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def rate_limit_filter(limits: Iterable[Limit], stat_prefix: str) -> Message:
    """Return the filter's configuration for the limits of one port. A request must find a token in every bucket."""
    actions: list[Message] = []
    descriptors: list[Message] = []
    ordered = sorted(limits, key=lambda limit: limit.id)
    for name, limit in zip(unique_names(limit.id for limit in ordered), ordered, strict=True):
        for bucket in _buckets(limit):
            actions.append({"actions": [_limit_is(name), _CALLER, *bucket.actions]})
            descriptors += _descriptors(name, limit, bucket)
    return typed(
        RATE_LIMIT_FILTER,
        stat_prefix=stat_prefix,
        filter_enabled=_ALWAYS,
        filter_enforced=_ALWAYS,
        rate_limits=actions,
        descriptors=descriptors,
        max_dynamic_descriptors=BUCKETS_AT_MOST,
        always_consume_default_token_bucket=False,
        enable_x_ratelimit_headers="OFF",
        rate_limited_as_resource_exhausted=True,
    )


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What tells a limit's buckets apart besides the caller: actions that compute it, entries that wait for it."""

    actions: tuple[Message, ...] = ()
    entries: tuple[Message, ...] = ()


def _buckets(limit: Limit) -> tuple[_Bucket, ...]:
    """Return one kind of bucket, or for a limit by header two: one for each value, and one for requests without it.

    The value is all lines joined by commas; the expression fails where there is none, and so yields no descriptor.
    """
    header = limit.per_header
    if header is None:
        return (_Bucket(),)
    absent: Message = {"name": header, "present_match": False}
    without: Message = {"descriptor_key": "header", "descriptor_value": "absent", "headers": [absent]}
    return (
        _Bucket(
            actions=(_expression("value", f'request.headers["{header}"]'),),
            entries=({"key": "value"},),
        ),
        _Bucket(
            actions=({"header_value_match": without},),
            entries=({"key": "header", "value": "absent"},),
        ),
    )


def _limit_is(name: str) -> Message:
    return {"generic_key": {"descriptor_key": "limit", "descriptor_value": name}}


def _expression(key: str, text: str) -> Message:
    """Return an action that computes an entry by a CEL expression over Envoy's attributes."""
    descriptor = typed("envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor", descriptor_key=key, text=text)
    return {"extension": {"name": "envoy.rate_limit_descriptors.expr", "typed_config": descriptor}}


_CALLER = _expression("caller", "connection.uri_san_peer_certificate")


def _descriptors(name: str, limit: Limit, bucket: _Bucket) -> list[Message]:
    """Return a descriptor for each caller; no value stands for each value that comes, with a bucket of its own."""
    match limit.callers:
        case TheseCallers(ids):
            callers = [str(identity) for identity in ids]
        case AnyCaller():
            callers = [""]
        case PlaintextCaller():
            raise NotCarriedError(limit.callers)
    return [
        {
            "entries": [
                {"key": "limit", "value": name},
                {"key": "caller", "value": caller} if caller else {"key": "caller"},
                *bucket.entries,
            ],
            "token_bucket": {
                "max_tokens": limit.burst,
                "tokens_per_fill": limit.amount,
                "fill_interval": f"{limit.seconds}s",
            },
        }
        for caller in callers
    ]

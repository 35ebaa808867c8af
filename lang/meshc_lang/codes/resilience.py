"""Codes of family 5xx: resilience."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_SHOP = (
    'mesh shop { trust-domain: "shop.example" }\n'
    "service web {}\n"
    "service api { port: 8080/http }\n"
    "allow web -> api : GET|POST /**\n"
)
_READ = _SHOP.replace("GET|POST", "GET")

UNSAFE_RETRY = Code(
    id="MSH503",
    name="unsafe-retry",
    severity=Severity.WARNING,
    summary="calls that are not idempotent may be made twice",
    why=(
        "After a `reset`, a timeout or a 5xx the first try may have had its effect already, and POST, PATCH and rpcs "
        "need not be idempotent (RFC 9110 §9.2.2). Retry them on `connect-failure` and `refused-stream` only, switch "
        "retries off on the route, or state `idempotent: true` where repetition is harmless."
    ),
    bad=_SHOP + "edge web -> api { timeout: 2s, retry { limit: 1, on: [reset] } }\n",
    good=_SHOP + "edge web -> api { timeout: 2s, retry { limit: 1, on: [reset], idempotent: true } }\n",
)

TRIES_EXCEED_TIMEOUT = Code(
    id="MSH505",
    name="tries-exceed-timeout",
    severity=Severity.WARNING,
    summary="the tries of a call need more time than the call has",
    why=(
        "`timeout` is the whole of a call, retries included. Where `per-try` times the number of tries is longer, the "
        "last tries are cut off or never made."
    ),
    bad=_READ + "edge web -> api { timeout: 1s, retry { limit: 2, on: [reset], per-try: 500ms } }\n",
    good=_READ + "edge web -> api { timeout: 2s, retry { limit: 2, on: [reset], per-try: 500ms } }\n",
)

RETRY_WITHOUT_CONDITIONS = Code(
    id="MSH506",
    name="retry-without-conditions",
    severity=Severity.WARNING,
    summary="a retry that says how often but not on what",
    why="Nothing is implicit: without `on` no failure is retried, so `limit` has no effect.",
    bad=_READ + "edge web -> api { retry { limit: 2 } }\n",
    good=_READ + "edge web -> api { retry { limit: 2, on: [connect-failure] } }\n",
)

SMALL_BURST = Code(
    id="MSH507",
    name="small-burst",
    severity=Severity.WARNING,
    summary="a burst so small that the rate can hardly be reached",
    why=(
        "A bucket that holds less than a tenth of a second's refill is full again at once, and what would flow in "
        "meanwhile is lost: calls that do not come evenly are refused far below the rate."
    ),
    bad=_READ + "limit web -> api 500/s burst 5\n",
    good=_READ + "limit web -> api 500/s burst 100\n",
)

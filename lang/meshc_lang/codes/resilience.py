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

_CHAIN = _SHOP.replace("GET|POST", "GET") + "service db { port: 9090/http }\nallow api -> db : GET /**\n"

DEADLINE_INVERSION = Code(
    id="MSH501",
    name="deadline-inversion",
    severity=Severity.WARNING,
    summary="a call that may outlast everybody who waits for it",
    why=(
        "If all who call a service give up before its own call has to be answered, that call goes on for nobody: work "
        "is done and thrown away, most of all when everything is slow. Give inner calls less time than outer ones."
    ),
    bad=_CHAIN + "edge web -> api { timeout: 2s }\nedge api -> db { timeout: 5s }\n",
    good=_CHAIN + "edge web -> api { timeout: 2s }\nedge api -> db { timeout: 1s }\n",
)

AMPLIFICATION = Code(
    id="MSH502",
    name="retry-amplification",
    severity=Severity.WARNING,
    summary="tries that multiply along a chain of calls",
    why=(
        "Where every hop of a chain tries again, tries multiply, and the service at its end, failing already, gets "
        "many times the load. Let one hop try again, or bound retries by a `budget`, which caps what they may add."
    ),
    bad=_CHAIN
    + "edge web -> api { retry { limit: 2, on: [connect-failure] } }\n"
    + "edge api -> db { retry { limit: 2, on: [connect-failure] } }\n",
    good=_CHAIN + "edge api -> db { retry { limit: 2, on: [connect-failure] } }\n",
)

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

UNSAFE_MIRROR = Code(
    id="MSH504",
    name="unsafe-mirror",
    severity=Severity.WARNING,
    summary="a mirror that copies requests which change something",
    why=(
        "A copy is a request like any other to whoever gets it: an order is placed twice, a mail is sent twice. Mirror "
        "what is only read (RFC 9110 §9.2.1), or make sure that the target writes nowhere that counts."
    ),
    bad=_SHOP.replace("service api {", "service api { versions: [v1, v2],") + "mirror api /** => v2\n",
    good=_SHOP.replace("service api {", "service api { versions: [v1, v2],") + "mirror api GET|HEAD /** => v2\n",
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

RETRY_WITHOUT_BUDGET = Code(
    id="MSH508",
    name="retry-without-budget",
    severity=Severity.WARNING,
    summary="retries without a budget on an edge that is expected to be hot",
    why=(
        "When a callee fails, every call is tried again, and its load doubles just then. A `budget` bounds retries to "
        "a share of the calls under way. An edge counts as hot if the program limits it to 100 calls a second or more."
    ),
    bad=_READ + "limit web -> api 500/s burst 100\nedge web -> api { retry { limit: 1, on: [connect-failure] } }\n",
    good=_READ
    + "limit web -> api 500/s burst 100\n"
    + "edge web -> api { retry { limit: 1, on: [connect-failure], budget: 20% } }\n",
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

FAULT_WITHOUT_EFFECT = Code(
    id="MSH520",
    name="fault-without-effect",
    severity=Severity.ERROR,
    summary="a fault that neither delays nor aborts a call",
    why="A fault is brought about to see what callers make of it. One that does nothing proves nothing.",
    bad=_READ + "fault slow on web -> api { percent: 5% }\n",
    good=_READ + "fault slow on web -> api { delay: 500ms, percent: 5% }\n",
)

NO_ERROR_BUDGET = Code(
    id="MSH521",
    name="no-error-budget",
    severity=Severity.ERROR,
    summary="an availability of 100 %",
    why=(
        "What may fail without breaking the promise is the error budget; alerts tell how fast it is used up. Of 100 % "
        "there is none: the first failed request breaks the promise for the whole window, and no alert could help."
    ),
    bad=_READ + "slo api { availability: 100% }\n",
    good=_READ + "slo api { availability: 99.95% }\n",
)

UNORDERED_LATENCIES = Code(
    id="MSH522",
    name="unordered-latencies",
    severity=Severity.WARNING,
    summary="a latency that is promised to fewer requests than a shorter one",
    why=(
        "Who promises 300 ms to 99 % of the requests has promised it to half of them. A longer time for fewer requests "
        "says nothing more; most likely the two were confused."
    ),
    bad=_READ + "slo api { latency-p50: 500ms, latency-p99: 300ms }\n",
    good=_READ + "slo api { latency-p50: 100ms, latency-p99: 300ms }\n",
)

EJECTION_CANNOT_ACT = Code(
    id="MSH509",
    name="ejection-cannot-act",
    severity=Severity.WARNING,
    summary="ejection that is bounded to less than one instance",
    why=(
        "`max-ejected` is a share of the callee's instances, cut down to whole ones. Half of one instance is none: "
        "however it fails, it gets calls all the same, and the setting only looks like protection."
    ),
    bad=_READ.replace("8080/http }", "8080/http, replicas: 1 }")
    + "defaults api { breaker { consecutive-5xx: 5, eject: 30s, max-ejected: 50% } }\n",
    good=_READ.replace("8080/http }", "8080/http, replicas: 2 }")
    + "defaults api { breaker { consecutive-5xx: 5, eject: 30s, max-ejected: 50% } }\n",
)

LIMIT_ABOVE_CAPACITY = Code(
    id="MSH510",
    name="limit-above-capacity",
    severity=Severity.WARNING,
    summary="a limit that is greater than what an instance carries",
    why=(
        "A limit holds for each caller and each instance. One that is above the `capacity` which the service states of "
        "an instance lets a single caller bring it down."
    ),
    bad=_READ.replace("8080/http }", "8080/http, capacity: 200/s }") + "limit web -> api 500/s burst 100\n",
    good=_READ.replace("8080/http }", "8080/http, capacity: 200/s }") + "limit web -> api 100/s burst 50\n",
)

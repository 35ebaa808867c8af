"""Codes of family 22x and 23x: settings, and the fields of services that say how calls to them behave."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_SHOP = (
    'mesh shop { trust-domain: "shop.example" }\n'
    "service web {}\n"
    "service api { port: 8080/http }\n"
    "allow web -> api : GET /**\n"
)

BALANCE_KEY = Code(
    id="MSH220",
    name="balance-key",
    severity=Severity.ERROR,
    summary="a policy of balancing with nothing to hash, or with something that it does not hash",
    why=(
        "`ring-hash` sends calls with the same value to the same instance, so it must be told which value: one header, "
        "cookie, or the source address. The other policies look at no property of a call; one that is stated with them "
        "would have no effect."
    ),
    bad=_SHOP + "edge web -> api { balance: ring-hash }\n",
    good=_SHOP + 'edge web -> api { balance { policy: ring-hash, header: "x-user" } }\n',
)

WRONG_SCOPE = Code(
    id="MSH221",
    name="wrong-scope",
    severity=Severity.ERROR,
    summary="a setting at a scope at which it cannot differ",
    why=(
        "Where spans are sent and which headers carry a trace on is the same for all calls of a sidecar, so it is said "
        "once, in `defaults mesh`; whether metrics are kept, in `defaults mesh` or `defaults SERVICE`. Stated for one "
        "edge or route it would hold for the others too, or for none."
    ),
    bad=_SHOP + 'edge web -> api { telemetry { otlp: "collector.monitoring:4317" } }\n',
    good=_SHOP + 'defaults mesh { telemetry { otlp: "collector.monitoring:4317" } }\n',
)

SETTING_WITHOUT_EFFECT = Code(
    id="MSH222",
    name="setting-without-effect",
    severity=Severity.WARNING,
    summary="a setting of requests for a callee that is only connected to",
    why=(
        "Timeouts of calls, retries and bounds on requests are about requests, and a `tcp` or `tls` port shows none. "
        "What holds for connections is `connect-timeout`, `idle-timeout`, `breaker { max-connections }` and `balance`."
    ),
    bad=_SHOP + "service db { port: 5432/tcp }\nallow api -> db : tcp\nedge api -> db { timeout: 2s }\n",
    good=_SHOP + "service db { port: 5432/tcp }\nallow api -> db : tcp\nedge api -> db { idle-timeout: 10m }\n",
)

INVALID_HEALTH_CHECK = Code(
    id="MSH230",
    name="invalid-health-check",
    severity=Severity.ERROR,
    summary="a health check that cannot be made on the service's port",
    why=(
        "On an `http` port a health check asks for one path, on a `grpc` port it asks the standard health service, on "
        "others it makes a connection. Of several ports it must be clear which one is asked."
    ),
    bad=_SHOP.replace("8080/http", "8080/http, health: /health/**"),
    good=_SHOP.replace("8080/http", "8080/http, health: /health"),
)

INVALID_CA_FILE = Code(
    id="MSH231",
    name="invalid-ca-file",
    severity=Severity.ERROR,
    summary="the file of an external's roots, not named as sidecars find it",
    why=(
        "The roots are read by each caller's sidecar, in its container or on its machine, so the path must be a whole "
        "one: relative to which directory it would be sought there, nobody could say."
    ),
    bad=_SHOP
    + 'external bank { hosts: ["api.bank.example"], port: 443/tls, tls { ca: "bank.pem" } }\n'
    + "allow api -> bank : GET /**\n",
    good=_SHOP
    + 'external bank { hosts: ["api.bank.example"], port: 443/tls, tls { ca: "/etc/meshc/bank.pem" } }\n'
    + "allow api -> bank : GET /**\n",
)

HEALTH_CHECK_DENIED = Code(
    id="MSH232",
    name="health-check-denied",
    severity=Severity.ERROR,
    summary="a caller of a service that may not ask for its health",
    why=(
        "Health checks are made by the callers' sidecars, as the callers that they are: nothing is allowed in passing "
        "that no `allow` grants. One that is refused would find no instance well, and send its calls nowhere."
    ),
    bad=_SHOP.replace("8080/http", "8080/http, health: /healthz").replace("GET /**", "GET /v1/**"),
    good=_SHOP.replace("8080/http", "8080/http, health: /healthz").replace("GET /**", "GET /v1/**, GET /healthz"),
)

INVALID_ADDRESS = Code(
    id="MSH223",
    name="invalid-address",
    severity=Severity.ERROR,
    summary="the address of a collector that is not a host and a port",
    why=(
        "Spans are sent by OTLP over gRPC to one address: a host name or IP address, a colon and the port (4317 is the "
        "usual one). A scheme or path has no place in it."
    ),
    bad=_SHOP + 'defaults mesh { telemetry { sampling: 5%, otlp: "http://collector:4317/" } }\n',
    good=_SHOP + 'defaults mesh { telemetry { sampling: 5%, otlp: "collector:4317" } }\n',
)

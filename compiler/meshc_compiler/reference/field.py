"""The fields of blocks in short, each with what it means, and the words and units that its value may have."""

from __future__ import annotations

from collections.abc import Mapping

from meshc_lang.reference import Entry

_RETRY = {
    "limit": Entry("limit: 2", "How many *extra* tries there may be.", "limit: ${1:2}"),
    "on": Entry("on: [connect-failure, s503]", "On what a call is tried again.", "on: [${1:connect-failure}]"),
    "per-try": Entry("per-try: 300ms", "The time for each try.", "per-try: ${1:300ms}"),
    "budget": Entry(
        "budget: 20%",
        "Retries may be so much of the running requests; three at a time are always let through.",
        "budget: ${1:20%}",
    ),
    "backoff": Entry(
        "backoff: 25ms..250ms", "The pause before a try: first and greatest.", "backoff: ${1:25ms}..${2:250ms}"
    ),
    "idempotent": Entry(
        "idempotent: true",
        "You say that a repeated request does no harm; without it, retries of POST and PATCH draw a warning.",
        "idempotent: true",
    ),
    "key-header": Entry(
        'key-header: "idempotency-key"',
        "The header by which the callee knows a repeated request.",
        'key-header: "${1:idempotency-key}"',
    ),
}

FIELDS: Mapping[str, Mapping[str, Entry]] = {
    "mesh": {
        "trust-domain": Entry(
            'trust-domain: "shop.example"',
            "The trust domain of all identities (SPIFFE).",
            'trust-domain: "${1:shop.example}"',
        ),
        "mtls": Entry(
            "mtls: strict",
            "`strict`: connections without a certificate of the mesh are closed.",
            "mtls: ${1|strict,permissive|}",
        ),
        "certificates": Entry(
            "certificates { life: 24h, renew-before: 8h }",
            "How long certificates are valid, and when they are replaced.",
            "certificates { life: ${1:24h}, renew-before: ${2:8h} }",
        ),
        "ingress": Entry(
            "ingress { namespace: edge }", "Where the gateway runs.", "ingress { namespace: ${1:ingress} }"
        ),
    },
    "mesh.certificates": {
        "life": Entry("life: 24h", "How long a certificate is valid.", "life: ${1:24h}"),
        "renew-before": Entry("renew-before: 8h", "How long before its end it is replaced.", "renew-before: ${1:8h}"),
    },
    "mesh.ingress": {
        "namespace": Entry("namespace: edge", "The gateway's namespace.", "namespace: ${1:ingress}"),
        "service-account": Entry(
            "service-account: gateway", "The gateway's service account.", "service-account: ${1:ingress}"
        ),
    },
    "service": {
        "port": Entry(
            "port: 8080/http",
            "The one port by which it is called, and what it carries.",
            "port: ${1:8080}/${2|http,http2,grpc,tcp,tls|}",
        ),
        "ports": Entry(
            "ports { public: 8080/http, admin: 9000/http }",
            "Several ports by name.",
            "ports { ${1:public}: ${2:8080}/http }",
        ),
        "target-port": Entry(
            "target-port: 8080",
            "The port on which the workload listens, if callers use another.",
            "target-port: ${1:8080}",
        ),
        "namespace": Entry(
            "namespace: edge", "The Kubernetes namespace; `default` if not stated.", "namespace: ${1:default}"
        ),
        "service-name": Entry(
            "service-name: api-svc", "Its name in the cluster, if that is another.", "service-name: ${1:name}"
        ),
        "service-account": Entry(
            "service-account: api",
            "The Kubernetes service account, part of the identity.",
            "service-account: ${1:name}",
        ),
        "selector": Entry(
            'selector: {app: "api"}', "The labels by which its pods are found.", 'selector: {app: "${1:name}"}'
        ),
        "labels": Entry('labels: {pci: "true"}', "Labels that groups select by.", 'labels: {${1:key}: "${2:value}"}'),
        "versions": Entry(
            "versions: [v1, v2]",
            "The values of the pods' `version` label, among which routes may split.",
            "versions: [${1:v1}, ${2:v2}]",
        ),
        "replicas": Entry(
            "replicas: 3", "How many instances there are; limits are told for all of them.", "replicas: ${1:3}"
        ),
        "mtls": Entry(
            "mtls: permissive",
            "Whether calls without a mesh identity are heard, otherwise than the mesh says.",
            "mtls: ${1|strict,permissive|}",
        ),
        "health": Entry("health: /healthz", "How callers find out which instances are well.", "health: ${1:/healthz}"),
        "paths": Entry(
            "paths: [/v1/orders/**]",
            "The paths that it answers; sentences about others are errors.",
            "paths: [${1:/v1/**}]",
        ),
        "capacity": Entry(
            "capacity: 200/s",
            "How many requests one instance carries; limits are held against it.",
            "capacity: ${1:200}/s",
        ),
        "folds": Entry(
            "folds: [case]",
            "Spellings of a path that the workload takes for one: `case` of letters, `parameters` behind a `;`.",
            "folds: [${1|case,parameters|}]",
        ),
    },
    "service.health": {
        "port": Entry("port: admin", "The port that is asked, of several.", "port: ${1:name}"),
        "path": Entry("path: /healthz", "What is asked for by GET.", "path: ${1:/healthz}"),
        "interval": Entry("interval: 5s", "How often it is asked.", "interval: ${1:5s}"),
        "timeout": Entry("timeout: 1s", "How long an answer may take.", "timeout: ${1:1s}"),
        "unhealthy": Entry(
            "unhealthy: 3", "After so many failures in a row an instance gets no calls.", "unhealthy: ${1:3}"
        ),
        "healthy": Entry("healthy: 2", "After so many successes it gets calls again.", "healthy: ${1:2}"),
    },
    "external": {
        "hosts": Entry(
            'hosts: ["api.example.com"]', "The host names by which it is called.", 'hosts: ["${1:api.example.com}"]'
        ),
        "port": Entry(
            "port: 443/tls",
            "Its port; with `tls` the callers' sidecars open the TLS connection.",
            "port: ${1:443}/${2|tls,http,http2,grpc,tcp|}",
        ),
        "tls": Entry('tls { min: "1.3" }', "How the TLS connection is opened.", 'tls { min: "${1|1.2,1.3|}" }'),
    },
    "external.tls": {
        "min": Entry('min: "1.3"', "The lowest version that is accepted.", 'min: "${1|1.2,1.3|}"'),
        "server-name": Entry(
            'server-name: "api.example.com"', "The name that is asked for, if not the host.", 'server-name: "${1:name}"'
        ),
        "ca": Entry(
            'ca: "ca.pem"', "The roots that its certificate must chain to, if not the system's.", 'ca: "${1:ca.pem}"'
        ),
        "names": Entry(
            'names: ["alt.example"]', "The names of which its certificate must bear one.", 'names: ["${1:name}"]'
        ),
    },
    "jwt": {
        "issuer": Entry(
            'issuer: "https://id.example"', "The `iss` of the tokens.", 'issuer: "${1:https://id.example}"'
        ),
        "audiences": Entry('audiences: ["shop"]', "Of which a token must name one.", 'audiences: ["${1:shop}"]'),
        "jwks": Entry('jwks: "keys.json"', "The keys that sign them: an address or a file.", 'jwks: "${1:keys.json}"'),
        "header": Entry(
            'header: "x-token"', "The header that bears the token, if not `Authorization`.", 'header: "${1:x-token}"'
        ),
        "forward": Entry("forward: on", "Whether the callee gets the token too.", "forward: ${1|on,off|}"),
    },
    "settings": {
        "timeout": Entry("timeout: 2s", "The whole call, retries included; `off` for none.", "timeout: ${1:2s}"),
        "connect-timeout": Entry(
            "connect-timeout: 250ms", "How long a connection may take to be made.", "connect-timeout: ${1:250ms}"
        ),
        "idle-timeout": Entry(
            "idle-timeout: 5m", "After so long without a byte a connection is closed.", "idle-timeout: ${1:5m}"
        ),
        "retry": Entry(
            "retry { limit: 2, on: [connect-failure] }",
            "Extra tries; `retry: off` for none.",
            "retry { limit: ${1:1}, on: [${2:connect-failure}] }",
        ),
        "breaker": Entry(
            "breaker { max-pending: 100 }",
            "When calls are refused to protect the callee; `off` for never.",
            "breaker { ${1:max-pending}: ${2:100} }",
        ),
        "balance": Entry(
            "balance: least-request",
            "How an instance is chosen.",
            "balance: ${1|round-robin,least-request,random,peak-ewma|}",
        ),
        "telemetry": Entry(
            "telemetry { sampling: 5% }", "What is measured and traced.", "telemetry { sampling: ${1:5%} }"
        ),
    },
    "settings.retry": _RETRY,
    "settings.breaker": {
        "max-requests": Entry("max-requests: 200", "So many requests at a time.", "max-requests: ${1:200}"),
        "max-pending": Entry("max-pending: 100", "So many may wait for a connection.", "max-pending: ${1:100}"),
        "max-connections": Entry("max-connections: 100", "So many connections.", "max-connections: ${1:100}"),
        "consecutive-5xx": Entry(
            "consecutive-5xx: 5",
            "An instance with so many failures in a row gets no calls for a while.",
            "consecutive-5xx: ${1:5}",
        ),
        "eject": Entry("eject: 30s", "For how long.", "eject: ${1:30s}"),
        "interval": Entry("interval: 10s", "How often this is looked at.", "interval: ${1:10s}"),
        "max-ejected": Entry(
            "max-ejected: 50%", "At most so many of the instances are left out.", "max-ejected: ${1:50%}"
        ),
    },
    "settings.balance": {
        "policy": Entry(
            "policy: ring-hash",
            "How an instance is chosen.",
            "policy: ${1|round-robin,least-request,random,peak-ewma,ring-hash|}",
        ),
        "header": Entry(
            'header: "x-user"', "Requests with the same value go to the same instance.", 'header: "${1:x-user}"'
        ),
        "cookie": Entry(
            'cookie: "session"', "Requests with the same cookie go to the same instance.", 'cookie: "${1:session}"'
        ),
        "source": Entry("source: on", "Calls of the same caller go to the same instance.", "source: on"),
    },
    "settings.telemetry": {
        "sampling": Entry("sampling: 5%", "The share of requests that are traced.", "sampling: ${1:5%}"),
        "propagation": Entry("propagation: [w3c, b3]", "In which headers a trace goes on.", "propagation: [${1:w3c}]"),
        "access-log": Entry("access-log: errors", "Which requests are logged.", "access-log: ${1|on,off,errors|}"),
        "metrics": Entry("metrics: on", "Whether requests are counted.", "metrics: ${1|on,off|}"),
        "otlp": Entry('otlp: "collector:4317"', "Where traces are sent.", 'otlp: "${1:collector:4317}"'),
    },
    "fault": {
        "delay": Entry("delay: 500ms", "How long a call waits.", "delay: ${1:500ms}"),
        "abort": Entry("abort: 503", "The status with which it is answered.", "abort: ${1:503}"),
        "percent": Entry("percent: 5%", "The share of the calls; all if not stated.", "percent: ${1:5%}"),
    },
    "slo": {
        "availability": Entry(
            "availability: 99.9%", "The share of requests that are answered without a 5xx.", "availability: ${1:99.9%}"
        ),
        "window": Entry("window: 30d", "Over which time.", "window: ${1:30d}"),
        **{
            f"latency-p{share}": Entry(
                f"latency-p{share}: 300ms",
                "So many of the requests are answered within this.",
                f"latency-p{share}: ${{1:300ms}}",
            )
            for share in ("50", "90", "95", "99", "999")
        },
    },
}
"""The fields of each kind of block; a block in a block is named behind a dot."""

ANYTHING = frozenset({"service.ports", "service.labels", "service.selector"})
"""Blocks whose keys are the user's own."""

WORDS_OF_FIELDS: Mapping[str, tuple[str, ...]] = {
    "mesh.mtls": ("strict", "permissive"),
    "service.mtls": ("strict", "permissive"),
    "settings.timeout": ("off",),
    "settings.retry": ("off",),
    "settings.breaker": ("off",),
    "settings.balance": ("round-robin", "least-request", "random", "peak-ewma"),
    "settings.balance.policy": ("round-robin", "least-request", "random", "peak-ewma", "ring-hash"),
    "settings.balance.source": ("on",),
    "settings.telemetry.propagation": ("w3c", "b3"),
    "settings.telemetry.access-log": ("on", "off", "errors"),
    "settings.telemetry.metrics": ("on", "off"),
    "settings.retry.idempotent": ("true", "false"),
    "settings.retry.on": (
        "connect-failure",
        "reset",
        "refused-stream",
        "gateway-error",
        "5xx",
        "s502",
        "s503",
        "s504",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ),
    "jwt.forward": ("on", "off"),
}
"""The words that may stand as the value of a field."""

UNITS_OF_FIELDS: Mapping[str, tuple[str, ...]] = {
    "port": ("/http", "/http2", "/grpc", "/tcp", "/tls"),
    "%": ("%",),
    "time": ("ms", "s", "m", "h", "d"),
    "rate": ("/s", "/m", "/h"),
}
"""What may follow a number, by the kind of value."""


def unit_kind(field: str) -> str:
    """Return which units the values of a field have; nothing where a bare number is meant."""
    last = field.rpartition(".")[2]
    if last in ("port", "ports") or field.startswith("service.ports."):
        return "port"
    if last in ("budget", "max-ejected", "sampling", "percent", "availability"):
        return "%"
    if last in ("per-try", "backoff", "interval", "eject", "delay", "window", "life", "renew-before") or last.endswith(
        "timeout"
    ):
        return "time"
    return "time" if last.startswith("latency-p") else ""

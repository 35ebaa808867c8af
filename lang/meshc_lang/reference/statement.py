"""The words with which statements begin, each with what the statement means."""

from __future__ import annotations

from collections.abc import Mapping

from meshc_lang.reference.entry import Entry

__all__ = ["IN_OVERLAYS", "STATEMENTS"]

STATEMENTS: Mapping[str, Entry] = {
    "edition": Entry(
        "edition 2026",
        "The year whose syntax and defaults the program follows.",
        "edition 2026",
        example="edition 2026",
    ),
    "import": Entry(
        'import "lib.mesh"',
        "More facts: another file of the language, Kubernetes manifests, or the schema of a service.",
        'import "${1:lib.mesh}"',
        example='import proto "pay.proto" for payments',
    ),
    "mesh": Entry(
        'mesh NAME { trust-domain: "…" }',
        "The mesh itself, once per program: its trust domain, and whether plain text is heard.",
        'mesh ${1:name} { trust-domain: "${2:name.example}", mtls: strict }',
        example='mesh shop { trust-domain: "shop.example", mtls: strict }',
    ),
    "service": Entry(
        "service NAME { port: 8080/http }",
        "A workload with one identity. Defaults fit Kubernetes: namespace `default`, service account and label `app` "
        "as the name. A service without a port only calls.",
        "service ${1:name} { port: ${2:8080}/${3|http,http2,grpc,tcp,tls|} }",
        example="service api { port: 8080/http, versions: [v1, v2], health: /healthz }",
    ),
    "external": Entry(
        'external NAME { hosts: ["…"], port: 443/tls }',
        "Something outside the mesh. Calls to anything that is not declared are refused.",
        'external ${1:name} { hosts: ["${2:api.example.com}"], port: ${3:443}/tls }',
        example='external stripe { hosts: ["api.stripe.com"], port: 443/tls, tls { min: "1.3" } }',
    ),
    "group": Entry(
        "group NAME = [a, b] | c - d",
        "A finite set of workloads: lists, unions, differences, or `where` a label or namespace has a value.",
        "group ${1:name} = ${2:[a, b]}",
        example='group pci = where service.pci == "true"',
    ),
    "jwt": Entry(
        'jwt NAME { issuer: "…", audiences: ["…"], jwks: "…" }',
        "Whose end-user tokens are trusted. Conditions on claims speak of tokens verified for one of these.",
        'jwt ${1:name} { issuer: "${2:https://id.example}", audiences: ["${3:shop}"], jwks: "${4:keys.json}" }',
        example='jwt corp { issuer: "https://id.example", audiences: ["shop"], jwks: "https://id.example/jwks.json" }',
    ),
    "let": Entry(
        "let NAME = VALUE",
        "A name for a value, used wherever the value may stand.",
        "let ${1:name} = ${2:5s}",
        example="let slow = 4s",
    ),
    "template": Entry(
        "template NAME(a, b) { statements }",
        "Statements that `use` writes out with names and values in place of the parameters.",
        "template ${1:name}(${2:service}) {\n  $0\n}",
        example=(
            "template webapp(name, base) {\n  service name { port: 8080/http }\n  allow ingress -> name : GET base\n}"
        ),
    ),
    "use": Entry(
        "use NAME(x, y)", "Writes a template out.", "use ${1:template}(${2:name})", example="use webapp(shop, /shop/**)"
    ),
    "allow": Entry(
        "allow A -> B : GET /x/**",
        "Grants requests of a caller to a callee. Nothing is allowed that no line allows, and a `deny` beats every "
        "`allow`; order never matters.",
        "allow ${1:caller} -> ${2:callee} : ${3:GET} ${4:/**}",
        example='allow web -> api : GET /v1/orders/**, POST /v1/orders if header "x-csrf" present',
    ),
    "deny": Entry(
        'deny A -> B : /admin/** because "…"',
        "Takes requests away, whatever allows them. `unless` names an exception.",
        'deny ${1:any} -> ${2:callee} : ${3:/admin/**} because "${4:reason}"',
        example='deny any -> api : /admin/** unless claim "role" == "sre" because "break-glass only"',
    ),
    "defaults": Entry(
        "defaults mesh { … }",
        "Settings of the whole mesh, or of all calls to one service. Edges and routes may say otherwise.",
        "defaults ${1:mesh} { timeout: ${2:5s} }",
        example="defaults mesh { timeout: 5s, retry { limit: 1, on: [connect-failure], budget: 20% } }",
    ),
    "edge": Entry(
        "edge A -> B { timeout: 2s }",
        "Settings of the calls of one peer to another; more specific than `defaults`, less than a route's own.",
        "edge ${1:caller} -> ${2:callee} { timeout: ${3:2s} }",
        example="edge web -> api { timeout: 2s, retry: off }",
    ),
    "route": Entry(
        "route SERVICE { MATCH => v1 90%, v2 10% as NAME }",
        "Where a service's requests go. Rules are unordered: the more specific one wins, `over` decides others; what "
        "no rule matches goes to all instances.",
        "route ${1:service} {\n  ${2:/**} => ${3:v1}\n}",
        example=(
            "route api {\n  /v1/** => v1 95%, v2 5% as canary\n"
            '  /v1/** if header "x-beta" == "1" => v2 as beta over canary\n}'
        ),
    ),
    "limit": Entry(
        "limit A -> B 500/s burst 100",
        "A rate limit, for each caller and each instance of the callee.",
        "limit ${1:caller} -> ${2:callee} ${3:500}/s burst ${4:100}",
        example='limit web -> api 500/s burst 100 per header "x-user"',
    ),
    "mirror": Entry(
        "mirror SERVICE MATCH => TARGET 5%",
        "A copy of a share of the requests, whose answers nobody sees.",
        "mirror ${1:service} ${2:/**} => ${3:v2} ${4:5%}",
        example="mirror api GET /v1/orders/** => api.v2 5%",
    ),
    "fault": Entry(
        "fault NAME on A -> B { delay: 500ms }",
        "Delays or failures that are brought about on purpose, for a share of the calls.",
        "fault ${1:name} on ${2:caller} -> ${3:callee} { delay: ${4:500ms}, percent: ${5:5%} }",
        example="fault slow-ledger on payments -> ledger { delay: 500ms, percent: 5% }",
    ),
    "slo": Entry(
        "slo SERVICE { availability: 99.9%, window: 30d }",
        "Objectives: alert rules and a dashboard come of them.",
        "slo ${1:service} { availability: ${2:99.9%}, window: ${3:30d} }",
        example="slo api { availability: 99.9%, window: 30d, latency-p99: 300ms }",
    ),
    "assert": Entry(
        "assert never A -> B",
        "What must hold for every request; it is proved on each check, and a request that breaks it is shown.",
        "assert ${1|never,always,only|} ${2:caller} -> ${3:callee}",
        example='assert only payments -> stripe because "PCI scope"',
    ),
    "test": Entry(
        'test "…" { A -> B GET /x is allowed }',
        "Examples: requests, and what is expected of them. `meshc test` runs them.",
        'test "${1:name}" {\n  ${2:caller} -> ${3:callee} ${4:GET} ${5:/} is ${6|allowed,denied|}\n}',
        example=(
            'test "orders" {\n  web -> api GET /v1/orders/42 is allowed, routed v1\n'
            "  web -> api POST /v1/orders is denied\n}"
        ),
    ),
    "overlay": Entry(
        "overlay NAME { set …, drop …, statements }",
        "An environment as a change of the program. A change that hits nothing is an error; asserts hold again.",
        "overlay ${1:staging} {\n  $0\n}",
        example='overlay staging {\n  set stripe.hosts: ["stripe-mock.test"]\n  set api.route.canary: [50%, 50%]\n}',
    ),
}
"""The words with which statements begin."""

IN_OVERLAYS: Mapping[str, Entry] = {
    "set": Entry(
        "set PATH: VALUE",
        "Another value for what a path names.",
        "set ${1:service}.${2:field}: ${3:value}",
        example='set stripe.hosts: ["stripe-mock.test"]',
    ),
    "drop": Entry("drop PATH", "Takes away what a path names.", "drop ${1:name}", example="drop api.route.canary"),
}
"""The words with which the items of an overlay begin, besides statements."""

"""The words of the language in short, each with what it means: for hovers and completions."""

from __future__ import annotations

from collections.abc import Mapping

from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of the language: how it is written, what it means, and what an editor may type for it.

    `snippet` has numbered places (`${1:name}`, LSP 3.17 snippet syntax); empty where the word alone is enough.
    """

    form: str
    text: str
    snippet: str = ""


STATEMENTS: Mapping[str, Entry] = {
    "edition": Entry("edition 2026", "The year whose syntax and defaults the program follows.", "edition 2026"),
    "import": Entry(
        'import "lib.mesh"',
        "More facts: another file of the language, Kubernetes manifests, or the schema of a service.",
        'import "${1:lib.mesh}"',
    ),
    "mesh": Entry(
        'mesh NAME { trust-domain: "…" }',
        "The mesh itself, once per program: its trust domain, and whether plain text is heard.",
        'mesh ${1:name} { trust-domain: "${2:name.example}", mtls: strict }',
    ),
    "service": Entry(
        "service NAME { port: 8080/http }",
        "A workload with one identity. Defaults fit Kubernetes: namespace `default`, service account and label `app` "
        "as the name. A service without a port only calls.",
        "service ${1:name} { port: ${2:8080}/${3|http,http2,grpc,tcp,tls|} }",
    ),
    "external": Entry(
        'external NAME { hosts: ["…"], port: 443/tls }',
        "Something outside the mesh. Calls to anything that is not declared are refused.",
        'external ${1:name} { hosts: ["${2:api.example.com}"], port: ${3:443}/tls }',
    ),
    "group": Entry(
        "group NAME = [a, b] | c - d",
        "A finite set of workloads: lists, unions, differences, or `where` a label or namespace has a value.",
        "group ${1:name} = ${2:[a, b]}",
    ),
    "jwt": Entry(
        'jwt NAME { issuer: "…", audiences: ["…"], jwks: "…" }',
        "Whose end-user tokens are trusted. Conditions on claims speak of tokens verified for one of these.",
        'jwt ${1:name} { issuer: "${2:https://id.example}", audiences: ["${3:shop}"], jwks: "${4:keys.json}" }',
    ),
    "let": Entry(
        "let NAME = VALUE", "A name for a value, used wherever the value may stand.", "let ${1:name} = ${2:5s}"
    ),
    "template": Entry(
        "template NAME(a, b) { statements }",
        "Statements that `use` writes out with names and values in place of the parameters.",
        "template ${1:name}(${2:service}) {\n  $0\n}",
    ),
    "use": Entry("use NAME(x, y)", "Writes a template out.", "use ${1:template}(${2:name})"),
    "allow": Entry(
        "allow A -> B : GET /x/**",
        "Grants requests of a caller to a callee. Nothing is allowed that no line allows, and a `deny` beats every "
        "`allow`; order never matters.",
        "allow ${1:caller} -> ${2:callee} : ${3:GET} ${4:/**}",
    ),
    "deny": Entry(
        'deny A -> B : /admin/** because "…"',
        "Takes requests away, whatever allows them. `unless` names an exception.",
        'deny ${1:any} -> ${2:callee} : ${3:/admin/**} because "${4:reason}"',
    ),
    "defaults": Entry(
        "defaults mesh { … }",
        "Settings of the whole mesh, or of all calls to one service. Edges and routes may say otherwise.",
        "defaults ${1:mesh} { timeout: ${2:5s} }",
    ),
    "edge": Entry(
        "edge A -> B { timeout: 2s }",
        "Settings of the calls of one peer to another; more specific than `defaults`, less than a route's own.",
        "edge ${1:caller} -> ${2:callee} { timeout: ${3:2s} }",
    ),
    "route": Entry(
        "route SERVICE { MATCH => v1 90%, v2 10% as NAME }",
        "Where a service's requests go. Rules are unordered: the more specific one wins, `over` decides others; what "
        "no rule matches goes to all instances.",
        "route ${1:service} {\n  ${2:/**} => ${3:v1}\n}",
    ),
    "limit": Entry(
        "limit A -> B 500/s burst 100",
        "A rate limit, for each caller and each instance of the callee.",
        "limit ${1:caller} -> ${2:callee} ${3:500}/s burst ${4:100}",
    ),
    "mirror": Entry(
        "mirror SERVICE MATCH => TARGET 5%",
        "A copy of a share of the requests, whose answers nobody sees.",
        "mirror ${1:service} ${2:/**} => ${3:v2} ${4:5%}",
    ),
    "fault": Entry(
        "fault NAME on A -> B { delay: 500ms }",
        "Delays or failures that are brought about on purpose, for a share of the calls.",
        "fault ${1:name} on ${2:caller} -> ${3:callee} { delay: ${4:500ms}, percent: ${5:5%} }",
    ),
    "slo": Entry(
        "slo SERVICE { availability: 99.9%, window: 30d }",
        "Objectives: alert rules and a dashboard come of them.",
        "slo ${1:service} { availability: ${2:99.9%}, window: ${3:30d} }",
    ),
    "assert": Entry(
        "assert never A -> B",
        "What must hold for every request; it is proved on each check, and a request that breaks it is shown.",
        "assert ${1|never,always,only|} ${2:caller} -> ${3:callee}",
    ),
    "test": Entry(
        'test "…" { A -> B GET /x is allowed }',
        "Examples: requests, and what is expected of them. `meshc test` runs them.",
        'test "${1:name}" {\n  ${2:caller} -> ${3:callee} ${4:GET} ${5:/} is ${6|allowed,denied|}\n}',
    ),
    "overlay": Entry(
        "overlay NAME { set …, drop …, statements }",
        "An environment as a change of the program. A change that hits nothing is an error; asserts hold again.",
        "overlay ${1:staging} {\n  $0\n}",
    ),
}
"""The words with which statements begin."""

IN_OVERLAYS: Mapping[str, Entry] = {
    "set": Entry("set PATH: VALUE", "Another value for what a path names.", "set ${1:service}.${2:field}: ${3:value}"),
    "drop": Entry("drop PATH", "Takes away what a path names.", "drop ${1:name}"),
}
"""The words with which the items of an overlay begin, besides statements."""

WORDS: Mapping[str, Entry] = {
    "any": Entry("any", "Every caller with a verified identity of the mesh; as a callee, every service."),
    "ingress": Entry("ingress", "The gateway by which calls enter the mesh. It needs no declaration."),
    "plaintext": Entry("plaintext", "Calls without a mesh identity; heard only where `mtls` is `permissive`."),
    "if": Entry('if header "x" present', "A condition that requests must meet besides the matcher."),
    "unless": Entry('unless header "x" == "y"', "What a `deny` leaves alone."),
    "because": Entry('because "reason"', "The reason. It is kept, and shown by `meshc why`."),
    "where": Entry('where service.LABEL == "…"', "The services of which a condition on labels holds."),
    "header": Entry(
        'header "x-beta" == "1"',
        "A header, as a list: repeated lines and commas make members, and `==` asks whether one of them is the value. "
        "An empty header is present; a missing one is not empty.",
    ),
    "query": Entry('query "page" == "1"', "A parameter of the query; of a repeated one, some value."),
    "cookie": Entry('cookie "tier" == "gold"', "A cookie."),
    "claim": Entry('claim "role" == "sre"', "A claim of a verified end-user token; of a list, some member."),
    "from": Entry("from web", "Holds of requests of a caller."),
    "present": Entry('header "x" present', "The attribute is there, be it empty."),
    "rpc": Entry("rpc pkg.Service/Method", "A gRPC call: POST on `/pkg.Service/Method`. `*` stands for all methods."),
    "tcp": Entry("tcp", "Connections, on a port that carries no requests."),
    "as": Entry("as NAME", "Names a rule of a route, for logs, metrics, tests and `over`."),
    "over": Entry("over NAME", "Lets this rule win over another where both match."),
    "burst": Entry("burst 100", "How many requests may come at once before the rate holds."),
    "per": Entry('per header "x-user"', "A bucket of its own for each value of an attribute."),
    "never": Entry("assert never A -> B : GET /x", "No such request is allowed; with `->*`, nor through others."),
    "always": Entry("assert always A -> B : GET /x", "Every such request is allowed."),
    "only": Entry("assert only A -> B", "Nobody but A may call B."),
    "every": Entry("assert every edge has edge.timeout <= 4s", "Every edge that some allow opens meets the condition."),
    "attempts": Entry(
        "assert attempts(A -> B) <= 8", "How often one call can reach B at worst, retries of all included."
    ),
    "deadline": Entry("assert deadline(A -> B) <= 2s", "How long a call can take at worst."),
    "is": Entry("is allowed, routed v1", "What a test expects."),
    "allowed": Entry("is allowed", "Some allow matches, and no deny does."),
    "denied": Entry("is denied", "No allow matches, or some deny does."),
    "routed": Entry("routed v1", "To which version the request goes."),
    "by": Entry("by canary", "Which rule of the route decides."),
    "redirect": Entry('=> redirect "https://…"', "The caller is sent elsewhere; nothing is called."),
    "respond": Entry("=> respond 404", "The caller gets this status; nothing is called."),
}
"""Words within statements."""

"""Codes of family 3xx: authorisation."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_SHOP = (
    'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice worker {}\nservice api { port: 8080/http }\n'
)

DEAD_ALLOW = Code(
    id="MSH301",
    name="dead-allow",
    severity=Severity.ERROR,
    summary="an allow of which every request is denied",
    why=(
        "A deny beats every allow. Where denies cover all that a grant allows, one of the two is not what was meant: "
        "whoever wrote the grant expects the calls to pass."
    ),
    bad=_SHOP + "allow web -> api : GET /v1/**, GET /admin/users\ndeny any -> api : * /admin/**\n",
    good=_SHOP + "allow web -> api : GET /v1/**, GET /users\ndeny web -> api : GET /v1/admin/**\n",
)

REDUNDANT_ALLOW = Code(
    id="MSH302",
    name="redundant-allow",
    severity=Severity.WARNING,
    summary="an allow that other allows make superfluous",
    why=(
        "Every request that it allows is allowed by others anyway, so taking it away would close nothing. Whoever "
        "narrows one of them later will believe to have closed a way that stays open."
    ),
    bad=_SHOP + "allow web -> api {\n  GET /v1/**\n  GET /v1/orders\n}\n",
    good=_SHOP + "allow web -> api {\n  GET /v1/**\n}\n",
)

USELESS_DENY = Code(
    id="MSH303",
    name="useless-deny",
    severity=Severity.INFO,
    summary="a deny that takes nothing away",
    why=(
        "No allow grants what it denies. That may be meant, as a guard rail against allows that are written later; a "
        "`because` says so and silences the finding."
    ),
    bad=_SHOP + "allow web -> api : GET /v1/**\ndeny any -> api : * /admin/**\n",
    good=_SHOP + 'allow web -> api : GET /v1/**\ndeny any -> api : * /admin/** because "break-glass only"\n',
)

UNREACHABLE_SERVICE = Code(
    id="MSH304",
    name="unreachable-service",
    severity=Severity.WARNING,
    summary="a service that nobody may call",
    why=(
        "Nothing is allowed that no statement allows. A service with ports that nobody may call is either not finished "
        "or not needed; a workload that only calls others needs no port."
    ),
    bad=_SHOP + "service db { port: 5432/tcp }\nallow web -> api : GET /**\n",
    good=_SHOP + "service db { port: 5432/tcp }\nallow web -> api : GET /**\nallow api -> db : tcp\n",
)

UNIVERSAL_ALLOW = Code(
    id="MSH305",
    name="universal-allow",
    severity=Severity.WARNING,
    summary="an allow of everything to everybody",
    why=(
        "`allow any -> X : *` opens all of a service to every workload of the mesh, `ingress` among them, and so to "
        "whatever the gateway lets in. Name the callers or the requests; a `because` says that it is meant."
    ),
    bad=_SHOP + "allow any -> api : *\n",
    good=_SHOP + 'allow any -> api : * because "public by design, reviewed with security"\n',
)

_JWT = 'jwt corp { issuer: "https://id.example", audiences: ["shop"], jwks: "https://id.example/keys.json" }\n'

TOKEN_NOT_REQUIRED = Code(
    id="MSH306",
    name="token-not-required",
    severity=Severity.WARNING,
    summary="an allow about end users that holds without any token",
    why=(
        "A request without a token has no claims, so `claim … != …` and `not claim …` hold of it. Such a guard turns "
        "away some users who say who they are, and lets everybody pass who does not. Ask for the claim as well."
    ),
    bad=_SHOP + _JWT + 'allow web -> api : GET /** if claim "role" != "guest"\n',
    good=_SHOP + _JWT + 'allow web -> api : GET /** if claim "role" present and claim "role" != "guest"\n',
)

_OPEN = 'mesh shop { trust-domain: "shop.example" }\nservice web { port: 8080/http, mtls: permissive }\n'

DENY_MISSES_PLAINTEXT = Code(
    id="MSH309",
    name="deny-misses-plaintext",
    severity=Severity.WARNING,
    summary="a deny or an assert about `any` that leaves callers without an identity out",
    why=(
        "`any` is every verified identity of the mesh. A service under `mtls: permissive` also takes calls without "
        "one, and sentences are about those only if they say `plaintext`. What is meant of all callers is said of "
        "both: `deny any …` and `deny plaintext …`, `assert never any …` and `assert never plaintext …`."
    ),
    bad=_OPEN + "allow plaintext -> web : GET /**\nallow any -> web : GET /**\ndeny any -> web : /admin/**\n",
    good=_OPEN
    + "allow plaintext -> web : GET /**\nallow any -> web : GET /**\n"
    + "deny any -> web : /admin/**\ndeny plaintext -> web : /admin/**\n",
)

DENY_SLIPPED = Code(
    id="MSH308",
    name="deny-slipped",
    severity=Severity.ERROR,
    summary="a deny that another spelling of the path slips by",
    why=(
        "A mesh compares paths as RFC 3986 does: letter by letter. A service that reads them otherwise, as many "
        "frameworks do, and says so by `folds: [case, parameters]`, takes `/Admin` or `/admin;x` for `/admin`, so that "
        "a deny among allowed paths keeps nobody out. Allow what is meant instead. The witness is such a request."
    ),
    bad=_SHOP.replace("service api {", "service api { folds: [case],")
    + "allow web -> api : GET /**\ndeny any -> api : /admin/**\n",
    good=_SHOP.replace("service api {", "service api { folds: [case],") + "allow web -> api : GET /orders/**\n",
)

ASSERTION_VIOLATED = Code(
    id="MSH310",
    name="assertion-violated",
    severity=Severity.ERROR,
    summary="an assert that does not hold",
    why="The witness is a request that the program allows and the assert rules out.",
    bad=_SHOP + "allow worker -> api : GET /**\nassert never worker -> api : GET /admin/**\n",
    good=_SHOP
    + "allow worker -> api : GET /**\ndeny worker -> api : * /admin/**\n"
    + "assert never worker -> api : GET /admin/**\n",
)

_CHAIN = _SHOP + "service db { port: 9090/http }\nallow web -> api : GET /**\nallow api -> db : GET /**\n"

EDGE_LACKS = Code(
    id="MSH311",
    name="edge-lacks",
    severity=Severity.ERROR,
    summary="an edge that lacks what an assert asks of every edge",
    why=(
        "`every edge from A to B has …` is about each edge that some allow opens, and about the settings of every call "
        "on it: those of the route's rules too. A time that is not stated is longer than any. The witness is a call "
        "without what is asked."
    ),
    bad=_CHAIN + "edge web -> api { timeout: 5s }\nassert every edge to api has edge.timeout <= 4s\n",
    good=_CHAIN + "edge web -> api { timeout: 3s }\nassert every edge to api has edge.timeout <= 4s\n",
)

ATTEMPTS_EXCEEDED = Code(
    id="MSH312",
    name="attempts-exceeded",
    severity=Severity.ERROR,
    summary="one request may become more tries than an assert bounds",
    why=(
        "Every caller on a chain may try again, and tries multiply: three services with two extra tries each make 27 "
        "of one. `attempts(A -> B)` is the product along the worst chain of calls that the program allows; a circle "
        "of calls has no bound."
    ),
    bad=_CHAIN + "defaults mesh { retry { limit: 1, on: [connect-failure] } }\nassert attempts(web -> db) <= 3\n",
    good=_CHAIN
    + "defaults mesh { retry { limit: 1, on: [connect-failure] } }\nedge api -> db { retry: off }\n"
    + "assert attempts(web -> db) <= 3\n",
)

DEADLINE_EXCEEDED = Code(
    id="MSH313",
    name="deadline-exceeded",
    severity=Severity.ERROR,
    summary="a caller may wait longer than an assert bounds",
    why=(
        "`deadline(A -> B)` is the longest that A may wait for an answer that depends on B: the timeout of its first "
        "call on a way there, or all its tries with their pauses, whichever ends first. Without either, nothing "
        "bounds it."
    ),
    bad=_CHAIN + "edge web -> api { timeout: 5s }\nassert deadline(web -> db) <= 2s\n",
    good=_CHAIN + "edge web -> api { timeout: 2s }\nassert deadline(web -> db) <= 2s\n",
)

ALWAYS_VIOLATED = Code(
    id="MSH314",
    name="always-violated",
    severity=Severity.ERROR,
    summary="a request that an assert promises is denied",
    why="The witness is a request that the assert promises to its caller and the program does not allow.",
    bad=_SHOP + "allow web -> api : GET /**\ndeny any -> api : /admin/**\nassert always web -> api : GET /**\n",
    good=_SHOP + "allow web -> api : GET /**\ndeny any -> api : /admin/**\nassert always web -> api : GET /v1/**\n",
)

MTLS_VIOLATED = Code(
    id="MSH315",
    name="mtls-violated",
    severity=Severity.ERROR,
    summary="a service that takes calls without mutual TLS, against an assert",
    why="A permissive service takes calls in plain text, which prove no identity.",
    bad=_SHOP.replace("service api {", "service api { mtls: permissive,") + "allow web -> api : GET /**\nassert mtls\n",
    good=_SHOP + "allow web -> api : GET /**\nassert mtls\n",
)

CHAIN_VIOLATED = Code(
    id="MSH316",
    name="chain-violated",
    severity=Severity.ERROR,
    summary="a chain of calls that an assert rules out",
    why=(
        "`never A ->* B` holds if A reaches B neither itself nor through others: no chain of calls, each of which is "
        "allowed, leads from one to the other. The shortest chain is shown, and a request for its last call."
    ),
    bad=_CHAIN + "assert never web ->* db\n",
    good=_CHAIN.replace("allow api -> db", "allow worker -> db") + "assert never web ->* db\n",
)

NOT_VERIFIED = Code(
    id="MSH399",
    name="not-verified",
    severity=Severity.WARNING,
    summary="a question about the program that could not be decided",
    why=(
        "Sets of requests are compared exactly, but each comparison has a bound: some regular expressions need "
        "automata that grow beyond it, and some conditions unfold into too many cases. Where neither a proof nor a "
        "counter-example was found the compiler says so; it never lets it pass as proved. Write paths as templates, "
        "and the question can be decided."
    ),
    bad=_SHOP
    + 'allow web -> api : GET ~"/v1/(a|b)*a(a|b){14}"\nallow worker -> api : GET /v2\n'
    + 'assert never web -> api : GET ~"/v1/(a|b)*b(a|b){14}"\n',
    good=_SHOP
    + "allow web -> api : GET /v1/a/{id:int}\nallow worker -> api : GET /v2\n"
    + "assert never web -> api : GET /v1/c/{id:int}\n",
)

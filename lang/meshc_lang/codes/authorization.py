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

NOT_VERIFIED = Code(
    id="MSH399",
    name="not-verified",
    severity=Severity.WARNING,
    summary="a question about the program that could not be decided",
    why=(
        "Regular expressions are compared by their beginnings, their text and sample paths, and each comparison has a "
        "bound. Where neither a proof nor a counter-example was found the compiler says so; it never lets it pass as "
        "proved. Write the path as a template and the question can be decided."
    ),
    bad=_SHOP
    + 'allow web -> api : GET ~"/v1/(a|b)[0-9]{2}"\nallow worker -> api : GET /v2\n'
    + 'assert never web -> api : GET ~"/v1/[c-z][0-9]{2}"\n',
    good=_SHOP
    + "allow web -> api : GET /v1/a/{id:int}\nallow worker -> api : GET /v2\n"
    + "assert never web -> api : GET /v1/c/{id:int}\n",
)

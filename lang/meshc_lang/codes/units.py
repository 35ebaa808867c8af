"""Codes of family 2xx: types and units."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_MESH = 'mesh shop { trust-domain: "shop.example" }\n'
_SHOP = _MESH + "service web {}\nservice api { port: 8080/http }\n"
_GET = _SHOP + "allow web -> api : GET /**\n"

WRONG_UNIT = Code(
    id="MSH201",
    name="wrong-unit",
    severity=Severity.ERROR,
    summary="a quantity without a unit, or with the wrong one",
    why="Quantities bear their unit, so that nobody has to remember whether a number meant seconds or milliseconds.",
    bad=_GET + "edge web -> api { timeout: 5 }\n",
    good=_GET + "edge web -> api { timeout: 5s }\n",
)

WRONG_TYPE = Code(
    id="MSH202",
    name="wrong-type",
    severity=Severity.ERROR,
    summary="a value of a kind that this field does not take",
    why="Every field takes one kind of value; a value of another kind is refused and never converted.",
    bad=_MESH + 'service web {}\nservice api { port: "8080" }\nallow web -> api : GET /**\n',
    good=_GET,
)

PROTOCOL_MISMATCH = Code(
    id="MSH203",
    name="protocol-mismatch",
    severity=Severity.ERROR,
    summary="a grant that no port of the callee can carry",
    why=(
        "Methods and paths are seen on `http` and `http2` ports, rpcs on `grpc` ports, connections on `tcp` and `tls` "
        "ports. Where the port cannot show what the grant speaks of, the grant would either match nothing or, worse, "
        "everything."
    ),
    bad=_SHOP + "service ledger { port: 9091/tcp }\nallow web -> api : GET /**\nallow web -> ledger : GET /x\n",
    good=_SHOP + "service ledger { port: 9091/tcp }\nallow web -> api : GET /**\nallow web -> ledger : tcp\n",
)

OUT_OF_RANGE = Code(
    id="MSH204",
    name="out-of-range",
    severity=Severity.ERROR,
    summary="a number outside what this field takes",
    why="Ports run from 1 to 65535, shares to 100 %; a replica count, a rate or a burst is at least 1.",
    bad=_MESH + "service web {}\nservice api { port: 80800/http }\nallow web -> api : GET /**\n",
    good=_GET,
)

INVALID_PATH = Code(
    id="MSH205",
    name="invalid-path",
    severity=Severity.ERROR,
    summary="a path template that no request could match, or that is not canonical",
    why=(
        "Paths are compared after one canonicalisation: escapes of unreserved characters decoded, other escapes in "
        "upper case, slashes merged, dot segments resolved. A template in another spelling would never match. `*` and "
        "`{…}` stand for whole segments, and `**` only at the end."
    ),
    bad=_SHOP + "allow web -> api : GET /v1/%41pples\n",
    good=_SHOP + "allow web -> api : GET /v1/Apples\n",
)

INVALID_REGEX = Code(
    id="MSH206",
    name="invalid-regex",
    severity=Severity.ERROR,
    summary="a regular expression that is not in the part of RE2 that meshc takes",
    why=(
        "The same expression is run by several engines and must mean the same in each: literals, `.`, classes, groups, "
        "alternation and repetition up to 1000. Look-around, back-references, possessive and atomic groups are not "
        "RE2; anchors are not needed, since the whole path must match; inline flags, `\\\\b` and POSIX classes differ "
        "between engines."
    ),
    bad=_SHOP + 'allow web -> api : GET ~"/v1/(?!admin).*"\n',
    good=_SHOP + 'allow web -> api : GET ~"/v1/[a-z]+"\n',
)

INVALID_HEADER = Code(
    id="MSH207",
    name="invalid-header",
    severity=Severity.ERROR,
    summary="a header name or value that no request could bear",
    why=(
        "A header's name is a token (RFC 9110 §5.6.2). Values are compared member by member of a comma-separated list, "
        "so a literal has no comma, no control or non-ASCII character, no space at its ends, and is not empty."
    ),
    bad=_SHOP + 'allow web -> api : GET /** if header "x-role" == "a,b"\n',
    good=_SHOP + 'allow web -> api : GET /** if header "x-role" in ["a", "b"]\n',
)

UNKNOWN_WORD = Code(
    id="MSH208",
    name="unknown-word",
    severity=Severity.ERROR,
    summary="a word that is not one of those this field takes",
    why="The field takes one of a few words, for example the conditions on which a call is tried again.",
    bad=_GET + "edge web -> api { retry { limit: 1, on: [conect-failure] } }\n",
    good=_GET + "edge web -> api { retry { limit: 1, on: [connect-failure] } }\n",
)

UNKNOWN_EDITION = Code(
    id="MSH209",
    name="unknown-edition",
    severity=Severity.ERROR,
    summary="an edition that this compiler does not know",
    why="An edition fixes syntax and defaults: by the rules of another year a program could mean something else.",
    bad="edition 2031\n" + _GET,
    good="edition 2026\n" + _GET,
)

INVALID_HOST = Code(
    id="MSH210",
    name="invalid-host",
    severity=Severity.ERROR,
    summary="a host name of an external that is not one, or that belongs to the mesh",
    why=(
        "An external is found by the `Host` of a call: a DNS name with at least two labels. Names inside the mesh "
        "(one label, `*.svc`, `*.svc.cluster.local`) mean services, and wildcards would admit hosts nobody named."
    ),
    bad=_GET + 'external mail { hosts: ["*.example.com"], port: 443/tls }\nallow api -> mail : POST /send\n',
    good=_GET + 'external mail { hosts: ["mail.example.com"], port: 443/tls }\nallow api -> mail : POST /send\n',
)

INVALID_ATTRIBUTE = Code(
    id="MSH211",
    name="invalid-attribute",
    severity=Severity.ERROR,
    summary="a parameter, cookie or claim that no request could bear",
    why=(
        "A cookie's name is a token and its value holds no white space, comma, semicolon, double quote or backslash "
        "(RFC 6265 §4.1.1); parameters and claims have a name. A guard on anything else would never hold."
    ),
    bad=_SHOP + 'allow web -> api : GET /** if cookie "beta" == "1; x=2"\n',
    good=_SHOP + 'allow web -> api : GET /** if cookie "beta" == "1"\n',
)

IMPOSSIBLE_GUARD = Code(
    id="MSH212",
    name="impossible-guard",
    severity=Severity.ERROR,
    summary="a guard that no request can meet",
    why=(
        "The conditions contradict each other, or never hold of the callers in front of the `->`. An allow with such a "
        "guard opens nothing, a deny closes nothing, and a rule of a route is never taken."
    ),
    bad=_SHOP + 'allow web -> api : GET /** if query "beta" == "1" and not query "beta" present\n',
    good=_SHOP + 'allow web -> api : GET /** if query "beta" == "1" and not query "alpha" present\n',
)

NOT_IN_THIS_VERSION = Code(
    id="MSH290",
    name="not-in-this-version",
    severity=Severity.ERROR,
    summary="retired: a part of the language that an earlier version of meshc did not carry",
    why=(
        "The compiler carries all of edition 2026, so no program yields this code any more; what one target does not "
        "carry is MSH870. Its number and name are never used for anything else."
    ),
)

TOO_MANY_EDGES = Code(
    id="MSH291",
    name="too-many-edges",
    severity=Severity.ERROR,
    summary="an `edge` statement between so many services that it should be a default",
    why=(
        "An `edge` between groups stands for each pair of their members. `defaults mesh` or `defaults SERVICE` says "
        "the same of all callers in one entry."
    ),
)

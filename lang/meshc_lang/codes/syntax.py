"""Codes of family 0xx: text that is not a program."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

__all__ = [
    "BAD_ESCAPE",
    "BAD_PATH",
    "BAD_REQUEST",
    "NEEDS_QUOTES",
    "NOT_SUPPORTED_YET",
    "NUMBER_TOO_LARGE",
    "STRAY_BRACE",
    "TOO_DEEP",
    "TOO_FINE",
    "UNCLOSED_BRACE",
    "UNCLOSED_STRING",
    "UNEXPECTED_CHARACTER",
    "UNEXPECTED_TEXT",
    "UNFINISHED_STATEMENT",
    "UNKNOWN_METHOD",
    "UNKNOWN_STATEMENT",
    "UNKNOWN_UNIT",
    "WRONG_ARROW",
    "Code",
    "Severity",
]

_PREAMBLE = """\
edition 2026

mesh shop { trust-domain: "shop.example" }
service web { port: 8080/http }
service api { port: 8080/http, versions: [v1, v2] }
allow ingress -> web : GET /**
"""

_API = _PREAMBLE + "allow web -> api : GET /v1/**\n"


def _error(number: int, name: str, summary: str, why: str, bad: str, good: str) -> Code:
    return Code(id=f"MSH{number:03}", name=name, severity=Severity.ERROR, summary=summary, why=why, bad=bad, good=good)


UNKNOWN_STATEMENT = _error(
    1,
    "unknown-statement",
    "a line begins with a word that begins no statement",
    "Every statement says in its first word what it is: `service`, `allow`, `route` and so on. A misspelt word would "
    "otherwise drop the whole statement, and a dropped `deny` opens what it was to close.",
    _PREAMBLE + "alow web -> api : GET /v1/**\n",
    _PREAMBLE + "allow web -> api : GET /v1/**\n",
)

UNFINISHED_STATEMENT = _error(
    2,
    "unfinished-statement",
    "a statement ends before it says all it must",
    "A statement ends with its line, unless a brace is open or the line ends with a comma. Nothing is guessed for "
    "what is missing: a grant without a path, say, could be meant to grant everything or one thing.",
    _PREAMBLE + "allow web -> api : GET\n",
    _PREAMBLE + "allow web -> api : GET /v1/**\n",
)

UNEXPECTED_TEXT = _error(
    3,
    "unexpected-text",
    "something stands where the statement has no place for it",
    "Statements are sentences with fixed places. What has no place in them is never skipped: it was written to mean "
    "something.",
    _PREAMBLE + 'allow web -> api : GET /v1/** becuase "the shop reads orders"\n',
    _PREAMBLE + 'allow web -> api : GET /v1/** because "the shop reads orders"\n',
)

UNCLOSED_BRACE = _error(
    4,
    "unclosed-brace",
    "a brace, bracket or parenthesis is never closed",
    "The place shown is the one that opens. It is found by indentation: the next statement, or a closing brace further "
    "left, tells where the block must have ended.",
    _PREAMBLE + "allow web -> api {\n  GET /v1/orders\n\nallow web -> api : GET /v1/carts\n",
    _PREAMBLE + "allow web -> api {\n  GET /v1/orders\n}\n\nallow web -> api : GET /v1/carts\n",
)

STRAY_BRACE = _error(
    5,
    "stray-brace",
    "a brace, bracket or parenthesis closes nothing",
    "Either it is one too many, or the one that should open is missing; the lines between then belong to no statement.",
    _PREAMBLE + "allow web -> api {\n  GET /v1/orders\n}\n}\n",
    _PREAMBLE + "allow web -> api {\n  GET /v1/orders\n}\n",
)

UNCLOSED_STRING = _error(
    6,
    "unclosed-string",
    "a string has no closing quote on its line",
    "Strings end on the line on which they begin, so that a lost quote spoils one line and not the rest of the file. "
    "A line break inside a string is written `\\n`.",
    _PREAMBLE + 'allow web -> api : GET /v1/** because "the shop reads orders\n',
    _PREAMBLE + 'allow web -> api : GET /v1/** because "the shop reads orders"\n',
)

BAD_ESCAPE = _error(
    7,
    "bad-escape",
    "a backslash in a string is followed by something that is no escape",
    'The escapes are those of JSON: `\\"`, `\\\\`, `\\/`, `\\b`, `\\f`, `\\n`, `\\r`, `\\t` and `\\u` with four '
    "hexadecimal digits. Regular expressions behind `~` are taken as they stand, and need no doubled backslash.",
    _PREAMBLE + 'allow web -> api : GET /v1/** because "see C:\\policy"\n',
    _PREAMBLE + 'allow web -> api : GET /v1/** because "see C:\\\\policy"\n',
)

UNEXPECTED_CHARACTER = _error(
    8,
    "unexpected-character",
    "a character has no place outside strings and comments",
    "Programs are made of ASCII outside strings and comments, so that two names that look alike are alike. Typographic "
    "quotes, dashes and arrows come from editors that mean well.",
    _PREAMBLE + "allow web → api : GET /v1/**\n",
    _PREAMBLE + "allow web -> api : GET /v1/**\n",
)

UNKNOWN_UNIT = _error(
    9,
    "unknown-unit",
    "a number bears a unit that the language does not know",
    "Durations are in ns, us, ms, s, m, h or d; shares in %; sizes in B, k, M, G, KiB, MiB or GiB; rates per s, m or "
    "h; ports name their protocol: http, http2, grpc, tcp or tls. One spelling each, so that they can be searched.",
    _API + "edge web -> api { timeout: 5sec }\n",
    _API + "edge web -> api { timeout: 5s }\n",
)

NUMBER_TOO_LARGE = _error(
    10,
    "number-too-large",
    "a number has more digits than any quantity needs",
    "Numbers have at most 18 digits, and 9 behind the point where they bear a unit: more is a mistake, and would make "
    "the compiler count for long.",
    _API + "edge web -> api { timeout: 10000000000000000000s }\n",
    _API + "edge web -> api { timeout: 10s }\n",
)

WRONG_ARROW = _error(
    11,
    "wrong-arrow",
    "`->` and `=>` are exchanged, or an arrow is spelled in another way",
    "`->` stands between a caller and its callee, `=>` between what a route matches and where it sends. They differ so "
    "that `grep 'web ->'` finds who calls and nothing else.",
    _API + "route api {\n  /v1/** -> v1\n}\n",
    _API + "route api {\n  /v1/** => v1\n}\n",
)

UNKNOWN_METHOD = _error(
    12,
    "unknown-method",
    "a word stands where an HTTP method is expected, and is none",
    "Methods are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE and CONNECT, in capitals, as in a request (RFC "
    "9110 section 9.1: methods are case-sensitive). A misspelt method in a `deny` would deny nothing.",
    _PREAMBLE + "allow web -> api : get /v1/**\n",
    _PREAMBLE + "allow web -> api : GET /v1/**\n",
)

NOT_SUPPORTED_YET = Code(
    id="MSH013",
    name="not-supported-yet",
    severity=Severity.ERROR,
    summary="retired: a statement of the edition that an earlier version of meshc did not carry",
    why="Every statement of edition 2026 is read, so no program yields this code any more. Its number and name are "
    "never used for anything else.",
)

BAD_REQUEST = _error(
    14,
    "bad-request",
    "a test or a command asks about something that is not one request",
    "A request has one caller, one callee and one method: `web -> api GET /v1/orders`. Groups, `any` and patterns "
    "stand for many.",
    _API + 'test "orders" {\n  any -> api GET /v1/orders is denied\n}\n',
    _API + 'test "orders" {\n  web -> api GET /v1/orders is allowed\n}\n',
)

TOO_FINE = _error(
    15,
    "too-fine",
    "a quantity is finer than anything counts it",
    "Durations are whole nanoseconds, shares whole ten-thousandths of a percent, sizes whole bytes. What is finer "
    "would have to be rounded, and shares that are rounded do not add up.",
    _API + "edge web -> api { timeout: 1.5ns }\n",
    _API + "edge web -> api { timeout: 2s }\n",
)

TOO_DEEP = _error(
    16,
    "too-deep",
    "braces, brackets or operators nest deeper than any program needs",
    "Blocks nest at most 64 deep, the name of what an overlay changes has at most 64 parts, a group chains at most 200 "
    "operators, and at most 16 `not` stand in a row. More is generated by mistake, and a list says it better.",
    _PREAMBLE + f'allow web -> api : GET /v1/** if {"not " * 17}header "x-beta" present\n',
    _PREAMBLE + 'allow web -> api : GET /v1/** if not header "x-beta" present\n',
)

BAD_PATH = _error(
    17,
    "bad-path",
    "what stands for a path is none",
    "A path begins with `/` and stands without quotes: `/v1/orders/**`. It holds no space, comma, `;`, `#` or `//`; "
    "requests are compared after canonicalisation, in which an empty segment never occurs.",
    _PREAMBLE + 'allow web -> api : GET "/v1/**"\n',
    _PREAMBLE + "allow web -> api : GET /v1/**\n",
)

NEEDS_QUOTES = _error(
    18,
    "needs-quotes",
    "a text stands without quotes",
    'Host names, header values and other texts stand in quotes: `"api.example.com"`. Without them stand only names, '
    "paths and quantities, each of which is checked for what it is.",
    _API + "external stripe { hosts: [api.stripe.com], port: 443/tls }\nallow api -> stripe : GET /v1/**\n",
    _API + 'external stripe { hosts: ["api.stripe.com"], port: 443/tls }\nallow api -> stripe : GET /v1/**\n',
)

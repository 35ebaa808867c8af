"""Strategies of syntactically valid programs, with comments and line breaks wherever the grammar lets them stand.

A statement is made as a row of pieces: words, and gaps between them. `program_texts` then fills each gap with one of
the spellings that mean nothing: blanks, line continuations, commas or line breaks, comments.
"""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy


class Gap(Enum):
    """What may stand between two words."""

    SPACE = auto()
    """Blanks, of which one is needed."""
    TIGHT = auto()
    """Blanks, or nothing."""
    BREAK = auto()
    """Blanks, or line breaks and comments."""
    SEPARATOR = auto()
    """A comma, a line break, or a comma and line breaks; and comments."""
    COMMA = auto()
    """A comma, perhaps with line breaks and comments behind it."""
    LINE = auto()
    """A line break, and comments."""


Piece: TypeAlias = str | Gap
Pieces: TypeAlias = tuple[Piece, ...]

NAMES = (
    "web", "api", "a-b", "_x", "v1", "test", "limit", "mesh", "route", "is", "over", "as", "present-9",
    "a-name-that-soon-fills-a-line-of-a-hundred-columns",
)  # fmt: skip
"""Names; many are keywords elsewhere."""

PATHS = (
    "/", "/**", "/v1/orders", "/v1/*/items", "/{id}", "/a/{id:uuid}/**", "/x{y:int}z", "/%41~!$&'()+=:@", "/a/", "/.",
)  # fmt: skip
TARGETS = ("/", "/a?full=1&x={y}", "/a%2Fb", "/..;/x", "/a;b,c#d", "/a//b", "/{", '/"', "/}", "/\\x", "/ü")
REGEXES = ('"/v1/.*"', r'"/\d+/(a|b)"', r'"\"#{"')
METHODS = ("GET", "HEAD", "POST", "DELETE")
QUANTITIES = (
    "5", "007", "1.50", "250ms", "1.5s", "5m", "30d", "20%", "99.95%", "64KiB", "2k", "500/s", "10/h", "8080/http",
    "443/tls", "5xx", "25ms..250ms", "1..3", "on", "off", "/healthz", "/v1/**",
)  # fmt: skip

names = st.sampled_from(NAMES)


@st.composite
def quoted(draw: DrawFn) -> str:
    """A string literal of any characters that a string may hold, quotes, braces and hashes among them."""
    text = draw(st.text(st.sampled_from('ab /#{}[],;"\\\té→\x00\x7f'), max_size=6))
    return json.dumps(text, ensure_ascii=draw(st.booleans())).replace("\x7f", "\\u007f")


def joined(rows: list[Pieces], gap: Gap) -> Pieces:
    """Put a gap between rows of pieces."""
    out: list[Piece] = []
    for index, row in enumerate(rows):
        if index:
            out.append(gap)
        out.extend(row)
    return tuple(out)


def rows(element: SearchStrategy[Pieces], gap: Gap, *, least: int = 1, most: int = 3) -> SearchStrategy[Pieces]:
    """Several rows with gaps between them."""
    return st.lists(element, min_size=least, max_size=most).map(lambda found: joined(found, gap))


def bracketed(inner: SearchStrategy[Pieces], marks: str) -> SearchStrategy[Pieces]:
    """Pieces between brackets."""
    return inner.map(lambda pieces: (marks[0], Gap.BREAK, *pieces, Gap.BREAK, marks[1]))


@st.composite
def peers(draw: DrawFn) -> Pieces:
    """One end of an edge."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return (draw(st.sampled_from(("any", "ingress"))),)
    if kind == 1:
        return ('"spiffe://shop.example/ns/x/sa/y"',)
    name = draw(names)
    return (name, Gap.TIGHT, ".", Gap.TIGHT, draw(names)) if kind == 2 else (name,)


@st.composite
def flows(draw: DrawFn) -> Pieces:
    """`A -> B`."""
    return (*draw(peers()), Gap.SPACE, "->", Gap.SPACE, *draw(peers()))


@st.composite
def attributes(draw: DrawFn) -> Pieces:
    """`header "x"` or `service.pci`."""
    if draw(st.booleans()):
        return (draw(st.sampled_from(("header", "query", "claim", "cookie"))), Gap.TIGHT, draw(quoted()))
    return ("service", Gap.TIGHT, ".", Gap.TIGHT, draw(names))


plain_values = st.one_of(st.sampled_from(QUANTITIES), names, quoted()).map(lambda word: (word,))


@st.composite
def predicates(draw: DrawFn) -> Pieces:
    """A condition without `and`, `or`, `not`."""
    match draw(st.integers(0, 4)):
        case 0:
            sign = draw(st.sampled_from(("==", "!=", "<=", ">=", "<", ">")))
            return (*draw(attributes()), Gap.SPACE, sign, Gap.SPACE, *draw(plain_values))
        case 1:
            return (*draw(attributes()), Gap.SPACE, "present")
        case 2:
            return (*draw(attributes()), Gap.SPACE, "in", Gap.SPACE, *draw(lists(plain_values)))
        case 3:
            return (*draw(attributes()), Gap.SPACE, "~", Gap.SPACE, draw(st.sampled_from(REGEXES)))
        case _:
            return ("from", Gap.SPACE, *draw(peers()))


def _compound(inner: SearchStrategy[Pieces]) -> SearchStrategy[Pieces]:
    @st.composite
    def compound(draw: DrawFn) -> Pieces:
        match draw(st.integers(0, 3)):
            case 0:
                return ("not", Gap.SPACE, "(", Gap.TIGHT, *draw(inner), Gap.SPACE, ")")
            case 1:
                return ("not", Gap.SPACE, *draw(predicates()))
            case kind:
                word = "and" if kind == 2 else "or"
                operands = [("(", Gap.TIGHT, *draw(inner), Gap.SPACE, ")"), draw(inner)]
                return joined([operands[0], (word,), operands[1]], Gap.SPACE)

    return compound()


conditions = st.recursive(predicates(), _compound, max_leaves=3)


def lists(element: SearchStrategy[Pieces]) -> SearchStrategy[Pieces]:
    """`[a, b]`, perhaps empty."""
    return bracketed(rows(element, Gap.SEPARATOR, least=0), "[]")


def _nested(inner: SearchStrategy[Pieces]) -> SearchStrategy[Pieces]:
    return st.one_of(lists(inner), blocks(inner))


def blocks(value: SearchStrategy[Pieces]) -> SearchStrategy[Pieces]:
    """`{ key: value }`, perhaps empty."""

    @st.composite
    def pairs(draw: DrawFn) -> Pieces:
        written = draw(value)
        if written[0] == "{" and draw(st.booleans()):
            return (draw(names), Gap.SPACE, *written)
        key = draw(st.one_of(names, quoted()))
        return (key, Gap.TIGHT, ":", Gap.TIGHT, *written)

    return bracketed(rows(pairs(), Gap.SEPARATOR, least=0), "{}")


values = st.recursive(plain_values, _nested, max_leaves=4)


@st.composite
def matchers(draw: DrawFn) -> Pieces:
    """What a call must look like."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return ("rpc", Gap.SPACE, draw(st.sampled_from(("pay.v1.Payments/Charge|Refund", "a.B/*", "Plain/call"))))
    if kind == 1:
        return (draw(st.sampled_from(("tcp", "*"))),)
    path: Pieces = (draw(st.sampled_from(PATHS)),)
    if kind == 2:
        path = ("~", Gap.TIGHT, draw(st.sampled_from(REGEXES)))
    if kind == 3:
        return path
    if kind == 4:
        return ("*", Gap.SPACE, *path)
    methods = draw(st.lists(st.sampled_from(METHODS), min_size=1, max_size=3, unique=True))
    return ("|".join(methods), Gap.SPACE, *path)


@st.composite
def grants(draw: DrawFn) -> Pieces:
    """A matcher and perhaps a guard."""
    matcher = draw(matchers())
    return (*matcher, Gap.SPACE, "if", Gap.SPACE, *draw(conditions)) if draw(st.booleans()) else matcher


@st.composite
def granting(draw: DrawFn) -> Pieces:
    """Grants behind a colon or in a block."""
    if draw(st.booleans()):
        return (":", Gap.TIGHT, *draw(rows(grants(), Gap.COMMA)))
    return draw(bracketed(rows(grants(), Gap.SEPARATOR), "{}"))


@st.composite
def reasons(draw: DrawFn) -> Pieces:
    """`because "…"`, or nothing."""
    return (Gap.SPACE, "because", Gap.SPACE, draw(quoted())) if draw(st.booleans()) else ()


@st.composite
def groups(draw: DrawFn) -> Pieces:
    """What stands behind `group NAME =`."""

    def compound(inner: SearchStrategy[Pieces]) -> SearchStrategy[Pieces]:
        return st.tuples(inner, st.sampled_from("|-"), inner, st.booleans()).map(
            lambda parts: (
                *parts[0], Gap.SPACE, parts[1], Gap.SPACE,
                *(("(", Gap.TIGHT, *parts[2], Gap.SPACE, ")") if parts[3] else parts[2]),
            )
        )  # fmt: skip

    where = conditions.map(lambda condition: ("where", Gap.SPACE, *condition))
    listed = bracketed(rows(peers(), Gap.SEPARATOR), "[]")
    return draw(st.recursive(st.one_of(peers(), listed, where), compound, max_leaves=4))


@st.composite
def targets(draw: DrawFn) -> Pieces:
    """`v1 95%`."""
    part = (".", draw(names)) if draw(st.booleans()) else ()
    share = (Gap.SPACE, draw(st.sampled_from(("5%", "33.3%", "100%")))) if draw(st.booleans()) else ()
    return (draw(names), *part, *share)


@st.composite
def rules(draw: DrawFn) -> Pieces:
    """One line of a route."""
    out: Pieces = (*draw(grants()), Gap.SPACE, "=>", Gap.SPACE, *draw(rows(targets(), Gap.COMMA)))
    if draw(st.booleans()):
        out = (*out, Gap.SPACE, "as", Gap.SPACE, draw(names))
    if draw(st.booleans()):
        out = (*out, Gap.SPACE, "over", Gap.SPACE, ", ".join(draw(st.lists(names, min_size=1, max_size=2))))
    return (*out, Gap.SPACE, *draw(blocks(values))) if draw(st.booleans()) else out


@st.composite
def requests(draw: DrawFn) -> Pieces:
    """A request as in a test."""
    caller = draw(st.sampled_from(("web", "plaintext", "ingress", '"spiffe://a/b"')))
    callee = draw(st.sampled_from(("api", "api.admin", "ingress")))
    match draw(st.integers(0, 3)):
        case 0:
            words: Pieces = ("rpc", Gap.SPACE, "pay.v1.Payments/Charge")
        case 1:
            return (caller, Gap.SPACE, "->", Gap.SPACE, callee, Gap.SPACE, "tcp")
        case 2:
            words = (draw(st.sampled_from(TARGETS)),)
        case _:
            words = (draw(st.sampled_from((*METHODS, "PROPFIND"))), " ", draw(st.sampled_from(TARGETS)))
    for mark in ((), ("claims", Gap.SPACE)):
        if draw(st.booleans()):
            entry = st.tuples(st.one_of(names, quoted()), quoted()).map(lambda pair: f"{pair[0]}: {pair[1]}")
            words = (*words, Gap.SPACE, *mark, "{" + ", ".join(draw(st.lists(entry, max_size=2))) + "}")
    return (caller, Gap.SPACE, "->", Gap.SPACE, callee, Gap.SPACE, *words)


@st.composite
def cases(draw: DrawFn) -> Pieces:
    """One line of a test."""
    verdict = st.one_of(
        st.sampled_from((("allowed",), ("denied",))),
        targets().map(lambda target: ("routed", Gap.SPACE, *target)),
        values.map(lambda value: ("timeout", Gap.SPACE, *value)),
    )
    return (*draw(requests()), Gap.SPACE, "is", Gap.SPACE, *draw(rows(verdict, Gap.COMMA)))


@st.composite
def statements(draw: DrawFn) -> Pieces:
    """One statement of any kind."""
    gap = Gap.SPACE
    match draw(st.integers(0, 10)):
        case 0:
            return ("edition", gap, "2026")
        case 1:
            word = draw(st.sampled_from(("mesh", "service", "external", "defaults")))
            return (word, gap, draw(names), gap, *draw(blocks(values)))
        case 2:
            return ("group", gap, draw(names), gap, "=", gap, *draw(groups()))
        case 3 | 4:
            return ("allow", gap, *draw(flows()), gap, *draw(granting()), *draw(reasons()))
        case 5:
            unless = (gap, "unless", gap, *draw(conditions)) if draw(st.booleans()) else ()
            return ("deny", gap, *draw(flows()), gap, *draw(granting()), *unless, *draw(reasons()))
        case 6:
            return ("edge", gap, *draw(flows()), gap, *draw(blocks(values)))
        case 7:
            port = (".", draw(names)) if draw(st.booleans()) else ()
            return ("route", gap, draw(names), *port, gap, *draw(bracketed(rows(rules(), Gap.LINE, least=0), "{}")))
        case 8:
            burst = (gap, "burst", gap, "100") if draw(st.booleans()) else ()
            per = (gap, "per", gap, *draw(attributes())) if draw(st.booleans()) else ()
            return ("limit", gap, *draw(flows()), gap, "500/s", *burst, *per)
        case 9:
            if draw(st.booleans()):
                claim: Pieces = ("only", gap, *draw(flows()))
            else:
                claim = ("never", gap, *draw(flows()), *((gap, *draw(granting())) if draw(st.booleans()) else ()))
            return ("assert", gap, *claim, *draw(reasons()))
        case _:
            body = bracketed(rows(cases(), Gap.LINE, least=0), "{}")
            return ("test", gap, draw(quoted()), gap, *draw(body))


_COMMENTS = ("# a note", "## of the next", "#", "### {", '# "', "#}  ", "## }", "# -> ; ,")
_ENDS = ("\n", "\r\n", "\n\n\n", "\n  ")


@st.composite
def _breaks(draw: DrawFn) -> str:
    """Line breaks, perhaps with comments: one behind what came before, others on lines of their own."""
    out = draw(st.sampled_from(("", " "))) + (draw(st.sampled_from(_COMMENTS)) if draw(st.booleans()) else "")
    for comment in draw(st.lists(st.sampled_from(_COMMENTS), max_size=2)):
        out += draw(st.sampled_from(_ENDS)) + comment
    return out + draw(st.sampled_from(_ENDS))


@st.composite
def _filled(draw: DrawFn, gap: Gap) -> str:
    plain = draw(st.integers(0, 3)) > 0
    match gap:
        case Gap.SPACE:
            return " " if plain else draw(st.sampled_from(("  ", "\t", " \\\n ")))
        case Gap.TIGHT:
            return "" if plain else " "
        case Gap.BREAK:
            return " " if plain else draw(_breaks())
        case Gap.SEPARATOR:
            return ", " if plain else draw(st.sampled_from(("", " ,"))) + draw(_breaks())
        case Gap.COMMA:
            return ", " if plain else "," + draw(_breaks())
        case Gap.LINE:
            return "\n" if plain else draw(st.one_of(_breaks(), st.just(" ; ")))


@st.composite
def program_texts(draw: DrawFn, *, most: int = 5) -> str:
    """A whole program that is syntactically valid; its names and numbers mean nothing."""
    pieces = joined(draw(st.lists(statements(), max_size=most)), Gap.LINE)
    text = "".join(piece if isinstance(piece, str) else draw(_filled(piece)) for piece in pieces)
    before = draw(st.sampled_from(("", "\n", "## first\n", "# first\n\n", "\ufeff", " ; \n")))
    return before + text + draw(st.sampled_from(("", "\n", "  # last", "\n# last\n\n# very last", ";")))

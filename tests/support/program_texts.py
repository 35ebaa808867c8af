"""Strategies of syntactically valid programs, with comments and line breaks wherever the grammar lets them stand.

A statement is made as a row of pieces: words, and gaps between them. `program_texts` then fills each gap with one of
the spellings that mean nothing: blanks, line continuations, commas or line breaks, comments.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from support.text_pieces import Gap, Pieces, bracketed, filled, joined, names, quoted, rows

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
    keys = [(draw(names),) for _ in range(draw(st.integers(1, 2)))]
    return joined([(draw(st.sampled_from(("service", "edge"))),), *keys], Gap.DOT)


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
    if kind in (3, 4, 5) and draw(st.integers(0, 3)) == 0:
        path = (draw(st.sampled_from(("base", "v1", "is", "a-b"))),)
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
    share = (Gap.SPACE, draw(st.sampled_from(("5%", "33.3%", "100%", "most")))) if draw(st.booleans()) else ()
    return (*draw(dotted()), *share)


@st.composite
def dotted(draw: DrawFn) -> Pieces:
    """A name, perhaps with another behind a dot."""
    return (draw(names), ".", draw(names)) if draw(st.booleans()) else (draw(names),)


@st.composite
def rules(draw: DrawFn) -> Pieces:
    """One line of a route."""
    answers = st.one_of(
        quoted().map(lambda location: ("redirect", Gap.TIGHT, location)),
        st.just(("respond", Gap.SPACE, "404")),
        rows(targets(), Gap.COMMA),
        rows(targets(), Gap.COMMA),
    )
    out: Pieces = (*draw(grants()), Gap.SPACE, "=>", Gap.SPACE, *draw(answers))
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
        dotted().map(lambda target: ("routed", Gap.SPACE, *target)),
        names.map(lambda name: ("by", Gap.SPACE, name)),
        values.map(lambda value: ("timeout", Gap.SPACE, *value)),
        values.map(lambda value: ("retry", Gap.TIGHT, ".", Gap.TIGHT, "limit", Gap.SPACE, *value)),
    )
    return (*draw(requests()), Gap.SPACE, "is", Gap.SPACE, *draw(rows(verdict, Gap.COMMA)))


@st.composite
def claims(draw: DrawFn) -> Pieces:
    """What an assert states."""
    gap = Gap.SPACE
    granted = (gap, *draw(granting())) if draw(st.booleans()) else ()
    match draw(st.integers(0, 5)):
        case 0:
            arrow = draw(st.sampled_from(("->", "->*")))
            return ("never", gap, *draw(peers()), gap, arrow, gap, *draw(peers()), *granted)
        case 1:
            return ("always", gap, *draw(flows()), gap, *draw(granting()))
        case 2:
            return ("only", gap, *draw(flows()), *granted)
        case 3:
            ends = [(gap, word, gap, *draw(peers())) for word in ("from", "to") if draw(st.booleans())]
            return ("every", gap, "edge", *(piece for end in ends for piece in end), gap, "has", gap, *draw(conditions))
        case 4:
            name = draw(st.sampled_from(("attempts", "deadline", "limit")))
            sign = draw(st.sampled_from(("==", "!=", "<=", ">=", "<", ">")))
            inner = (*draw(flows()), *granted, Gap.TIGHT)
            return (name, Gap.TIGHT, "(", Gap.TIGHT, *inner, ")", Gap.TIGHT, sign, Gap.TIGHT, *draw(values))
        case _:
            return ("mtls", gap, *draw(flows())) if draw(st.booleans()) else ("mtls",)


@st.composite
def declarations(draw: DrawFn) -> Pieces:
    """One statement that brings a name into being."""
    gap = Gap.SPACE
    match draw(st.integers(0, 5)):
        case 0:
            return ("edition", gap, "2026")
        case 1:
            kind = draw(st.sampled_from(((), ("kubernetes", gap), ("proto", gap), ("openapi", gap))))
            service = (gap, "for", gap, *draw(dotted())) if draw(st.booleans()) else ()
            return ("import", gap, *kind, draw(quoted()), *service)
        case 2:
            return ("group", gap, draw(names), gap, "=", gap, *draw(groups()))
        case 3:
            return ("let", gap, draw(names), gap, "=", gap, *draw(values))
        case 4:
            return ("use", gap, draw(names), Gap.TIGHT, *draw(bracketed(rows(values, Gap.SEPARATOR, least=0), "()")))
        case _:
            word = draw(st.sampled_from(("mesh", "service", "external", "jwt")))
            return (word, gap, draw(names), gap, *draw(blocks(values)))


@st.composite
def sentences(draw: DrawFn) -> Pieces:
    """One statement about an edge or a callee."""
    gap = Gap.SPACE
    match draw(st.integers(0, 9)):
        case 0 | 1:
            return ("allow", gap, *draw(flows()), gap, *draw(granting()), *draw(reasons()))
        case 2:
            unless = (gap, "unless", gap, *draw(conditions)) if draw(st.booleans()) else ()
            return ("deny", gap, *draw(flows()), gap, *draw(granting()), *unless, *draw(reasons()))
        case 3:
            head: Pieces = ("edge", gap, *draw(flows()))
            if draw(st.booleans()):
                head = ("fault", gap, draw(names), gap, "on", gap, *draw(flows()))
            return (*head, gap, *draw(blocks(values)))
        case 4:
            return ("route", gap, *draw(dotted()), gap, *draw(bracketed(rows(rules(), Gap.LINE, least=0), "{}")))
        case 5:
            rate = draw(st.sampled_from(("500/s", "fast", "FAST")))
            burst = (gap, "burst", gap, draw(st.sampled_from(("100", "some")))) if draw(st.booleans()) else ()
            per = (gap, "per", gap, *draw(attributes())) if draw(st.booleans()) else ()
            return ("limit", gap, *draw(flows()), gap, rate, *burst, *per)
        case 6:
            return ("mirror", gap, *draw(dotted()), gap, *draw(grants()), gap, "=>", gap, *draw(targets()))
        case 7:
            return (draw(st.sampled_from(("defaults", "slo"))), gap, draw(names), gap, *draw(blocks(values)))
        case 8:
            return ("assert", gap, *draw(claims()), *draw(reasons()))
        case _:
            body = bracketed(rows(cases(), Gap.LINE, least=0), "{}")
            return ("test", gap, draw(quoted()), gap, *draw(body))


@st.composite
def changes(draw: DrawFn) -> Pieces:
    """`set` or `drop` in an overlay."""
    ref = joined([(draw(names),) for _ in range(draw(st.integers(1, 4)))], Gap.DOT)
    if draw(st.booleans()):
        return ("drop", Gap.SPACE, *ref)
    return ("set", Gap.SPACE, *ref, Gap.TIGHT, ":", Gap.TIGHT, *draw(values))


@st.composite
def holders(draw: DrawFn) -> Pieces:
    """A statement that holds others."""
    gap = Gap.SPACE
    inner = st.one_of(declarations(), sentences())
    if draw(st.booleans()):
        body = bracketed(rows(st.one_of(changes(), inner), Gap.LINE, least=0), "{}")
        return ("overlay", gap, draw(names), gap, *draw(body))
    body = bracketed(rows(inner, Gap.LINE, least=0), "{}")
    parameters = bracketed(rows(names.map(lambda name: (name,)), Gap.SEPARATOR, least=0), "()")
    return ("template", gap, draw(names), Gap.TIGHT, *draw(parameters), Gap.TIGHT, *draw(body))


def statements() -> SearchStrategy[Pieces]:
    """One statement of any kind."""
    return st.one_of(declarations(), sentences(), sentences(), holders())


@st.composite
def program_texts(draw: DrawFn, *, most: int = 5) -> str:
    """A whole program that is syntactically valid; its names and numbers mean nothing."""
    pieces = joined(draw(st.lists(statements(), max_size=most)), Gap.LINE)
    text = "".join(piece if isinstance(piece, str) else draw(filled(piece)) for piece in pieces)
    before = draw(st.sampled_from(("", "\n", "## first\n", "# first\n\n", "\ufeff", " ; \n")))
    return before + text + draw(st.sampled_from(("", "\n", "  # last", "\n# last\n\n# very last", ";")))

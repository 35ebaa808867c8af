"""Strategies of programs whose rules overlap, repeat and shadow each other: what proofs about rules are tried on."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

_PATHS = ("/**", "/a", "/a/**", "/a/*", "/a/{id:int}", "/b", "/*/x", "/b/**", '~"/(a|b)/[0-9]+"')
_METHODS = ("*", "GET", "GET|POST", "POST", "DELETE")
_GUARDS = ("", ' if header "x-a" present', ' if header "x-a" == "1"', ' unless header "x-b" == "2"', " if from web")
_CALLERS = ("web", "job", "any", "both", "ingress")

_HEAD = """mesh m { trust-domain: "m.example" }
service web {}
service job {}
service idle {}
group both = [web, job]
service api { port: 8080/http, versions: [v1, v2] }
service db { port: 5432/tcp }
"""


@st.composite
def grants(draw: DrawFn) -> str:
    """The requests of an allow or deny, or of a rule of a route."""
    method = draw(st.sampled_from(_METHODS))
    return f"{method} {draw(st.sampled_from(_PATHS))}{draw(st.sampled_from(_GUARDS))}"


@st.composite
def overlapping_programs(draw: DrawFn, *, most_rules: int = 6) -> str:
    """A program about one callee with a few rules; routes and claims may make errors, which the caller has to see."""
    lines = [_HEAD]
    for _ in range(draw(st.integers(1, most_rules))):
        effect = draw(st.sampled_from(("allow", "allow", "deny")))
        lines.append(f"{effect} {draw(st.sampled_from(_CALLERS))} -> api : {draw(grants())}")
    if draw(st.booleans()):
        lines.append("allow web -> db : tcp")
    if draw(st.booleans()):
        own = draw(st.lists(st.sampled_from(("/a/**", "/b", "GET /a/*", "/**")), unique=True, min_size=1, max_size=3))
        rules = [f"  {match} => {draw(st.sampled_from(('v1', 'v2')))}" for match in own]
        lines += ["route api {", *rules, "}"]
    if draw(st.booleans()):
        lines.append(f"limit {draw(st.sampled_from(('web', 'any', 'idle')))} -> api 5/s burst 5")
    if draw(st.booleans()):
        lines.append("mirror api GET /a/** => v2 1%")
    return "\n".join(lines) + "\n"

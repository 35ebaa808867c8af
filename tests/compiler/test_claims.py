"""Asserts about edges, promises and single calls, with the routes, denies and expressions that make them hard."""

from __future__ import annotations

import pytest

from meshc_compiler.evaluate import evaluate
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_program

HEAD = """
mesh shop { trust-domain: "shop.corp.example" }
service web {}
service api { port: 80/http, versions: [v1, v2] }
service pay { port: 90/grpc }
service db { port: 91/tcp }
external bank { hosts: ["bank.example"], port: 443/tls }
"""


def compiled(text: str) -> CompileResult:
    return compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text}))


def told(text: str) -> list[str]:
    """What is found out about asserts, as code and message; each witness is checked against the evaluator."""
    result = compiled(text)
    assert result.index is not None, [one.message for one in result.diagnostics]
    found = [one for one in result.diagnostics if one.code.id.startswith("MSH31") or one.code.id == "MSH399"]
    for one in found:
        if one.witness is not None:
            assert evaluate(result.index, one.witness).allowed is (one.code.id != "MSH314")
    return [f"{one.code.id} {one.message}" + (f" [{one.witness}]" if one.witness else "") for one in found]


WAY = """
allow web -> api : GET|POST /**
allow api -> pay : rpc p.S/Do
allow pay -> db : tcp
allow pay -> bank : GET /x
"""


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("assert never web ->* bank : POST /x", []),
        (
            "assert never web ->* bank",
            [
                "MSH316 the assert `never web ->* bank` does not hold: `web -> api -> pay -> bank` is allowed call by "
                "call [pay -> bank GET /x]"
            ],
        ),
        ("deny api -> pay : *\nassert never web ->* bank", []),
        ("deny api -> pay : rpc p.S/Do\nassert never web ->* db", []),
        ('assert never any ->* db : tcp because "books"', [
            "MSH316 the assert `never any ->* db : tcp` does not hold (books): `pay -> db` is allowed call by call "
            "[pay -> db tcp]"
        ]),
        ("assert always web -> api : GET /**\nassert always web -> api : /x", [
            "MSH314 the assert `always web -> api : * /x` does not hold: no allow matches this request "
            "[web -> api HEAD /x]"
        ]),
        ("deny any -> api : /x/** if header \"h\" present\nassert always web -> api : GET /**", [
            'MSH314 the assert `always web -> api : GET /**` does not hold [web -> api GET /x {h: "x"}]'
        ]),
        # TRACE is forwarded for nobody, so it is promised to nobody.
        ("allow web -> api : *\nassert always web -> api : *", []),
        ("allow any -> api : GET /open\nassert only web -> api : POST /**\nassert only pay -> api : GET /open", [
            "MSH310 the assert `only pay -> api : GET /open` does not hold [web -> api GET /open]"
        ]),
        ("assert every edge has edge.timeout present", [
            "MSH311 the assert `every edge has edge.timeout present` does not hold: `web -> api` has no timeout "
            "[web -> api GET /]"
        ]),
        # The setting of a route counts, unless no request is routed so.
        (
            "edge web -> api { timeout: 1s }\nroute api { POST /slow => v1 { timeout: 9s } }\n"
            "assert every edge from web to api has edge.timeout <= 2s",
            [
                "MSH311 the assert `every edge from web to api has edge.timeout <= 2s` does not hold: `web -> api` has "
                "timeout 9s [web -> api POST /slow]"
            ],
        ),
        (
            "edge web -> api { timeout: 1s }\nroute api { PUT /slow => v1 { timeout: 9s } }\n"
            "assert every edge from web to api has edge.timeout <= 2s",
            [],
        ),
        ("assert every edge to pay has edge.mtls == strict and edge.protocol == grpc", []),
        ("assert every edge to bank has edge.mtls == off", []),
        ("defaults mesh { retry { limit: 2, on: [reset] } }\nassert every edge to pay has edge.attempts <= 2", [
            "MSH311 the assert `every edge to pay has edge.attempts <= 2` does not hold: `api -> pay` has attempts 3 "
            "[api -> pay rpc p.S/Do]"
        ]),
        ("assert every edge to api has edge.retry.limit <= 0 and not edge.retry.on present", []),
        ("assert every edge to pay has edge.timeout in [1s, 2s] or edge.retry.budget != 20%", []),
        ("assert deadline(web -> bank) <= 2s", [
            "MSH313 the assert `deadline(web -> bank) <= 2s` does not hold: nothing bounds how long `web -> api` "
            "waits, on the way `web -> api -> pay -> bank` "
            "[web -> api GET /]"
        ]),
        (
            "edge web -> api { retry { limit: 2, on: [reset], per-try: 1s, backoff: 100ms..500ms } }\n"
            "assert deadline(web -> bank) <= 4s\nassert deadline(web -> bank) < 4s",
            [
                "MSH313 the assert `deadline(web -> bank) < 4s` does not hold: `web -> api` may wait 4s "
                "(3 × 1s + 2 × 500ms), on the way `web -> api -> pay -> bank` "
                "[web -> api GET /]"
            ],
        ),
        (
            "edge web -> api { timeout: 3s }\nroute api { GET /fast => v1 { timeout: 1s } }\n"
            "assert deadline(web -> api : GET /fast) <= 1s\nassert deadline(web -> api : POST /fast) == 3s",
            [],
        ),
        (
            "defaults mesh { retry { limit: 1, on: [connect-failure] } }\nassert attempts(web -> bank) <= 7",
            [
                "MSH312 the assert `attempts(web -> bank) <= 7` does not hold: one request may become 8 "
                "(`web -> api` 2 × `api -> pay` 2 × `pay -> bank` 2 = 8)"
            ],
        ),
        ("defaults mesh { retry { limit: 1, on: [connect-failure] } }\nassert attempts(web -> bank : POST /x) == 1", [
            "MSH312 the assert `attempts(web -> bank : POST /x) == 1` does not hold: no call leads there"
        ]),
        ("assert mtls\nassert mtls any -> pay", []),
        (
            'allow web -> pay : * if header "h" present\n'
            'deny any -> pay : * unless header "h" present\nassert never web -> pay : rpc p.S/Other',
            ['MSH310 the assert `never web -> pay : rpc p.S/Other` does not hold [web -> pay rpc p.S/Other {h: "x"}]'],
        ),
    ],
)  # fmt: skip
def test_an_assert_holds_or_is_refuted(program: str, expected: list[str]) -> None:
    assert told(WAY + program + "\n") == expected


def test_what_could_not_be_decided_is_said_and_is_not_taken_for_proved() -> None:
    text = 'allow web -> api : GET ~"/(a|b)*a(a|b){14}"\ndeny any -> api : GET ~"/(a|b)*(a|b){15}"\n'
    text += "allow api -> db : tcp\nassert never web ->* db\n"
    which = '`~"/(a|b)*a(a|b){14}"`, `~"/(a|b)*(a|b){15}"`'
    why = f"no path was found that fits {which}, and none ruled out within 16,384 states of automata"
    assert told(text) == [
        f"MSH399 it could not be decided of this grant to `api` whether every request is denied: {why}",
        f"MSH399 it could not be decided whether `never web ->* db` holds of the chain `web -> api -> db`: {why}",
    ]


@pytest.mark.parametrize(
    ("claim", "code", "message"),
    [
        ("attempt(web -> api) <= 2", "MSH209", "there is nothing to bound by the name `attempt`"),
        ("attempts(web -> api) <= 2s", "MSH206", "`attempts` takes a number of tries, for example `8`"),
        ("attempts(web -> api) >= 2", "MSH201", "`attempts` is bounded from above"),
        ("attempts(web -> api) <= 0", "MSH", "a call is tried at least once"),
        ("deadline(web -> api) <= 2", "MSH", "`deadline` needs a unit"),
        ("every edge has edge.timout <= 2s", "MSH", "an edge has no `timout`"),
        ("every edge has edge.timeout <= 2", "MSH", "`timeout` needs a unit"),
        ("every edge has service.pci == \"true\"", "MSH", "an edge has settings, and `service.pci` is none of them"),
        ("every edge has edge.mtls <= strict", "MSH", "values of `mtls` have no order"),
        ("every edge has edge.mtls == on", "MSH", "`edge.mtls` takes a name or a text"),
        ("every edge has edge.retry.on <= [reset]", "MSH", "values of `retry.on` have no order"),
        ("mtls pay -> bank", "MSH", "the external `bank` has no identity of the mesh"),
        ("always web -> db : GET /x", "MSH", "methods and paths are seen on `http` ports"),
    ],
)  # fmt: skip
def test_a_claim_that_means_nothing_is_told(claim: str, code: str, message: str) -> None:
    found = [one for one in compiled(WAY + f"assert {claim}\n").diagnostics if one.severity == "error"]
    assert len(found) == 1, [one.message for one in found]
    assert message in found[0].message

"""Calls without a mesh identity: what they may do, what is promised of them, and what says nothing of them."""

from __future__ import annotations

import pytest

from meshc_compiler.evaluate import Reason, evaluate
from meshc_compiler.examples import run_examples
from meshc_compiler.ir.caller import PlaintextCaller
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_program
from meshc_lang.request import PLAINTEXT, Request

SHOP = """
mesh shop { trust-domain: "shop.example" }
service web { port: 80/http, mtls: permissive }
service api { port: 81/http, versions: [v1, v2] }
service db { port: 82/tcp, mtls: permissive }
allow plaintext -> web : GET /open/**
allow ingress -> web : GET /**
allow web -> api : GET /**
allow api -> db : tcp
allow plaintext -> db : tcp if from plaintext
defaults mesh { timeout: 2s }
limit any -> web 5/s
limit plaintext -> web 1/s
"""


def compiled(text: str) -> CompileResult:
    return compile_program(("p.mesh",), MemoryReader({"p.mesh": SHOP + text}))


def told(text: str) -> list[str]:
    found = compiled(text).diagnostics
    return [one.code.id + ("" if one.witness is None else f" [{one.witness.text}]") for one in found]


@pytest.fixture(scope="module")
def index() -> MeshIndex:
    result = compiled("")
    assert result.index is not None
    return result.index


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("assert never plaintext ->* api", ["MSH316 [web -> api GET /]"]),
        ("assert never plaintext ->* api : GET /x if not from web", []),
        ("assert never plaintext -> api", []),
        ("assert never plaintext -> web : POST /open/**", []),
        ("assert never plaintext -> db", ["MSH310 [plaintext -> db tcp]"]),
        ("assert only api -> db", ["MSH310 [plaintext -> db tcp]"]),
        ("assert only plaintext -> db", ["MSH310 [api -> db tcp]"]),
        ("assert always plaintext -> web : GET /open/**", []),
        ("assert always plaintext -> api : GET /open/**", ["MSH314 [plaintext -> api GET /open]"]),
        ("assert attempts(plaintext -> web) <= 1", []),
        ("assert deadline(plaintext -> web) <= 2s", ["MSH313 [plaintext -> web GET /open]"]),
        ("assert never any -> web : POST /open/**", []),
        ("assert never web -> web : GET /open/x", []),
        ("assert never any -> web : GET /x", ["MSH310 [ingress -> web GET /x]"]),
        ("assert never any -> db : tcp", ["MSH309 [plaintext -> db tcp]", "MSH310 [api -> db tcp]"]),
        ("deny any -> web : /open/secret", ["MSH309 [plaintext -> web GET /open/secret]"]),
        ("deny any -> web : /open/secret\ndeny plaintext -> web : /open/secret", []),
        ("deny plaintext -> api : /x", ["MSH303"]),
        ("allow plaintext -> api : GET /x", ["MSH606"]),
    ],
)
def test_what_is_said_of_plaintext(text: str, expected: list[str]) -> None:
    assert told(text + "\n") == expected


def test_what_a_call_without_identity_may_do(index: MeshIndex) -> None:
    def fate(callee: str, path: str = "/", protocol: str = "http") -> tuple[bool, Reason, int | None]:
        decision = evaluate(index, Request(caller=PLAINTEXT, callee=callee, path=path, protocol=protocol))
        return decision.allowed, decision.reason, decision.status

    assert fate("web", "/open/1") == (True, Reason.ALLOWED, None)
    assert fate("web", "/closed") == (False, Reason.NO_ALLOW, 403)
    assert fate("web", "/open/%2F") == (False, Reason.REFUSED_PATH, 400)
    assert fate("api", "/open/1") == (False, Reason.PLAINTEXT, None)
    assert fate("nobody") == (False, Reason.PLAINTEXT, None)
    assert fate("db", protocol="tcp") == (True, Reason.ALLOWED, None)


def test_routes_and_settings_are_not_kept_for_it_and_limits_are() -> None:
    result = compiled(
        "route api { /** => v1 }\n"
        'test "t" {\n  plaintext -> web GET /open/1 is allowed, timeout off, routed web\n'
        "  ingress -> web GET /open/1 is allowed, timeout 2s\n}\n"
    )
    assert result.index is not None
    assert [case.passed for case in run_examples(result.index)] == [True, True]
    decision = evaluate(result.index, Request(caller=PLAINTEXT, callee="web", path="/open/1"))
    assert [limit.id for limit in decision.limits] == ["limit plaintext -> web 1/s"]


def test_a_sidecar_that_hears_no_plaintext_is_given_no_rules_about_it() -> None:
    text = 'deny plaintext -> api : /x because "never"\nlimit plaintext -> api 1/s\n'
    result = compiled(text)
    assert result.index is not None
    for name, heard in (("api", False), ("web", True)):
        [port] = slice_of(result.index, result.index.workloads[name]).inbound
        about = [*(rule.callers for rule in port.rules), *(limit.callers for limit in port.limits)]
        assert (PlaintextCaller() in about) is heard

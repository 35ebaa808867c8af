"""Addresses that tcp callees would need and cannot have: refused, with what takes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from meshc_backends.backend import EmitContext
from meshc_backends.envoy.backend import ENVOY
from meshc_backends.placement import KubernetesPlacement
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program

HEAD = 'mesh shop { trust-domain: "shop.example" }\n'


def findings(text: str) -> list[tuple[str, str]]:
    """Compile a program, emit it, and return code and message of each finding."""
    result = compile_program(("shop.mesh",), MemoryReader({"shop.mesh": HEAD + text}))
    assert result.index is not None
    assert not [found for found in result.diagnostics if found.severity == "error"]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    context = EmitContext(placement=KubernetesPlacement(), authority=Path("unused"), now=now, previous=lambda _: None)
    emission = ENVOY.emit(result.index, context)
    made = {artifact.path for artifact in emission.artifacts}
    assert ("envoy/web.json" in made) is not bool(emission.diagnostics)
    return [(found.code.id, found.message) for found in emission.diagnostics]


def test_two_callees_of_one_port_number_cannot_both_be_called() -> None:
    [(code, message)] = findings(
        "service web {}\nservice a { port: 6379/tcp }\nservice b { port: 6379/tcp }\n"
        "allow web -> a : tcp\nallow web -> b : tcp\n"
    )
    assert code == "MSH804"
    assert message == "`web` would call `b:6379` at 127.0.0.1:6379, which is taken by the calls to `a:6379`"


def test_different_callers_may_use_the_number_twice() -> None:
    assert (
        findings(
            "service web {}\nservice job {}\nservice a { port: 6379/tcp }\nservice b { port: 6379/tcp }\n"
            "allow web -> a : tcp\nallow job -> b : tcp\n"
        )
        == []
    )


@pytest.mark.parametrize("number", [15000, 15001, 15006, 15021, 15090, 8080])
def test_the_sidecars_own_ports_and_the_workloads_are_taken(number: int) -> None:
    [(code, message)] = findings(
        f"service web {{ port: 8080/http }}\nservice a {{ port: {number}/tcp }}\n"
        "allow ingress -> web : GET /\nallow web -> a : tcp\n"
    )
    assert code == "MSH804"
    assert "web" in message

"""What `any` and the methods that nobody forwards mean to an assert."""

from __future__ import annotations

from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program

HEAD = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 8080/http }\n'


def codes(text: str) -> list[str]:
    result = compile_program(("shop.mesh",), MemoryReader({"shop.mesh": HEAD + text}))
    return [diagnostic.code.id for diagnostic in result.diagnostics]


def test_never_any_means_callers_that_the_program_does_not_declare_too() -> None:
    stranger = '"spiffe://shop.example/ns/default/sa/stranger"'
    assert codes(f"allow {stranger} -> api : GET /x\nassert never any -> api : GET /x\n") == ["MSH310"]
    assert codes(f"allow {stranger} -> api : GET /y\nassert never any -> api : GET /x\n") == []


def test_a_method_that_nobody_forwards_breaks_no_assert() -> None:
    assert "MSH310" not in codes("allow web -> api : TRACE /x, GET /y\nassert never web -> api : /x\n")
    assert "MSH310" in codes("allow web -> api : TRACE|POST /x\nassert never web -> api : /x\n")

"""A program with a bit of everything is clean, by itself and in its environment; so is the one of the design."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshc_compiler.evaluate import evaluate
from meshc_compiler.examples import run_examples
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import DiskReader, MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_all, compile_program
from meshc_lang.parser import parse_request

DESIGN = Path(__file__).resolve().parents[2].parent / "shared" / "design" / "shop.mesh"

LIBRARY = """\
edition 2026
template store(name, slow) {
  service name { port: 5432/tcp, labels: {data: "personal"} }
  allow records -> name : tcp
  edge records -> name { connect-timeout: slow }
}
"""
PROGRAM = """\
edition 2026
import "lib/store.mesh"

mesh clinic { trust-domain: "clinic.example", mtls: strict }

service desk     { port: 8080/http, namespace: front }
service records  { port: 8080/http, versions: [v1, v2], replicas: 2 }
service billing  { port: 9090/grpc, labels: {data: "personal"} }
external insurer { hosts: ["api.insurer.example"], port: 443/tls, tls { min: "1.3" } }
group personal = where service.data == "personal"

let patient = 4s
let visits = /v1/visits/**
use store(archive, 800ms)

allow ingress -> desk : GET|HEAD /**
allow desk -> records {
  GET visits
  POST /v1/visits if header "x-csrf" present
  GET|DELETE /v1/notes/{id:uuid}
}
allow records -> billing : rpc bill.v1.Bills/Draw|Cancel
allow billing -> insurer : POST /v1/claims/**, GET /v1/claims/{id}
deny any -> records : * /admin/** unless claim "role" == "auditor" because "audits only"

defaults mesh {
  timeout: 5s
  retry { limit: 1, on: [connect-failure, s503], budget: 20%, backoff: 25ms..250ms }
  breaker { max-requests: 512, consecutive-5xx: 5, eject: 30s, max-ejected: 50% }
}
edge records -> billing { timeout: 3500ms, retry: off }
edge billing -> insurer { timeout: 2s, retry: off }
limit desk -> records 300/s burst 60 per header "x-user"

route records {
  /v1/** => v1 95%, v2 5% as canary
  /v1/** if header "x-beta" == "1" => v2 as beta
  POST /v1/visits => v1 over beta { timeout: patient, retry: off }
}
mirror records GET visits => records.v2 5%
slo records { availability: 99.9%, window: 30d, latency-p99: 300ms }

assert never desk -> personal
assert never ingress -> billing
assert only billing -> insurer because "contracts"
assert every edge to billing has edge.timeout <= patient
assert attempts(ingress -> billing) <= 8

test "visits" {
  desk -> records GET /v1/visits/42 is allowed, routed v1
  desk -> records POST /v1/visits is denied
  desk -> records POST /v1/visits {x-csrf: "t"} is allowed, timeout patient
  desk -> billing rpc bill.v1.Bills/Draw is denied
}

overlay staging {
  set insurer.hosts: ["insurer-mock.test"]
  set records.route.canary: [50%, 50%]
  fault slow-billing on records -> billing { delay: 500ms, percent: 5% }
  use store(copies, 2s)
}
"""


def compiled() -> CompileResult:
    return compile_all(("clinic.mesh",), MemoryReader({"clinic.mesh": PROGRAM, "lib/store.mesh": LIBRARY}))


def weights(index: MeshIndex, text: str) -> list[tuple[str | None, int]]:
    request, problems = parse_request(text)
    assert request is not None, problems
    return [(one.version, one.weight) for one in evaluate(index, request).destinations]


def test_a_program_with_a_bit_of_everything_is_clean_by_itself_and_in_its_overlay() -> None:
    result = compiled()
    assert [f"{one.code} {one.message} at {one.primary}" for one in result.diagnostics] == []
    for one in (result, *result.overlays):
        assert one.index is not None
        assert [case for case in run_examples(one.index) if not case.passed] == []


def test_the_overlay_changes_what_it_says_and_nothing_else() -> None:
    result = compiled()
    (staging,) = result.overlays
    assert result.index is not None
    assert staging.index is not None
    request = "desk -> records GET /v1/visits/1"
    assert weights(result.index, request) == [("v1", 950_000), ("v2", 50_000)]
    assert weights(staging.index, request) == [("v1", 500_000), ("v2", 500_000)]
    plain, staged = result.index.mesh, staging.index.mesh
    assert plain.externals[0].hosts == ("api.insurer.example",)
    assert staged.externals[0].hosts == ("insurer-mock.test",)
    assert (plain.faults, [fault.name for fault in staged.faults]) == ((), ["slow-billing"])
    assert {service.name for service in staged.services} - {service.name for service in plain.services} == {"copies"}
    assert [claim.text for claim in plain.assertions] == [claim.text for claim in staged.assertions]
    assert (plain.overlay, staged.overlay) == (None, "staging")


def test_one_overlay_compiled_alone_is_the_one_of_all() -> None:
    reader = MemoryReader({"clinic.mesh": PROGRAM, "lib/store.mesh": LIBRARY})
    alone = compile_program(("clinic.mesh",), reader, overlay="staging")
    assert alone.diagnostics == ()
    assert alone.mesh == compiled().overlays[0].mesh


def test_a_claim_that_nobody_can_have_excepts_nobody_from_a_deny() -> None:
    with_claim = compiled().mesh
    text = PROGRAM.replace(' unless claim "role" == "auditor"', "")
    without = compile_all(("c.mesh",), MemoryReader({"c.mesh": text, "lib/store.mesh": LIBRARY})).mesh
    assert with_claim == without


@pytest.mark.skipif(not DESIGN.exists(), reason="the program of the design is not beside this checkout")
def test_the_program_of_the_design_is_clean_by_itself_and_in_staging() -> None:
    result = compile_all((str(DESIGN),), DiskReader())
    assert [f"{one.code} {one.message} at {one.primary}" for one in result.diagnostics] == []
    assert [one.overlay for one in result.overlays] == ["staging"]
    for one in (result, *result.overlays):
        assert one.index is not None
        assert [case for case in run_examples(one.index) if not case.passed] == []

"""HTTP/2 and gRPC: what either proxy does with them, whatever its peers speak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from meshc_lang.request import Request
from meshc_runtime.http1_body import ChunkedBody
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Entrance, Probe
from support.agreement_process import Voice
from support.agreement_stage import Stage


def _callers_python(workload: str) -> Voice:
    return Voice.PYTHON if workload == "web" else Voice.ENVOY


def _callers_envoy(workload: str) -> Voice:
    return Voice.ENVOY if workload == "web" else Voice.PYTHON


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("protocols", voices=(Voice.PYTHON, Voice.ENVOY, _callers_python, _callers_envoy)) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a caller was told, and what its callee saw."""

    status: int | None
    grpc: str | None = None
    body: bytes | None = None
    tries: int = 0


def _outcome(mesh: AgreementMesh, probe: Probe) -> Outcome:
    seen = mesh.send(probe)
    headers = dict(seen.answer.headers)
    return Outcome(
        status=seen.answer.status,
        grpc=headers.get("grpc-status"),
        body=seen.answer.body if seen.tries and seen.answer.status == 200 and "grpc-status" not in headers else None,
        tries=seen.count,
    )


def _rpc(
    method: str, *headers: tuple[str, str], script: str = "200", host: str | None = None, callee: str = "stock"
) -> Probe:
    request = Request(
        caller="web",
        callee=callee,
        method="POST",
        path=f"/{callee}.v1.{callee.capitalize()}/{method}",
        headers=(("content-type", "application/grpc"), ("te", "trailers"), ("x-limited", method + script), *headers),
    )
    return Probe(request=request, script=script, host=host, body=b"\0\0\0\0\0", http2=True)


def _call(
    callee: str, path: str, script: str = "200", body: bytes = b"", method: str = "", http2: bool = True
) -> Probe:
    request = Request(caller="web", callee=callee, method=method or ("POST" if body else "GET"), path=path)
    return Probe(request=request, script=script, body=body, http2=http2)


def dechunked(body: bytes) -> bytes:
    decoder = ChunkedBody()
    payload, rest = decoder.feed(body)
    assert decoder.done
    assert rest == b""
    return payload


RPCS = [
    (_rpc("Look"), Outcome(status=200, grpc="0", tries=1)),
    (_rpc("Steal"), Outcome(status=200, grpc="7")),
    (_rpc("Reserve"), Outcome(status=200, grpc="7")),
    (_rpc("Reserve", ("x-key", "1")), Outcome(status=200, grpc="0", tries=1)),
    (_rpc("Watch"), Outcome(status=200, grpc="7")),
    (_rpc("Watch", ("x-watch", "")), Outcome(status=200, grpc="0", tries=1)),
    (_rpc("Look", host="nowhere.example"), Outcome(status=200, grpc="12")),
    (_rpc("Look", host="unknown"), Outcome(status=200, grpc="7")),
    (_rpc("Look", script="grpc-14 grpc-8 200"), Outcome(status=200, grpc="0", tries=3)),
    (_rpc("Look", script="grpc-14"), Outcome(status=200, grpc="14", tries=3)),
    (_rpc("Look", script="grpc-13"), Outcome(status=200, grpc="13", tries=1)),
    (_rpc("Look", script="refused 200"), Outcome(status=200, grpc="0", tries=2)),
    (_rpc("Look", script="reset"), Outcome(status=200, grpc="14", tries=3)),
    (_rpc("Look", script="503"), Outcome(status=503, grpc="0", tries=1)),
    (_rpc("Look", script="stall"), Outcome(status=200, grpc="14", tries=1)),
    (_rpc("Wait", ("grpc-timeout", "300m"), script="stall", callee="slow"), Outcome(status=200, grpc="4", tries=1)),
    (_rpc("Wait", ("grpc-timeout", "9S"), callee="slow"), Outcome(status=200, grpc="0", tries=1)),
    (_rpc("Wait", callee="slow"), Outcome(status=200, grpc="0", tries=1)),
    (_rpc("Look", ("grpc-timeout", "9S"), script="stall"), Outcome(status=200, grpc="14", tries=1)),
    (_rpc("Look", ("grpc-timeout", "soon"), script="stall"), Outcome(status=200, grpc="14", tries=1)),
    (_rpc("Look", ("grpc-timeout", "9S")), Outcome(status=200, grpc="0", tries=1)),
    (_rpc("Look%2fx"), Outcome(status=200, grpc="13")),
]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(("probe", "expected"), RPCS, ids=[probe.text for probe, _ in RPCS])
def test_calls_of_grpc(stage: Stage, number: int, probe: Probe, expected: Outcome) -> None:
    assert _outcome(stage.meshes[number], probe) == expected


@pytest.mark.parametrize("number", range(4))
def test_limited_calls_of_grpc(stage: Stage, number: int) -> None:
    calls = [_outcome(stage.meshes[number], _rpc("Count")) for _ in range(5)]
    assert [call.grpc for call in calls] == ["0", "0", "0", "8", "8"]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("http2", [True, False])
@pytest.mark.parametrize("entrance", list(Entrance))
def test_either_version_reaches_either_port(stage: Stage, number: int, http2: bool, entrance: Entrance) -> None:
    mesh = stage.meshes[number]
    body = b"b" * 200_000
    for callee in ("feed", "old"):
        probes = [
            (_call(callee, "/x", http2=http2), Outcome(status=200, body=None, tries=1)),
            (_call(callee, "/secret/x", http2=http2), Outcome(status=403)),
            (_call(callee, "/x", body=body, http2=http2), Outcome(status=200, body=None, tries=1)),
            (_call(callee, "/x", method="PUT", http2=http2), Outcome(status=403)),
        ]
        for probe, expected in probes:
            probe = Probe(request=probe.request, body=probe.body, http2=probe.http2, entrance=entrance)
            seen = mesh.send(probe)
            assert (seen.answer.status, seen.count) == (expected.status, expected.tries), probe.text
            for one in seen.tries:
                got = dechunked(one.body) if one.members("transfer-encoding") else one.body
                assert (one.target, got) == (probe.request.path, probe.body)
                assert one.members("x-forwarded-client-cert")


FAILURES = [
    (_call("feed", "/x", "503 200"), Outcome(status=200, tries=2)),
    (_call("feed", "/x", "503"), Outcome(status=503, tries=2)),
    (_call("feed", "/x", "reset 200", body=b"again"), Outcome(status=200, tries=1)),
    (_call("feed", "/x", "refused"), Outcome(status=503, tries=1)),
    (_call("feed", "/x", "stall"), Outcome(status=504, tries=1)),
    (_call("feed", "/x", "204"), Outcome(status=204, tries=1)),
    (_call("feed", "/x", "404", method="HEAD"), Outcome(status=403, tries=0)),
]


@pytest.mark.parametrize(("probe", "_"), FAILURES, ids=[probe.text for probe, _ in FAILURES])
def test_failures_are_told_alike(stage: Stage, probe: Probe, _: Outcome) -> None:
    outcomes = {mesh.name + str(number): _outcome(mesh, probe) for number, mesh in enumerate(stage.meshes)}
    assert len(set(outcomes.values())) == 1, outcomes

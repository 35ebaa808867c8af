"""Calls out of the mesh: judged at the caller, sent in plain text or over TLS to a host that proves its name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_matrix import matrix
from support.agreement_probe import Probe
from support.agreement_stage import Stage
from support.agreement_trial import hold
from support.authority import Issued, TestAuthority

HOST = "api.parcels.example"


def _issue(directory: Path, name: str, *dns_names: str, rogue: bool = False) -> Issued:
    authority = TestAuthority(directory, "public.example", name="public roots")
    return authority.issue(name, "", dns_names=dns_names, without_uri=True, rogue=rogue)


def _server(issued: Issued) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.chain, issued.key)
    return context


@pytest.fixture(scope="module")
def stage(stage_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    issued = _issue(tmp_path_factory.mktemp("public"), "parcels", HOST)
    with stage_of("externals", external_tls={HOST: _server(issued)}, roots=issued.bundle) as running:
        yield running


def test_all_voices_give_one_answer(stage: Stage) -> None:
    hold(stage.program, stage.meshes, matrix(stage.index), stage.expect).require_agreement()


def test_each_host_of_an_external_means_it(stage: Stage) -> None:
    def call(caller: str, host: str, path: str = "/public/x", script: str = "200") -> Probe:
        callee = "parcels" if host.startswith("api.") else "plain"
        return Probe(request=Request(caller=caller, callee=callee, path=path), host=host, script=script)

    probes = [
        call("web", "plain.example.org"),
        call("web", "plain.example.org:80"),
        call("web", "other.example.org"),
        call("web", "Other.Example.org"),
        call("web", "plain.example.org", "/private"),
        call("web", "other.example.org", "/public/../private"),
        call("web", "plain.example.org", "/public/x", "503 200"),
        call("web", "plain.example.org", "/public/x", "503"),
        call("web", "plain.example.org", "/public/x", "close"),
        call("web", "plain.example.org", "/public/x", "garbage"),
        call("web", "plain.example.org", "/public/x", "stall"),
        call("web", f"{HOST}:443", "/v2/parcels/7"),
        call("web", HOST, "/v2/parcels/x"),
    ]
    hold(stage.program, stage.meshes, probes, stage.expect, at_once=1).require_agreement()


def test_a_workload_without_a_grant_does_not_know_the_host(stage: Stage) -> None:
    probe = Probe(request=Request(caller="batch", callee="plain", path="/public/x"))
    for mesh in stage.meshes:
        seen = mesh.send(probe)
        assert (mesh.name, seen.answer.status, seen.count) == (mesh.name, 404, 0)


@pytest.mark.parametrize("defect", ["another name", "another authority", "TLS 1.2", "no TLS"])
def test_a_host_that_proves_nothing_gets_nothing(stage_of: Any, tmp_path: Path, defect: str) -> None:
    issued = _issue(
        tmp_path, "impostor", "api.elsewhere.example" if defect == "another name" else HOST,
        rogue=defect == "another authority",
    )  # fmt: skip
    context = _server(issued)
    if defect == "TLS 1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    servers = {} if defect == "no TLS" else {HOST: context}
    probe = Probe(request=Request(caller="web", callee="parcels", method="POST", path="/v2/parcels"))
    with stage_of("externals", external_tls=servers, roots=issued.bundle) as stage:
        for mesh in stage.meshes:
            seen = mesh.send(probe)
            assert (mesh.name, seen.answer.status, seen.count) == (mesh.name, 503, 0)

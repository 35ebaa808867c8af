"""Calls out of the mesh: judged at the caller, sent in plain text or over TLS to a host that proves its name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_probe import Probe
from support.agreement_stage import Stage, issue_public, server_context
from support.agreement_trial import hold

HOST = "api.parcels.example"


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("externals") as running:
        yield running


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
    name = "api.elsewhere.example" if defect == "another name" else HOST
    issued = issue_public(tmp_path, name, rogue=defect == "another authority")
    context = server_context(issued)
    if defect == "TLS 1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    servers = {} if defect == "no TLS" else {HOST: context}
    probe = Probe(request=Request(caller="web", callee="parcels", method="POST", path="/v2/parcels"))
    with stage_of("externals", external_tls=servers, roots=issued.bundle) as stage:
        for mesh in stage.meshes:
            seen = mesh.send(probe)
            assert (mesh.name, seen.answer.status, seen.count) == (mesh.name, 503, 0)

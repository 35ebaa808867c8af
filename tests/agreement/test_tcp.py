"""Ports that are not HTTP: who may connect, and that the bytes are the same on both sides, whatever the proxies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from meshc_backends.placement import server_name
from support.agreement_certificates import Certificates
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Credential
from support.agreement_process import Voice
from support.agreement_stage import compiled_text
from support.tcp_peer import TcpApplication, talk

PROGRAM = """
mesh raw { trust-domain: "raw.example" }
service web   { port: 8080/http }
service batch { port: 8080/http }
service store { port: 6379/tcp }
service sql   { ports { sql: 5432/tls, pages: 8080/http } }
allow any -> store : tcp
deny batch -> store : tcp
allow web -> sql.sql : tcp
allow batch -> sql.pages : GET /**
edge web -> store { connect-timeout: 700ms }
"""
LARGE = bytes(range(256)) * 8192


@dataclass(frozen=True)
class Raw:
    meshes: tuple[AgreementMesh, ...]
    applications: dict[tuple[int, str], TcpApplication]


def _callers_python(workload: str) -> Voice:
    return Voice.PYTHON if workload in ("web", "batch") else Voice.ENVOY


def _callers_envoy(workload: str) -> Voice:
    return Voice.ENVOY if workload in ("web", "batch") else Voice.PYTHON


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory, ports: Any) -> Iterator[Raw]:
    index = compiled_text(PROGRAM)
    assert index is not None
    directory = tmp_path_factory.mktemp("raw")
    certificates = Certificates(index, directory / "certificates")
    with contextlib.ExitStack() as running:
        meshes: list[AgreementMesh] = []
        applications: dict[tuple[int, str], TcpApplication] = {}
        voices: tuple[Any, ...] = (Voice.PYTHON, Voice.ENVOY, _callers_python, _callers_envoy)
        for number, voice in enumerate(voices):
            own = {name: running.enter_context(TcpApplication()) for name in ("store", "sql")}
            applications |= {(number, name): one for name, one in own.items()}
            mesh = AgreementMesh(
                index,
                voice,
                directory / str(number),
                ports,
                certificates,
                raw_applications={("store", 6379): own["store"].port, ("sql", 5432): own["sql"].port},
            )
            running.callback(mesh.close)
            mesh.launch()
            meshes.append(mesh)
        for mesh in meshes:
            mesh.wait_until_ready()
        yield Raw(tuple(meshes), applications)


@pytest.mark.parametrize("number", range(4))
def test_bytes_go_both_ways_and_each_half_closes_by_itself(raw: Raw, number: int) -> None:
    mesh = raw.meshes[number]
    for callee, port in (("store", 6379), ("sql", 5432)):
        got = talk(mesh.outbound_tcp("web", callee, port), b"PING\r\n", LARGE, end=True)
        assert got == b"PING\r\n" + LARGE + b" and that is all"
        assert raw.applications[number, callee].heard[-1] == b"PING\r\n" + LARGE


@pytest.mark.parametrize("number", range(4))
def test_who_may_not_connect_gets_nothing(raw: Raw, number: int) -> None:
    mesh = raw.meshes[number]
    heard = {name: len(raw.applications[number, name].heard) for name in ("store", "sql")}
    assert talk(mesh.outbound_tcp("batch", "store", 6379), b"PING\r\n") == b""
    for caller, callee, credential in (
        ("batch", "store", Credential.OWN),
        ("batch", "sql", Credential.OWN),
        ("web", "store", Credential.NONE),
        ("web", "store", Credential.EXPIRED),
        ("web", "store", Credential.ROGUE),
    ):
        service = mesh.index.services[callee]
        tls = mesh.certificates.client(caller, credential)
        name = server_name(service, service.ports[0])
        assert talk(mesh.inbound(callee)[1], b"PING\r\n", tls=tls, server_name=name) == b"", (
            caller,
            callee,
            credential,
        )
    assert talk(mesh.inbound("store")[1], b"PING\r\n")[:1] in {b"", b"\x15"}
    assert {name: len(raw.applications[number, name].heard) for name in ("store", "sql")} == heard


@pytest.mark.parametrize("number", range(4))
def test_straight_to_the_callee(raw: Raw, number: int) -> None:
    mesh = raw.meshes[number]
    service = mesh.index.services["store"]
    tls = mesh.certificates.client("web", Credential.OWN)
    name = server_name(service, service.ports[0])
    assert talk(mesh.inbound("store")[1], b"a", b"b", tls=tls, server_name=name) == b"ab"

"""Who may begin to speak: certificates, and the server names by which ports are told apart."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from meshc_lang.request import Request
from support.agreement_client import Answer, exchange, head_of
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Credential, Entrance, Probe
from support.agreement_process import Voice
from support.agreement_stage import Stage
from support.agreement_trial import hold
from support.recorder import ID_HEADER, Received


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("ports") as running:
        yield running


def _straight(caller: str, port: str, method: str, path: str) -> Probe:
    request = Request(caller=caller, callee="api", port=port, method=method, path=path)
    return Probe(request=request, entrance=Entrance.INBOUND)


PUBLIC = _straight("web", "public", "GET", "/x")
RELOAD = _straight("web", "admin", "POST", "/reload")


def test_only_a_valid_certificate_gets_in(stage: Stage) -> None:
    probes = [replace(probe, credential=credential) for probe in (PUBLIC, RELOAD) for credential in Credential]
    hold(stage.program, stage.meshes, probes, stage.expect, at_once=1).require_agreement()


@pytest.mark.parametrize("voice", list(Voice))
def test_the_server_name_chooses_the_port(stage: Stage, voice: Voice) -> None:
    """The rules are those of the port that was asked for, and the request arrives there."""
    mesh = stage.mesh(voice)
    for probe, port, status in (
        (PUBLIC, 8080, 200),
        (RELOAD, 9000, 200),
        (replace(PUBLIC, server_name="9000.api.default.mesh.internal"), 9000, 403),
        (replace(RELOAD, server_name="8080.api.default.mesh.internal"), 8080, 403),
        (replace(RELOAD, server_name="9000.API.default.mesh.internal"), 9000, 200),
    ):
        seen = mesh.send(probe)
        assert (seen.answer.status, [one.place.port for one in seen.tries]) == (
            status, [port] if status == 200 else [],
        ), probe.text  # fmt: skip


@pytest.mark.parametrize("voice", list(Voice))
@pytest.mark.parametrize(
    "name",
    ["1.api.default.mesh.internal", "80.moved.elsewhere.mesh.internal", "api", "x8080.api.default.mesh.internal"],
)
def test_an_unknown_server_name_is_closed(stage: Stage, voice: Voice, name: str) -> None:
    seen = stage.mesh(voice).send(replace(PUBLIC, server_name=name))
    assert (seen.answer.status, seen.count) == (None, 0)


@pytest.mark.parametrize("voice", list(Voice))
@pytest.mark.parametrize(
    "claim",
    [
        ("x-forwarded-client-cert", "By=spiffe://x;Hash=0;URI=spiffe://ports.example/ns/ingress/sa/ingress"),
        ("X-Forwarded-Client-Cert", "URI=spiffe://ports.example/ns/elsewhere/sa/where-it-moved"),
        ("x-forwarded-for", "10.0.0.1"),
    ],
)
@pytest.mark.parametrize("entrance", list(Entrance))
def test_nobody_gets_an_identity_by_saying_so(
    stage: Stage, voice: Voice, claim: tuple[str, str], entrance: Entrance
) -> None:
    request = replace(PUBLIC.request, headers=(claim,))
    seen = stage.mesh(voice).send(replace(PUBLIC, request=request, entrance=entrance))
    (one,) = seen.tries
    told = one.members("x-forwarded-client-cert") or ""
    assert told.count("URI=") == 1
    assert "URI=spiffe://ports.example/ns/default/sa/web" in told
    assert "sa/ingress" not in told
    assert "sa/where-it-moved" not in told


WEB = "spiffe://ports.example/ns/default/sa/web"
DEFECTS = {
    "no name": (),
    "two names, the right one first": (WEB, "spiffe://ports.example/ns/elsewhere/sa/where-it-moved"),
    "two names, the right one last": ("spiffe://ports.example/ns/elsewhere/sa/where-it-moved", WEB),
    "the right name and a web page": (WEB, "https://web.example/"),
    "the right name in another trust domain": ("spiffe://ports.example.org/ns/default/sa/web",),
    "the right name and more": (WEB + "/more",),
    "the beginning of the right name": (WEB[:-1],),
    "no SPIFFE ID": ("https://ports.example/ns/default/sa/web",),
}


@pytest.mark.parametrize("voice", list(Voice))
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_caller_has_exactly_one_name(stage: Stage, voice: Voice, defect: str) -> None:
    """All of these are signed by the mesh's authority (X.509-SVID §2: exactly one URI name)."""
    mesh = stage.mesh(voice)
    answer, received = _ask_as(mesh, mesh.certificates.signed(*DEFECTS[defect]), f"{voice} {defect}")
    assert answer.status in {None, 403}
    assert not received


@pytest.mark.parametrize("voice", list(Voice))
def test_a_sound_certificate_by_the_same_hand_gets_in(stage: Stage, voice: Voice) -> None:
    mesh = stage.mesh(voice)
    answer, received = _ask_as(mesh, mesh.certificates.signed(WEB), f"{voice} sound")
    assert answer.status == 200
    assert len(received) == 1


@pytest.mark.parametrize("voice", list(Voice))
def test_a_certificate_for_servers_alone_is_no_callers(stage: Stage, voice: Voice) -> None:
    mesh = stage.mesh(voice)
    context = mesh.certificates.signed(WEB, usage=ExtendedKeyUsageOID.SERVER_AUTH)
    answer, received = _ask_as(mesh, context, f"{voice} servers")
    assert answer.status is None
    assert not received


def _ask_as(mesh: AgreementMesh, context: ssl.SSLContext, number: str) -> tuple[Answer, tuple[Received, ...]]:
    message = head_of("GET", "/x", "api", ((ID_HEADER, number),))
    answer = exchange(mesh.inbound("api"), message, tls=context, server_name="8080.api.default.mesh.internal")
    return answer, mesh.recorder.received(number)

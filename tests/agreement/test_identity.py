"""Who may begin to speak: certificates, and the server names by which ports are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_probe import Credential, Entrance, Probe
from support.agreement_process import Voice
from support.agreement_stage import Stage
from support.agreement_trial import hold


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
    ["1.api.default.mesh.internal", "8080.moved.default.mesh.internal", "api", "x8080.api.default.mesh.internal"],
)
def test_an_unknown_server_name_is_closed(stage: Stage, voice: Voice, name: str) -> None:
    seen = stage.mesh(voice).send(replace(PUBLIC, server_name=name))
    assert (seen.answer.status, seen.count) == (None, 0)


@pytest.mark.parametrize("voice", list(Voice))
@pytest.mark.parametrize(
    "claim",
    [
        ("x-forwarded-client-cert", "By=spiffe://x;Hash=0;URI=spiffe://ports.example/ns/ingress/sa/ingress"),
        ("X-Forwarded-Client-Cert", "URI=spiffe://ports.example/ns/default/sa/moved"),
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
    assert "sa/moved" not in told

"""Many requests over one connection: each is judged by itself, whatever came before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from meshc_backends.placement import server_name
from meshc_lang.request import Request
from support.agreement_client import converse, head_of
from support.agreement_probe import Credential, Entrance, Probe
from support.agreement_process import Voice
from support.agreement_stage import Stage


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("denies") as running:
        yield running


def _call(method: str, path: str, callee: str = "api", **headers: str) -> Probe:
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Probe(request=Request(caller="web", callee=callee, method=method, path=path, headers=lines))


TURNS = (
    _call("GET", "/items/1"),
    _call("GET", "/items/secret"),
    _call("DELETE", "/items/1"),
    _call("POST", "/a7"),
    _call("GET", "/a7"),
    _call("GET", "/admin/x"),
    _call("GET", "/admin/x", x_break_glass="yes"),
    _call("HEAD", "/admin/x"),
    _call("GET", "/admin/x"),
    _call("GET", "/items/../admin/x"),
    _call("HEAD", "/reports/x"),
    _call("GET", "/items/1"),
)


@pytest.mark.parametrize("together", [False, True], ids=["in turn", "pipelined"])
@pytest.mark.parametrize("entrance", list(Entrance))
@pytest.mark.parametrize("voice", list(Voice))
def test_each_request_is_judged_by_itself(stage: Stage, voice: Voice, entrance: Entrance, together: bool) -> None:
    mesh = stage.mesh(voice)
    turns = TURNS if entrance is Entrance.INBOUND else (*TURNS, _call("GET", "/x", "batch"), *TURNS[:2])
    expected = [stage.expect(replace(probe, entrance=entrance)).status for probe in turns]
    assert {200, 403} == set(expected)
    messages = tuple(
        head_of(probe.request.method, probe.request.path, probe.request.callee, probe.request.headers)
        for probe in turns
    )

    if entrance is Entrance.OUTBOUND:
        statuses = converse(mesh.outbound("web"), messages, together=together)
    else:
        api = mesh.index.services["api"]
        tls = mesh.certificates.client("web", Credential.OWN)
        name = server_name(api, api.ports[0])
        statuses = converse(mesh.inbound("api"), messages, together=together, tls=tls, server_name=name)

    if voice is Voice.ENVOY and together:  # it may close behind a refusal what was sent before its answer
        answered = statuses.index(None) if None in statuses else len(statuses)
        assert answered > expected.index(403)
        statuses, expected = statuses[:answered], expected[:answered]
    assert statuses == expected

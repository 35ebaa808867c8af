"""Names in `Host`: which callee they mean, and how a name that means none is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.agreement_client import exchange, head_of
from support.agreement_mesh import AgreementMesh
from support.agreement_process import Voice
from support.agreement_stage import Stage
from support.recorder import ID_HEADER

HOSTS = {
    "api": 200,
    "API": 200,
    "api:8080": 200,
    "api.core": 200,
    "api.core:8080": 200,
    "api.core.svc": 200,
    "api.core.svc:8080": 200,
    "api.core.svc.cluster.local": 200,
    "Api.Core.Svc.Cluster.Local:8080": 200,
    # Names of the mesh for which `web` has no grant: whether they exist is not told.
    "batch": 403,
    "batch.default.svc": 403,
    "nosuch": 403,
    "nosuch:1": 403,
    "api:9999": 403,
    "api.edge": 403,
    "nosuch.core": 403,
    "nosuch.anywhere.svc": 403,
    "nosuch.anywhere.svc.cluster.local": 403,
    "api.core.svc.cluster.local:1": 403,
    # Names outside the mesh that no `external` says.
    "api.example.org": 404,
    "example.org:80": 404,
    "api.elsewhere": 404,
    "api.core.example": 404,
    "svc.cluster.local.example.org": 404,
    "127.0.0.1": 404,
    "127.0.0.1:8080": 404,
    "[::1]:8080": 404,
}


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("callers") as running:
        yield running


def _ask(mesh: AgreementMesh, host: str, target: str = "/front") -> tuple[int | None, list[str]]:
    number = f"{host} {target}"
    answer = exchange(mesh.outbound("web"), head_of("GET", target, host, ((ID_HEADER, number),)))
    return answer.status, [one.target for one in mesh.recorder.received(number)]


@pytest.mark.parametrize("voice", list(Voice))
def test_a_host_means_the_same_to_all(stage: Stage, voice: Voice) -> None:
    expected = {host: (status, ["/front"] if status == 200 else []) for host, status in HOSTS.items()}
    assert {host: _ask(stage.mesh(voice), host) for host in HOSTS} == expected


@pytest.mark.parametrize("voice", list(Voice))
def test_a_target_may_hold_the_host_as_proxies_are_sent_it(stage: Stage, voice: Voice) -> None:
    """With `http_proxy` set, clients write the whole URI on the request line (RFC 9112 §3.2.2)."""
    mesh = stage.mesh(voice)
    assert _ask(mesh, "api", "http://api/front") == (200, ["/front"])
    assert _ask(mesh, "api", "http://api/x/../front?q=1") == (200, ["/front?q=1"])
    assert _ask(mesh, "api", "http://api/batch-only") == (403, [])
    assert _ask(mesh, "nosuch", "http://nosuch/front") == (403, [])

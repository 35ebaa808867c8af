"""Heads too large, and messages that two readers could cut in two ways: no proxy may be the laxer one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshc_backends.placement import server_name
from support.agreement_client import Answer, exchange
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Credential
from support.agreement_process import Voice
from support.agreement_stage import Stage
from support.recorder import ID_HEADER


@pytest.fixture(scope="module")
def stage(stage_of: Any) -> Iterator[Stage]:
    with stage_of("denies") as running:
        yield running


def _ask(mesh: AgreementMesh, message: bytes, *, straight: bool) -> Answer:
    if not straight:
        return exchange(mesh.outbound("web"), message, patience=5)
    api = mesh.index.services["api"]
    tls = mesh.certificates.client("web", Credential.OWN)
    return exchange(mesh.inbound("api"), message, tls=tls, server_name=server_name(api, api.ports[0]), patience=5)


@pytest.mark.parametrize("straight", [False, True], ids=["outbound", "inbound"])
@pytest.mark.parametrize("voice", list(Voice))
def test_a_head_too_large_is_refused(stage: Stage, voice: Voice, straight: bool) -> None:
    mesh = stage.mesh(voice)
    start = f"GET /items/x HTTP/1.1\r\nHost: api\r\n{ID_HEADER}: {voice} {straight} ".encode()
    wide = b"x-wide: " + b"w" * 70_000
    many = b"\r\n".join(b"x-%d: 1" % number for number in range(120))
    for number, oversize in enumerate((wide, many)):
        assert _ask(mesh, start + b"%d\r\n" % number + oversize + b"\r\n\r\n", straight=straight).status == 431
        assert not mesh.recorder.received(f"{voice} {straight} {number}")


TWO_WAYS = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": b"Content-Length: 5, 6\r\n\r\nhello",
    "signed length": b"Content-Length: +5\r\n\r\nhello",
    "hexadecimal length": b"Content-Length: 0x5\r\n\r\nhello",
    "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding before chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked with a tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "space before the colon": b"Content-Length : 5\r\n\r\nhello",
    "name with a space": b"Content Length: 5\r\n\r\nhello",
    "control in a value": b"x-a: a\x01b\r\nContent-Length: 0\r\n\r\n",
    "NUL in a value": b"x-a: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size too great": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("straight", [False, True], ids=["outbound", "inbound"])
@pytest.mark.parametrize("form", TWO_WAYS)
def test_what_can_be_read_in_two_ways_is_read_in_none(stage: Stage, form: str, straight: bool) -> None:
    for mesh in stage.meshes:
        number = f"{form} {straight}"
        message = b"GET /items/x HTTP/1.1\r\nHost: api\r\n%s: %s\r\n" % (ID_HEADER.encode(), number.encode())
        answer = _ask(mesh, message + TWO_WAYS[form], straight=straight)
        assert answer.status in {400, 501, None}, f"{mesh.name} answered {answer.status}"
        assert answer.reason != "no answer within 5 s", mesh.name
        if "chunk size" not in form:  # a head that is sound may be on its way before its body turns out not to be
            assert not mesh.recorder.received(number), mesh.name


@pytest.mark.parametrize("straight", [False, True], ids=["outbound", "inbound"])
@pytest.mark.parametrize("voice", list(Voice))
def test_two_hosts_are_never_two_to_the_workload(stage: Stage, voice: Voice, straight: bool) -> None:
    """Envoy joins the two into one name, by which no callee is found; past the caller's sidecar none is looked for."""
    mesh, number = stage.mesh(voice), f"two hosts {voice} {straight}"
    message = f"GET /items/x HTTP/1.1\r\nHost: api\r\nHost: web\r\n{ID_HEADER}: {number}\r\n\r\n".encode()
    status = _ask(mesh, message, straight=straight).status
    if voice is Voice.PYTHON:
        assert status == 400
    elif not straight:
        assert status == 403
    received = mesh.recorder.received(number)
    assert len(received) == (status == 200)
    for one in received:
        assert [value for name, value in one.headers if name == "host"] == ["api,web"]


@pytest.mark.parametrize("straight", [False, True], ids=["outbound", "inbound"])
@pytest.mark.parametrize("voice", list(Voice))
def test_no_tunnel_is_opened(stage: Stage, voice: Voice, straight: bool) -> None:
    """CONNECT, and upgrades but to WebSockets, would carry bytes past every rule."""
    mesh, number = stage.mesh(voice), f"tunnel {voice} {straight}"
    host, port = mesh.application("api")
    application = f"{host}:{port}"
    for line in (
        f"CONNECT {application} HTTP/1.1\r\nHost: {application}",
        "CONNECT api:8080 HTTP/1.1\r\nHost: api:8080",
    ):
        answer = _ask(mesh, f"{line}\r\n{ID_HEADER}: {number}\r\n\r\n".encode(), straight=straight)
        assert answer.status is None or 400 <= answer.status < 600
        assert not mesh.recorder.received(number)
    for protocol in ("something", "h2c"):
        head = (
            f"GET /items/x HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n{ID_HEADER}: {number}"
        )
        assert _ask(mesh, f"{head}\r\n\r\n".encode(), straight=straight).status != 101
        for one in mesh.recorder.received(number):
            assert one.members("upgrade") is None

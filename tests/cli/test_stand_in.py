"""The stand-in answers truthfully and misbehaves as told."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from meshc.local_mesh.stand_in import Tries, caller_of, delay_of
from support.loopback_ports import own_ports


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    number = own_ports().take()
    command = [sys.executable, "-m", "meshc.local_mesh.stand_in", "--service", "api", "--version", "v1"]
    child = subprocess.Popen([*command, "--port", str(number)], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", number), timeout=1).close()
            break
        except OSError:
            time.sleep(0.02)
    yield number
    child.terminate()
    assert child.wait(timeout=20) == 0


def ask(
    port: int, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            method, path, body=body, headers=headers or {}, encode_chunked=not isinstance(body, bytes | None)
        )
        response = connection.getresponse()
        text = response.read()
        assert response.getheader("x-stand-in") == "api-v1"
        return response.status, json.loads(text) if text else {}
    finally:
        connection.close()


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PURGE"])
def test_it_says_what_it_was_asked_and_that_it_is_none(port: int, method: str) -> None:
    status, told = ask(port, method, "/v1/x?a=1", {"X-One": "1"}, b"12345")
    assert status == 200
    assert told["stand_in"] is True
    assert (told["service"], told["version"]) == ("api", "v1")
    assert (told["method"], told["path"], told["query"]) == (method, "/v1/x", "a=1")
    assert told["headers"]["x-one"] == "1"
    assert told["body_bytes"] == 5


def test_a_chunked_body_is_read_whole(port: int) -> None:
    status, told = ask(port, "POST", "/", {"Transfer-Encoding": "chunked"}, iter([b"abc", b"defg"]))
    assert (status, told["body_bytes"]) == (200, 7)


def test_the_answer_to_head_has_no_body(port: int) -> None:
    assert ask(port, "HEAD", "/") == (200, {})


def test_a_status_can_be_asked_for(port: int) -> None:
    assert ask(port, "GET", "/", {"x-stand-in-status": "418"})[0] == 418
    assert ask(port, "GET", "/?stand-in-status=503")[0] == 503
    assert ask(port, "GET", "/", {"x-stand-in-status": "12"})[0] == 200


def test_the_first_tries_of_a_request_fail(port: int) -> None:
    def statuses(request_id: str, **more: str) -> list[int]:
        headers = {"x-request-id": request_id, "x-stand-in-fail-first": "2", **more}
        return [ask(port, "GET", "/", headers)[0] for _ in range(4)]

    assert statuses("one") == [503, 503, 200, 200]
    assert statuses("two", **{"x-stand-in-status": "500"}) == [500, 500, 200, 200]


def test_a_delay_is_kept(port: int) -> None:
    start = time.monotonic()
    ask(port, "GET", "/", {"x-stand-in-delay": "150ms"})
    assert time.monotonic() - start >= 0.15


def test_delays_are_bounded() -> None:
    assert [delay_of(text) for text in ("200ms", "2s", "999999s", "", "x", "-1s")] == [0.2, 2.0, 60.0, 0.0, 0.0, 0.0]


def test_the_caller_is_what_the_sidecar_verified() -> None:
    from email.message import Message

    headers = Message()
    assert caller_of(headers) is None
    headers["x-forwarded-client-cert"] = "By=spiffe://d/ns/a/sa/api;Hash=00;URI=spiffe://d/ns/a/sa/web"
    assert caller_of(headers) == "spiffe://d/ns/a/sa/web"


def test_old_request_ids_are_forgotten() -> None:
    tries = Tries()
    assert [tries.count("a"), tries.count("a")] == [1, 2]
    for number in range(5000):
        tries.count(str(number))
    assert tries.count("a") == 1

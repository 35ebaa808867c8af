"""Calls as a workload makes them: to its own sidecar, with the callee's name in `Host`; and what the logs say after."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any

from meshc.local_mesh.mesh import LocalMesh
from meshc_lang.record import dataclass

_LOG_WITHIN_S = 5.0
_POLL_S = 0.02
_CALL_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status, the stand-in's account (empty if none answered), and how long it took."""

    status: int
    told: Mapping[str, Any]
    seconds: float

    @property
    def by(self) -> str:
        """Who answered: a stand-in by its name, or a sidecar."""
        version = f"-{self.told['version']}" if self.told.get("version") else ""
        return f"{self.told['service']}{version}" if self.told else "a sidecar"


def call(
    mesh: LocalMesh, caller: str, callee: str, method: str, path: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """Make one call as an instance (`web`, `api-v1`).

    Raises:
        OSError: its sidecar does not answer.
    """
    outbound = mesh.instance(caller).listeners.outbound
    connection = http.client.HTTPConnection(outbound.host, outbound.port, timeout=_CALL_WITHIN_S)
    start = time.monotonic()
    try:
        connection.request(method, path, headers={"Host": callee, **(headers or {})})
        response = connection.getresponse()
        body = response.read()
        return Answer(status=response.status, told=_account(response, body), seconds=time.monotonic() - start)
    finally:
        connection.close()


def log_record(mesh: LocalMesh, names: tuple[str, ...], direction: str, path: str) -> Mapping[str, Any]:
    """Return the newest access-log record about a path from the sidecars named; empty if none comes."""
    end = time.monotonic() + _LOG_WITHIN_S
    while True:
        for name in names:
            for line in reversed(mesh.log_of(name).read_text(encoding="utf-8", errors="replace").splitlines()):
                record = _record(line)
                if record.get("direction") == direction and record.get("path") == path:
                    return record
        if time.monotonic() > end:
            return {}
        time.sleep(_POLL_S)


def _account(response: http.client.HTTPResponse, body: bytes) -> Mapping[str, Any]:
    if response.getheader("x-stand-in") is None:
        return {}
    return _record(body.decode("utf-8", "replace"))


def _record(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

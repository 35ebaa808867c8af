"""The access log: one JSON object a line for every request, answered or refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote


@dataclass(slots=True, kw_only=True)
class AccessRecord:
    """What is told of one request.

    `reason` says why the proxy itself answered; it reaches callers only where the proxy was started to tell them.
    `logged` is what the program says about a line for it: on, off or errors; `measured` whether it is counted, and
    `sampling` the share (in millionths) of its like that begin a trace.
    """

    direction: str
    caller: str = ""
    service: str = ""
    port: int = 0
    method: str = ""
    path: str = ""
    original_path: str = ""
    status: int = 0
    rule: str = ""
    route: str = ""
    cluster: str = ""
    upstream: str = ""
    attempts: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    reason: str = ""
    logged: str = "on"
    measured: bool = True
    sampling: int = 0
    trace_id: str = ""


@lru_cache(maxsize=2)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def format_record(record: AccessRecord, ended: float, duration: float) -> bytes:
    """The log line of a request that ended at this time (Unix seconds) after so many seconds."""
    second = int(ended)
    stamp = f"{_second_text(second)}.{int((ended - second) * 1000):03d}Z"
    original = ""
    if record.original_path and record.original_path != record.path:
        original = f'"original_path":{quote(record.original_path)},'
    trace = f'"trace_id":"{record.trace_id}",' if record.trace_id else ""
    return (
        f'{{"time":"{stamp}","direction":"{record.direction}","caller":{quote(record.caller)},'
        f'"callee":{quote(record.service)},"port":{record.port},"method":{quote(record.method)},'
        f'"path":{quote(record.path)},{original}"status":{record.status},"rule":{quote(record.rule)},'
        f'"route":{quote(record.route)},"cluster":{quote(record.cluster)},"upstream":{quote(record.upstream)},'
        f'{trace}"attempts":{record.attempts},"duration_ms":{duration * 1000:.3f},'
        f'"request_bytes":{record.request_bytes},"response_bytes":{record.response_bytes},'
        f'"reason":{quote(record.reason)}}}\n'
    ).encode("ascii")

"""A stand-in for a workload: an HTTP server that says what it was asked, and that it is none.

It misbehaves on request, by header or query parameter (without the `x-`):

| header | does |
|---|---|
| `x-stand-in-status: 503` | answers with this status |
| `x-stand-in-fail-first: 2` | answers so (503 if no status is named) to the first two tries of an `x-request-id` only |
| `x-stand-in-delay: 200ms` | waits before it answers (`ms` or `s`, a minute at most) |
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import threading
import time
from collections import OrderedDict
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

_DELAY = re.compile(r"(\d{1,6})(ms|s)\Z")
_LONGEST_DELAY = 60.0
_KEPT_IDS = 4096
_CHUNK = 65536


class Tries:
    """How often each request id was seen; the oldest are forgotten."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, request_id: str) -> int:
        """Count one more try of a request and return how many there were."""
        with self._lock:
            tries = self._seen.pop(request_id, 0) + 1
            self._seen[request_id] = tries
            if len(self._seen) > _KEPT_IDS:
                self._seen.popitem(last=False)
            return tries


class StandIn(BaseHTTPRequestHandler):
    """Answers every request with a JSON object about it."""

    service: ClassVar[str] = ""
    version: ClassVar[str | None] = None
    tries: ClassVar[Tries] = Tries()
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        target = urlsplit(self.path)
        size = self._read_body()
        if size is None:
            self.close_connection = True
            return
        wishes = {name: values[-1] for name, values in parse_qs(target.query).items()}
        time.sleep(delay_of(self._wish("delay", wishes)))
        tries = self.tries.count(self.headers["x-request-id"]) if self.headers["x-request-id"] else 1
        status = self._status(wishes, tries)
        body = json.dumps(
            {
                "stand_in": True,
                "service": self.service,
                "version": self.version,
                "caller": caller_of(self.headers),
                "method": self.command,
                "path": target.path,
                "query": target.query,
                "try": tries,
                "headers": headers_of(self.headers),
                "body_bytes": size,
            },
            indent=2,
        ).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body) + 1))
        self.send_header("x-stand-in", f"{self.service}-{self.version}" if self.version else self.service)
        self.end_headers()
        if self.command != "HEAD" and status not in {204, 304}:
            self.wfile.write(body + b"\n")

    def __getattr__(self, name: str) -> object:
        """Answer every method alike: the server looks for `do_GET`, `do_PATCH` and so on."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _wish(self, name: str, wishes: dict[str, str]) -> str:
        return str(self.headers[f"x-stand-in-{name}"] or wishes.get(f"stand-in-{name}", ""))

    def _status(self, wishes: dict[str, str], tries: int) -> int:
        status, first = self._wish("status", wishes), self._wish("fail-first", wishes)
        if first.isdecimal():
            return _status_or(status, 503) if tries <= int(first) else 200
        return _status_or(status, 200)

    def _read_body(self) -> int | None:
        """Read the body away and return its size; None if it breaks off."""
        if "chunked" in (self.headers["transfer-encoding"] or "").lower():
            total = 0
            while size := int(self.rfile.readline(100).split(b";")[0].strip() or b"0", 16):
                total += len(self.rfile.read(size))
                self.rfile.readline(3)
            while self.rfile.readline(_CHUNK) not in {b"\r\n", b"\n", b""}:
                pass
            return total
        left = total = int(self.headers["content-length"] or 0)
        while left:
            piece = self.rfile.read(min(left, _CHUNK))
            if not piece:
                return None
            left -= len(piece)
        return total

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
        """Log to standard output, which is the workload's log file."""
        sys.stdout.write(f"{self.log_date_time_string()} {format % args}\n")
        sys.stdout.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def delay_of(text: str) -> float:
    """Return the seconds of `200ms` or `2s`, a minute at most; 0 for anything else."""
    found = _DELAY.match(text)
    return 0.0 if found is None else min(int(found[1]) / (1000 if found[2] == "ms" else 1), _LONGEST_DELAY)


def caller_of(headers: Message) -> str | None:
    """Return the caller's SPIFFE ID as the sidecar tells it (`x-forwarded-client-cert`, field `URI`)."""
    found = re.search(r'(?:^|[;,])URI="?(spiffe://[^";,]+)', headers["x-forwarded-client-cert"] or "")
    return found[1] if found else None


def headers_of(headers: Message) -> dict[str, str | list[str]]:
    """Return the headers by their names in lower case; one that is repeated has a list."""
    grouped: dict[str, list[str]] = {}
    for name, value in headers.items():
        grouped.setdefault(name.lower(), []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}


def _status_or(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"[2-5]\d\d", text) else otherwise


def main() -> None:
    """Serve on loopback until SIGTERM."""
    parser = argparse.ArgumentParser(description="a stand-in for a workload")
    parser.add_argument("--service", required=True)
    parser.add_argument("--version")
    parser.add_argument("--port", type=int, action="append", required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    StandIn.service, StandIn.version = options.service, options.version
    servers = [_Server(("127.0.0.1", port), StandIn) for port in options.port]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()

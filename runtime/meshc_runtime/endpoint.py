"""One address of a cluster: what is connected to it, and how many requests it runs."""

from __future__ import annotations

import ssl
from collections import deque
from typing import TYPE_CHECKING

from meshc_runtime.balancer import PeakLatency
from meshc_runtime.outlier import InstanceRecord

if TYPE_CHECKING:
    from meshc_runtime.upstream_http1 import Http1Upstream
    from meshc_runtime.upstream_http2 import Http2Upstream
    from meshc_runtime.watched_call import WatchedCall


class Endpoint:
    """An address with its connections: idle ones of HTTP/1.1, and shared ones of HTTP/2; `session` is TLS's last.

    It is `failing` from a connection that could not be made to the next one that could. `links` counts the
    connections; in the `queue` calls wait for one where no more may be made.
    """

    __slots__ = (
        "active",
        "address",
        "failing",
        "idle",
        "latency",
        "links",
        "outlier",
        "present",
        "queue",
        "session",
        "shared",
    )

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.idle: list[Http1Upstream] = []
        self.shared: list[Http2Upstream] = []
        self.active = 0
        self.session: ssl.SSLSession | None = None
        self.links = 0
        self.queue: deque[WatchedCall] = deque()
        self.latency = PeakLatency()
        self.outlier = InstanceRecord()
        self.failing = False
        self.present = True

    @property
    def text(self) -> str:
        """The address as `host:port`."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""Names of endpoints to addresses, off the event loop, asked again every few seconds."""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import socket
import threading
from collections.abc import Callable

SocketAddress = tuple[str, int]
_REFRESH_SECONDS = 5.0


def is_literal(host: str) -> bool:
    """Whether a host is an IP address and needs no resolver."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Resolver:
    """One daemon thread that asks the system for names; answers go to the loop by `deliver`."""

    def __init__(self, deliver: Callable[[Callable[[], None]], None]) -> None:
        self._deliver = deliver
        self._names: dict[str, Callable[[list[str]], None]] = {}
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, host: str, answered: Callable[[list[str]], None]) -> None:
        """Tell the addresses of a name now and whenever they are asked again; empty when there are none."""
        with self._lock:
            previous = self._names.get(host)
            if previous is None:
                self._names[host] = answered
            else:
                first = previous

                def both(addresses: list[str]) -> None:
                    first(addresses)
                    answered(addresses)

                self._names[host] = both
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="resolver", daemon=True)
            self._thread.start()
        self._wake.put(True)

    def stop(self) -> None:
        """End the thread after the name it is asking for."""
        self._wake.put(False)

    def _run(self) -> None:
        go_on = True
        while go_on:
            with self._lock:
                names = dict(self._names)
            for host, answered in names.items():
                addresses = lookup(host)
                self._deliver(lambda answered=answered, addresses=addresses: answered(addresses))  # type: ignore[misc]
            with contextlib.suppress(queue.Empty):
                go_on = self._wake.get(timeout=_REFRESH_SECONDS)
                while go_on:  # names that came together are asked for together
                    go_on = self._wake.get_nowait()


def lookup(host: str) -> list[str]:
    """The IP addresses of a name as the system resolves it, in a stable order; empty when there are none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(entry[4][0]) for entry in found})

"""A load generator and a backend, each one process with one epoll loop: `python load.py backend|client …`.

The client keeps one request running on every connection, with rotating paths and a request id that never repeats.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 49\r\n\r\n" + b"x" * 49


def backend() -> None:
    """Answer every request with 49 bytes; prints the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[sock.fileno()] = sock
                epoll.register(sock, select.EPOLLIN)
                continue
            data = clients[fd].recv(65_536)
            if data:
                clients[fd].send(ANSWER * data.count(b"\r\n\r\n"))
            else:
                clients.pop(fd).close()


def client(port: int, connections: int, requests: int) -> None:
    """Send so many requests; prints seconds, statuses and quantiles of the latency in microseconds."""
    epoll = select.epoll()
    socks: dict[int, socket.socket] = {}
    started: dict[int, float] = {}
    sent = 0
    latencies: list[float] = []
    statuses: dict[str, int] = {}

    def send(sock: socket.socket) -> None:
        nonlocal sent
        sent += 1
        started[sock.fileno()] = time.perf_counter()
        sock.send(
            b"GET /v1/orders/%d HTTP/1.1\r\nHost: api\r\nUser-Agent: bench\r\nAccept: */*\r\nX-Request-Id: %x\r\n"
            b"X-User: u%d\r\nAccept-Encoding: gzip\r\n\r\n" % (sent % 1000, sent, sent % 50)
        )

    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        socks[sock.fileno()] = sock
        epoll.register(sock, select.EPOLLIN)
    began = time.perf_counter()
    for sock in socks.values():
        send(sock)
    running = connections
    while running:
        for fd, _ in epoll.poll():
            data = socks[fd].recv(65_536)
            status = data[9:12].decode()
            statuses[status] = statuses.get(status, 0) + 1
            latencies.append(time.perf_counter() - started[fd])
            if sent < requests:
                send(socks[fd])
            else:
                running -= 1
    seconds = time.perf_counter() - began
    latencies.sort()
    quantiles = {
        name: round(latencies[int(len(latencies) * share)] * 1e6) for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    sys.stdout.write(json.dumps({"seconds": seconds, "statuses": statuses, **quantiles}) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "backend":
        backend()
    else:
        client(*map(int, sys.argv[2:5]))

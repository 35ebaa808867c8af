"""`python -m benchmarks.envoy_rules`: what rules cost a real Envoy, from one rule to ten thousand.

    python -m benchmarks.envoy_rules [--rules 1,100,10000] [--requests 3000] [--rounds 5] [--shape exact] [--policies]

Each mesh is one callee with so many rules, as the backend emits it: mutual TLS, counters and access log on. Every
request meets the last rule. All Envoys run at once and are asked in turns; what is told is the processor time that the
kernel accounts to each, a request. `--policies` asks Envoys that try the rules one by one, too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from benchmarks.timing import print_table  # noqa: E402
from meshc_backends.placement import Address  # noqa: E402
from meshc_compiler.ir.mesh import Mesh  # noqa: E402
from meshc_compiler.ir.policy import Rule  # noqa: E402
from support.envoy_mesh import EnvoyMesh  # noqa: E402
from support.ir_mesh import DOMAIN, allow, callers, deny, header, match, rule, service, workload  # noqa: E402

CONNECTIONS = 4
LOAD = str(ROOT / "benchmarks" / "proxy" / "load.py")

SHAPES: dict[str, tuple[Callable[[int], Rule], Callable[[int], str]]] = {
    "exact": (lambda i: allow("web", "api", match(f"/v1/items/r{i}", "GET")), lambda i: f"/v1/items/r{i}"),
    "tree": (lambda i: allow("web", "api", match(f"/v1/r{i}/**", "GET")), lambda i: f"/v1/r{i}/a/b"),
    "typed": (lambda i: allow("web", "api", match(f"/v1/r{i}/{{id:int}}", "GET")), lambda i: f"/v1/r{i}/77"),
    "callers": (lambda i: allow("web" if i == 0 else f"w{i}", "api", match("/v1/**", "GET")), lambda _: "/v1/a"),
    "any": (lambda i: allow("any", "api", match(f"/v1/items/r{i}", "GET")), lambda i: f"/v1/items/r{i}"),
    "header": (
        lambda i: allow("web", "api", match(f"/v1/r{i}", "GET", when=header("x-user", "u1"))),
        lambda i: f"/v1/r{i}",
    ),
    "deny": (
        lambda i: deny("web", "api", match(f"/v1/no/r{i}", "GET")) if i else allow("web", "api", match("/v1/**")),
        lambda _: "/v1/yes",
    ),
    "group": (
        lambda i: rule(
            allow("web", "api").effect,
            callers("web", *(f"w{n}" for n in range(9))),
            "api",
            match(f"/v1/r{i}/**", "GET"),
        ),
        lambda i: f"/v1/r{i}/a",
    ),
}
"""How the rules look, by number, and which path meets the one of a number."""


@dataclass
class Target:
    """One Envoy that is asked over kept connections."""

    name: str
    process: int
    connections: list[ssl.SSLSocket]
    request: bytes

    def ask(self, requests: int) -> float:
        """Return the microseconds that the Envoy spent on each of so many requests."""
        before = cpu_ns(self.process)
        for _ in range(requests // len(self.connections)):
            for connection in self.connections:
                connection.sendall(self.request)
            for connection in self.connections:
                answer = connection.recv(65_536)
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"{self.name} answered {answer[:200]!r}")
                while b"x" * 49 not in answer:
                    answer += connection.recv(65_536)
        return (cpu_ns(self.process) - before) / requests / 1000


def cpu_ns(process: int) -> int:
    """Return the time that a process's threads have run, by the scheduler's account."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)


def resident_mib(process: int) -> float:
    """Return how much memory a process has in use."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def running(mesh: Mesh, folder: Path, backend: int, name: str, path: str, stack: contextlib.ExitStack) -> Target:
    """Start an Envoy for the callee, and connect to it as its caller."""
    started = stack.enter_context(EnvoyMesh(mesh, folder, applications={("api", 8080): Address("127.0.0.1", backend)}))
    connections = []
    for _ in range(CONNECTIONS):
        plain = socket.create_connection(("127.0.0.1", started.inbound("api")))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections.append(started.peer("web").wrap_socket(plain, server_hostname="api"))
    sidecar = started.sidecars["api"]
    request = f"GET {path} HTTP/1.1\r\nHost: api\r\nx-user: u1\r\n\r\n".encode()
    return Target(name=name, process=sidecar.pid, connections=connections, request=request)


def mesh_of(shape: str, count: int) -> Mesh:
    """Return a mesh of one callee with so many rules of a shape."""
    return Mesh(
        name="rules",
        trust_domain=DOMAIN,
        workloads=(workload("api"), workload("web")),
        services=(service("api"),),
        rules=tuple(map(SHAPES[shape][0], range(count))),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rules", default="1,100,10000")
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", choices=[*SHAPES, "all"], default="exact")
    parser.add_argument("--policies", action="store_true")
    options = parser.parse_args()
    for shape in SHAPES if options.shape == "all" else [options.shape]:
        measure(shape, [int(text) for text in options.rules.split(",")], options)


def measure(shape: str, counts: list[int], options: argparse.Namespace) -> None:
    """Print what a request costs with each number of rules of a shape."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        backend = subprocess.Popen([sys.executable, LOAD, "backend"], stdout=subprocess.PIPE, text=True)
        stack.callback(backend.kill)
        assert backend.stdout is not None
        port = int(backend.stdout.readline())
        targets = []
        for count in counts:
            for flat in (True, False) if options.policies and count > 1 else (True,):
                title = f"{count} rules" + ("" if flat else ", one by one")
                # A callee's last rule is found last where they are tried in turn; `callers` has its own first.
                path = SHAPES[shape][1](count - 1)
                with contextlib.ExitStack() as changed:
                    if not flat:
                        changed.enter_context(mock.patch("meshc_backends.envoy.rbac.TREE_FROM", 10**9))
                    targets.append(running(mesh_of(shape, count), Path(name) / title, port, title, path, stack))
        costs: dict[str, list[float]] = {target.name: [] for target in targets}
        for turn in range(options.rounds + 1):
            for target in targets:
                spent = target.ask(options.requests if turn else options.requests // 4)
                if turn:
                    costs[target.name].append(spent)
        memory = {target.name: resident_mib(target.process) for target in targets}
    first = costs[targets[0].name]
    rows: list[tuple[str, ...]] = []
    for target in targets:
        own = costs[target.name]
        ratio = statistics.median(one / other for one, other in zip(own, first, strict=True))
        rows.append((target.name, f"{statistics.median(own):.1f}", f"{ratio:.2f}", f"{memory[target.name]:.0f}"))
    print_table(f"rules of the shape `{shape}`", ("", "µs CPU a request", "× the first", "MiB"), rows)


if __name__ == "__main__":
    main()

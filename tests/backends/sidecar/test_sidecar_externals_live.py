"""How the Python proxy opens TLS out of the mesh, and how long it tries to connect: as the program states it."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from meshc_backends.placement import Address, Listeners, LoopbackPlacement
from meshc_backends.sidecar import emit_workload
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_runtime.snapshot import parse_snapshot
from support.authority import Issued, TestAuthority
from support.echo_backend import EchoBackend
from support.mesh_text import mesh_of_text
from support.proxy_process import RunningProxy

LOOPBACK = "127.0.0.1"

PROGRAM = """\
mesh outside { trust-domain: "test.example" }
service web {}
external bank { hosts: ["bank.example"], port: 443/tls }
external front { hosts: ["front.example"], port: 443/tls, tls { server-name: "bank.example" } }
external wrong { hosts: ["other.example"], port: 443/tls }
external alias { hosts: ["alias.example"], port: 443/tls, tls { names: ["nobody.example", "bank.example"] } }
external strict { hosts: ["strict.example"], port: 443/tls, tls { server-name: "bank.example", names: ["no.example"] } }
external private { hosts: ["private.example"], port: 443/tls, tls { ca: "%s" } }
external distrusted { hosts: ["distrusted.example"], port: 443/tls, tls { server-name: "private.example" } }
external deaf { hosts: ["deaf.example"], port: 443/tls }
external slow { hosts: ["slow.example"], port: 443/tls }
group outside = [bank, front, wrong, alias, strict, private, distrusted, deaf, slow]
allow web -> outside : /**
edge web -> deaf { timeout: 20s, connect-timeout: 200ms }
edge web -> slow { timeout: 1s }
"""


class Outside:
    """Servers outside the mesh, and the server names by which they were asked."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        public = TestAuthority(directory / "public", "public.example", name="public")
        own = TestAuthority(directory / "own", "own.example", name="own")
        bank = public.issue("bank", "", without_uri=True, dns_names=("bank.example",))
        private = own.issue("private", "", without_uri=True, dns_names=("private.example",))
        self.asked: list[str | None] = []
        self.roots, self.private_roots = bank.bundle, private.bundle
        self.bank = stack.enter_context(EchoBackend("bank", tls=self._context(bank)))
        self.private = stack.enter_context(EchoBackend("private", tls=self._context(private)))
        # Connections are taken by the system, and nobody ever speaks TLS on them.
        self.deaf = stack.enter_context(socket.create_server((LOOPBACK, 0)))

    def _context(self, issued: Issued) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.chain, issued.key)

        def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
            self.asked.append(name)

        context.sni_callback = note
        return context

    def addresses(self) -> dict[str, Address]:
        ports = dict.fromkeys(("bank", "front", "other", "alias", "strict"), self.bank.port)
        ports |= dict.fromkeys(("private", "distrusted"), self.private.port)
        ports |= dict.fromkeys(("deaf", "slow"), int(self.deaf.getsockname()[1]))
        return {f"{host}.example": Address(LOOPBACK, port) for host, port in ports.items()}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with ExitStack() as stack:
        yield Outside(stack, tmp_path_factory.mktemp("outside"))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, outside: Outside) -> Iterator[RunningProxy]:
    directory = tmp_path_factory.mktemp("web")
    index = MeshIndex(mesh_of_text(PROGRAM % outside.private_roots))
    web = index.workloads["web"]
    issued = TestAuthority(directory, index.mesh.trust_domain).issue("web", str(web.spiffe_id))
    anywhere = Address(LOOPBACK, 0)
    placement = LoopbackPlacement(
        listener_table={
            "web": Listeners(inbound=anywhere, outbound=anywhere, admin=anywhere, readiness=anywhere, metrics=anywhere)
        },
        application_table={},
        endpoint_table={},
        external_table=outside.addresses(),
        certificate_directories={"web": str(issued.directory)},
        roots=str(outside.roots),
    )
    [artifact] = emit_workload(slice_of(index, web), placement).artifacts
    with RunningProxy(parse_snapshot(artifact.content), directory / "run") as running:
        yield running


def ask(proxy: RunningProxy, host: str) -> tuple[int, str]:
    """Return the status, and the host that the server saw."""
    with proxy.outbound() as wire:
        answer = wire.ask("GET", "/", f"{host}.example")
    lines = json.loads(answer.body)["headers"] if answer.status == 200 else []
    return answer.status, next((value for key, value in lines if key.lower() == "host"), "")


@pytest.mark.parametrize(("host", "name"), [("bank", "bank"), ("front", "bank"), ("alias", "alias")])
def test_the_server_name_that_is_asked_for(proxy: RunningProxy, outside: Outside, host: str, name: str) -> None:
    outside.asked.clear()
    assert ask(proxy, host) == (200, f"{host}.example")
    assert set(outside.asked) == {f"{name}.example"}


@pytest.mark.parametrize("host", ["other", "strict"])
def test_a_certificate_without_one_of_the_names_is_not_believed(proxy: RunningProxy, host: str) -> None:
    assert ask(proxy, host)[0] == 503


def test_roots_of_its_own(proxy: RunningProxy) -> None:
    assert ask(proxy, "private")[0] == 200
    assert ask(proxy, "distrusted")[0] == 503


def test_what_takes_longer_to_connect_to_is_a_connect_failure(proxy: RunningProxy) -> None:
    assert ask(proxy, "deaf")[0] == 503
    assert ask(proxy, "slow")[0] == 504

"""How TLS is opened out of the mesh, and faults of externals: what the caller's Envoy does for want of another one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from meshc_backends.placement import Address
from support.authority import Issued, TestAuthority
from support.echo_backend import EchoBackend
from support.envoy_mesh import LOOPBACK, EnvoyMesh
from support.http_call import Answer, call
from support.mesh_text import mesh_of_text

PROGRAM = """\
mesh outside { trust-domain: "test.example" }
service web {}
service jobs {}
external plain { hosts: ["bank.example"], port: 443/tls }
external named { hosts: ["front.example"], port: 443/tls, tls { server-name: "bank.example" } }
external wrong { hosts: ["other.example"], port: 443/tls }
external alias { hosts: ["alias.example"], port: 443/tls, tls { names: ["nobody.example", "bank.example"] } }
external strict { hosts: ["strict.example"], port: 443/tls, tls { server-name: "bank.example", names: ["no.example"] } }
external private { hosts: ["private.example"], port: 443/tls, tls { ca: "%s" } }
external distrusted { hosts: ["distrusted.example"], port: 443/tls, tls { server-name: "private.example" } }
allow web -> plain : /**
allow jobs -> plain : /**
allow web -> named : /**
allow web -> wrong : /**
allow web -> alias : /**
allow web -> strict : /**
allow web -> private : /**
allow web -> distrusted : /**
fault away on jobs -> plain { abort: 502 }
fault nap on jobs -> plain { delay: 5ms }
deny any -> plain : /secret
"""


@dataclass
class Server:
    """A server outside the mesh, and the server names by which it was asked."""

    backend: EchoBackend
    asked: list[str | None] = field(default_factory=list)


def server(stack: ExitStack, issued: Issued) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.chain, issued.key)
    made = Server(stack.enter_context(EchoBackend("outside", tls=context)))

    def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        made.asked.append(name)

    context.sni_callback = note
    return made


@dataclass
class Outside:
    """Two servers: one that the machine's roots vouch for, and one with roots of its own."""

    bank: Server
    private: Server
    roots: Path
    private_roots: Path


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    directory = tmp_path_factory.mktemp("outside")
    public = TestAuthority(directory / "public", "public.example", name="public")
    own = TestAuthority(directory / "own", "own.example", name="own")
    bank = public.issue("bank", "", without_uri=True, dns_names=("bank.example",))
    private = own.issue("private", "", without_uri=True, dns_names=("private.example",))
    with ExitStack() as stack:
        yield Outside(server(stack, bank), server(stack, private), bank.bundle, private.bundle)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory, outside: Outside) -> Iterator[EnvoyMesh]:
    bank, private = (Address(LOOPBACK, one.backend.port) for one in (outside.bank, outside.private))
    hosts = dict.fromkeys(("bank", "front", "other", "alias", "strict"), bank)
    hosts |= dict.fromkeys(("private", "distrusted"), private)
    with EnvoyMesh(
        mesh_of_text(PROGRAM % outside.private_roots),
        tmp_path_factory.mktemp("mesh"),
        externals={f"{host}.example": address for host, address in hosts.items()},
        roots=outside.roots,
    ) as running:
        yield running


def ask(mesh: EnvoyMesh, host: str, target: str = "/", *, by: str = "web") -> Answer:
    return call(mesh.outbound(by), "GET", target, host=f"{host}.example")


@pytest.mark.parametrize(("host", "name"), [("bank", "bank"), ("front", "bank"), ("alias", "alias")])
def test_the_server_name_that_is_asked_for(mesh: EnvoyMesh, outside: Outside, host: str, name: str) -> None:
    outside.bank.asked.clear()
    answer = ask(mesh, host)
    assert answer.status == 200
    assert answer.echo["backend"] == "outside"
    assert set(outside.bank.asked) <= {f"{name}.example"}
    assert ["host", f"{host}.example"] in [[key.lower(), value] for key, value in answer.echo["headers"]]


@pytest.mark.parametrize("host", ["other", "strict"])
def test_a_certificate_without_one_of_the_names_is_not_believed(mesh: EnvoyMesh, host: str) -> None:
    assert ask(mesh, host).status == 503


def test_roots_of_its_own(mesh: EnvoyMesh) -> None:
    assert ask(mesh, "private").status == 200
    assert ask(mesh, "distrusted").status == 503


def test_a_fault_befalls_the_callers_that_it_names(mesh: EnvoyMesh) -> None:
    assert ask(mesh, "bank").status == 200
    answer = ask(mesh, "bank", by="jobs")
    assert (answer.status, answer.body) == (502, b"bad gateway")


def test_what_is_refused_meets_no_fault(mesh: EnvoyMesh) -> None:
    assert ask(mesh, "bank", "/secret", by="jobs").status == 403
    assert ask(mesh, "bank", "/%", by="jobs").status == 400

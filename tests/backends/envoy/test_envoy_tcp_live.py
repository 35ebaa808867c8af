"""Connections that are not HTTP, through real Envoys: who is let in, and that the bytes are the same on both sides."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from meshc_backends.placement import Address, server_name
from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.workload import Protocol
from meshc_lang.request import PLAINTEXT, Request
from support.envoy_mesh import EnvoyMesh
from support.http_call import call, client_context
from support.ir_mesh import DOMAIN, allow, deny, http_port, service, spiffe, workload
from support.tcp_peer import TcpApplication, talk

TCP = {
    ("store", 6379): http_port(6379, protocol=Protocol.TCP),
    ("both", 5432): http_port(5432, "sql", Protocol.TLS),
    ("open", 7000): http_port(7000, protocol=Protocol.TCP),
    ("shut", 7001): http_port(7001, protocol=Protocol.TCP),
}
CALLERS = ("job", "other", "web")
RULES = (
    allow("web", "store", port=6379),
    allow("job", "store", port=6379),
    deny("job", "store", port=6379),
    allow("web", "both", port=5432),
    allow("other", "both", port=8080),
    allow("any", "open", port=7000),
    deny("other", "open", port=7000),
)


class Running:
    """The mesh and its tcp applications."""

    def __init__(self, mesh: EnvoyMesh, applications: dict[tuple[str, int], TcpApplication]) -> None:
        self.mesh = mesh
        self.applications = applications

    def through(self, caller: str, callee: str, number: int, *pieces: bytes, end: bool = False) -> bytes:
        """Talk as a workload does: to its own sidecar."""
        return talk(self.mesh.outbound_tcp[caller, callee, number].port, *pieces, end=end)

    def straight(self, caller: str, callee: str, number: int, *pieces: bytes) -> bytes:
        """Talk to the callee's sidecar with the caller's certificate."""
        name = server_name(self.mesh.index.services[callee], TCP[callee, number])
        return talk(self.mesh.inbound(callee), *pieces, tls=self.mesh.peer(caller), server_name=name)

    def connections(self, callee: str, number: int) -> int:
        return len(self.applications[callee, number].heard)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    value = Mesh(
        name="tcp",
        trust_domain=DOMAIN,
        workloads=tuple(workload(name) for name in sorted({*CALLERS, "both", "open", "shut", "store"})),
        services=(
            service("both", TCP["both", 5432], http_port(8080, "web")),
            service("open", TCP["open", 7000]),
            service("shut", TCP["shut", 7001]),
            service("store", TCP["store", 6379]),
        ),
        rules=RULES,
    )
    with contextlib.ExitStack() as stack:
        applications = {key: stack.enter_context(TcpApplication()) for key in TCP}
        places = {key: Address("127.0.0.1", one.port) for key, one in applications.items()}
        mesh = stack.enter_context(EnvoyMesh(value, tmp_path_factory.mktemp("mesh"), applications=places))
        yield Running(mesh, applications)


def test_bytes_go_both_ways_and_each_half_closes_by_itself(running: Running) -> None:
    large = bytes(range(256)) * 4096
    assert running.through("web", "store", 6379, b"PING\r\n", large, end=True) == (
        b"PING\r\n" + large + b" and that is all"
    )
    assert running.applications["store", 6379].heard[-1] == b"PING\r\n" + large


def test_the_evaluator_says_who(running: Running) -> None:
    """Each caller of each port, through its sidecar and past it."""
    index = running.mesh.index
    for callee, number in TCP:
        for caller in CALLERS:
            port = TCP[callee, number].name
            allowed = evaluate(index, Request(caller=caller, callee=callee, port=port, protocol="tcp")).allowed
            before = running.connections(callee, number)
            got = {running.straight(caller, callee, number, b"hello")}
            # A sidecar has no listener for a callee that its workload has no grant for at all.
            if any(name == callee and one == number for name, one in index.callees_of(spiffe(caller))):
                got.add(running.through(caller, callee, number, b"hello"))
            else:
                place = running.mesh.outbound_tcp[caller, callee, number]
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((place.host, place.port), timeout=5)
            assert got == {b"hello" if allowed else b""}, (caller, callee)
            if not allowed:
                assert running.connections(callee, number) == before, (caller, callee)


def test_plaintext_and_false_identities_never_reach_the_application(running: Running) -> None:
    mesh = running.mesh
    before = running.connections("store", 6379)
    assert not evaluate(mesh.index, Request(caller=PLAINTEXT, callee="store", protocol="tcp")).allowed
    assert talk(mesh.inbound("store"), b"PING\r\n")[:1] in {b"", b"\x15"}  # at most a TLS alert (RFC 8446 §6)
    for defects in ({"rogue": True}, {"expired": True}, {"more_uris": (str(spiffe("job")),)}, {"without_uri": True}):
        issued = mesh.authority.issue("defective", str(spiffe("web")), **defects)
        assert talk(mesh.inbound("store"), b"PING\r\n", tls=client_context(issued)) == b"", defects
    assert talk(mesh.inbound("store"), b"PING\r\n", tls=client_context(None, mesh.issued["web"])) == b""
    assert running.connections("store", 6379) == before


def test_nothing_is_connected_before_the_rules_were_asked(running: Running) -> None:
    """Envoy asks them at the first bytes: until then the workload must see nobody, or it would greet strangers."""
    mesh = running.mesh
    before = running.connections("open", 7000)
    with contextlib.ExitStack() as opened:
        for caller in ("web", "other"):
            plain = opened.enter_context(socket.create_connection(("127.0.0.1", mesh.inbound("open")), timeout=5))
            opened.enter_context(mesh.peer(caller).wrap_socket(plain))
        # One that speaks comes through while those stay open; it came last, so they would have been seen by now.
        assert running.straight("web", "open", 7000, b"hello") == b"hello"
        assert running.connections("open", 7000) == before + 1


def test_a_port_among_several_is_chosen_by_its_name(running: Running) -> None:
    mesh = running.mesh
    name = server_name(mesh.index.services["both"], http_port(8080))
    answer = call(mesh.inbound("both"), "GET", "/", tls=mesh.peer("other"), server_name=name)
    assert answer.status == 200
    assert running.straight("web", "both", 5432, b"SELECT") == b"SELECT"
    before = running.connections("both", 5432)
    assert talk(mesh.inbound("both"), b"SELECT", tls=mesh.peer("web"), server_name="both") == b""
    assert running.connections("both", 5432) == before


def test_the_log_tells_of_both_sides(running: Running) -> None:
    sidecars = running.mesh.sidecars
    running.through("web", "store", 6379, b"12345", end=True)
    line = sidecars["store"].logged(
        lambda line: line["rule"] == "allow web -> store * /**" and line["request_bytes"] == 5
    )
    assert (line["direction"], line["caller"], line["callee"]) == ("inbound", str(spiffe("web")), "store")
    assert (line["port"], line["status"], line["rule"]) == (6379, 0, "allow web -> store * /**")
    assert line["response_bytes"] == len(b"12345 and that is all")
    assert line["method"] is line["path"] is None
    line = sidecars["web"].logged(lambda line: line["request_bytes"] == 5)
    assert (line["direction"], line["caller"], line["callee"]) == ("outbound", str(spiffe("web")), "store")
    assert line["response_bytes"] == len(b"12345 and that is all")


def test_the_log_says_which_rule_refused_and_says_it_once(running: Running) -> None:
    log = running.mesh.sidecars["store"]
    running.straight("job", "store", 6379, b"denied")
    line = log.logged(lambda line: line["caller"] == str(spiffe("job")))
    assert line["rule"] == "deny job -> store * /**"
    running.straight("other", "store", 6379, b"no allow")
    line = log.logged(lambda line: line["caller"] == str(spiffe("other")))
    assert line["rule"] is None
    assert line["reason"] == "rbac_access_denied_matched_policy[none]"
    issued = running.mesh.authority.issue("twofold", str(spiffe("web")), more_uris=(str(spiffe("other")),))
    talk(running.mesh.inbound("store"), b"PING\r\n", tls=client_context(issued))
    nobody = log.logged(lambda line: line["caller"] is None and str(line["reason"]).startswith("rbac"))
    assert nobody["peer"].startswith("127.0.0.1:")
    named = [line for line in log.access_log if line["caller"] and str(line["reason"]).startswith("rbac")]
    assert all("peer" not in line for line in named)

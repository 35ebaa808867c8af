"""The issued files open real mTLS connections: with Python's ssl, and with Envoy on the other side."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from meshc_backends.artifact import Emission
from meshc_compiler.ir.mesh import MeshIndex
from support.loopback_ports import own_ports

Build = Callable[..., Emission]
ENVOY = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
WEB, API = "spiffe://shop.example/ns/default/sa/web", "spiffe://shop.example/ns/default/sa/api"

FILTERS = "type.googleapis.com/envoy.extensions.filters"


@pytest.fixture
def certs(build: Build, shop: MeshIndex, now: datetime, tmp_path: Path, write: Callable[..., Path]) -> Path:
    return write(build(shop, now), tmp_path / "out") / "certs"


def tls(directory: Path, *, server: bool, present: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # a peer is known by its SPIFFE ID
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(directory / "trust-bundle.pem")
    if present:
        context.load_cert_chain(directory / "cert-chain.pem", directory / "key.pem")
    return context


def uris(connection: ssl.SSLSocket) -> list[str]:
    certificate = connection.getpeercert()
    assert certificate is not None
    names = certificate["subjectAltName"]
    assert isinstance(names, tuple)
    return [str(value) for kind, value in names if kind == "URI"]


@contextmanager
def listening(context: ssl.SSLContext, seen: list[object]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            plain, _ = server.accept()
            plain.settimeout(10)
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    seen.append(uris(connection))
                    connection.sendall(b"hello")
            except (ssl.SSLError, OSError) as error:
                seen.append(error)
            finally:
                plain.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_two_workloads_know_each_other(certs: Path, version: ssl.TLSVersion) -> None:
    seen: list[object] = []
    with listening(tls(certs / "api", server=True), seen) as port:
        context = tls(certs / "web", server=False)
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as connection:
            assert uris(connection) == [API]
            assert connection.recv(5) == b"hello"
    assert seen == [[WEB]]


def greeting(port: int, context: ssl.SSLContext) -> bytes:
    """Return what the server sends, nothing if it ends the connection."""
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        try:
            with context.wrap_socket(plain) as connection:
                return connection.recv(5)
        except (ssl.SSLError, OSError):
            return b""


def test_a_workload_of_another_authority_is_turned_away(
    certs: Path, build: Build, shop: MeshIndex, now: datetime, authority: Path, tmp_path: Path,
    write: Callable[..., Path],
) -> None:  # fmt: skip
    authority.rename(tmp_path / "first")
    stranger = write(build(shop, now), tmp_path / "strange") / "certs" / "web"
    (stranger / "trust-bundle.pem").write_bytes((certs / "web" / "trust-bundle.pem").read_bytes())
    seen: list[object] = []
    with listening(tls(certs / "api", server=True), seen) as port:
        assert greeting(port, tls(stranger, server=False)) == b""
    assert isinstance(seen[0], ssl.SSLError)


def envoy_bootstrap(directory: Path, inbound: int, admin: int) -> dict[str, object]:
    context = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": {
            "tls_certificates": [
                {
                    "certificate_chain": {"filename": str(directory / "cert-chain.pem")},
                    "private_key": {"filename": str(directory / "key.pem")},
                }
            ],
            "validation_context": {
                "trusted_ca": {"filename": str(directory / "trust-bundle.pem")},
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": WEB}}],
            },
        },
    }
    answer = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "inbound",
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {"uri": True},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"},
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}],
                    "response_headers_to_add": [
                        {"header": {"key": "x-peer", "value": "%DOWNSTREAM_PEER_URI_SAN%"}},
                    ],
                }
            ]
        },
    }
    chain = {
        "filters": [{"name": "http", "typed_config": answer}],
        "transport_socket": {"name": "tls", "typed_config": context},
    }
    loopback = {"protocol": "TCP", "address": "127.0.0.1"}
    return {
        "admin": {"address": {"socket_address": {**loopback, "port_value": admin}}},
        "static_resources": {
            "listeners": [
                {
                    "name": "inbound",
                    "address": {"socket_address": {**loopback, "port_value": inbound}},
                    "filter_chains": [chain],
                }
            ]
        },
    }


@pytest.fixture
def envoy(certs: Path, tmp_path: Path) -> Iterator[int]:
    inbound, admin = own_ports().take(), own_ports().take()
    (tmp_path / "envoy.json").write_text(json.dumps(envoy_bootstrap(certs / "api", inbound, admin)))
    command = [str(ENVOY), "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    with (tmp_path / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        for _ in range(200):
            assert process.poll() is None, (tmp_path / "envoy.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", inbound), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield inbound
    finally:
        process.terminate()
        process.wait(10)


def ask(port: int, context: ssl.SSLContext) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as connection:
        assert uris(connection) == [API]
        connection.sendall(b"GET / HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        return answer


@pytest.mark.skipif(ENVOY is None, reason="there is no envoy on this machine")
def test_envoy_accepts_what_is_issued_and_nothing_else(envoy: int, certs: Path) -> None:
    answer = ask(envoy, tls(certs / "web", server=False))
    assert answer.startswith(b"HTTP/1.1 200")
    assert f"x-peer: {WEB}".encode() in answer
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(envoy, tls(certs / "api", server=False))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(envoy, tls(certs / "web", server=False, present=False))

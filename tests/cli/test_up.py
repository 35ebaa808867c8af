"""A mesh on this machine: calls pass as the program says, and nothing is left when it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshc.local_mesh.plan import free_ports, plan_mesh
from meshc.local_mesh.up_file import read_up_file
from meshc_backends.sidecar import emit_workload
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.pipeline import compile_program
from meshc_runtime.snapshot import TlsTransport, parse_snapshot
from support.meshc_command import RunningUp, alive, descendants, run

PROGRAM = """
mesh small { trust-domain: "small.example" }
service web { port: 8080/http }
service api { port: 8080/http, versions: [v1, v2] }
service db { port: 5432/tcp }
service pay { port: 50051/grpc }
allow ingress -> web : GET /**
allow web -> api : GET /v1/**
allow api -> db : tcp
allow api -> pay : rpc pay.v1.Pay/*
route api { /v1/two/** => v2 as second }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.mesh").write_text(PROGRAM)
    return tmp_path


def ask(address: tuple[str, int], host: str, path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        connection.request(method, path, headers={"Host": host})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if response.getheader("x-stand-in") else {}
    finally:
        connection.close()


def keys(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in {".pem", ".key"}]


def eventually_gone(pids: set[int]) -> bool:
    end = time.monotonic() + 20
    while alive(pids) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pids)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningUp, Path]]:
    folder = tmp_path_factory.mktemp("up")
    (folder / "small.mesh").write_text(PROGRAM)
    with RunningUp("small.mesh", cwd=folder) as up:
        up.wait_for("logs: ")
        yield up, folder
        below = descendants(up.process.pid)
        assert len(below) == 5 + 4, "five sidecars, four stand-ins"
        assert up.stop(signal.SIGINT) == 0
        assert eventually_gone(below)
        assert keys(folder) == []
        assert not (folder / ".meshc" / "up" / "secrets").exists()


def test_an_allowed_call_passes_and_carries_the_callers_identity(running: tuple[RunningUp, Path]) -> None:
    up, _ = running
    status, told = ask(up.outbound("web"), "api", "/v1/x")
    assert status == 200
    assert told["stand_in"] is True
    assert told["caller"] == "spiffe://small.example/ns/default/sa/web"
    status, told = ask(up.outbound("web"), "api", "/v1/two/x")
    assert (status, told["version"]) == (200, "v2")
    assert ask(up.outbound("ingress"), "web", "/")[0] == 200


@pytest.mark.parametrize(
    ("caller", "host", "path", "status"),
    [
        ("web", "api", "/v2/x", 403),
        ("web", "api", "/v1/../admin", 403),
        ("web", "api", "/v1/%2e%2e%2fx", 400),
        ("ingress", "api", "/v1/x", 403),
        ("web", "db", "/", 403),
        ("web", "example.com", "/", 404),
    ],
)
def test_what_the_program_does_not_say_is_refused(
    running: tuple[RunningUp, Path], caller: str, host: str, path: str, status: int
) -> None:
    assert ask(running[0].outbound(caller), host, path) == (status, {})


def test_the_table_says_who_runs_where_and_what_does_not(running: tuple[RunningUp, Path]) -> None:
    shown = running[0].wait_for("logs: ")
    assert "spiffe://small.example/ns/default/sa/api" in shown
    assert "db:5432: there is no stand-in for tcp" in shown
    assert "pay:50051: stand-ins do not speak grpc" in shown
    line = next(line for line in shown.splitlines() if "curl" in line)
    host, port = running[0].outbound("ingress")
    assert line.strip() == f"curl -i -H 'Host: web' 'http://{host}:{port}/'"


def test_secrets_are_the_owners_alone_while_it_runs(running: tuple[RunningUp, Path]) -> None:
    _, folder = running
    secrets = folder / ".meshc" / "up" / "secrets"
    assert len(list(secrets.rglob("key.pem"))) == 5
    for path in (folder / ".meshc" / "up", secrets, *secrets.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_second_mesh_in_the_same_folder_is_refused(running: tuple[RunningUp, Path]) -> None:
    up, folder = running
    done = run("up", "small.mesh", cwd=folder)
    assert done.returncode == 1
    assert "error[MSH865]" in done.stderr
    assert "another mesh runs in" in done.stderr
    assert ask(up.outbound("web"), "api", "/v1/x")[0] == 200


def test_sigterm_stops_it_too_and_a_dead_child_is_told(folder: Path) -> None:
    with RunningUp("small.mesh", "--logs", cwd=folder) as up:
        outbound = up.outbound("web")
        assert ask(outbound, "api", "/v1/two/x")[0] == 200
        assert '"path":"/v1/two/x"' in up.wait_for('"direction":"outbound"').replace(" ", "")
        below = descendants(up.process.pid)
        victim = next(pid for pid in below if "api-v2.json" in Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(victim, signal.SIGKILL)
        up.wait_for("the sidecar of api-v2 was ended by SIGKILL")
        assert ask(outbound, "api", "/v1/two/x")[0] == 503
        assert up.stop(signal.SIGTERM) == 0
        assert eventually_gone(below)
    assert keys(folder) == []


def test_a_killed_mesh_leaves_no_process_and_the_next_one_clears_its_keys(folder: Path) -> None:
    with RunningUp("small.mesh", cwd=folder) as up:
        up.wait_for("logs: ")
        below = descendants(up.process.pid)
        up.process.kill()
        up.process.wait()
        assert eventually_gone(below)
    left = {path.read_bytes() for path in keys(folder)}
    assert left
    with RunningUp("small.mesh", cwd=folder) as up:
        up.wait_for("logs: ")
        assert not left & {path.read_bytes() for path in keys(folder)}
        assert up.stop() == 0
    assert keys(folder) == []


@pytest.mark.parametrize("pause", [0.4, 0.8, 1.2])
def test_a_stop_while_it_starts_leaves_nothing_either(folder: Path, pause: float) -> None:
    with RunningUp("small.mesh", cwd=folder) as up:
        time.sleep(pause)
        below = descendants(up.process.pid)
        assert up.stop(signal.SIGINT) in {0, 130, -signal.SIGINT}
        assert eventually_gone(below)
    assert keys(folder) == []


def test_your_own_workloads_take_the_place_of_stand_ins(folder: Path) -> None:
    script = (
        "import http.server, os\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        body = os.environ['MESHC_OUTBOUND'].encode()\n"
        "        self.send_response(200); self.send_header('content-length', str(len(body))); self.end_headers()\n"
        "        self.wfile.write(body)\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n"
    )
    (folder / "up.toml").write_text(
        f"[workload.web]\noutbound = 19871\ncommand = {json.dumps([sys.executable, '-c', script])}\n"
    )
    with RunningUp("small.mesh", cwd=folder) as up:
        assert up.outbound("web") == ("127.0.0.1", 19871)
        connection = http.client.HTTPConnection(*up.outbound("ingress"), timeout=30)
        for _ in range(100):
            connection.request("GET", "/", headers={"Host": "web"})
            response = connection.getresponse()
            body = response.read()
            if response.status == 200:
                break
            time.sleep(0.1)  # the workload is still starting
        connection.close()
        assert body == b"http://127.0.0.1:19871"
        assert up.stop() == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[workload.wbe]\n", "`workload.wbe` is no workload of the mesh"),
        ("[workload.api.version.v3]\n", "`workload.api.version.v3` is no version of `api`"),
        ("[workload.web]\noutbond = 1\n", "`workload.web.outbond`"),
        ("[workload.web]\noutbound = 70000\n", "`workload.web.outbound`"),
        ("[workload.web]\naddress = 'x:1'\ncommand = ['y']\n", "give a command or an address, not both"),
        ("][", "is not TOML"),
        ("\udcff", "is not UTF-8"),
    ],
)
def test_a_bad_up_file_is_a_finding(folder: Path, text: str, told: str) -> None:
    (folder / "up.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    done = run("up", "small.mesh", cwd=folder)
    assert done.returncode == 1
    assert "error[MSH864]" in done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_ends_everything_again(folder: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (folder / "up.toml").write_text(f"[workload.web]\noutbound = {port}\n")
        done = run("up", "small.mesh", cwd=folder)
    assert done.returncode == 1
    assert "error[MSH865]" in done.stderr
    assert "sidecar of web" in done.stderr
    assert keys(folder) == []


def test_a_mesh_that_cannot_run_here_says_so(folder: Path) -> None:
    (folder / "small.mesh").write_text(
        'mesh m { trust-domain: "m.example" }\nservice a { port: 1/tcp }\n'
        "service b { port: 2/tcp }\nallow a -> b : tcp\n"
    )
    done = run("up", "small.mesh", cwd=folder)
    assert done.returncode == 1
    assert "the Python proxy carries none of its ports" in done.stderr


def test_a_folder_that_cannot_be_written_is_a_finding(folder: Path) -> None:
    done = run("up", "small.mesh", "--run-dir", "/proc/meshc", cwd=folder)
    assert done.returncode == 1
    assert "error[MSH865]" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_external_is_found_and_verified_as_the_up_file_says(tmp_path: Path) -> None:
    (tmp_path / "p.mesh").write_text(
        'mesh m { trust-domain: "m.example" }\nservice a {}\nallow a -> pay : GET /\n'
        'external pay { hosts: ["pay.example.com"], port: 443/tls, tls { min: "1.2" } }\n'
    )
    compiled = compile_program((str(tmp_path / "p.mesh"),))
    assert compiled.index is not None
    for text, roots, address in (
        ("", None, ("pay.example.com", 443)),
        (
            'roots = "/x/ca.pem"\n[external."pay.example.com"]\naddress = "127.0.0.1:9000"\n',
            "/x/ca.pem",
            ("127.0.0.1", 9000),
        ),
    ):
        (tmp_path / "up.toml").write_text(text)
        up, problems = read_up_file(tmp_path / "up.toml", {"a": ()})
        assert problems == ()
        plan = plan_mesh(compiled.index, up, free_ports(tmp_path))
        (instance,) = plan.instances
        placement = plan.placement(instance, tmp_path)
        (artifact,) = emit_workload(slice_of(compiled.index, instance.workload), placement).artifacts
        (cluster,) = parse_snapshot(artifact.content).clusters
        assert (cluster.endpoints[0].host, cluster.endpoints[0].port) == address
        assert isinstance(cluster.transport, TlsTransport)
        assert cluster.transport.ca_file == roots


def test_what_the_proxy_does_not_carry_is_refused_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "small.mesh").write_text(PROGRAM + "mirror api GET /v1/** => v2 5%\n")
    ran = run("up", str(tmp_path), cwd=tmp_path)
    assert ran.returncode == 1
    assert "MSH870" in ran.stdout + ran.stderr
    assert "shadow traffic, for which `mirror api GET /v1/** => api.v2 5%` asks" in ran.stdout + ran.stderr
    assert keys(tmp_path) == []

"""The proxy as a process: what it prints, how it ends, what its own pages say, how it guards itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meshc_runtime.__main__ import main
from meshc_runtime.snapshot import ConnectionGuards, Snapshot, render_snapshot, snapshot_schema
from support.proxy_app import ScriptedApp, SeenRequest, ok
from support.proxy_authority import ProxyAuthority
from support.proxy_mesh import callee, caller, plain_cluster, route, service
from support.proxy_process import RunningProxy, proxy_command, proxy_environment
from support.proxy_wire import CutShortError, Wire


def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        proxy_command(*arguments), input=text, capture_output=True, text=True, env=proxy_environment(), timeout=60
    )


def simple(folder: Path, port: int, guards: ConnectionGuards | None = None) -> Snapshot:
    files = ProxyAuthority(folder / "certs").issue("web")
    return caller(files, [service([route("c")])], [plain_cluster("c", port)], guards=guards)


def test_schema_is_printed() -> None:
    printed = run("--print-schema")
    assert json.loads(printed.stdout) == snapshot_schema()
    assert printed.returncode == 0


def test_check_loads_everything_and_listens_on_nothing(tmp_path: Path) -> None:
    checked = run("--check", "-", text=render_snapshot(simple(tmp_path, 1)))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "arguments", [[], ["--nonsense"], ["x", "--drain-seconds", "soon"], ["x", "--drain-seconds", "-1"]]
)
def test_misuse_is_2(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def spoil(document: dict[str, Any], folder: Path, how: str) -> None:
    certificates = {name: Path(path) for name, path in document["certificates"].items()}
    authority = ProxyAuthority(folder / "more")
    match how:
        case "version":
            document["version"] = 9
        case "regex":
            document["outbound"][0]["routes"].insert(
                0, {**document["outbound"][0]["routes"][0], "id": "x", "path": {"kind": "regex", "regex": "(?=x)"}}
            )
        case "no key":
            certificates["private_key"].unlink()
        case "key is a folder":
            certificates["private_key"].unlink()
            certificates["private_key"].mkdir()
        case "other key":
            certificates["private_key"].write_bytes(Path(authority.issue("web").private_key).read_bytes())
        case "broken key":
            certificates["private_key"].write_text("no key at all")
        case "no certificate":
            certificates["cert_chain"].unlink()
        case "broken certificate":
            certificates["cert_chain"].write_bytes(b"\xff\x00")
        case "no bundle":
            certificates["trust_bundle"].unlink()
        case "empty bundle":
            certificates["trust_bundle"].write_text("")
        case "expired bundle":
            gone = ProxyAuthority(folder / "gone", ends=timedelta(hours=-1))
            certificates["trust_bundle"].write_bytes(gone.bundle)
        case "expired" | "not yet valid" | "somebody else":
            files = authority.issue(
                "api" if how == "somebody else" else "web",
                begins=timedelta(hours=1 if how == "not yet valid" else -2),
                ends=timedelta(hours=-1 if how == "expired" else 2),
            )
            document["certificates"] = files.model_dump()
        case "port taken":
            document["listeners"]["outbound"]["port"] = TAKEN.getsockname()[1]
        case "not our address":
            document["listeners"]["admin"]["host"] = "192.0.2.1"
        case "log":
            document["access_log"] = str(folder / "missing" / "access.log")


TAKEN = socket.create_server(("127.0.0.1", 0))


@pytest.fixture(scope="module", autouse=True)
def _taken_port() -> Any:
    yield
    TAKEN.close()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("version", "version 9 is unknown"),
        ("regex", "regular expression `\\(\\?=x\\)`"),
        ("no key", "cannot use the key .*No such file"),
        ("key is a folder", "cannot use the key .*directory"),
        ("other key", "cannot use the key .*: it is not the key of the certificate .*KEY_VALUES_MISMATCH"),
        ("broken key", "cannot use the key .*: it is no private key in PEM"),
        ("no certificate", "cannot read the certificate .*No such file"),
        ("broken certificate", "cannot read the certificate .*not PEM"),
        ("no bundle", "cannot use the trust bundle .*No such file"),
        ("empty bundle", "cannot use the trust bundle "),
        ("expired bundle", "cannot use the trust bundle .*no authority in it is valid now; the last expired on "),
        ("expired", "has expired on "),
        ("not yet valid", "is not valid before "),
        ("somebody else", "is for spiffe://.*/api, and this proxy is .*/web"),
        ("port taken", "cannot listen on 127.0.0.1:[0-9]+ \\(outbound\\): Address already in use"),
        ("not our address", "cannot listen on 192.0.2.1:0 \\(admin\\)"),
        ("log", "cannot write the access log .*No such file"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, message: str
) -> None:
    document = json.loads(render_snapshot(simple(tmp_path, 1)))
    spoil(document, tmp_path, how)
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(document))
    assert main([str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"meshc-proxy: {path}: ")
    assert re.search(message, line)
    assert "PRIVATE" not in line
    needs_to_listen = how in ("port taken", "not our address", "log")
    assert main(["--check", str(path)]) == (0 if needs_to_listen else 1)
    assert capsys.readouterr().err.splitlines() == ([] if needs_to_listen else [line])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
@pytest.mark.parametrize("name", ["snapshot", "private_key", "cert_chain", "trust_bundle"])
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    snapshot = simple(tmp_path, 1)
    path = tmp_path / "snapshot.json"
    path.write_text(render_snapshot(snapshot))
    closed = path if name == "snapshot" else Path(getattr(snapshot.certificates, name))
    closed.chmod(0)
    assert main(["--check", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(closed) in line
    assert "Permission denied" in line


def test_snapshot_file_that_is_missing_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        ended = run(str(path))
        assert ended.returncode == 1
        assert len(ended.stderr.splitlines()) == 1


def test_own_pages(tmp_path: Path) -> None:
    with ScriptedApp() as app, RunningProxy(simple(tmp_path, app.port), tmp_path / "web") as proxy:
        with proxy.outbound() as wire:
            wire.ask("GET", "/x", "api")
            wire.ask("GET", "/%zz", "api")
        assert proxy.page("readiness", "/ready").status == 200
        assert proxy.page("admin", "/ready").status == 200
        config = json.loads(proxy.page("admin", "/config").body)
        assert config["workload"]["name"] == "web"
        key = Path(config["certificates"]["private_key"]).read_text()
        certs = json.loads(proxy.page("admin", "/certs").body)
        assert certs["spiffe_id"] == config["workload"]["spiffe_id"]
        for page in ("/config", "/certs", "/stats"):
            assert key.splitlines()[1] not in proxy.page("admin", page).body.decode()
        assert proxy.page("metrics", "/config").status == 404
        assert proxy.page("readiness", "/stats").status == 404
        with Wire(proxy.addresses["admin"]) as wire:
            assert wire.ask("POST", "/ready", "x").status == 405
        with Wire(proxy.addresses["metrics"]) as wire:
            wire.send(b"GET /metrics HTTP/1.1\nHost: x\n\n")
            assert wire.response().status == 400
        assert (
            proxy.metric('meshc_requests_total{direction="outbound",service="api",route="default",rule="",code="200"}')
            == 1
        )
        assert proxy.metric('meshc_malformed_total{direction="outbound",code="400"}') == 1
        assert proxy.metric('meshc_request_duration_seconds_count{direction="outbound",service="api"}') == 2
        good, bad = proxy.log(count=2)
        assert (good["method"], good["path"], good["status"], good["route"]) == ("GET", "/x", 200, "default")
        assert "original_path" not in good
        assert (bad["original_path"], bad["status"]) == ("/%zz", 400)


def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    with ScriptedApp() as app, RunningProxy(simple(tmp_path, app.port), tmp_path / "web") as proxy:
        with proxy.outbound() as wire:
            wire.ask("GET", "/x", "api")
        text = proxy.page("metrics", "/metrics").body.decode()
    declared = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", text, re.M))
    sample = re.compile(r'(\w+?)(?:_bucket|_sum|_count)?(\{(?:\w+="(?:[^"\\\n]|\\.)*",?)*\})? [0-9.e+-]+')
    for line in text.splitlines():
        if not line.startswith("#"):
            match = sample.fullmatch(line)
            assert match, line
            assert {match[1], line.split("{")[0].split(" ")[0]} & declared, line
    buckets = [int(line.rpartition(" ")[2]) for line in text.splitlines() if "_bucket{" in line]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop_finishes_what_runs_and_takes_nothing_new(tmp_path: Path, number: signal.Signals) -> None:
    go_on = threading.Event()

    def wait(request: SeenRequest, sock: socket.socket) -> bytes | None:
        go_on.wait(20)
        return ok(b"finished")

    with ScriptedApp(script=wait) as app, RunningProxy(simple(tmp_path, app.port), tmp_path / "web") as proxy:
        with proxy.outbound() as running, proxy.outbound() as idle:
            running.send(b"GET /slow HTTP/1.1\r\nHost: api\r\n\r\n")
            while not app.requests:
                time.sleep(0.01)
            proxy.process.send_signal(number)
            assert idle.closed_by_peer()
            assert proxy.page("readiness", "/ready").status == 503
            with pytest.raises(ConnectionRefusedError):
                proxy.outbound()
            go_on.set()
            answer = running.response()
            assert answer.body == b"finished"
            assert running.closed_by_peer()
        assert proxy.process.wait(20) == 0
        assert proxy.log()[0]["path"] == "/slow"


def test_drain_has_an_end(tmp_path: Path) -> None:
    def never(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.recv(1)
        return None

    with (
        ScriptedApp(script=never) as app,
        RunningProxy(simple(tmp_path, app.port), tmp_path / "web", "--drain-seconds", "0.3") as proxy,
        proxy.outbound() as wire,
    ):
        wire.send(b"GET /never HTTP/1.1\r\nHost: api\r\n\r\n")
        while not app.requests:
            time.sleep(0.01)
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.process.wait(20) == 0
        (record,) = proxy.log()
        assert (record["path"], record["reason"]) == ("/never", "the proxy stops")


def test_an_interrupt_before_the_start_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        @property
        def buffer(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    assert main(["-"]) == 130


def test_pages_leave_room_for_calls(tmp_path: Path) -> None:
    with ScriptedApp() as app, RunningProxy(simple(tmp_path, app.port), tmp_path / "web") as proxy:
        for address in ("readiness", "metrics"):
            pages = [Wire(proxy.addresses[address]) for _ in range(256)]
            with Wire(proxy.addresses[address]) as one_more:
                assert one_more.closed_by_peer()
            with proxy.outbound() as wire:
                assert wire.ask("GET", "/", "api").status == 200
            for wire in pages:
                wire.close()
            for _ in range(200):
                with contextlib.suppress(CutShortError, ConnectionError):
                    assert proxy.page("readiness", "/ready").status == 200
                    break
            else:
                raise AssertionError("no page is served any more")


GUARDS = ConnectionGuards(
    max_connections=4,
    handshake_timeout_ms=400,
    head_timeout_ms=400,
    body_idle_timeout_ms=400,
    idle_timeout_ms=600,
)


def test_slow_heads_and_bodies_are_given_up(tmp_path: Path) -> None:
    with ScriptedApp() as app, RunningProxy(simple(tmp_path, app.port, GUARDS), tmp_path / "web") as proxy:
        with proxy.outbound() as wire:
            wire.send(b"GET / HTTP/1.1\r\nHo")
            assert wire.rest().startswith(b"HTTP/1.1 408 ")
        with proxy.outbound() as wire:
            wire.send(b"POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 5\r\n\r\nab")
            assert wire.rest().startswith(b"HTTP/1.1 408 ")
        with proxy.outbound() as wire:
            assert wire.closed_by_peer()
        with proxy.outbound() as wire:
            wire.ask("GET", "/", "api")
            assert wire.closed_by_peer()


def test_handshakes_that_stall_are_given_up(tmp_path: Path) -> None:
    files = ProxyAuthority(tmp_path / "certs").issue("api")
    with RunningProxy(callee(files, 1, guards=GUARDS), tmp_path / "api") as proxy:
        with Wire(proxy.addresses["inbound"]) as wire:
            assert wire.closed_by_peer()
        assert proxy.metric('meshc_connections_refused_total{direction="inbound",reason="timeout"}') == 1


def test_connections_beyond_the_limit_wait_for_their_turn(tmp_path: Path) -> None:
    guards = GUARDS.model_copy(update={"idle_timeout_ms": 600_000})
    with ScriptedApp() as app, RunningProxy(simple(tmp_path, app.port, guards), tmp_path / "web") as proxy:
        first = [proxy.outbound() for _ in range(4)]
        for wire in first:
            assert wire.ask("GET", "/", "api").status == 200
        with proxy.outbound() as fifth:
            fifth.send(b"GET /fifth HTTP/1.1\r\nHost: api\r\n\r\n")
            fifth.sock.settimeout(0.4)
            with pytest.raises(TimeoutError):
                fifth.response()
            first[0].close()
            fifth.sock.settimeout(20)
            assert fifth.response().status == 200
        for wire in first:
            wire.close()


def test_files_are_not_mixed_up_when_their_numbers_are_used_again(tmp_path: Path) -> None:
    """Connections come and go at once, so that the system reuses their numbers within one batch of events."""
    with (
        ScriptedApp(script=lambda request, sock: ok(request.path.encode())) as app,
        RunningProxy(simple(tmp_path, app.port), tmp_path / "web") as proxy,
    ):
        wrong: list[str] = []

        def client(number: int) -> None:
            for turn in range(40):
                path = f"/{number}/{turn}"
                with proxy.outbound() as wire:
                    if turn % 3 == 0:
                        wire.send(f"GET {path} HTTP/1.1\r\nHost: api\r\n\r\n".encode())
                        continue
                    if wire.ask("GET", path, "api", "Connection: close").body != path.encode():
                        wrong.append(path)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert wrong == []
        assert proxy.page("readiness", "/ready").status == 200
        for _ in range(100):
            if proxy.metric('meshc_connections_open{direction="outbound"}') == 0:
                break
            time.sleep(0.05)
        assert proxy.metric('meshc_connections_open{direction="outbound"}') == 0

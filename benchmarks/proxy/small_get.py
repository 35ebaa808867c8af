"""CPU time of a small GET through the outbound listener: our proxy and Envoy, in the same run, in turns.

    python benchmarks/proxy/small_get.py [--connections 16] [--requests 20000] [--rounds 3]

Both route by Host and path, write a JSON access log, and keep metrics; each is pinned to one core, load and backend to
the others. What is told is the processor time (user and system) that the proxy spent on each request.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "runtime"), str(ROOT / "tests")]

from meshc_runtime.snapshot import render_snapshot  # noqa: E402
from support.proxy_authority import ProxyAuthority  # noqa: E402
from support.proxy_mesh import caller, plain_cluster, route, service  # noqa: E402

LOAD = str(Path(__file__).with_name("load.py"))
MEDIANS = ("cpu_us", "user_us", "system_us", "rps", "p50", "p99")
CORES = sorted(os.sched_getaffinity(0))


@dataclass
class Target:
    name: str
    process: subprocess.Popen[str]
    port: int


def pinned(first: bool) -> Callable[[], None]:
    cores = {CORES[0]} if first or len(CORES) == 1 else set(CORES[1:])
    return lambda: os.sched_setaffinity(0, cores)


def start_ours(folder: Path, backend: int) -> Target:
    snapshot = caller(ProxyAuthority(folder).issue("web"), [service([route("c")])], [plain_cluster("c", backend)])
    path = folder / "snapshot.json"
    path.write_text(render_snapshot(snapshot.model_copy(update={"access_log": "/dev/null"})))
    process = subprocess.Popen(
        [sys.executable, "-m", "meshc_runtime", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "runtime")},
        preexec_fn=pinned(True),
    )
    assert process.stderr is not None
    ready = json.loads(process.stderr.readline())
    return Target(name="meshc", process=process, port=int(ready["outbound"].rpartition(":")[2]))


def start_envoy(folder: Path, backend: int) -> Target | None:
    envoy = shutil.which("envoy", path=str(Path(sys.executable).parent))
    if envoy is None:
        return None
    path, admin = folder / "envoy.json", folder / "admin.txt"
    path.write_text(json.dumps(envoy_bootstrap(backend)))
    process = subprocess.Popen(
        [
            envoy,
            "-c",
            str(path),
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "-l",
            "error",
            "--admin-address-path",
            str(admin),
        ],
        text=True,
        preexec_fn=pinned(True),
    )
    for _ in range(400):
        if admin.exists() and admin.read_text():
            break
        time.sleep(0.05)
    return Target(name="envoy", process=process, port=envoy_port(admin.read_text()))


def envoy_port(admin: str) -> int:
    from urllib.request import urlopen

    for _ in range(100):
        with urlopen(f"http://{admin}/listeners?format=json", timeout=5) as answer:
            listeners = json.load(answer).get("listener_statuses", [])
        if listeners:
            return int(listeners[0]["local_address"]["socket_address"]["port_value"])
        time.sleep(0.05)
    raise SystemExit("envoy does not listen")


def envoy_bootstrap(backend: int) -> dict[str, Any]:
    def address(port: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    def typed(name: str, **fields: Any) -> dict[str, Any]:
        return {"@type": f"type.googleapis.com/envoy.extensions.{name}", **fields}

    log = typed(
        "access_loggers.file.v3.FileAccessLog",
        path="/dev/null",
        log_format={"json_format": {"path": "%REQ(:PATH)%", "status": "%RESPONSE_CODE%", "ms": "%DURATION%"}},
    )
    manager = typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="out",
        normalize_path=True,
        merge_slashes=True,
        generate_request_id=False,
        access_log=[{"name": "file", "typed_config": log}],
        http_filters=[{"name": "router", "typed_config": typed("filters.http.router.v3.Router")}],
        route_config={
            "virtual_hosts": [
                {"name": "api", "domains": ["api"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}]}
            ]
        },
    )
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address(backend)}}]}
    return {
        "admin": {"address": address(0)},
        "static_resources": {
            "listeners": [
                {"address": address(0), "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}]}
            ],
            "clusters": [{"name": "c", "load_assignment": {"cluster_name": "c", "endpoints": [endpoint]}}],
        },
    }


def cpu_seconds(process: subprocess.Popen[str]) -> tuple[float, float]:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / ticks, int(fields[12]) / ticks


def measure(target: Target, connections: int, requests: int) -> dict[str, Any]:
    before = cpu_seconds(target.process)
    ended = subprocess.run(
        [sys.executable, LOAD, "client", str(target.port), str(connections), str(requests)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=pinned(False),
    )
    result: dict[str, Any] = json.loads(ended.stdout)
    after = cpu_seconds(target.process)
    result["user_us"], result["system_us"] = (
        (now - then) / requests * 1e6 for now, then in zip(after, before, strict=True)
    )
    result["cpu_us"] = result["user_us"] + result["system_us"]
    result["rps"] = requests / result["seconds"]
    if set(result["statuses"]) != {"200"}:
        raise SystemExit(f"{target.name} answered {result['statuses']}")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = subprocess.Popen(
            [sys.executable, LOAD, "backend"], stdout=subprocess.PIPE, text=True, preexec_fn=pinned(False)
        )
        assert backend.stdout is not None
        port = int(backend.stdout.readline())
        targets = [target for target in (start_ours(folder, port), start_envoy(folder, port)) if target is not None]
        try:
            for target in targets:
                measure(target, options.connections, options.requests // 4)
            runs: dict[str, list[dict[str, Any]]] = {target.name: [] for target in targets}
            for _ in range(options.rounds):
                for target in targets:
                    runs[target.name].append(measure(target, options.connections, options.requests))
        finally:
            for process in (backend, *(target.process for target in targets)):
                process.kill()
                process.wait()
        for name, results in runs.items():
            medians = {key: statistics.median(run[key] for run in results) for key in MEDIANS}
            print(
                f"{name:6} {medians['cpu_us']:7.1f} us CPU a request "
                f"({medians['user_us']:.1f} user, {medians['system_us']:.1f} system) {medians['rps']:8.0f} requests/s  "
                f"p50 {medians['p50']:.0f} us  p99 {medians['p99']:.0f} us"
            )


if __name__ == "__main__":
    main()

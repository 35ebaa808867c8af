"""What a program says of traces, log lines and metrics, as the running Python proxy does it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from meshc_backends.placement import Address, KubernetesPlacement, Listeners, LoopbackPlacement
from meshc_backends.sidecar import emit_workload
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_runtime.snapshot import parse_snapshot
from support.authority import TestAuthority
from support.http2_peer import Http2Peer, Message, respond, serve_http2
from support.mesh_text import mesh_of_text
from support.proxy_app import ScriptedApp
from support.proxy_process import RunningProxy

LOOPBACK = "127.0.0.1"

PROGRAM = """\
mesh outside {{ trust-domain: "test.example" }}
service web {{}}
external bank {{ hosts: ["bank.example"], port: 80/http }}
external quiet {{ hosts: ["quiet.example"], port: 80/http }}
allow web -> bank : GET /**
allow web -> quiet : GET /**
defaults mesh {{
  telemetry {{ sampling: 100%, propagation: [w3c, b3], otlp: "127.0.0.1:{collector}", access-log: errors }}
}}
edge web -> quiet {{ telemetry {{ sampling: off, access-log: off }} }}
defaults quiet {{ telemetry {{ metrics: off }} }}
"""


@dataclass
class GrpcCollector:
    """Takes spans as a collector does, over gRPC."""

    requests: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                serve_http2(sock, self._answer)

    def _answer(self, peer: Http2Peer, stream: int, message: Message) -> None:
        self.requests.append(message)
        kind = (("content-type", "application/grpc"),)
        respond(peer, stream, 200, kind, b"\0\0\0\0\0", (("grpc-status", "0"),))


@pytest.fixture(scope="module")
def collector() -> Iterator[GrpcCollector]:
    found = GrpcCollector()
    yield found
    found.close()


@pytest.fixture(scope="module")
def app() -> Iterator[ScriptedApp]:
    with ScriptedApp() as found:
        yield found


@pytest.fixture(scope="module")
def proxy(
    tmp_path_factory: pytest.TempPathFactory, collector: GrpcCollector, app: ScriptedApp
) -> Iterator[RunningProxy]:
    directory = tmp_path_factory.mktemp("web")
    index = MeshIndex(mesh_of_text(PROGRAM.format(collector=collector.port)))
    web = index.workloads["web"]
    issued = TestAuthority(directory, index.mesh.trust_domain).issue("web", str(web.spiffe_id))
    anywhere = Address(LOOPBACK, 0)
    placement = LoopbackPlacement(
        listener_table={
            "web": Listeners(inbound=anywhere, outbound=anywhere, admin=anywhere, readiness=anywhere, metrics=anywhere)
        },
        application_table={},
        endpoint_table={},
        external_table={f"{host}.example": Address(LOOPBACK, app.port) for host in ("bank", "quiet")},
        certificate_directories={"web": str(issued.directory)},
        roots="",
    )
    (artifact,) = emit_workload(slice_of(index, web), placement).artifacts
    snapshot = parse_snapshot(artifact.content)
    with RunningProxy(snapshot, directory / "proxy") as running:
        with running.outbound() as wire:
            assert wire.ask("GET", "/traced", "bank.example").status == 200
            assert wire.ask("GET", "/quiet", "quiet.example").status == 200
            assert wire.ask("POST", "/refused", "quiet.example").status == 403
            assert wire.ask("POST", "/denied", "bank.example").status == 403
        yield running


def test_traces_begin_go_on_and_are_told_over_grpc(
    proxy: RunningProxy, collector: GrpcCollector, app: ScriptedApp
) -> None:
    for _ in range(400):
        if proxy.metric('meshc_spans_total{outcome="exported"}') == 2:
            break
        time.sleep(0.025)
    spans = []
    for message in collector.requests:
        assert message.get(":path") == "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        assert message.get("content-type") == "application/grpc"
        assert message.body[:1] == b"\0"
        assert int.from_bytes(message.body[1:5]) == len(message.body) - 5
        request = ExportTraceServiceRequest.FromString(message.body[5:])
        spans += [span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]
    assert [span.name for span in spans] == ["GET bank:80", "POST bank:80"]
    traced, quiet = app.requests
    trace, span = spans[0].trace_id.hex(), spans[0].span_id.hex()
    assert traced.headers["traceparent"] == [f"00-{trace}-{span}-01"]
    assert (traced.headers["x-b3-traceid"], traced.headers["x-b3-sampled"]) == ([trace], ["1"])
    assert "traceparent" not in quiet.headers


def test_the_log_tells_what_the_program_chose(proxy: RunningProxy) -> None:
    (record,) = proxy.log()
    assert (record["callee"], record["path"], record["status"]) == ("bank", "/denied", 403)


def test_metrics_that_are_off_are_not_there(proxy: RunningProxy) -> None:
    stats = json.loads(proxy.page("admin", "/stats?format=json").body)
    services = {
        sample["labels"]["service"]
        for metric in stats["metrics"]
        for sample in metric["samples"]
        if "service" in sample["labels"]
    }
    assert services == {"bank"}


@pytest.mark.parametrize(
    ("address", "speaks"), [("collector:4317", "h2"), ("collector:4318", "http/1.1"), ("[::1]:4317", "h2")]
)
def test_the_port_of_a_collector_says_what_it_speaks(address: str, speaks: str) -> None:
    index = MeshIndex(mesh_of_text(PROGRAM.format(collector=1).replace("127.0.0.1:1", address)))
    (artifact,) = emit_workload(slice_of(index, index.workloads["web"]), KubernetesPlacement()).artifacts
    tracing = json.loads(artifact.content)["tracing"]
    host, _, port = address.rpartition(":")
    assert tracing["collector"] == {"host": host.strip("[]"), "port": int(port)}
    assert tracing["speaks"] == speaks
    assert tracing["propagation"] == ["b3", "w3c"]

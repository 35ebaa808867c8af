"""Traces through the proxy: the headers that are read and written, the spans that are told, and that nobody waits."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from meshc_runtime.message import Fields
from meshc_runtime.otlp import CLIENT, SERVER, Span, encode_spans
from meshc_runtime.snapshot import Address, Snapshot, Tracing
from meshc_runtime.trace_context import TraceContext, read_context, with_context
from support.proxy_app import ScriptedApp, SeenRequest, always, ok, status
from support.proxy_authority import ProxyAuthority, spiffe_id
from support.proxy_mesh import API_NAME, allow, callee, caller, plain_cluster, route, service
from support.proxy_process import RunningProxy
from support.proxy_wire import Wire

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
FORMS = ("w3c", "b3")


def read(*lines: str, forms: tuple[str, ...] = FORMS) -> TraceContext | None:
    return read_context(Fields(lines=[line.encode() for line in lines]), forms)


@pytest.mark.parametrize(
    ("lines", "sampled"),
    [
        ([f"traceparent: 00-{TRACE}-{SPAN}-01"], True),
        ([f"Traceparent: 00-{TRACE}-{SPAN}-00"], False),
        ([f"traceparent: 00-{TRACE}-{SPAN}-03"], True),
        ([f"traceparent: cc-{TRACE}-{SPAN}-01-what-comes-later"], True),
        ([f"b3: {TRACE}-{SPAN}-1"], True),
        ([f"b3: {TRACE}-{SPAN}-0-{SPAN}"], False),
        ([f"b3: {TRACE}-{SPAN}-d"], True),
        ([f"b3: {TRACE}-{SPAN}"], None),
        ([f"X-B3-TraceId: {TRACE}", f"X-B3-SpanId: {SPAN}", "X-B3-Sampled: 1"], True),
        ([f"x-b3-traceid: {TRACE}", f"x-b3-spanid: {SPAN}", "x-b3-sampled: 0"], False),
        ([f"x-b3-traceid: {TRACE}", f"x-b3-spanid: {SPAN}", "x-b3-flags: 1"], True),
        ([f"x-b3-traceid: {TRACE}", f"x-b3-spanid: {SPAN}"], None),
        ([f"traceparent: 00-{TRACE}-{SPAN}-00", f"b3: {'1' * 32}-{SPAN}-1"], False),
    ],
)
def test_contexts_are_read(lines: list[str], sampled: bool | None) -> None:
    context = read(*lines)
    assert context is not None
    assert (context.trace_id, context.span_id, context.sampled) == (TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["traceparent: "],
        [f"traceparent: 00-{TRACE}-{SPAN}"],
        [f"traceparent: 00-{TRACE}-{SPAN}-01-more"],
        [f"traceparent: ff-{TRACE}-{SPAN}-01"],
        [f"traceparent: 00-{TRACE.upper()}-{SPAN}-01"],
        [f"traceparent: 00-{'0' * 32}-{SPAN}-01"],
        [f"traceparent: 00-{TRACE}-{'0' * 16}-01"],
        [f"traceparent: 00-{TRACE}-{SPAN}-01", f"traceparent: 00-{TRACE}-{SPAN}-01"],
        ["tracestate: a=1"],
        [f"b3: {TRACE}"],
        [f"b3: {TRACE}-{SPAN}-x"],
        [f"b3: {'0' * 16}-{SPAN}-1"],
        [f"x-b3-traceid: {TRACE}"],
    ],
)
def test_what_is_no_context_begins_anew(lines: list[str]) -> None:
    assert read(*lines) is None


def test_a_form_that_the_program_does_not_name_is_nobodys_business() -> None:
    assert read(f"b3: {TRACE}-{SPAN}-1", forms=("w3c",)) is None
    kept = with_context(Fields(lines=[b"b3: 1", b"x: y"]), TraceContext(trace_id=TRACE, sampled=True), SPAN, ("w3c",))
    assert kept.lines == [b"b3: 1", b"x: y", f"traceparent: 00-{TRACE}-{SPAN}-01".encode()]


def test_a_verdict_alone_holds_for_the_trace_that_begins() -> None:
    assert read("b3: 0") == TraceContext(sampled=False, b3_single=True)
    assert read("x-b3-sampled: true") == TraceContext(sampled=True)
    assert read("x-b3-flags: 1") == TraceContext(sampled=True, debug=True)


ids = st.integers(1, 2**64 - 1)


@given(
    trace=st.integers(1, 2**128 - 1),
    parent=ids,
    span=ids,
    sampled=st.booleans(),
    single=st.booleans(),
    pairs=st.booleans(),
    form=st.sampled_from(FORMS),
)
def test_what_is_written_is_read_by_the_next(
    trace: int, parent: int, span: int, sampled: bool, single: bool, pairs: bool, form: str
) -> None:
    context = TraceContext(trace_id=f"{trace:032x}", span_id=f"{parent:016x}", sampled=sampled, b3_single=single)
    before = Fields(pairs=((b"x", b"y"), (b"b3", b"0"), (b"traceparent", b"old"), (b"x-b3-sampled", b"1")))
    if not pairs:
        before = Fields(lines=[b"X: y", b"B3: 0", b"Traceparent: old", b"X-B3-Sampled: 1"])
    after = with_context(before, context, f"{span:016x}", FORMS)
    found = read_context(after, (form,))
    assert found is not None
    assert (found.trace_id, found.span_id, found.sampled) == (context.trace_id, f"{span:016x}", sampled)
    names = [name for name, _ in after.pairs]
    assert len(names) == len(set(names))
    assert after.value_of(b"x") == b"y"


def test_b3_goes_on_in_the_form_in_which_it_came() -> None:
    short = read(f"b3: {SPAN}-{SPAN}-d")
    assert short is not None
    sent = with_context(Fields(lines=[]), short, "1" * 16, ("b3",))
    assert sent.lines == [f"b3: {SPAN}-{'1' * 16}-d-{SPAN}".encode()]
    several = read(f"x-b3-traceid: {TRACE}", f"x-b3-spanid: {SPAN}", "x-b3-sampled: 0")
    assert several is not None
    assert with_context(Fields(pairs=()), several, "1" * 16, ("b3",)).pairs == (
        (b"x-b3-traceid", TRACE.encode()),
        (b"x-b3-spanid", b"1" * 16),
        (b"x-b3-parentspanid", SPAN.encode()),
        (b"x-b3-sampled", b"0"),
    )


@given(
    name=st.text(max_size=2000),
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    number=st.integers(0, 2**62),
    failed=st.none() | st.text(max_size=20),
)
def test_spans_are_what_opentelemetry_reads(name: str, text: str, number: int, failed: str | None) -> None:
    span = Span(
        trace_id=TRACE, span_id=SPAN, parent_id="", state=b"a=1", name=name, kind=CLIENT, began_ns=number,
        ended_ns=number + 1, attributes=[("text", text), ("number", number)], failed=failed,
    )  # fmt: skip
    request = ExportTraceServiceRequest.FromString(encode_spans([("service.name", "web")], [span, span]))
    (resource,) = request.resource_spans
    assert [(one.key, one.value.string_value) for one in resource.resource.attributes] == [("service.name", "web")]
    (scope,) = resource.scope_spans
    assert len(scope.spans) == 2
    found = scope.spans[0]
    assert (found.trace_id.hex(), found.span_id.hex(), found.parent_span_id) == (TRACE, SPAN, b"")
    assert (found.trace_state, found.kind) == ("a=1", CLIENT)
    assert found.name == name[:1024].encode("utf-8", "replace").decode()
    assert (found.start_time_unix_nano, found.end_time_unix_nano) == (number, number + 1)
    assert found.attributes[0].value.string_value == text
    assert found.attributes[1].value.int_value == number
    assert found.status.code == (0 if failed is None else 2)


def traced(snapshot: Snapshot, collector: int | None, *, sampling: int, forms: tuple[str, ...] = FORMS) -> Snapshot:
    """The snapshot with this share of traces begun, over HTTP to this collector."""
    where = None if collector is None else Address(host="127.0.0.1", port=collector)
    tracing = Tracing.model_validate({"propagation": forms, "collector": where, "speaks": "http/1.1"})
    routes = [one.model_copy(update={"trace_sampling": sampling}) for out in snapshot.outbound for one in out.routes]
    return snapshot.model_copy(
        update={
            "tracing": tracing,
            "inbound": tuple(port.model_copy(update={"trace_sampling": sampling}) for port in snapshot.inbound),
            "outbound": tuple(one.model_copy(update={"routes": tuple(routes)}) for one in snapshot.outbound),
        }
    )


def spans_of(requests: list[SeenRequest]) -> list[tuple[str, dict[str, str | int], object]]:
    found = []
    for seen in requests:
        message = ExportTraceServiceRequest.FromString(seen.body)
        for resource in message.resource_spans:
            (name,) = [one.value.string_value for one in resource.resource.attributes if one.key == "service.name"]
            for scope in resource.scope_spans:
                for span in scope.spans:
                    values = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
                    found.append((name, values, span))
    return found


def wait_for(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.025)
    raise AssertionError("it does not come true")


def test_one_trace_from_the_caller_through_both_proxies_to_the_collector(tmp_path: Path) -> None:
    authority = ProxyAuthority(tmp_path / "certs")
    rules = (allow("reads", "web", methods=["GET"]),)
    with ScriptedApp() as collector, ScriptedApp() as app:
        inside = traced(callee(authority.issue("api"), app.port, rules=rules), collector.port, sampling=0)
        with RunningProxy(inside, tmp_path / "api") as api:
            from support.proxy_mesh import mesh_cluster

            outside = traced(
                caller(
                    authority.issue("web"), [service([route("api")])], [mesh_cluster("api", api.addresses["inbound"])]
                ),
                collector.port,
                sampling=1_000_000,
            )
            with RunningProxy(outside, tmp_path / "web") as web, web.outbound() as wire:
                assert wire.ask("GET", "/x", "api").status == 200
                assert wire.ask("POST", "/y", "api").status == 403
                wait_for(lambda: len(spans_of(collector.requests)) == 4)
                assert web.metric('meshc_spans_total{outcome="exported"}') == 2
                records = [*web.log(count=2), *api.log(count=2)]
    assert {seen.line for seen in collector.requests} == {"POST /v1/traces HTTP/1.1"}
    assert {seen.headers["content-type"][0] for seen in collector.requests} == {"application/x-protobuf"}
    spans = spans_of(collector.requests)
    by_path: dict[str | int, dict[str, tuple[dict[str, str | int], object]]] = {}
    for name, values, span in spans:
        by_path.setdefault(values["url.path"], {})[name] = (values, span)
    for path, code in (("/x", 200), ("/y", 403)):
        (out_values, out_span), (in_values, in_span) = by_path[path]["web"], by_path[path]["api"]
        assert (out_span.kind, in_span.kind) == (CLIENT, SERVER)  # type: ignore[attr-defined]
        assert out_span.trace_id == in_span.trace_id  # type: ignore[attr-defined]
        assert in_span.parent_span_id == out_span.span_id  # type: ignore[attr-defined]
        assert in_values["http.response.status_code"] == out_values["http.response.status_code"] == code
        assert in_values["meshc.caller"] == spiffe_id("web")
    assert by_path["/x"]["api"][0]["meshc.rule"] == "reads"
    assert by_path["/y"]["api"][1].status.code == 2  # type: ignore[attr-defined]
    (seen,) = app.requests
    api_span = by_path["/x"]["api"][1]
    trace, span_id = api_span.trace_id.hex(), api_span.span_id.hex()  # type: ignore[attr-defined]
    assert seen.headers["traceparent"] == [f"00-{trace}-{span_id}-01"]
    assert (seen.headers["x-b3-traceid"], seen.headers["x-b3-spanid"]) == ([trace], [span_id])
    assert len({record["trace_id"] for record in records}) == 2


def test_the_callers_verdict_holds_and_without_a_share_no_trace_begins(tmp_path: Path) -> None:
    files = ProxyAuthority(tmp_path / "certs").issue("web")
    with ScriptedApp() as collector, ScriptedApp() as app:
        plain = caller(files, [service([route("c")])], [plain_cluster("c", app.port)])
        with (
            RunningProxy(traced(plain, collector.port, sampling=0), tmp_path / "web") as proxy,
            proxy.outbound() as wire,
        ):
            wire.ask("GET", "/untraced", "api")
            wire.ask(
                "GET", "/dropped", "api", f"traceparent: 00-{TRACE}-{SPAN}-00", "tracestate: a=1", "tracestate: b=2"
            )
            wire.ask("GET", "/kept", "api", f"b3: {TRACE}-{SPAN}-1")
            wait_for(lambda: bool(collector.requests))
            proxy.process.send_signal(signal.SIGTERM)
            assert proxy.process.wait(20) == 0
    untraced, dropped, kept = app.requests
    assert not {"traceparent", "b3", "x-b3-traceid"} & untraced.headers.keys()
    assert re.fullmatch(f"00-{TRACE}-(?!{SPAN})[0-9a-f]{{16}}-00", dropped.headers["traceparent"][0])
    assert dropped.headers["tracestate"] == ["a=1,b=2"]
    assert dropped.headers["x-b3-sampled"] == ["0"]
    assert re.fullmatch(f"{TRACE}-(?!{SPAN})[0-9a-f]{{16}}-1-{SPAN}", kept.headers["b3"][0])
    assert [values["url.path"] for _, values, _ in spans_of(collector.requests)] == ["/kept"]


def test_the_last_spans_are_told_before_the_end(tmp_path: Path) -> None:
    files = ProxyAuthority(tmp_path / "certs").issue("web")
    with ScriptedApp() as collector, ScriptedApp() as app:
        plain = caller(files, [service([route("c")])], [plain_cluster("c", app.port)])
        snapshot = traced(plain, collector.port, sampling=1_000_000)
        with RunningProxy(snapshot, tmp_path / "web") as proxy:
            with proxy.outbound() as wire:
                wire.ask("GET", "/last", "api")
            proxy.process.send_signal(signal.SIGTERM)
            assert proxy.process.wait(20) == 0
        assert [values["url.path"] for _, values, _ in spans_of(collector.requests)] == ["/last"]


@pytest.mark.parametrize("what", ["nobody listens", "refuses", "never answers"])
def test_a_collector_that_does_not_take_spans_holds_nobody_up(tmp_path: Path, what: str) -> None:
    def silent(request: SeenRequest, sock: socket.socket) -> bytes | None:
        sock.recv(1)
        return None

    files = ProxyAuthority(tmp_path / "certs").issue("web")
    script = silent if what == "never answers" else always(status(503))
    with ScriptedApp(script=script) as collector, ScriptedApp(script=always(ok())) as app:
        if what == "nobody listens":
            collector.close()
        plain = caller(files, [service([route("c")])], [plain_cluster("c", app.port)])
        snapshot = traced(plain, collector.port, sampling=1_000_000)
        with RunningProxy(snapshot, tmp_path / "web") as proxy:
            with proxy.outbound() as wire:
                for _ in range(3000 if what == "never answers" else 1):
                    assert wire.ask("GET", "/x", "api").status == 200
            outcome = {"nobody listens": "failed", "refuses": "refused", "never answers": "queue-full"}[what]
            wait_for(lambda: proxy.metric(f'meshc_spans_total{{outcome="{outcome}"}}') > 0)
            proxy.process.send_signal(signal.SIGTERM)
            assert proxy.process.wait(20) == 0


def test_what_the_program_leaves_out_of_log_and_metrics_is_left_out(tmp_path: Path) -> None:
    authority = ProxyAuthority(tmp_path / "certs")
    with ScriptedApp() as app:
        snapshot = callee(authority.issue("api"), app.port, rules=(allow("reads", "web", methods=["GET"]),))
        port = snapshot.inbound[0].model_copy(update={"access_log": "errors", "metrics": False})
        with (
            RunningProxy(snapshot.model_copy(update={"inbound": (port,)}), tmp_path / "api") as proxy,
            Wire(proxy.addresses["inbound"], identity=authority.issue("web"), server_name=API_NAME) as wire,
        ):
            assert wire.ask("GET", "/fine", "api").status == 200
            assert wire.ask("POST", "/denied", "api").status == 403
            (record,) = proxy.log(count=1)
            assert record["path"] == "/denied"
            stats = json.loads(proxy.page("admin", "/stats?format=json").body)
            counted = {metric["name"] for metric in stats["metrics"] if metric["samples"]}
            assert not counted & {"meshc_requests_total", "meshc_denied_total", "meshc_request_duration_seconds"}

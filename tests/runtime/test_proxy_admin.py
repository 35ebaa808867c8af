"""What a proxy tells about itself: metrics by edge, route and rule, the admin pages, and why a request was refused."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from prometheus_client.parser import text_string_to_metric_families

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.admin import public_config
from meshc_runtime.log_level import LogLevel, is_logged
from meshc_runtime.metrics import ProxyMetrics, RequestMetrics
from meshc_runtime.question import QuestionError, parse_question
from meshc_runtime.snapshot import HeaderEquals, HeaderOneOf, Snapshot
from support.proxy_app import ScriptedApp
from support.proxy_authority import ProxyAuthority, spiffe_id
from support.proxy_mesh import API_NAME, allow, callee, caller, deny, plain_cluster, route, service
from support.proxy_process import RunningProxy
from support.proxy_wire import Wire, WireResponse

RULES = (allow("reads", "web", methods=["GET"]), deny("no admin", "web", path="/admin/**"))


def called(folder: Path, port: int) -> tuple[Snapshot, ProxyAuthority]:
    authority = ProxyAuthority(folder / "certs")
    return callee(authority.issue("api"), port, rules=RULES), authority


def why(proxy: RunningProxy, text: str) -> dict[str, Any]:
    answer = proxy.page("admin", f"/why?request={quote_plus(text)}")
    assert answer.status == 200, answer.body
    document: dict[str, Any] = json.loads(answer.body)
    assert document["request"] == text
    return document


def post(proxy: RunningProxy, path: str) -> WireResponse:
    with Wire(proxy.addresses["admin"]) as wire:
        return wire.ask("POST", path, "localhost")


def test_metrics_are_by_edge_route_and_rule_and_parsers_read_them(tmp_path: Path) -> None:
    with ScriptedApp() as app:
        snapshot, authority = called(tmp_path, app.port)
        with RunningProxy(snapshot, tmp_path / "api") as proxy:
            with Wire(proxy.addresses["inbound"], identity=authority.issue("web"), server_name=API_NAME) as wire:
                assert wire.ask("GET", "/x", "api").status == 200
                assert wire.ask("GET", "/y", "api").status == 200
                assert wire.ask("GET", "/admin/x", "api").status == 403
                assert wire.ask("POST", "/x", "api").status == 403
            text = proxy.page("metrics", "/metrics").body.decode()
            stats = json.loads(proxy.page("admin", "/stats?format=json").body)
            assert proxy.page("admin", "/stats?format=xml").status == 400
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    edge = {"direction": "inbound", "caller": spiffe_id("web"), "service": "api", "route": ""}
    for rule, code, count in (("reads", "200", 2), ("no admin", "403", 1), ("", "403", 1)):
        labels = {**edge, "rule": rule, "code": code}
        assert samples["meshc_requests_total", tuple(sorted(labels.items()))] == count
        labels = {**edge, "rule": rule}
        assert samples["meshc_request_duration_seconds_count", tuple(sorted(labels.items()))] == count
        labels["le"] = "+Inf"
        assert samples["meshc_request_duration_seconds_bucket", tuple(sorted(labels.items()))] == count
    told = {
        (sample["name"], tuple(sorted(sample["labels"].items())))
        for metric in stats["metrics"]
        for sample in metric["samples"]
    }
    assert told == samples.keys()
    if (promtool := shutil.which("promtool")) is not None:
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr


def test_the_number_of_series_has_a_bound_and_nothing_is_lost() -> None:
    metrics = RequestMetrics(max_decisions=10)
    for number in range(1000):
        record = AccessRecord(direction="inbound", caller=f"caller {number}", service="api", status=200)
        metrics.count(record, 0.002)
    requests, durations = metrics.families()
    assert len(requests.samples) == 11
    assert sum(sample.value for sample in requests.samples) == 1000
    sums = [sample.value for sample in durations.samples if sample.name.endswith("_sum")]
    assert math.isclose(sum(sums), 2.0)
    assert dict(requests.samples[-1].labels)["caller"] == "other"


def test_what_labels_hold_is_escaped() -> None:
    metrics = ProxyMetrics()
    name = 'a "rule"\\ of\ntwo lines'
    metrics.requests.count(AccessRecord(direction="inbound", service="api", rule=name, status=200), 0.1)
    found = {
        sample.labels["rule"]
        for family in text_string_to_metric_families(metrics.render())
        for sample in family.samples
        if "rule" in sample.labels
    }
    assert found == {name}


def test_why_of_what_comes_in(tmp_path: Path) -> None:
    with ScriptedApp() as app, RunningProxy(called(tmp_path, app.port)[0], tmp_path / "api") as proxy:
        allowed = why(proxy, "web -> api GET /v1/../x?full=1")
        assert (allowed["allowed"], allowed["rule"], allowed["path"]) == (True, "reads", "/x")
        assert (allowed["direction"], allowed["caller"], allowed["port"]) == ("inbound", spiffe_id("web"), 8080)
        denied = why(proxy, "web -> api:8080 GET /admin/x")
        assert (denied["allowed"], denied["status"], denied["rule"]) == (False, 403, "no admin")
        nobody = why(proxy, "stranger -> api GET /x")
        assert (nobody["allowed"], nobody["rule"], nobody["reason"]) == (False, None, "not allowed")
        assert why(proxy, "plaintext -> api GET /x")["allowed"] is False
        rpc = why(proxy, "web -> api rpc pay.v1.Payments/Charge")
        assert (rpc["allowed"], rpc["path"]) == (False, "/pay.v1.Payments/Charge")
        for text in (
            "nonsense",
            "web -> other GET /",
            "web -> api:81 GET /",
            'web -> api GET / {x: "1}',
            "web -> api tcp",
        ):
            answer = proxy.page("admin", f"/why?request={quote_plus(text)}")
            assert (answer.status, answer.body.count(b"\n")) == (400, 1), text
        assert proxy.page("admin", "/why").status == 400
        assert app.requests == []


def test_why_of_what_goes_out(tmp_path: Path) -> None:
    files = ProxyAuthority(tmp_path / "certs").issue("web")
    beta = route("new", name="beta").model_copy(update={"condition": HeaderEquals(name="x-beta", value="1")})
    snapshot = caller(
        files,
        [service([beta, route(("c", 9), ("new", 1))]), service([route("c")], name="bank", port=443, rules=[])],
        [plain_cluster("c", 1), plain_cluster("new", 1)],
    )
    with RunningProxy(snapshot, tmp_path / "web") as proxy:
        plain = why(proxy, "web -> api GET /x")
        assert (plain["allowed"], plain["route"], plain["decided_by"]) == (True, "default", "callee")
        assert plain["destinations"] == [{"cluster": "c", "weight": 9}, {"cluster": "new", "weight": 1}]
        assert why(proxy, 'web -> api GET /x {x-beta: "1", x-other: "a, b"}')["route"] == "beta"
        bank = why(proxy, "web -> bank POST /transfers")
        assert (bank["allowed"], bank["status"], bank["decided_by"]) == (False, 403, "here")
        unknown = why(proxy, "web -> ledger GET /")
        assert (unknown["allowed"], unknown["status"]) == (False, 403)


@pytest.mark.parametrize(
    ("text", "target", "headers"),
    [
        ("a -> b GET /", "/", ()),
        ('a -> b GET /x?y=1 {x-a: "1"}', "/x?y=1", (("x-a", "1"),)),
        ('a -> b.public GET / {X-A: "\\"q\\" }", b: ""}', "/", (("x-a", '"q" }'), ("b", ""))),
        ("a->b rpc /p.S/M", "/p.S/M", ()),
    ],
)
def test_requests_are_read(text: str, target: str, headers: tuple[tuple[str, str], ...]) -> None:
    question = parse_question(text)
    assert (question.caller, question.callee, question.target, question.headers) == ("a", "b", target, headers)


@pytest.mark.parametrize(
    "text", ["", "a -> b", "a b GET /", "a -> b GET x", "a -> b GET / {x: 1}", 'a -> b GET / {x: "\\n"}']
)
def test_other_texts_are_no_requests(text: str) -> None:
    with pytest.raises(QuestionError):
        parse_question(text)


def test_levels_of_the_log(tmp_path: Path) -> None:
    files = ProxyAuthority(tmp_path / "certs").issue("web")
    with (
        ScriptedApp() as app,
        RunningProxy(caller(files, [service([route("c")])], [plain_cluster("c", app.port)]), tmp_path / "web") as proxy,
        proxy.outbound() as wire,
    ):
        assert json.loads(proxy.page("admin", "/logging").body) == {"level": "info"}
        assert json.loads(post(proxy, "/logging?level=error").body) == {"level": "error"}
        wire.ask("GET", "/fine", "api")
        wire.ask("GET", "/refused", "ledger")
        assert json.loads(post(proxy, "/logging?level=info").body) == {"level": "info"}
        wire.ask("GET", "/again", "api")
        assert [
            record["original_path"] if record["path"] == "" else record["path"] for record in proxy.log(count=2)
        ] == [
            "/refused",
            "/again",
        ]
        assert post(proxy, "/logging?level=loud").status == 400
        assert post(proxy, "/stats").status == 405
        assert proxy.page("admin", "/logging?level=off").status == 405


def test_a_level_stands_above_what_the_program_chose() -> None:
    fine = AccessRecord(direction="inbound", status=200)
    failed = AccessRecord(direction="inbound", status=503)
    refused = AccessRecord(direction="inbound", status=403, reason="denied")
    wanted = {
        ("on", LogLevel.INFO): (True, True, True),
        ("errors", LogLevel.INFO): (False, True, True),
        ("off", LogLevel.INFO): (False, False, False),
        ("on", LogLevel.ERROR): (False, True, True),
        ("off", LogLevel.ERROR): (False, False, False),
        ("off", LogLevel.DEBUG): (True, True, True),
        ("on", LogLevel.OFF): (False, False, False),
    }
    for (chosen, level), verdicts in wanted.items():
        for record, verdict in zip((fine, failed, refused), verdicts, strict=True):
            record.logged = chosen
            assert is_logged(record, level) is verdict, (chosen, level, record)


def test_callers_are_told_why_only_if_asked(tmp_path: Path) -> None:
    with ScriptedApp() as app:
        snapshot, authority = called(tmp_path, app.port)
        web = authority.issue("web")
        for arguments, body in ((), b"forbidden\n"), (("--tell-callers-why",), b"forbidden: denied by rule no admin\n"):
            with (
                RunningProxy(snapshot, tmp_path / "api", *arguments) as proxy,
                Wire(proxy.addresses["inbound"], identity=web, server_name=API_NAME) as wire,
            ):
                assert wire.ask("GET", "/admin/x", "api").body == body
                (record,) = proxy.log(lambda record: record["status"] == 403)
                assert (record["rule"], record["reason"]) == ("no admin", "denied")
                assert bool(proxy.errors().count("warning")) is bool(arguments)
            (tmp_path / "api" / "access.log").unlink()


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    snapshot, _ = called(tmp_path, 1)
    rules = [
        RULES[0].model_copy(update={"id": name, "condition": condition})
        for name, condition in (
            ("a", HeaderEquals(name="authorization", value="Bearer s3cret")),
            ("b", HeaderOneOf(name="x-api-key", values=("s3cret",))),
            ("c", HeaderEquals(name="x-beta", value="shown")),
        )
    ]
    port = snapshot.inbound[0].model_copy(update={"rules": tuple(rules)})
    text = json.dumps(public_config(snapshot.model_copy(update={"inbound": (port,)})))
    assert "s3cret" not in text
    assert "shown" in text


def test_certificates_are_told_with_their_ends(tmp_path: Path) -> None:
    snapshot, _ = called(tmp_path, 1)
    with RunningProxy(snapshot, tmp_path / "api") as proxy:
        certs = json.loads(proxy.page("admin", "/certs").body)
    assert certs["spiffe_id"] == spiffe_id("api")
    assert 0 < certs["seconds_left"] <= 86_400
    assert [authority["subject"] for authority in certs["authorities"]] == ["CN=test authority"]

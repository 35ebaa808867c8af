"""The rules of the target `prometheus`: their text, that Prometheus and its operator take them, and when they fire."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from meshc_backends.artifact import Loss
from meshc_backends.build import BuildInput, BuildResult, build
from meshc_backends.prometheus.burn_rate import Urgency, burn_rates, range_text
from meshc_compiler.ir.dump import mesh_digest
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.codes import Code
from meshc_lang.codes.targets import OBJECTIVE_NOT_MEASURED, OBJECTIVE_WITHOUT_RULES

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).parent / "golden"
OPERATOR = ROOT.parent / "shared" / "schemas" / "prometheus-operator-v0.93.0"
PROMTOOL = shutil.which("promtool")
HOUR_NS = 3_600_000_000_000

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool on PATH (Debian: the package prometheus)")

SHOP = """\
edition 2026
mesh shop { trust-domain: "shop.example" }
service api { port: 8080/http }
service pay { ports { public: 8080/http, rpc: 9090/grpc } }
allow ingress -> api : GET /**
allow api -> pay : *
slo api { availability: 99.9%, latency-p99: 300ms }
slo pay { availability: 90%, latency-p50: 20ms, window: 7d }
"""


def built(folder: Path, text: str, *targets: str, path: str = "shop.mesh") -> BuildResult:
    """Build a program into `build` below a folder."""
    index = compile_program((path,), MemoryReader({path: text})).index
    assert index is not None
    source = BuildInput(
        program=mesh_digest(index.mesh),
        compiler="test",
        tests=(0, 0),
        authority=folder / "authority",
        now=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )
    return build(index, targets, folder / "build", source)


def rules_of(folder: Path, text: str, *targets: str) -> Path:
    result = built(folder, text, "prometheus", *targets)
    assert result.written, result.diagnostics
    return folder / "build" / "prometheus" / "rules.yaml"


def slo(terms: str) -> str:
    return SHOP.replace("slo pay {", "# slo pay {").replace("availability: 99.9%, latency-p99: 300ms", terms)


# ---- the files


@pytest.mark.parametrize("name", ["rules.yaml", "prometheus-rule.yaml"])
def test_golden(name: str, tmp_path: Path, update_golden: bool) -> None:
    text = rules_of(tmp_path, SHOP).with_name(name).read_text()
    if update_golden:
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_the_object_holds_what_the_file_holds(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, SHOP)
    found = yaml.safe_load(rules.with_name("prometheus-rule.yaml").read_text())
    assert found["metadata"]["name"] == "shop-slo"
    assert found["spec"] == yaml.safe_load(rules.read_text())


@pytest.mark.skipif(not OPERATOR.exists(), reason="no schemas of the Prometheus operator beside the checkout")
def test_the_object_passes_the_operators_schema(tmp_path: Path) -> None:
    definition = yaml.safe_load((OPERATOR / "monitoring.coreos.com_prometheusrules.yaml").read_text())
    (schema,) = [one["schema"]["openAPIV3Schema"] for one in definition["spec"]["versions"] if one["name"] == "v1"]
    found = yaml.safe_load(rules_of(tmp_path, SHOP).with_name("prometheus-rule.yaml").read_text())
    jsonschema.Draft202012Validator(schema).validate(found)
    assert set(found["spec"]) <= set(schema["properties"]["spec"]["properties"])


def test_names_are_safe_in_kubernetes(tmp_path: Path) -> None:
    text = SHOP.replace("mesh shop", f"mesh My_{'long' * 20}_Shop")
    name = yaml.safe_load(rules_of(tmp_path, text).with_name("prometheus-rule.yaml").read_text())["metadata"]["name"]
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)


def test_the_order_of_the_program_does_not_matter(tmp_path: Path) -> None:
    lines = SHOP.splitlines()
    turned = "\n".join([*lines[:2], *reversed(lines[2:])]) + "\n"
    (tmp_path / "turned").mkdir()

    def without_places(path: Path) -> str:
        return re.sub(r"statement: .*", "", path.read_text())

    assert without_places(rules_of(tmp_path, SHOP)) == without_places(rules_of(tmp_path / "turned", turned))


@pytest.mark.parametrize(
    ("path", "told"),
    [("mesh/shop.mesh", "mesh/shop.mesh:7"), ("/home/me/shop.mesh", "shop.mesh:7"), ("../shop.mesh", "shop.mesh:7")],
)
def test_an_alert_tells_where_the_promise_stands_but_nothing_of_the_machine(
    path: str, told: str, tmp_path: Path
) -> None:
    assert built(tmp_path, SHOP, "prometheus", path=path).written
    text = (tmp_path / "build" / "prometheus" / "rules.yaml").read_text()
    assert f'statement: "{told}"' in text


def test_a_program_without_promises_has_no_rules(tmp_path: Path) -> None:
    assert built(tmp_path, OBJECTIVE_WITHOUT_RULES.good, "prometheus").written
    assert not (tmp_path / "build" / "prometheus").exists()


# ---- what is measured


def test_a_bound_of_an_objective_is_one_that_envoy_counts_by(tmp_path: Path) -> None:
    text = rules_of(tmp_path, SHOP).read_text()
    assert r'le=~"300(\\.0)?"' in text
    bootstrap = (tmp_path / "build" / "envoy" / "api.json").read_text()
    assert "250, 300, 500" in bootstrap
    assert "stats_config" not in (tmp_path / "build" / "envoy" / "ingress.json").read_text()


def test_the_python_proxy_counts_by_the_bound_below_and_the_manifest_says_so(tmp_path: Path) -> None:
    result = built(tmp_path, slo("latency-p99: 300ms"), "prometheus", "sidecar")
    assert result.written
    (narrowed,) = [one for one in result.reservations if one.target == "prometheus"]
    assert narrowed.loss is Loss.NARROWED
    assert narrowed.subject == "`latency-p99` of `slo api`"
    assert narrowed.reason == (
        "sidecars of `sidecar` do not count by 300ms: the alerts hold them to 250ms, which is stricter"
    )
    text = (tmp_path / "build" / "prometheus" / "rules.yaml").read_text()
    assert 'le="0.25"' in text
    assert "envoy" not in text


def test_both_kinds_of_sidecars_are_counted_together(tmp_path: Path) -> None:
    text = rules_of(tmp_path, slo("availability: 99%"), "envoy", "sidecar").read_text()
    assert (
        '  sum(rate(envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="inbound_api_8080",'
        'envoy_response_code_class="5"}[5m]) or '
        'rate(meshc_requests_total{direction="inbound",service="api",code=~"5.."}[5m]))\n'
    ) in text


# ---- how fast a budget may burn


def test_the_rates_of_thirty_days_are_those_of_the_workbook() -> None:
    assert [
        (rate.urgency, rate.tenths, range_text(rate.long), range_text(rate.short))
        for rate in burn_rates(30 * 24 * HOUR_NS)
    ] == [
        (Urgency.PAGE, 144, "1h", "5m"),
        (Urgency.PAGE, 60, "6h", "30m"),
        (Urgency.TICKET, 30, "1d", "2h"),
        (Urgency.TICKET, 10, "3d", "6h"),
    ]


@pytest.mark.parametrize("hours", [1, 24, 7 * 24, 28 * 24, 366 * 24])
def test_other_windows_are_scaled(hours: int) -> None:
    rates = burn_rates(hours * HOUR_NS)
    assert {rate.urgency for rate in rates} == set(Urgency)
    for rate in rates:
        assert 2 <= rate.short <= rate.long
        # What is told has used up no more of the budget than of thirty days, but for what rounding adds.
        assert rate.tenths / 10 * (rate.long - 2) <= 0.1 * hours * 60


def test_more_than_every_request_cannot_fail() -> None:
    fast, *_ = burn_rates(30 * 24 * HOUR_NS)
    assert fast.threshold(1_000) == "0.0144"
    assert fast.threshold(1) == "0.0000144"
    assert fast.threshold(100_000) is None


# ---- what is told


def test_a_build_without_rules_says_that_nothing_watches(tmp_path: Path) -> None:
    result = built(tmp_path, OBJECTIVE_WITHOUT_RULES.bad, "envoy")
    assert result.written
    (finding,) = result.diagnostics
    assert finding.code is OBJECTIVE_WITHOUT_RULES
    assert finding.message == "nothing of this build watches over `slo api`"
    assert finding.help == "build the target `prometheus` too: it makes recording rules and alerts of it"
    assert finding.primary.first.line == 7


@pytest.mark.parametrize("targets", [("certs",), ("envoy", "prometheus"), ("prometheus",)], ids=str)
def test_a_build_with_rules_or_without_sidecars_says_nothing(targets: tuple[str, ...], tmp_path: Path) -> None:
    assert built(tmp_path, OBJECTIVE_WITHOUT_RULES.bad, *targets).diagnostics == ()


@pytest.mark.parametrize("target", ["envoy", "sidecar"])
def test_what_nobody_measures_is_refused(target: str, tmp_path: Path) -> None:
    result = built(tmp_path, OBJECTIVE_NOT_MEASURED.bad, "prometheus", target)
    assert not result.written
    (finding,) = result.diagnostics
    assert finding.code is OBJECTIVE_NOT_MEASURED
    assert finding.message == f"`latency-p99` of `api` is 200us, less than the sidecars of `{target}` tell apart"
    assert finding.primary.text == "latency-p99: 200us"


@pytest.mark.parametrize("code", [OBJECTIVE_NOT_MEASURED, OBJECTIVE_WITHOUT_RULES], ids=str)
def test_the_good_program_of_a_page_is_built(code: Code, tmp_path: Path) -> None:
    assert built(tmp_path, code.good, "prometheus").diagnostics == ()


def test_calls_of_grpc_are_measured_by_both_proxies(tmp_path: Path) -> None:
    text = slo("availability: 99%").replace("8080/http", "8080/grpc", 1).replace("GET /**", "*")
    for sidecars in (["sidecar"], ["sidecar", "envoy"]):
        assert built(tmp_path, text, "prometheus", *sidecars).written


# ---- when they fire


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, cwd=folder, check=False)


def firing(folder: Path, rules: Path, series: dict[str, str], minute: int) -> set[tuple[str, str]]:
    """Return the name and objective of each alert that fires at a minute; a series has a sample a minute."""
    loaded = yaml.safe_load(rules.read_text())
    alerts = {
        (rule["alert"], rule["labels"]["objective"])
        for group in loaded["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    return {
        alert for alert in sorted(alerts) if _fires(folder, rules, series, minute, name=alert[0], objective=alert[1])
    }


def _fires(folder: Path, rules: Path, series: dict[str, str], minute: int, *, name: str, objective: str) -> bool:
    case: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}",objective="{objective}",alertstate="firing"}}) or vector(0)',
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
        ],
    }
    file = folder / "case.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [os.fspath(rules)], "evaluation_interval": "1m", "tests": [case]}))
    done = promtool("test", "rules", file.name, folder=folder)
    if done.returncode == 0:
        return True
    assert "got:" in done.stdout + done.stderr, done.stdout + done.stderr
    return False


ENVOY_PORT = 'envoy_http_conn_manager_prefix="inbound_api_8080",instance="a"'


def answers(good: str, bad: str) -> dict[str, str]:
    return {
        f'envoy_http_downstream_rq_xx{{{ENVOY_PORT},envoy_response_code_class="{code}"}}': values
        for code, values in (("2", good), ("5", bad))
    }


@needs_promtool
@pytest.mark.parametrize("targets", [("envoy",), ("sidecar",), ("envoy", "sidecar")], ids=str)
def test_prometheus_takes_the_rules(targets: tuple[str, ...], tmp_path: Path) -> None:
    done = promtool("check", "rules", str(rules_of(tmp_path, SHOP, *targets)), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("0+980x120", "0+20x120", {"ErrorBudgetBurnsFast", "ErrorBudgetBurnsSlowly"}),
        ("0+10000x120", "0+5x120", set()),
        # Over since forty minutes: nobody is woken for it, but it has cost a part of the budget.
        ("0+980x120", "0+20x80 1600x40", {"ErrorBudgetBurnsSlowly"}),
        ("0x120", "0x120", set()),
    ],
    ids=["failing", "within the budget", "over", "nothing is asked"],
)
def test_alerts_about_failures(good: str, bad: str, told: set[str], tmp_path: Path) -> None:
    rules = rules_of(tmp_path, slo("availability: 99.9%"))
    found = firing(tmp_path, rules, answers(good, bad), 119)
    assert found == {(name, "availability") for name in told}


@needs_promtool
@pytest.mark.parametrize("bound", ["300", "300.0"], ids=["Prometheus 2", "Prometheus 3"])
@pytest.mark.parametrize(("fast", "told"), [(80, True), (999, False)])
def test_alerts_about_slowness(bound: str, fast: int, told: bool, tmp_path: Path) -> None:
    rules = rules_of(tmp_path, slo("latency-p99: 300ms"))
    asked = 100 if told else 1000
    series = {
        f'envoy_http_downstream_rq_time_bucket{{{ENVOY_PORT},le="{bound}"}}': f"0+{fast}x120",
        f'envoy_http_downstream_rq_time_bucket{{{ENVOY_PORT},le="+Inf"}}': f"0+{asked}x120",
        f"envoy_http_downstream_rq_time_count{{{ENVOY_PORT}}}": f"0+{asked}x120",
    }
    names = {"ErrorBudgetBurnsFast", "ErrorBudgetBurnsSlowly"} if told else set()
    assert firing(tmp_path, rules, series, 119) == {(name, "latency-p99") for name in names}


@needs_promtool
def test_a_python_proxy_that_has_seen_no_failure_has_no_counter_of_it(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, slo("availability: 99.9%"), "sidecar")
    labels = 'direction="inbound",service="api",route="",rule="r",instance="a"'
    series = {f'meshc_requests_total{{{labels},code="200"}}': "0+98x120"}
    assert firing(tmp_path, rules, series, 119) == set()
    series[f'meshc_requests_total{{{labels},code="503"}}'] = "0+2x120"
    assert firing(tmp_path, rules, series, 119) == {
        ("ErrorBudgetBurnsFast", "availability"),
        ("ErrorBudgetBurnsSlowly", "availability"),
    }

"""Raw cases of public corpora against both doors: what must be refused is, and nothing rides behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshc_runtime.snapshot import ConnectionGuards
from support.proxy_app import ScriptedApp
from support.proxy_authority import ProxyAuthority
from support.proxy_corpus import DESYNC, PROBE, RawCase, desync_cases, probe_cases
from support.proxy_mesh import caller, plain_cluster, route, service
from support.proxy_process import RunningProxy

CLOSING = {400, 405, 408, 426, 431, 505}
BEHIND = b"GET /behind HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n"


@dataclass
class Trial:
    app: ScriptedApp
    proxy: RunningProxy


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder: Path = tmp_path_factory.mktemp("corpus")
    guards = ConnectionGuards(head_timeout_ms=200, body_idle_timeout_ms=200, idle_timeout_ms=200)
    files = ProxyAuthority(folder / "certs").issue("web")
    with ScriptedApp() as app:
        snapshot = caller(
            files,
            [service([route("c")], hosts=["api", "example.com", "other.example.com"])],
            [plain_cluster("c", app.port)],
            guards=guards,
        )
        with RunningProxy(snapshot, folder / "web") as proxy:
            yield Trial(app=app, proxy=proxy)


def judge(trial: Trial, case: RawCase) -> None:
    trial.app.requests.clear()
    with trial.proxy.outbound() as wire:
        wire.send(case.data + (b"" if case.unfinished else BEHIND))
        answers = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d\d\d) ", wire.rest())]
    seen = trial.app.paths
    if case.refused is True:
        assert seen == [], f"reached the app: {seen}"
        assert answers == [] or (len(answers) == 1 and answers[0] in CLOSING), answers
    elif case.refused is False:
        assert 200 in answers, answers
    assert seen.count("/behind") <= 1
    assert len(seen) <= 2
    if answers and answers[0] in CLOSING:
        assert "/behind" not in seen
    for request in trial.app.requests:
        assert "transfer-encoding" not in request.headers or "content-length" not in request.headers


@pytest.mark.skipif(not PROBE.is_dir(), reason="the http11probe corpus is not beside the repository")
def test_http11probe(trial: Trial) -> None:
    cases = probe_cases()
    assert len(cases) > 60
    assert sum(case.refused is True for case in cases) > 25
    judge_all(trial, cases)


@pytest.mark.skipif(not DESYNC.is_dir(), reason="the http-desync-guardian corpus is not beside the repository")
def test_http_desync_guardian(trial: Trial) -> None:
    cases = desync_cases()
    assert len(cases) > 60
    judge_all(trial, cases)


def judge_all(trial: Trial, cases: list[RawCase]) -> None:
    failures: list[str] = []
    for case in cases:
        try:
            judge(trial, case)
        except AssertionError as error:
            failures.append(f"{case.name}: {case.data!r}: {error}")
    assert not failures, "\n".join(failures)

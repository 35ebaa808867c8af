"""Shares: how many of many requests go to each version."""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from meshc_lang.request import Request
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Probe
from support.agreement_process import Voice
from support.agreement_stage import compiled, without_limits

REQUESTS = 400
DEVIATIONS = 5.5
"""Standard deviations that a share may be off: less than one false alarm in ten million."""


def _shares(mesh: AgreementMesh, probe: Probe) -> Counter[str | None]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        seen = list(pool.map(mesh.send, [probe] * REQUESTS))
    assert all(one.answer.status == 200 and one.count == 1 for one in seen)
    return Counter(one.tries[0].place.version for one in seen)


@pytest.mark.parametrize(
    ("program", "path", "shares"),
    [
        ("routes", "/split/x", {"v1": 0.75, "v2": 0.25}),
        ("examples/shop", "/v1/orders/42", {"v1": 0.9, "v2": 0.1}),
        ("routes", "/elsewhere", {"v1": 0.5, "v2": 0.5}),
    ],
)
@pytest.mark.parametrize("voice", list(Voice))
def test_versions_get_their_shares(
    stage_of: Any, voice: Voice, program: str, path: str, shares: dict[str, float]
) -> None:
    probe = Probe(request=Request(caller="web", callee="api", method="GET", path=path))
    with stage_of(program, index=without_limits(compiled(program)), voices=(voice,)) as stage:
        assert {place.version for place in stage.expect(probe).places} == set(shares)
        counts = _shares(stage.mesh(voice), probe)

    assert set(counts) == set(shares)
    for version, share in shares.items():
        tolerance = DEVIATIONS * math.sqrt(REQUESTS * share * (1 - share))
        off = abs(counts[version] - REQUESTS * share)
        assert off <= tolerance, f"{voice}: {version} got {counts[version]} of {REQUESTS}, expected {share:.0%}"

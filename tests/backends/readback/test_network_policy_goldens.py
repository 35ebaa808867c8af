"""Network policies mean to our reader what they mean to an analyser that others wrote, on the manifests they chose.

`pytest -rs` lists the outputs that are not compared, each with the reason. Three things are passed over in those that
are: lines about `{ingress-controller}` (Ingress and Route objects: no manifest shows the controller's pods), lines
about exposure to pods that no manifest names, and IPv6, of which the outputs say nothing.
"""

from __future__ import annotations

import pytest

from support.network_policy_goldens import ROOT, Golden, expected, found, goldens, left_out

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="the shared corpus is not beside this checkout")


@pytest.mark.parametrize("golden", goldens(), ids=lambda golden: golden.path.name)
def test_the_reader_agrees_with_the_expected_connectivity(golden: Golden) -> None:
    if (reason := left_out(golden)) is not None:
        pytest.skip(reason)
    ours, theirs = found(golden), expected(golden)
    assert ours.keys() == theirs.keys()
    for ends in sorted(ours):
        assert ours[ends] == theirs[ends], ends


def test_most_outputs_are_compared() -> None:
    assert sum(left_out(golden) is None for golden in goldens()) >= 140

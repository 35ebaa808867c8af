"""Ports of other protocols than HTTP/1.1: the Python proxy refuses them all, and passes nothing unchecked.

What Envoy does with gRPC is tried by the tests of its backend, with a client that speaks HTTP/2.
"""

from __future__ import annotations

from typing import Any

from meshc_lang.request import Request
from support.agreement_probe import Entrance, Probe
from support.agreement_process import Voice

CALLS = (("stock", "POST", "/stock.v1.Stock/Look"), ("feed", "GET", "/x"), ("cache", "GET", "/"))


def test_the_python_proxy_refuses_what_it_does_not_speak(stage_of: Any) -> None:
    with stage_of("protocols", voices=(Voice.PYTHON,)) as stage:
        mesh = stage.mesh(Voice.PYTHON)
        for callee, method, path in CALLS:
            for entrance in Entrance:
                request = Request(caller="web", callee=callee, method=method, path=path)
                seen = mesh.send(Probe(request=request, entrance=entrance))
                assert seen.answer.status is None or seen.answer.status >= 400, seen.text
                assert seen.count == 0, seen.text

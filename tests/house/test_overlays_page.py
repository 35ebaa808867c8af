"""What docs/overlays.md says can be named by a path, can."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_all

PAGE = Path(__file__).resolve().parents[2] / "docs" / "overlays.md"

PROGRAM = """\
mesh shop { trust-domain: "shop.example", mtls: strict }
service web { port: 8080/http }
service api { port: 8080/http, versions: [v1, v2], replicas: 3, health { path: /healthz, interval: 5s } }
service payments { port: 9090/grpc, labels: {pci: "true"} }
service ledger { port: 9091/grpc }
external stripe { hosts: ["api.stripe.com"], port: 443/tls, tls { min: "1.3" } }
group pci = where service.pci == "true"
jwt corp { issuer: "https://id.example", audiences: ["shop"], jwks: "https://id.example/keys.json" }
let slow = 4s
allow any -> api : GET /**
allow web -> payments : rpc pay.v1.Payments/Charge
allow payments -> ledger : rpc ledger.v1.Ledger/Post
allow payments -> stripe : POST /v1/charges
allow ingress -> web : GET /
defaults mesh { timeout: 5s }
defaults api { retry { limit: 1, on: [connect-failure], budget: 20% } }
edge web -> api { timeout: slow }
route api {
  /** => v1 95%, v2 5% as canary { timeout: 3s }
  /beta/** => v2 as beta
}
slo api { availability: 99.9%, window: 30d }
fault slow-ledger on payments -> ledger { delay: 250ms, percent: 1% }
"""


def test_the_overlay_of_the_page_is_one_of_a_program() -> None:
    (overlay,) = re.findall(r"```mesh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    program = PROGRAM.replace("fault slow-ledger", "fault slow-payments")
    result = compile_all(("p.mesh",), MemoryReader({"p.mesh": program + overlay}))
    assert [f"{one.code} {one.message}" for one in result.diagnostics if one.severity == "error"] == []
    assert result.overlays[0].mesh is not None


def paths() -> list[str]:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [path for row in rows for path in re.findall(r"`([^`]+)`", row)] + ["api.defaults", "api.route"]


@pytest.mark.parametrize("path", paths())
def test_each_path_of_the_page_names_something(path: str) -> None:
    result = compile_all(("p.mesh",), MemoryReader({"p.mesh": PROGRAM + f"overlay o {{ drop {path} }}\n"}))
    assert [one.message for one in result.diagnostics if one.code.id.startswith("MSH7")] == []

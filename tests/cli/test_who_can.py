"""`meshc who-can` as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from support.meshc_command import ROOT, run

PROGRAM = """\
mesh shop { trust-domain: "shop.example" }
service web { port: 80/http, mtls: permissive }
service mobile { port: 80/http }
service api { ports { pages: 80/http, admin: 81/http } }
service ledger { port: 70/tcp }
external stripe { hosts: ["api.stripe.com"], port: 443/tls }
group fronts = web | mobile
allow ingress -> web : GET /**
allow plaintext -> web : GET /public/**
allow fronts -> api.pages : GET /v1/**, POST /v1/orders if header "x-csrf" present
allow any -> api.pages : GET /healthz
allow "spiffe://shop.example/ns/ops/sa/robot" -> api.admin : *
deny any -> api.pages : /v1/admin/** because "break-glass only"
allow api -> ledger : tcp
allow api -> stripe : POST /v1/charges
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.mesh").write_text(PROGRAM)
    return tmp_path


def test_callers_with_the_same_rights_are_told_together(shop: Path) -> None:
    done = run("who-can", ".", "api.pages", cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == """\
api.pages: 4 callers, every other identity of the mesh, 1 more through others

mobile, web
  GET /healthz                                 shop.mesh:11:26
    mobile -> api.pages GET /healthz
  GET /v1/**                                   shop.mesh:10:29
    but not * /v1/admin/**                     shop.mesh:13:25
    mobile -> api.pages GET /v1
  POST /v1/orders if header "x-csrf" present   shop.mesh:10:41
    mobile -> api.pages POST /v1/orders {x-csrf: "x"}

any identity of the mesh that is not listed here, such as ingress, ledger
  GET /healthz   shop.mesh:11:26
    ingress -> api.pages GET /healthz

through others
  plaintext -> web -> api
"""
    )


def test_json_is_the_contract(shop: Path) -> None:
    done = run("who-can", "shop.mesh", "ledger", "--format", "json", cwd=shop)
    told = json.loads(done.stdout)
    assert told["version"] == 1
    (direct,) = told["direct"]
    assert direct["from"] == "api"
    (requests,) = direct["requests"]
    assert requests["text"] == "tcp"
    assert requests["witness"]["text"] == "api -> ledger tcp"
    assert (requests["span"]["file"], requests["span"]["line"]) == ("shop.mesh", 14)
    chains = {tuple(chain["chain"]) for chain in told["through"]}
    assert ("web", "api", "ledger") in chains
    assert ("plaintext", "web", "api", "ledger") in chains
    assert ("spiffe://shop.example/ns/ops/sa/robot", "api", "ledger") in chains
    for chain in told["through"]:
        assert chain["decided"]
        assert [witness["to"] for witness in chain["witnesses"]] == chain["chain"][1:]
        for witness in chain["witnesses"]:
            why = run("why", ".", witness["text"], "--format", "json", cwd=shop)
            assert json.loads(why.stdout)[0]["allowed"] is True, witness["text"]
            break  # one of each chain: a process is dear


@pytest.mark.parametrize(
    ("words", "nobody"),
    [
        (("api", "GET", "/v1/orders"), False),
        (("api.pages", "DELETE /v1/orders"), True),
        (("api.pages", "GET /v1/admin/x"), True),
        (("api.pages", "POST", "/v1/orders", "if", "header", '"x-csrf"', "present"), False),
        (("ledger", "tcp"), False),
        (("shop.mesh", "api", "GET", "/healthz"), False),
    ],
)
def test_some_requests_can_be_asked_about(shop: Path, words: tuple[str, ...], nobody: bool) -> None:
    done = run("who-can", *words, cwd=shop)
    assert done.returncode == 0, done.stderr
    assert ("nobody can call it" in done.stdout) is nobody


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("apj",), 1, "did you mean `api`?"),
        (("api.pagse",), 1, "did you mean `pages`?"),
        (("ingress",), 1, "`ingress` has no port"),
        (("api", "rpc x.Y/Z"), 1, "MSH203"),
        (("api", "GET /a//{id"), 1, "error[MSH"),
        (("api", "GET /a allow web -> api : *"), 1, "error[MSH"),
        (("api", "GET /a\nallow web -> api : *"), 1, "one matcher"),
        (("api", 'GET /a because "x"'), 1, "one matcher"),
        (("nowhere", "api"), 2, "there is no file or directory `nowhere`"),
        ((".", "api", "orders"), 2, "`orders` is no matcher"),
        ((".", "api", "--overlay", "staging"), 2, "there is no overlay"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_answered_is_told(shop: Path, words: tuple[str, ...], status: int, said: str) -> None:
    done = run("who-can", *words, cwd=shop)
    assert done.returncode == status, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_the_services_name_is_no_hindrance(shop: Path) -> None:
    (shop / "api").mkdir()
    for words in (("api",), (".", "api"), ("api", "GET", "/healthz"), (".", "api", "GET /healthz")):
        done = run("who-can", *words, cwd=shop)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("api")


def test_chains_with_a_request_for_each_call(shop: Path) -> None:
    done = run("who-can", "ledger", "--via", cwd=shop)
    assert (
        "  plaintext -> web -> api -> ledger\n"
        "    plaintext -> web GET /public\n"
        "    web -> api.pages GET /v1\n"
        "    api -> ledger tcp\n"
    ) in done.stdout


def test_a_program_with_errors_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "p.mesh").write_text("service web {}\nallow web -> wbe : *\n")
    done = run("who-can", ".", "web", cwd=tmp_path)
    assert done.returncode == 1
    assert "MSH101" in done.stderr
    assert done.stdout == ""


def test_dot_is_a_graph(shop: Path) -> None:
    done = run("who-can", "ledger", "--format", "dot", cwd=shop)
    assert done.stdout.startswith("digraph callers {")
    assert '  "web" -> "api";' in done.stdout
    dot = shutil.which("dot")
    if dot is not None:
        subprocess.run([dot, "-Tsvg"], input=done.stdout.encode(), check=True, capture_output=True)


def test_an_overlay_has_callers_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "p.mesh").write_text(
        'mesh m { trust-domain: "m.example" }\nservice a {}\nservice b { port: 80/http }\nservice c {}\n'
        "allow a -> b : GET /x\noverlay staging { allow c -> b : GET /y }\n"
    )
    assert "\nc\n" not in run("who-can", "b", cwd=tmp_path).stdout
    assert "\nc\n" in run("who-can", "b", "--overlay", "staging", cwd=tmp_path).stdout


def test_the_example_of_the_readme_is_real() -> None:
    done = run("who-can", "examples/shop", "ledger", cwd=ROOT)
    assert "ingress -> web -> api -> payments -> ledger" in done.stdout

"""Every verb on good and on broken input: what it says, where, and with which exit status."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from meshc_lang.codes import CODES
from meshc_lang.tables import load_tables
from support.meshc_command import ROOT, invoke, run

GOOD = """\
mesh shop { trust-domain: "shop.example" }
service web { port: 8080/http }
service api { port: 8080/http, versions: [v1, v2] }
allow web -> api : GET /v1/** because "the pages need orders"
deny any -> api : /v1/admin/**
edge web -> api { timeout: 2s, retry { limit: 1, on: [s503], budget: 12.5%, idempotent: true } }
route api { /v1/** => v1 90%, v2 10% as canary }
limit web -> api 500/s burst 100 per header "x-user"
assert never api -> web
test "orders" {
  web -> api GET /v1/orders is allowed, timeout 2s
  api -> web GET / is denied
}
allow ingress -> web : GET /home
"""
BROKEN = 'mesh shop { trust-domain: "shop.example" }\nservice web { port: 8080/http }\nallow wbe -> web : GET /**\n'
FAILING = GOOD.replace("api -> web GET / is denied", "api -> web GET / is allowed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.mesh").write_text(GOOD)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bad.mesh").write_text(BROKEN)
    (tmp_path / "failing.mesh").write_text(FAILING)
    return tmp_path


def test_check_says_what_a_clean_program_holds(folder: Path) -> None:
    result = invoke("check", "good.mesh")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "mesh shop: 2 services, 3 rules, 1 assert proved; no findings\n"
    assert json.loads(invoke("check", "good.mesh", "--format", "json").stdout) == {"version": 1, "findings": []}


def test_check_shows_findings_as_text_on_standard_output(folder: Path) -> None:
    result = invoke("check", "bad")
    assert result.exit_code == 1
    assert result.stdout.startswith("error[MSH101] unknown-name: ")
    assert " --> bad/bad.mesh:3:7\n3 | allow wbe -> web : GET /**\n  |       ^^^" in result.stdout
    assert result.stdout.endswith("\nerror: 1 error (1 fixable with `meshc check --fix --unsafe`)\n")


def test_check_as_json_follows_the_contract(folder: Path) -> None:
    result = invoke("check", "bad", "--format", "json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    (finding,) = document["findings"]
    assert {"code", "name", "severity", "message", "primary", "related", "witness", "fixes", "fingerprint"} <= set(
        finding
    )
    assert (finding["code"], finding["severity"], finding["witness"]) == ("MSH101", "error", None)
    assert finding["primary"] == {"file": "bad/bad.mesh", "line": 3, "column": 7, "end_line": 3, "end_column": 10}
    (fix,) = finding["fixes"]
    assert set(fix) == {"title", "applicability", "edits"}
    assert fix["edits"] == [{"span": finding["primary"], "text": "web"}]
    assert re.fullmatch("[0-9a-f]{32}", finding["fingerprint"])


def test_check_finds_all_of_a_program_at_once_and_in_order(folder: Path) -> None:
    (folder / "bad" / "also.mesh").write_text("servce x {}\nallow web -> nobody : GET /\n")
    told = [f["primary"]["file"] for f in json.loads(invoke("check", "bad", "--format", "json").stdout)["findings"]]
    assert told == ["bad/also.mesh", "bad/also.mesh", "bad/bad.mesh"]


def test_warnings_fail_only_when_they_are_asked_to(folder: Path) -> None:
    (folder / "odd.mesh").write_text(
        'mesh m { trust-domain: "m.example" }\nservice a { port: 80/http }\nservice b { port: 80/http }\n'
        "allow a -> b : GET /**\nallow a -> b : GET /x\n"
    )
    result = invoke("check", "odd.mesh")
    assert "warning[" in result.stdout
    assert result.exit_code == 0
    assert invoke("check", "odd.mesh", "--strict").exit_code == 1
    assert invoke("check", "odd.mesh", "--fail-level", "warning").exit_code == 1


@pytest.mark.parametrize(
    ("content", "code"), [(b"\xff\xfe", "MSH081"), (b"service a {\n", "MSH004"), (None, "MSH084"), ("dir", "MSH082")]
)
@pytest.mark.parametrize("verb", ["check", "fmt", "test", "build", "up"])
def test_input_that_cannot_be_read_is_a_finding_everywhere(
    folder: Path, verb: str, content: bytes | str | None, code: str
) -> None:
    path = folder / "odd"
    if content == "dir":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    result = invoke(verb, "odd")
    assert result.exit_code == 1
    assert f"error[{code}]" in result.output
    assert not (folder / "build").exists()


def test_why_of_a_program_that_cannot_be_read(folder: Path) -> None:
    result = invoke("why", "bad", "web -> api GET /")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[MSH101]" in result.stderr


def test_the_working_directory_is_the_program_if_none_is_named(folder: Path) -> None:
    (folder / "failing.mesh").unlink()
    (folder / "bad" / "bad.mesh").unlink()
    assert invoke("check").exit_code == 0
    assert invoke("why", "web -> api GET /v1/x").exit_code == 0


def test_fmt_writes_the_canonical_form_and_then_is_content(folder: Path) -> None:
    path = folder / "messy.mesh"
    path.write_text("service   a {port:80/http}   # kept\n")
    path.chmod(0o640)
    assert invoke("fmt", "--check", "messy.mesh").exit_code == 1
    diff = invoke("fmt", "--diff", "messy.mesh")
    assert diff.exit_code == 1
    assert "-service   a {port:80/http}   # kept\n+service a { port: 80/http }" in diff.stdout
    assert path.read_text().startswith("service   a")
    assert invoke("fmt", "messy.mesh").stdout == "formatted messy.mesh\n"
    assert path.read_text() == "service a { port: 80/http }  # kept\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert (invoke("fmt", "messy.mesh").exit_code, invoke("fmt", "messy.mesh").stdout) == (0, "")
    assert invoke("fmt", "--check", "messy.mesh").exit_code == 0
    assert sorted(p.name for p in folder.iterdir()) == ["bad", "failing.mesh", "good.mesh", "messy.mesh"]


def test_fmt_of_standard_input(folder: Path) -> None:
    result = invoke("fmt", "-", stdin="service  a  {}")
    assert (result.exit_code, result.stdout) == (0, "service a {}\n")
    assert invoke("fmt", "--check", "-", stdin="service  a  {}").exit_code == 1
    broken = invoke("fmt", "-", stdin=b"\xff")
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "error[MSH081]" in broken.stderr
    assert invoke("fmt", "-", "good.mesh").exit_code == 2


def test_fmt_leaves_a_broken_file_alone_and_does_the_others(folder: Path) -> None:
    (folder / "bad" / "bad.mesh").write_text("service  a {\n")
    (folder / "bad" / "fine.mesh").write_text("service  b  {}\n")
    result = invoke("fmt", "bad")
    assert result.exit_code == 1
    assert (folder / "bad" / "bad.mesh").read_text() == "service  a {\n"
    assert (folder / "bad" / "fine.mesh").read_text() == "service b {}\n"


def test_fmt_touches_the_files_named_and_not_what_they_import(folder: Path) -> None:
    (folder / "main.mesh").write_text('import  "lib.mesh"\nimport "absent.mesh"\n')
    (folder / "lib.mesh").write_text("service  a  {}\n")
    assert invoke("fmt", "main.mesh").stdout == "formatted main.mesh\n"
    assert (folder / "main.mesh").read_text() == 'import "lib.mesh"\nimport "absent.mesh"\n'
    assert (folder / "lib.mesh").read_text() == "service  a  {}\n"


def test_fmt_writes_through_a_link_and_keeps_it(folder: Path) -> None:
    (folder / "real.mesh").write_text("service  a  {}\n")
    (folder / "link.mesh").symlink_to("real.mesh")
    assert invoke("fmt", "link.mesh").exit_code == 0
    assert (folder / "link.mesh").is_symlink()
    assert (folder / "real.mesh").read_text() == "service a {}\n"


def test_test_runs_the_cases(folder: Path) -> None:
    result = invoke("test", "good.mesh")
    assert result.exit_code == 0
    assert result.stdout == (
        "orders\n"
        "  ✓ web -> api GET /v1/orders is allowed, timeout 2s\n"
        "  ✓ api -> web GET / is denied\n"
        "2 cases, all as expected\n"
    )
    result = invoke("test", "failing.mesh", "--quiet")
    assert result.exit_code == 1
    assert result.stdout == (
        "orders\n"
        "  ✗ api -> web GET / (failing.mesh:12:3)\n"
        "      expected allowed\n"
        "      actually denied (no allow matches)\n"
        "2 cases, 1 failed\n"
    )


def test_test_as_json(folder: Path) -> None:
    result = invoke("test", "failing.mesh", "--format", "json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["version"] == 1
    assert [case["passed"] for case in document["cases"]] == [True, False]
    case = document["cases"][1]
    assert set(case) == {"name", "passed", "expected", "actual", "span"}
    assert case["span"]["line"] == 12
    assert document["coverage"] == {"classes": 9, "covered": 3}


def test_why_tells_rule_route_and_settings_with_their_places(folder: Path) -> None:
    result = invoke("why", "good.mesh", "web -> api GET /v1/orders")
    assert result.exit_code == 0
    assert result.stdout == (
        "web -> api GET /v1/orders\n"
        "  allowed\n"
        "    allow web -> api : GET /v1/** because the pages need orders   good.mesh:4:20\n"
        "    goes to v1 90%, v2 10% by canary                              good.mesh:7:13\n"
        "    timeout 2s                                                    good.mesh:6:19 (edge)\n"
        "    retry limit 1                                                 good.mesh:6:40 (edge)\n"
        "    retry on [s503]                                               good.mesh:6:50 (edge)\n"
        "    retry budget 12.5%                                            good.mesh:6:62 (edge)\n"
        "    retry idempotent true                                         good.mesh:6:77 (edge)\n"
        "    limit 500/s burst 100 per header x-user                       good.mesh:8:1\n"
    )


def test_why_tells_what_is_compared_and_what_would_allow_it(folder: Path) -> None:
    shown = invoke("why", "good.mesh", "web -> api GET /v1//x/../%61dmin/y", "web -> api PUT /new").stdout
    assert "  compared as /v1/admin/y\n  denied (403)\n    deny any -> api : * /v1/admin/**" in shown
    assert "  denied (403): no allow matches it\n  to allow it: add `allow web -> api : PUT /new`\n" in shown


def test_why_as_json_is_an_array_by_the_contract(folder: Path) -> None:
    result = invoke(
        "why", "good.mesh", 'web -> api GET /v1/x?full=1 {x-user: "a"}', "web -> api PUT /new", "--format", "json"
    )
    assert result.exit_code == 0
    allowed, denied = json.loads(result.stdout)
    assert allowed["request"] == {
        "text": 'web -> api GET /v1/x?full=1 {x-user: "a"}',
        "from": "web",
        "to": "api",
        "port": None,
        "protocol": "http",
        "method": "GET",
        "path": "/v1/x",
        "query": "full=1",
        "headers": {"x-user": "a"},
        "claims": {},
    }
    assert allowed["allowed"] is True
    (rule,) = allowed["rules"]
    assert (rule["effect"], rule["because"], rule["span"]["line"]) == ("allow", "the pages need orders", 4)
    assert allowed["route"]["rule"]["line"] == 7
    assert allowed["route"]["destinations"] == [
        {"service": "api", "version": "v1", "weight": 90},
        {"service": "api", "version": "v2", "weight": 10},
    ]
    assert allowed["settings"]["timeout_ms"]["value"] == 2000
    assert allowed["settings"]["timeout_ms"]["span"]["line"] == 6
    retry = allowed["settings"]["retry"]
    assert (retry["limit"]["value"], retry["on"]["value"], retry["budget_percent"]["value"]) == (1, ["s503"], 12.5)
    assert allowed["flip"]["title"] == "add `deny web -> api : GET /v1/x`"
    assert denied["allowed"] is False
    assert denied["rules"] == []
    assert denied["flip"]["title"] == "add `allow web -> api : PUT /new`"
    assert denied["flip"]["edits"][0]["text"] == ", PUT /new"
    assert denied["flip"]["opens"] == {"count": 0, "witness": None}


def test_why_answers_standard_input_line_by_line(folder: Path) -> None:
    lines = "web -> api GET /v1/x\n\n# a comment\nnobody -> api GET /\nnonsense\n" + "api -> web GET /\n" * 500
    result = invoke("why", "good.mesh", "-", "--format", "json", stdin=lines)
    assert result.exit_code == 1
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(answers) == 503
    assert answers[0]["allowed"] is True
    assert answers[1]["request"] == {"text": "nobody -> api GET /"}
    assert answers[1]["findings"][0]["code"] == "MSH101"
    assert answers[2]["findings"]
    assert all(answer["allowed"] is False for answer in answers[3:])


def test_why_of_a_request_that_is_none(folder: Path) -> None:
    result = invoke("why", "good.mesh", "web -> ap GET /")
    assert result.exit_code == 1
    assert "error[MSH101]" in result.stderr
    assert "<request>:1:8" in result.stderr
    assert invoke("why", "good.mesh").exit_code == 2
    assert invoke("why", "good.mesh", "-", "web -> api GET /").exit_code == 2


def test_why_can_be_asked_of_a_program_whose_assert_does_not_hold(folder: Path) -> None:
    (folder / "odd.mesh").write_text(GOOD.replace("assert never api -> web", "assert never web -> api"))
    assert invoke("check", "odd.mesh").exit_code == 1
    assert invoke("build", "odd.mesh", "--target", "sidecar").exit_code == 1
    assert not (folder / "build").exists()
    assert "allowed" in invoke("why", "odd.mesh", "web -> api GET /v1/x").stdout


def test_build_writes_all_four_targets_and_then_changes_nothing(folder: Path) -> None:
    command = ("build", "good.mesh", "--out", "out", "--target", "envoy,sidecar,kubernetes,certs")
    result = invoke(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    assert {path.name for path in (folder / "out").iterdir()} == {
        "certs",
        "envoy",
        "kubernetes",
        "manifest.json",
        "program.json",
        "sidecar",
    }
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    proved = manifest["proved"]
    assert proved["assertions"] == [{"text": "never api -> web", "because": None}]
    assert (proved["tests_passed"], proved["tests_failed"]) == (2, 0)
    by_target = {one["target"]: one for one in proved["read_back"]}
    assert by_target["sidecar"]["meaning"] == "equal"
    assert by_target["kubernetes"]["meaning"] == "superset"
    before = {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}
    again = invoke(*command)
    assert "(nothing changed)" in again.stdout
    assert {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()} == before
    assert not list((folder / "out").rglob("*authority*"))
    assert (folder / ".meshc" / "authority").stat().st_mode & 0o077 == 0


def test_build_says_what_it_added_dropped_and_what_failed(folder: Path) -> None:
    result = invoke("build", "failing.mesh", "--target", "kubernetes")
    assert "added certs and envoy, which kubernetes needs" in result.stdout
    assert "1 of 2 test cases not as expected: see `meshc test`" in result.stdout
    result = invoke("build", "good.mesh", "--target", "sidecar")
    assert "gone from the bundle: certs, envoy, kubernetes" in result.stdout
    assert invoke("build", "good.mesh", "--target", "sidecar", "--quiet").output == ""


def test_build_under_strict_writes_nothing_for_a_warning(folder: Path) -> None:
    (folder / "raw.mesh").write_text(
        'mesh m { trust-domain: "m.example" }\nservice a {}\n'
        'external b { hosts: ["b.example"], port: 81/tcp }\nallow a -> b : tcp\n'
    )
    result = invoke("build", "raw.mesh", "--target", "sidecar", "--strict")
    assert result.exit_code == 1
    assert "warning[MSH820]" in result.stderr
    assert not (folder / "build").exists()
    result = invoke("build", "raw.mesh", "--target", "sidecar")
    assert result.exit_code == 0
    assert result.stderr.count("\n") == 1
    assert "refused by sidecar: 1 part of the program" in result.stdout


def test_build_keeps_silent_what_a_comment_says(folder: Path) -> None:
    (folder / "raw.mesh").write_text(
        "# meshc: ignore-file[MSH820] Envoy carries it\n"
        'mesh m { trust-domain: "m.example" }\nservice a {}\n'
        'external b { hosts: ["b.example"], port: 81/tcp }\nallow a -> b : tcp\n'
    )
    result = invoke("build", "raw.mesh", "--target", "sidecar", "--strict")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "refused by sidecar: 1 part of the program" in result.stdout
    assert invoke("check", "raw.mesh", "--strict").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("build", "--target", "kubernets"), "did you mean `kubernetes`?"),
        (("build", "--target", ","), "name at least one target"),
        (("chekc",), "did you mean `check`?"),
        (("zzzzzzz",), "see `meshc --help`"),
        (("explain", "MSH999"), "there is no diagnostic `MSH999`"),
        (("check", "--format", "yaml"), "'yaml'"),
        (("check", "--max-errors", "-1"), "-1"),
        (("proxy",), "give the path of a snapshot"),
        (("up", "--config", "nothing.toml", "good.mesh"), "there is no file `nothing.toml`"),
    ],
)
def test_a_command_line_that_means_nothing_is_a_usage_error(
    folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""


def test_a_place_that_cannot_be_written_is_a_finding(folder: Path) -> None:
    result = invoke("build", "good.mesh", "--out", "/proc/meshc/out", "--target", "sidecar")
    assert result.exit_code == 1
    assert "error[MSH862]" in result.stderr
    result = invoke("build", "good.mesh", "--out", "good.mesh", "--target", "sidecar")
    assert "error[MSH861]" in result.stderr
    assert (folder / "good.mesh").read_text() == GOOD


def test_certs_inspect_names_identities_and_never_shows_a_key(folder: Path) -> None:
    invoke("build", "good.mesh", "--target", "certs", "--quiet")
    result = invoke("certs", "inspect", "build", ".meshc/authority")
    assert result.exit_code == 0
    assert (
        "build/certs/web/cert-chain.pem\n  spiffe://shop.example/ns/default/sa/web  (workload)\n    valid until "
        in result.stdout
    )
    assert "  spiffe://shop.example  (authority)" in result.stdout
    assert "key.pem\n" not in result.stdout.replace("-with-key.pem\n", "")
    for path in (*folder.rglob("key.pem"), *folder.rglob("*-with-key.pem")):
        secret = path.read_text().split("PRIVATE KEY-----")[1].split()[0]
        assert secret not in result.stdout
    document = json.loads(invoke("certs", "inspect", "build", "--format", "json").stdout)
    assert document["version"] == 1
    (web,) = [file for file in document["files"] if file["path"] == "build/certs/web/cert-chain.pem"]
    assert web["certificates"][0]["identity"] == "spiffe://shop.example/ns/default/sa/web"
    assert web["certificates"][0]["valid_now"] is True
    assert web["certificates"][0]["faults"] == []


def test_certs_inspect_of_something_else(folder: Path) -> None:
    result = invoke("certs", "inspect", "good.mesh")
    assert (result.exit_code, result.stdout) == (1, "good.mesh\n  holds no certificate that can be read\n")
    assert invoke("certs", "inspect", "bad").exit_code == 1
    assert invoke("certs", "inspect", "nothing").exit_code == 2


def test_the_bytes_of_a_build_do_not_depend_on_the_process(folder: Path) -> None:
    for seed in ("1", "2"):
        done = run(
            "build",
            ROOT / "examples" / "boutique",
            "--out",
            f"out{seed}",
            "--target",
            "envoy,sidecar",
            "-q",
            cwd=folder,
            PYTHONHASHSEED=seed,
        )
        assert done.returncode == 0, done.stderr
    one, two = (
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (folder / "out1", folder / "out2")
    )
    assert one == two
    assert len(one) > 20


def test_explain_lists_a_family_and_prints_all(folder: Path) -> None:
    for family in ("MSH3", "msh3xx", "3xx"):
        listed = invoke("explain", family).stdout
        assert "MSH302 redundant-allow" in listed
        assert "MSH4" not in listed
    assert "MSH411" in invoke("explain", "MSH41").stdout
    everything = invoke("explain", "--all").stdout
    for code in CODES.values():
        assert invoke("explain", code.name).stdout in everything
    assert invoke("explain", "--all", "MSH302").exit_code == 2


def test_explain_as_json(folder: Path) -> None:
    (one,) = json.loads(invoke("explain", "redundant-allow", "--format", "json").stdout)["codes"]
    code = CODES["MSH302"]
    assert one == {
        "code": "MSH302",
        "name": "redundant-allow",
        "severity": "warning",
        "family": "authorisation",
        "summary": code.summary,
        "why": code.why,
        "bad": code.bad,
        "good": code.good,
        "files": None,
    }
    every = json.loads(invoke("explain", "--all", "--format", "json").stdout)["codes"]
    assert [entry["code"] for entry in every] == sorted(CODES)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("redundant-alow", "; did you mean `redundant-allow`?"),
        ("MSH320", "; did you mean `MSH302`"),
        ("MSH", "; `meshc explain` lists them all"),
        ("nothing-of-the-kind", "; `meshc explain` lists them all"),
    ],
)
def test_explain_of_what_is_unknown_says_what_may_be_meant(folder: Path, wrong: str, meant: str) -> None:
    result = invoke("explain", wrong)
    assert result.exit_code == 2
    assert f"there is no diagnostic `{wrong}`{meant}" in result.output


def test_explain_prints_pages_and_the_list(folder: Path) -> None:
    page = invoke("explain", "MSH101").stdout
    assert page.startswith("MSH101 unknown-name (error)\n")
    assert "Yields it:" in page
    assert invoke("explain", "msh101").stdout == invoke("explain", "unknown-name").stdout == page
    listing = invoke("explain").stdout
    assert "MSH101 unknown-name" in listing
    assert "MSH860 output-not-a-bundle" in listing


def test_the_schema_of_snapshots_is_printed(folder: Path) -> None:
    schema = json.loads(invoke("proxy", "--print-schema").stdout)
    assert schema["properties"]["version"]["const"] == 1


def test_a_snapshot_that_is_none_is_refused_by_the_proxy(folder: Path) -> None:
    (folder / "snapshot.json").write_text("{}")
    done = run("proxy", "snapshot.json", cwd=folder)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_help_lists_the_verbs_and_hides_the_hidden() -> None:
    shown = invoke("--help").stdout
    assert [line.split()[0] for line in shown.split("Verbs:\n")[1].split("\n\n")[0].splitlines()] == [
        "check",
        "fmt",
        "test",
        "why",
        "who-can",
        "diff",
        "build",
        "up",
        "certs",
        "proxy",
        "explain",
        "lsp",
        "version",
    ]
    for verb in (
        "certs",
        "check",
        "fmt",
        "test",
        "why",
        "who-can",
        "diff",
        "build",
        "up",
        "proxy",
        "explain",
        "lsp",
        "version",
        "demo",
    ):
        assert invoke(verb, "--help").exit_code == 0


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from meshc.main import main; main(['--help'])\n"
        "heavy = {'lark', 'pydantic', 'cryptography', 'jinja2', 'kubernetes', 'meshc_compiler', 'meshc_backends'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_check_of_a_sound_program_imports_nothing_that_it_does_not_need(folder: Path) -> None:
    # What is listed took between 2 and 60 ms to import when a check took 110 in all.
    load_tables()
    script = (
        "import sys; from meshc.start import put_off; put_off()\n"
        "before = set(sys.modules); from meshc.checking import check_plainly; check_plainly(('good.mesh',))\n"
        "heavy = {'lark', 'pydantic', 'cryptography', 'jinja2', 'kubernetes', 'yaml', 'asyncio', 'ssl', 'subprocess'}\n"
        "heavy |= {'hashlib', 'ipaddress', 'logging', 'pathlib', 'shutil', 'tempfile', 'textwrap', 'urllib'}\n"
        "heavy |= {'meshc_backends', 'meshc_runtime', 'meshc.render.text', 'meshc_lang.parse_errors'}\n"
        "heavy |= {'meshc_lang.codes.table', 'meshc_lang.codes.targets', 'click', 'json', 'threading'}\n"
        "never = {'ast', 'dis', 'lark', 'linecache', 'pydantic', 'tokenize'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules) - before | never & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bug_is_one_line_and_status_3(folder: Path) -> None:
    script = (
        "import sys, meshc.compiling as c\n"
        "def broken(paths, *rest, **options): raise RuntimeError('sorry')\n"
        "c.compile_paths = c.compile_every = broken\n"
        "from meshc.main import main; sys.exit(main(['check', 'good.mesh']))"
    )
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=folder, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("meshc: internal error: RuntimeError: sorry\nThis is a bug in meshc")
    (crash,) = folder.glob("meshc-*.txt")
    assert "def broken" not in done.stderr
    assert "RuntimeError: sorry" in crash.read_text()
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**environment, "MESHC_DEBUG": "1"},
        cwd=folder,
        check=False,
    )
    assert done.returncode == 3
    assert "Traceback" in done.stderr


def test_output_that_nobody_reads_any_more_ends_quietly(folder: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "meshc", "explain"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 141
    child.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_output_for_which_there_is_no_room_is_told_in_a_line(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "meshc", "explain", "--all"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr == "meshc: this could not be written: no space left on device\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_swallow_what_is_said(folder: Path, closed: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m meshc check bad {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 1
    assert done.stderr == ""


def test_the_help_of_up_shows_its_file_line_by_line(folder: Path) -> None:
    lines = run("up", "--help", cwd=folder).stdout.splitlines()
    assert "    [workload.web]" in lines
    assert not [line for line in lines if "\\b" in line]


def test_an_ascii_terminal_is_no_obstacle(folder: Path) -> None:
    (folder / "bad" / "bad.mesh").write_text('mesh m { trust-domain: "m.example" }\n# ü\nallow ü -> b : GET /\n')
    for arguments in (("check", "bad"), ("test", "good.mesh"), ("explain",), ("--help",)):
        done = run(*arguments, cwd=folder, PYTHONIOENCODING="ascii", LC_ALL="C")
        assert done.returncode in {0, 1}, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout.isascii()


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert invoke("--version").stdout == f"meshc {version('meshc')}\n"
    assert invoke("version").stdout.startswith(f"meshc {version('meshc')} (Python ")


@pytest.mark.parametrize("example", ["boutique", "shop"])
def test_the_examples_are_clean_and_their_tests_pass(example: str) -> None:
    path = ROOT / "examples" / example
    assert invoke("check", path, "--strict").exit_code == 0
    assert invoke("test", path).exit_code == 0


def test_why_shows_how_to_deny_what_is_allowed_if_asked(folder: Path) -> None:
    shown = invoke("why", "good.mesh", "web -> api GET /v1/other", "--flip").stdout
    assert "  to deny it: add `deny web -> api : GET /v1/other`\n" in shown
    told = invoke("why", "good.mesh", "web -> api GET /v1/orders", "--flip").stdout
    assert "  to deny it: every small edit would break the test `orders: web -> api GET /v1/orders`\n" in told
    assert "to allow" not in invoke("why", "good.mesh", "web -> api PUT /new", "--no-flip").stdout
    lines = b"web -> api PUT /new\n"
    quiet = invoke("why", "good.mesh", "-", "--format", "json", stdin=lines)
    assert json.loads(quiet.stdout)["flip"] is None
    asked = invoke("why", "good.mesh", "-", "--flip", "--format", "json", stdin=lines)
    assert json.loads(asked.stdout)["flip"]["title"] == "add `allow web -> api : PUT /new`"

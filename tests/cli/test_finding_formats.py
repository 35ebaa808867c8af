"""Findings in the formats of CI servers and code scanning: valid, complete, stable, and safe from what users write."""

from __future__ import annotations

import functools
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc.render import FORMS
from meshc.reporting import Reporting
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.codes import CODES, Code, Severity
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix, Label, fingerprints
from meshc_lang.request import Request
from meshc_lang.source import SourceText, Span
from support.meshc_command import ROOT, invoke

SCHEMA = ROOT.parent / "shared" / "schemas" / "sarif-2.1.0" / "sarif-schema-2.1.0.json"
HEAD = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 80/http, versions: [v1, v2] }\n'
PROGRAM = (
    HEAD
    + """\
allow web -> api : /**
allow web -> api : GET /x  # meshc: ignore[MSH302] shown in the guide
allow web -> api : GET /y
allow web -> api : GET /y/z
assert never web -> api : GET /secret
route api {
  /v1/** => v1 as stable over orders
  POST /v1/orders => v2 as orders
}
"""
)
MACHINE_FORMS = [form for form in FORMS if form != "text"]


@functools.cache
def sarif_validator() -> Any:
    if not SCHEMA.exists():
        pytest.skip("the SARIF schema is not at hand")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


def validated(text: str) -> Any:
    document = json.loads(text)
    problems = [f"{list(error.absolute_path)}: {error.message}" for error in sarif_validator().iter_errors(document)]
    assert problems == []
    return document


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.mesh").write_text(PROGRAM)
    return tmp_path


def told(form: str, *diagnostics: Diagnostic, files: tuple[str, ...] = ()) -> str:
    return Reporting.of(form, "error", strict=False, max_errors=50).document(diagnostics, (), files)


def run_of(*arguments: str) -> Any:
    result = invoke("check", *arguments, "--format", "sarif")
    (run,) = validated(result.stdout)["runs"]
    return run


# ---- SARIF


def test_sarif_is_valid_and_complete(folder: Path) -> None:
    run = run_of()
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["MSH302", "MSH310", "MSH412"]
    for rule in rules:
        code = CODES[rule["id"]]
        assert rule["name"] == code.name
        assert code.why in rule["help"]["text"]
        assert code.bad.strip() in rule["help"]["markdown"]
        assert "helpUri" not in rule
        assert len(rule["properties"]["tags"]) <= 20
    results = run["results"]
    assert [(one["ruleId"], one["level"]) for one in results] == [
        ("MSH302", "warning"), ("MSH302", "warning"), ("MSH302", "warning"), ("MSH310", "error"), ("MSH412", "warning"),
    ]  # fmt: skip
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in results)
    assert run["columnKind"] == "unicodeCodePoints"


def test_sarif_tells_places_witness_and_fixes(folder: Path) -> None:
    results = run_of()["results"]
    violated = results[3]
    place = violated["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "shop.mesh", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 8, "startColumn": 1, "endLine": 8, "endColumn": 38}
    (related,) = violated["relatedLocations"]
    assert related["message"]["text"] == "allows the request"
    assert related["physicalLocation"]["region"]["startLine"] == 4
    assert "witness: web -> api GET /secret" in violated["message"]["text"]
    assert violated["properties"]["witness"]["path"] == "/secret"
    (fix,) = results[1]["fixes"]
    assert fix["description"]["text"] == "delete this statement"
    assert fix["properties"] == {"applicability": "safe"}
    (change,) = fix["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "shop.mesh"
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 6, "startColumn": 1, "endLine": 7, "endColumn": 1},
            "insertedContent": {"text": ""},
        }
    ]


def test_sarif_names_what_keeps_a_finding_silent(folder: Path) -> None:
    results = run_of()["results"]
    (suppression,) = results[0]["suppressions"]
    assert (suppression["kind"], suppression["justification"]) == ("inSource", "shown in the guide")
    assert suppression["location"]["physicalLocation"]["region"]["startLine"] == 5
    assert [one["suppressions"] for one in results[1:]] == [[], [], [], []]
    (folder / "shop.mesh").write_text(HEAD + "allow web -> api : /**\nallow web -> api : GET /x\n")
    assert "suppressions" not in run_of()["results"][0]


def fingerprints_of(run: Any) -> list[str]:
    return [one["partialFingerprints"]["meshcFinding/v1"] for one in run["results"]]


def test_fingerprints_do_not_depend_on_lines_files_or_suppression(folder: Path) -> None:
    before = fingerprints_of(run_of())
    assert len(set(before)) == 5
    (folder / "shop.mesh").write_text(
        "# a comment\n\n\n" + PROGRAM.replace("  # meshc: ignore[MSH302] shown in the guide", "")
    )
    assert fingerprints_of(run_of()) == before
    (folder / "shop.mesh").write_text(PROGRAM.partition("route api")[0])
    (folder / "sub").mkdir()
    (folder / "sub" / "routes.mesh").write_text("route api" + PROGRAM.partition("route api")[2])
    assert sorted(fingerprints_of(run_of())) == sorted(before)


def test_equal_findings_have_fingerprints_of_their_own() -> None:
    source = SourceText("a.mesh", "xx xx xx\n")
    code = next(iter(CODES.values()))
    equal = [Diagnostic(code=code, message="m", primary=source.span(at, at + 2)) for at in (0, 3, 6)]
    assert len(set(fingerprints(equal))) == 3
    assert fingerprints(equal)[0] == equal[0].fingerprint
    assert fingerprints(equal)[:2] == fingerprints(equal[:2])


def test_every_code_can_be_told_in_every_format() -> None:
    for code in CODES.values():
        found = compile_program(("p.mesh",), MemoryReader({"p.mesh": code.bad})).diagnostics if code.bad else ()
        validated(told("sarif", *found, files=("p.mesh",)))
        ET.fromstring(told("junit", *found, files=("p.mesh",)))
        assert len(json.loads(told("gitlab", *found))) == len(found)
        assert told("github", *found).count("\n") == len(found)


def test_paths_in_sarif_are_references(folder: Path) -> None:
    (folder / "shop.mesh").unlink()
    (folder / "a b%").mkdir()
    (folder / "a b%" / "ü#.mesh").write_text("allow\n")
    (artifact,) = {
        json.dumps(one["locations"][0]["physicalLocation"]["artifactLocation"]) for one in run_of()["results"]
    }
    assert json.loads(artifact) == {"uri": "a%20b%25/%C3%BC%23.mesh", "uriBaseId": "%SRCROOT%"}
    outside = told(
        "sarif", Diagnostic(code=CODES["MSH101"], message="m", primary=SourceText("../x.mesh", "a").span(0, 1))
    )
    uri = validated(outside)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert uri == {"uri": (folder.parent / "x.mesh").resolve().as_uri()}


def test_a_file_that_cannot_be_read_has_a_location_without_a_region(folder: Path) -> None:
    (folder / "odd.mesh").write_bytes(b"\xff")
    (result,) = run_of("odd.mesh")["results"]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "odd.mesh", "uriBaseId": "%SRCROOT%"}
    }


# ---- GitHub, JUnit, GitLab


def test_github_annotations(folder: Path) -> None:
    result = invoke("check", "--format", "github")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[2] == (
        "::error file=shop.mesh,line=8,col=1,endLine=8,endColumn=38,title=MSH310 assertion-violated::"
        "the assert `never web -> api : GET /secret` does not hold%0Ashop.mesh:4:20: allows the request%0A"
        "witness: web -> api GET /secret%0Aexplain: meshc explain MSH310"
    )
    assert [line.partition(" ")[0] for line in lines] == ["::warning", "::warning", "::error", "::warning"]


def test_github_annotations_cannot_be_forged() -> None:
    source = SourceText("a,b:c%.mesh", "x\n")
    text = told(
        "github",
        Diagnostic(
            code=CODES["MSH101"], message="`a\n::stop::\r%0A,x:y`", primary=source.span(0, 1), help="two\nlines"
        ),
    )
    assert text == (
        "::error file=a%2Cb%3Ac%25.mesh,line=1,col=1,endLine=1,endColumn=2,title=MSH101 unknown-name::"
        "`a\\n::stop::\\r%250A,x:y`%0Ahelp: two%0Alines%0Aexplain: meshc explain MSH101\n"
    )


def test_junit_has_a_suite_for_each_file_and_a_case_for_each_finding(folder: Path) -> None:
    (folder / "empty.mesh").write_text("# nothing\n")
    root = ET.fromstring(invoke("check", "--format", "junit").stdout)
    clean, shop = root.findall("testsuite")
    assert (clean.get("name"), [case.get("name") for case in clean]) == ("empty.mesh", ["no findings"])
    assert (shop.get("tests"), shop.get("failures"), shop.get("skipped")) == ("5", "1", "4")
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "1", "0")
    cases = shop.findall("testcase")
    names = [(case.get("classname"), case.get("name")) for case in cases]
    assert len(set(names)) == 5
    failure = cases[3].find("failure")
    assert failure is not None
    assert failure.get("message") == "the assert `never web -> api : GET /secret` does not hold"
    assert "witness: web -> api GET /secret" in (failure.text or "")
    assert (cases[3].get("file"), cases[3].get("line")) == ("shop.mesh", "8")
    silent = cases[0].find("skipped")
    assert silent is not None
    assert silent.get("message") == "suppressed: shown in the guide"


def test_junit_fails_where_the_command_fails(folder: Path) -> None:
    strict = ET.fromstring(invoke("check", "--format", "junit", "--strict").stdout)
    assert strict.get("failures") == "4"


def test_gitlab_code_quality(folder: Path) -> None:
    issues = json.loads(invoke("check", "--format", "gitlab").stdout)
    assert [issue["severity"] for issue in issues] == ["minor", "minor", "major", "minor"]
    assert len({issue["fingerprint"] for issue in issues}) == 4
    assert issues[2]["check_name"] == "MSH310"
    assert issues[2]["location"]["path"] == "shop.mesh"
    assert issues[2]["location"]["positions"]["begin"] == {"line": 8, "column": 1}


@pytest.mark.parametrize("form", MACHINE_FORMS)
def test_a_clean_program_in_every_format(folder: Path, form: str) -> None:
    (folder / "shop.mesh").write_text(HEAD + "allow web -> api : /**\n")
    result = invoke("check", "--format", form)
    assert result.exit_code == 0
    clean: dict[str, object] = {"json": {"version": 1, "findings": []}, "gitlab": []}
    if form in clean:
        assert json.loads(result.stdout) == clean[form]
    elif form == "github":
        assert result.stdout == ""
    elif form == "junit":
        assert ET.fromstring(result.stdout).get("failures") == "0"
    else:
        assert validated(result.stdout)["runs"][0]["results"] == []


@pytest.mark.parametrize("form", MACHINE_FORMS)
def test_the_same_findings_give_the_same_bytes(folder: Path, form: str) -> None:
    assert invoke("check", "--format", form).stdout == invoke("check", "--format", form).stdout


def test_json_tells_what_is_kept_silent_apart(folder: Path) -> None:
    document = json.loads(invoke("check", "--format", "json").stdout)
    assert len(document["findings"]) == 4
    (silent,) = document["suppressed"]
    assert (silent["code"], silent["suppression"]["reason"]) == ("MSH302", "shown in the guide")
    assert silent["suppression"]["until"] is None
    assert len({one["fingerprint"] for one in [*document["findings"], silent]}) == 5


# ---- other verbs

CASES = HEAD + (
    "allow web -> api : GET /x\n"
    'test "<b>&" {\n  web -> api GET /x is allowed\n  web -> api GET /y?a=%25 is allowed\n}\n'
)


def test_test_as_junit(folder: Path) -> None:
    (folder / "shop.mesh").write_text(CASES)
    result = invoke("test", "--format", "junit")
    assert result.exit_code == 1
    (suite,) = ET.fromstring(result.stdout).findall("testsuite")
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("<b>&", "2", "1")
    passed, failed = suite.findall("testcase")
    assert (passed.get("name"), len(passed)) == ("web -> api GET /x", 0)
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message") == "expected allowed, actually denied (no allow matches)"
    assert (failed.get("file"), failed.get("line")) == ("shop.mesh", "7")


def test_test_in_the_formats_of_findings(folder: Path) -> None:
    (folder / "shop.mesh").write_text(CASES)
    (result,) = validated(invoke("test", "--format", "sarif").stdout)["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("MSH990", "error")
    assert "this request is denied (no allow matches); the case expects allowed" in result["message"]["text"]
    assert invoke("test", "--format", "github").stdout.startswith("::error file=shop.mesh,line=7,")
    assert [one["check_name"] for one in json.loads(invoke("test", "--format", "gitlab").stdout)] == ["MSH990"]


@pytest.mark.parametrize("verb", ["test", "build"])
@pytest.mark.parametrize("form", MACHINE_FORMS)
def test_a_broken_program_is_told_on_standard_output_in_the_format(folder: Path, verb: str, form: str) -> None:
    (folder / "shop.mesh").write_text("servce x {}\n")
    result = invoke(verb, "--format", form)
    assert (result.exit_code, result.stderr) == (1, "")
    assert "MSH001" in result.stdout
    if form == "sarif":
        validated(result.stdout)


def test_build_prints_findings_alone_in_a_format_for_programs(folder: Path) -> None:
    (folder / "shop.mesh").write_text(
        HEAD + 'external b { hosts: ["b.example"], port: 81/tcp }\nallow web -> b : tcp\nallow web -> api : /**\n'
    )
    result = invoke("build", "--target", "sidecar", "--format", "json")
    assert result.exit_code == 0
    assert [one["code"] for one in json.loads(result.stdout)["findings"]] == ["MSH820"]
    assert (folder / "build" / "manifest.json").exists()


@pytest.mark.parametrize("form", MACHINE_FORMS)
def test_fmt_tells_what_is_not_canonical_in_every_format(folder: Path, form: str) -> None:
    (folder / "shop.mesh").write_text("service web {}\nservice  api  {}\n")
    (folder / "neat.mesh").write_text("service cart {}\n")
    (folder / "broken.mesh").write_text("servce x {}\n")
    result = invoke("fmt", "--check", "--format", form)
    assert (result.exit_code, result.stderr) == (1, "")
    assert "MSH001" in result.stdout
    assert "`shop.mesh` is not in the canonical form" in result.stdout
    assert "neat.mesh" not in result.stdout or form == "junit"
    assert (folder / "shop.mesh").read_text() == "service web {}\nservice  api  {}\n"
    if form == "json":
        places = [one["primary"]["line"] for one in json.loads(result.stdout)["findings"]]
        assert places == [1, 2]
    assert invoke("fmt", "--check", "--format", form, "neat.mesh").exit_code == 0
    assert invoke("fmt", "--format", form).exit_code == 2


# ---- anything at all

TEXT = st.text(
    st.one_of(st.sampled_from("ab {}\t\n\r漢e\u0301\x1b\x07\u202e\u2028\ufffe\x00]]>&<\"'%:,"), st.characters()),
    max_size=40,
)


@st.composite
def any_diagnostics(draw: st.DrawFn) -> Diagnostic:
    source = SourceText(draw(TEXT).replace("\x00", "") or "p.mesh", draw(TEXT))

    def span() -> Span:
        ends = sorted(draw(st.integers(0, len(source.text))) for _ in range(2))
        return source.span(*ends)

    code = Code(id="MSH999", name="any", severity=draw(st.sampled_from(Severity)), summary="s", why="w")
    fix = Fix(title=draw(TEXT), applicability=draw(st.sampled_from(Applicability)), edits=(Edit(span(), draw(TEXT)),))
    witness = Request(caller="web", callee="api", method="GET", path="/", headers=(("x", draw(TEXT)),))
    return Diagnostic(
        code=code,
        message=draw(TEXT),
        primary=span(),
        related=(Label(span(), draw(TEXT)),),
        witness=witness,
        help=draw(TEXT),
        fixes=(fix,),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(any_diagnostics(), max_size=3))
def test_whatever_is_found_every_format_stays_well_formed(found: list[Diagnostic]) -> None:
    validated(told("sarif", *found))
    root = ET.fromstring(told("junit", *found))
    assert len(root.findall("*/testcase")) == len(found)
    assert len(json.loads(told("gitlab", *found))) == len(found)
    lines = told("github", *found).split("\n")
    assert len(lines) == len(found) + 1
    assert all(line.startswith(("::error file=", "::warning file=", "::notice file=")) for line in lines[:-1])

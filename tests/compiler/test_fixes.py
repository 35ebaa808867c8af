"""Whatever a fix promises it keeps: the program with the fix applied does not have the finding any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshc_compiler.evaluate import evaluate
from meshc_compiler.loader import DiskReader, MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_all
from meshc_lang.codes import CODES
from meshc_lang.diagnostic import Applicability, Diagnostic, Fix
from support.corpus import case_files

CORPUS = Path(__file__).resolve().parents[1] / "corpus"


def compile_files(files: dict[str, str]) -> CompileResult:
    return compile_all((".",), MemoryReader(files))


def programs() -> dict[str, dict[str, str]]:
    files = {f"code {code.id}": {"program.mesh": code.bad, **dict(code.files)} for code in CODES.values() if code.bad}
    for case in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
        files[f"corpus {case.name}"] = case_files(case)
    return files


PROGRAMS = programs()


def applied(files: dict[str, str], fix: Fix) -> dict[str, str]:
    changed = dict(files)
    for edit in sorted(fix.edits, key=lambda edit: edit.span.sort_key, reverse=True):
        name = edit.span.source.path
        changed[name] = changed[name][: edit.span.start] + edit.text + changed[name][edit.span.end :]
    return changed


def same(finding: Diagnostic, others: tuple[Diagnostic, ...]) -> int:
    key = (finding.code.id, finding.message, finding.primary.text)
    return sum((other.code.id, other.message, other.primary.text) == key for other in others)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_fix_removes_its_finding(name: str) -> None:
    files = PROGRAMS[name]
    before = compile_files(files)
    for finding in before.diagnostics:
        for fix in finding.fixes:
            after = compile_files(applied(files, fix))
            assert same(finding, after.diagnostics) < same(finding, before.diagnostics), (finding.message, fix.title)
            if finding.code.id in {"MSH302", "MSH303"}:
                # In an overlay a line of the program may have an effect after all.
                overlays = any("overlay " in text for text in files.values())
                assert overlays or fix.applicability is Applicability.SAFE
                assert len(after.diagnostics) < len(before.diagnostics)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_witness_is_a_request_that_fares_as_the_finding_says(name: str) -> None:
    result = compile_files(PROGRAMS[name])
    for finding in result.diagnostics:
        if finding.witness is not None and result.index is not None:
            # What an assert promises, or a health check needs, is shown by a request that is denied; all else by one
            # that is allowed.
            wanted = finding.code.id not in {"MSH314", "MSH232"}
            indexes = [one.index for one in (result, *result.overlays) if one.index is not None]
            assert any(evaluate(index, finding.witness).allowed is wanted for index in indexes)


def test_each_finding_is_told_once_and_in_order() -> None:
    for case in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
        found = compile_all((".",), DiskReader(case)).diagnostics
        places = [(one.primary.sort_key, one.code.id, one.message) for one in found]
        assert places == sorted(set(places))


def test_a_broken_declaration_silences_what_depends_on_it() -> None:
    result = compile_files(
        {
            "program.mesh": """
mesh shop { trust-domain: "shop.example" }
service web {}
service api { port: 80, versions: [v1] }
group all = web | api
allow web -> api : GET /x
allow all -> api.admin : rpc a.B/C
route api { /x => v2 }
edge web -> api { timeout: 1s }
limit web -> api 5/s
assert never web -> api : tcp
test "x" { web -> api.b GET / is allowed, routed v7 }
"""
        }
    )
    assert [str(one.code) for one in result.diagnostics] == ["MSH201 wrong-unit"]

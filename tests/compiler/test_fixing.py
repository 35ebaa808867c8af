"""Fixes applied to whole programs: as many as can be, none that does harm, the same result every time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from meshc_compiler import fixing
from meshc_compiler.fixing import Fixing, fix_program
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_all
from meshc_lang.codes import CODES
from meshc_lang.diagnostic import Applicability, Edit, Fix, Severity
from support.corpus import case_files

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
HEAD = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 80/http, versions: [v1, v2] }\n'


def programs() -> dict[str, dict[str, str]]:
    files = {f"code {code.id}": {"program.mesh": code.bad, **dict(code.files)} for code in CODES.values() if code.bad}
    for case in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
        files[f"corpus {case.name}"] = case_files(case)
    return files


PROGRAMS = programs()


def fix(files: Mapping[str, str], *, unsafe: bool = False) -> Fixing:
    return fix_program((".",), MemoryReader(files), unsafe=unsafe)


def fixed_texts(files: Mapping[str, str], done: Fixing) -> dict[str, str]:
    return {**files, **{file.path: file.after for file in done.files}}


def errors(result: CompileResult) -> set[tuple[str, str]]:
    return {(one.code.id, one.message) for one in result.diagnostics if one.severity is Severity.ERROR}


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_fixing_does_no_harm_and_is_done_at_once(name: str, unsafe: bool) -> None:
    files = PROGRAMS[name]
    before = compile_all((".",), MemoryReader(files))
    done = fix(files, unsafe=unsafe)
    after = compile_all((".",), MemoryReader(fixed_texts(files, done)))
    assert [one.message for one in after.diagnostics] == [one.message for one in done.result.diagnostics]
    if before.mesh is not None:
        assert after.mesh is not None
        assert errors(after) <= errors(before)
    if not unsafe:
        left = [one for one in after.diagnostics if any(f.applicability is Applicability.SAFE for f in one.fixes)]
        assert len(left) == len(done.refused)
    again = fix(fixed_texts(files, done), unsafe=unsafe)
    assert (again.files, again.fixed) == ((), ())


def test_fixes_that_overlap_take_a_round_each() -> None:
    text = HEAD + "allow web -> api : /**\nallow web -> api { GET /a, GET /b, GET /c, GET /d }\n"
    done = fix({"p.mesh": text})
    assert [file.after for file in done.files] == [HEAD + "allow web -> api : /**\n"]
    assert len(done.fixed) == 4


def test_choices_are_never_made() -> None:
    text = HEAD + 'allow web -> api : /**\nroute api {\n  /v1/** if header "b" present => v2\n  POST /v1/x => v1\n}\n'
    assert fix({"p.mesh": text}, unsafe=True).files == ()


def test_a_fix_may_show_errors_that_nobody_could_see() -> None:
    text = HEAD + "allow wbe -> api : /**\nassert never web -> api\n"
    assert fix({"p.mesh": text}).files == ()
    done = fix({"p.mesh": text}, unsafe=True)
    assert [file.after for file in done.files] == [text.replace("wbe", "web")]
    assert [one.code.id for one in done.result.diagnostics] == ["MSH310"]


def test_a_fix_that_brings_errors_is_taken_back_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    text = HEAD + "".join(f"allow web -> api : GET /{name}\n" for name in "abcdef") + "allow web -> api : /**\n"
    real = compile_all

    def with_a_bad_fix(*arguments: object) -> CompileResult:
        """Make the fix of `/c` one that breaks the program."""
        result = real(*arguments)  # type: ignore[arg-type]
        changed = []
        for one in result.diagnostics:
            if one.primary.text == "GET /c":
                bad = Fix(title="t", applicability=Applicability.SAFE, edits=(Edit(one.primary, "GET"),))
                one = type(one)(code=one.code, message=one.message, primary=one.primary, fixes=(bad,))
            changed.append(one)
        return CompileResult(program=result.program, mesh=result.mesh, index=result.index, diagnostics=tuple(changed))

    monkeypatch.setattr(fixing, "compile_all", with_a_bad_fix)
    done = fix({"p.mesh": text})
    assert [file.after for file in done.files] == [HEAD + "allow web -> api : GET /c\nallow web -> api : /**\n"]
    assert len(done.fixed) == 5
    assert [one.primary.text for one in done.refused] == ["GET /c"]


def test_what_an_overlay_needs_is_not_taken_away_unasked() -> None:
    text = HEAD + "allow web -> api : /**\nallow web -> api : GET /x\noverlay staging { deny any -> api : POST /** }\n"
    assert fix({"p.mesh": text}).files == ()
    (file,) = fix({"p.mesh": text}, unsafe=True).files
    assert "GET /x" not in file.after


def test_fixes_in_several_files() -> None:
    files = {
        "a.mesh": HEAD + "allow web -> api : /**\n",
        "b.mesh": "allow web -> api : GET /x\n",
        "c.mesh": "# meshc: ignore[MSH412] nothing here\nallow web -> api : GET /y\n",
    }
    done = fix(files)
    assert {file.path: file.after for file in done.files} == {"b.mesh": "", "c.mesh": ""}
    assert done.result.diagnostics == ()


def test_line_ends_and_all_that_is_not_fixed_stay_as_they_are() -> None:
    text = HEAD.replace("\n", "\r\n") + "\tallow web->api:/**  # ü\r\nallow web -> api : GET /x\r\n\r\n# end"
    (file,) = fix({"p.mesh": "\ufeff" + text}).files
    assert file.after == text.replace("allow web -> api : GET /x\r\n", "")
    assert file.content == ("\ufeff" + text).encode()

"""`import "lib.mesh"`: read once, from inside the program, and what is wrong with it is told where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshc_compiler.loader import DiskReader, MemoryReader, load
from meshc_compiler.pipeline import CompileResult, compile_all
from support.findings import findings_text

LIBRARY = """\
template webapp(name) { service name { port: 8080/http }
  allow ingress -> name : GET /**
}
template unused(name) { service name {} }
let slow = 4s
"""
PROGRAM = """\
import "lib/web.mesh"
mesh shop { trust-domain: "shop.example" }
use webapp(shop)
"""


def compiled(files: dict[str, str], *paths: str) -> CompileResult:
    return compile_all(paths or ("shop.mesh",), MemoryReader(files))


def told(files: dict[str, str], *paths: str) -> str:
    return findings_text(compiled(files, *paths).diagnostics)


def test_a_file_named_on_the_command_line_brings_what_it_imports() -> None:
    result = compiled({"shop.mesh": PROGRAM, "lib/web.mesh": LIBRARY, "lib/other.mesh": "service x {}\n"})
    assert [source.path for source in result.program.sources] == ["lib/web.mesh", "shop.mesh"]
    assert result.diagnostics == ()
    assert result.mesh is not None
    assert [service.name for service in result.mesh.services] == ["shop"]


def test_imports_are_followed_and_each_file_is_read_once() -> None:
    files = {
        "shop.mesh": 'import "lib/web.mesh"\nimport "lib/./more.mesh"\n' + PROGRAM.partition("\n")[2],
        "lib/web.mesh": 'import "more.mesh"\n' + LIBRARY,
        "lib/more.mesh": "",
    }
    for paths in (("shop.mesh",), (".",), (".", "shop.mesh", "lib/more.mesh")):
        result = compiled(files, *paths)
        assert [source.path for source in result.program.sources] == ["lib/more.mesh", "lib/web.mesh", "shop.mesh"]
        assert result.diagnostics == ()


def test_what_a_library_defines_need_not_be_used_but_what_the_program_does_must() -> None:
    files = {"shop.mesh": PROGRAM + "let own = 3s\n", "lib/web.mesh": LIBRARY}
    assert told(files).startswith("4:5-8 [own] MSH132 unused-definition: nothing uses the `let` `own`\n")
    assert "[unused]" in told({"all.mesh": LIBRARY + PROGRAM.partition("\n")[2]}, "all.mesh")


CASES = {
    'import "lib/wep.mesh"': """\
1:8-22 ["lib/wep.mesh"] MSH123 missing-import: `lib/wep.mesh` does not exist
    help: did you mean `web.mesh`?
    fix (unsafe): write `web.mesh`
""",
    'import "nowhere/at-all.mesh"': """\
1:8-29 ["nowhere/at-all.mesh"] MSH123 missing-import: `nowhere/at-all.mesh` does not exist
""",
    'import "lib"': """\
1:8-13 ["lib"] MSH123 missing-import: `lib` is a directory
    help: name one file in it; `meshc check .` reads every `.mesh` file below a directory
""",
    'import "../lib.mesh"': """\
1:8-21 ["../lib.mesh"] MSH124 import-outside: `../lib.mesh` leads out of the program
    help: a program imports what lies in its own directory, named relative to the importing file
""",
    'import "/etc/lib.mesh"': """\
1:8-23 ["/etc/lib.mesh"] MSH124 import-outside: `/etc/lib.mesh` is absolute, \
and a program lies elsewhere on every machine
    help: a program imports what lies in its own directory, named relative to the importing file
""",
    'import "shop.mesh"': """\
1:8-19 ["shop.mesh"] MSH125 import-cycle: `shop.mesh` imports itself
""",
    'import "pay.proto"': """\
1:8-19 ["pay.proto"] MSH126 malformed-import: `pay.proto` is not a `.mesh` file
    help: write `import proto "pay.proto" for SERVICE`
""",
}


@pytest.mark.parametrize("line", CASES)
def test_a_mistake_is_told_at_the_import_and_hides_no_other(line: str) -> None:
    program = line + '\nmesh shop { trust-domain: "shop.example" }\nallow somebody -> unknown : GET base\nuse it()\n'
    text = told({"shop.mesh": program, "lib/web.mesh": LIBRARY, "lib.mesh": "", "pay.proto": ""})
    if "MSH125" in text:
        assert text.startswith(CASES[line])  # the file was read, so that its own mistakes are told as well
    else:
        assert text == CASES[line]


def test_a_link_out_of_the_program_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.mesh").write_text("service secret {}\n")
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "link.mesh").symlink_to(tmp_path / "secret.mesh")
    (tmp_path / "program" / "shop.mesh").write_text('import "link.mesh"\nmesh shop { trust-domain: "a.example" }\n')
    program, diagnostics = load(("shop.mesh",), DiskReader(tmp_path / "program"))
    assert [one.code.id for one in diagnostics] == ["MSH124"]
    assert [source.path for source in program.sources] == ["shop.mesh"]


def test_a_file_below_a_named_directory_may_import_from_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "p" / "teams").mkdir(parents=True)
    (tmp_path / "p" / ".lib").mkdir()
    (tmp_path / "p" / ".lib" / "web.mesh").write_text(LIBRARY)
    text = PROGRAM.replace("lib/web", "../.lib/web")
    (tmp_path / "p" / "teams" / "shop.mesh").write_text(text)
    assert compile_all(("p",), DiskReader(tmp_path)).diagnostics == ()
    # Named by itself, the file's own directory is the program.
    alone = compile_all(("p/teams/shop.mesh",), DiskReader(tmp_path))
    assert [one.code.id for one in alone.diagnostics] == ["MSH124"]

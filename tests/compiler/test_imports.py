"""Imports are followed inside of the program, read once, and mean what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_compiler.importing import load as importing
from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.ir.workload import Operation
from meshc_compiler.loader import DiskReader, MemoryReader, Refusal, load
from meshc_compiler.path import template_matches
from meshc_compiler.pipeline import CompileResult, compile_program
from meshc_compiler.program_path import resolve_inside
from meshc_compiler.schema_match import PortSchema, templates_meet
from support.request_strategies import WORDS, templates

HEAD = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 8080/http }\n'
API = "openapi: 3.0.0\npaths:\n  /orders: {get: {}, post: {}}\n  /orders/{id}: {get: {}}\n  /files/{any}: {put: {}}\n"


def compiled(text: str, **files: str) -> CompileResult:
    named = {name.replace("_", "."): content for name, content in files.items()}
    return compile_program(("program.mesh",), MemoryReader({"program.mesh": HEAD + text, **named}))


def told(result: CompileResult) -> list[str]:
    return [f"{one.code.id} {one.message}" for one in result.diagnostics]


def about_orders(*sentences: str) -> list[str]:
    result = compiled('import openapi "api.yaml" for api\n' + "\n".join(sentences) + "\n", api_yaml=API)
    return [one for one in told(result) if one.startswith("MSH12")]


# ---- paths


def test_imports_stay_inside_of_the_program(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    (inside / "below").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.mesh").write_text("service secret {}\n")
    (inside / "lib.mesh").write_text("service lib {}\n")
    (inside / "away").symlink_to(outside)
    (inside / "out.mesh").symlink_to(outside / "secret.mesh")
    (inside / "again.mesh").symlink_to(inside / "lib.mesh")
    (inside / "nowhere.mesh").symlink_to(inside / "gone")
    os.mkfifo(inside / "pipe.mesh")
    reader = DiskReader(tmp_path)

    def resolved(path: str) -> str | bool:
        """Return where a path leads, or whether it is refused because that is outside."""
        answer = resolve_inside("inside", "inside/below", path, reader)
        return answer.outside if isinstance(answer, Refusal) else answer

    assert resolved("../lib.mesh") == "inside/lib.mesh"
    assert resolved("../again.mesh") == "inside/again.mesh"
    assert resolved("../nowhere.mesh") is False
    assert resolved("../gone.mesh") is False
    assert resolved("a\0b") is False
    assert resolved("") is False
    for path in (
        "../out.mesh",
        "../away/secret.mesh",
        "../away/no-such.mesh",
        "../../outside/secret.mesh",
        "../../outside/no-such.mesh",
        "../../../../../../../../etc/passwd",
        "/etc/passwd",
        "/no/such",
    ):
        assert resolved(path) is True, path
    (inside / "program.mesh").write_text('mesh m { trust-domain: "m.example" }\nimport "pipe.mesh"\nimport "below"\n')
    result = compile_program(("inside/program.mesh",), reader)
    assert told(result) == [
        "MSH123 `inside/pipe.mesh` is not a regular file",
        "MSH123 `below` is a directory",
    ]


def test_the_root_is_what_is_named_on_the_command_line() -> None:
    files = {"a/program.mesh": HEAD + 'import "../b/lib.mesh"\n', "b/lib.mesh": "service lib {}\n"}
    alone = compile_program(("a/program.mesh",), MemoryReader(files))
    assert told(alone)[0] == "MSH124 `../b/lib.mesh` leads out of the program"
    for paths in (("a/program.mesh", "b/lib.mesh"), (".",), ("a", "b")):
        assert [one for one in told(compile_program(paths, MemoryReader(files))) if "MSH12" in one] == []


def test_a_file_of_the_program_that_is_imported_too_is_read_once() -> None:
    files = {"a.mesh": HEAD + 'import "lib/b.mesh"\nimport "./lib/../lib/b.mesh"\n', "lib/b.mesh": "service b {}\n"}
    program, found = load((".",), MemoryReader(files))
    assert [source.path for source in program.sources] == ["a.mesh", "lib/b.mesh"]
    assert found == ()


def test_imports_of_imports_are_followed_and_circles_are_told_once() -> None:
    files = {
        "a.mesh": 'import "b.mesh"\n',
        "b.mesh": 'import "c.mesh"\n',
        "c.mesh": 'import "a.mesh"\nimport "d.mesh"\n',
    }
    program, found = load(("a.mesh",), MemoryReader({**files, "d.mesh": "service d {}\n"}))
    assert [source.path for source in program.sources] == ["a.mesh", "b.mesh", "c.mesh", "d.mesh"]
    assert [one.message for one in found] == ["3 files import each other in a circle, from `c.mesh` round to itself"]
    assert [label.span.source.path for label in found[0].related] == ["a.mesh", "b.mesh"]


def test_a_long_chain_of_imports_is_no_trouble() -> None:
    files = {f"{number}.mesh": f'import "{number + 1}.mesh"\n' for number in range(600)}
    program, found = load(("0.mesh",), MemoryReader({**files, "600.mesh": 'import "0.mesh"\n'}))
    assert len(program.files) == 601
    assert [one.code.id for one in found] == ["MSH125"]


def test_bounds_hold_for_what_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LARGEST_FILE", 1024 * 1024)
    result = compiled('import openapi "api.yaml" for api\n', api_yaml=API + "#" * 1024 * 1024)
    assert "MSH123 `api.yaml` is larger than 1 MiB" in told(result)
    monkeypatch.setattr(importing, "MOST_FILES", 3)
    files = {f"m/{number}.yaml": "kind: Pod\nmetadata: {name: a}\nspec: {}\n" for number in range(9)}
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + 'import kubernetes "m"\n', **files}))
    assert any(one.startswith("MSH123 imports may read 3 files together") for one in told(result))
    assert len([one for one in told(result) if one.startswith("MSH123")]) == 1


def test_programs_without_such_imports_load_no_reader() -> None:
    code = (
        "import sys\n"
        "from meshc_compiler.loader import MemoryReader\n"
        "from meshc_compiler.pipeline import compile_program\n"
        f"compile_program(('a.mesh',), MemoryReader({{'a.mesh': {HEAD!r}}}))\n"
        "print([name for name in sys.modules if name.startswith(('yaml', 'meshc_compiler.importing'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_imported_counts_among_what_is_read_unless_imports_are_left_alone() -> None:
    files = {"a.mesh": HEAD + 'import "lib/b.mesh"\nimport openapi "api.yaml" for api\n', "api.yaml": API}
    reader = MemoryReader({**files, "lib/b.mesh": "service b {}\n"})
    program, _ = load(("a.mesh",), reader)
    assert [source.path for source in program.read] == ["a.mesh", "lib/b.mesh", "api.yaml"]
    assert program.libraries == {"lib/b.mesh"}
    program, found = load(("a.mesh",), reader, imports=False)
    assert [source.path for source in program.read] == ["a.mesh"]
    assert program.incomplete
    assert found == ()


def test_an_environment_changes_what_a_manifest_says() -> None:
    manifest = (
        "kind: Service\nmetadata: {name: cart}\n"
        "spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}\n"
    )
    text = (
        'import kubernetes "cart.yaml"\nlet many = 5\n'
        "template caller(name) {\n  service name {}\n  allow name -> cart : GET /**\n}\n"
        "use caller(mobile)\nservice cart { replicas: many }\nallow web -> cart : GET /**\n"
        "overlay staging { set cart.replicas: 1 }\n"
    )
    reader = MemoryReader({"p.mesh": HEAD + text, "cart.yaml": manifest})
    for overlay, replicas in ((None, 5), ("staging", 1)):
        result = compile_program(("p.mesh",), reader, overlay=overlay)
        assert [one for one in told(result) if "MSH304" not in one] == []
        assert result.index is not None
        cart = result.index.services["cart"]
        assert (cart.replicas, cart.ports[0].number, cart.ports[0].target) == (replicas, 80, 8080)
    bare = (
        HEAD + 'import kubernetes "cart.yaml"\nallow web -> cart : GET /**\noverlay staging { set cart.replicas: 3 }\n'
    )
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": bare, "cart.yaml": manifest}), overlay="staging")
    assert result.index is not None, told(result)
    assert result.index.services["cart"].replicas == 3


# ---- what is said of schemas


def test_patterns_that_meet_a_declared_path_are_fine() -> None:
    assert about_orders(
        "allow web -> api : GET /**, GET|POST /orders/**, GET /orders/{id:uuid}, GET ~\"/x.*\", PUT /files/*",
        "allow web -> api : HEAD /orders, OPTIONS /orders/7, * /orders, *",
        'deny web -> api : DELETE /** because "nobody"',
        "assert never web -> api : DELETE /orders",
        "route api { GET /orders => api }",
    ) == []  # fmt: skip


def test_paths_and_methods_that_nothing_declares_are_errors_wherever_they_stand() -> None:
    assert about_orders(
        "allow web -> api : GET /order, DELETE /orders/7, GET|PUT /orders",
        "deny web -> api : /orders/7/x",
        "route api { POST /files/** => api }",
        "assert never web -> api : GET /ordesr",
        'test "x" { web -> api GET /orders/7/8 is allowed }',
    ) == [
        "MSH121 `api` has no path `/order`",
        "MSH122 `/orders/7` of `api` does not take `DELETE`",
        "MSH122 `/orders` of `api` does not take `PUT`",
        "MSH121 `api` has no path `/orders/7/x`",
        "MSH122 `/files/**` of `api` does not take `POST`",
        "MSH121 `api` has no path `/ordesr`",
        "MSH121 `api` has no path `/orders/7/8`",
    ]


def test_a_port_without_a_schema_may_answer_anything() -> None:
    ports = HEAD.replace("port: 8080/http", "ports { public: 8080/http, admin: 9000/http }")
    text = ports + 'import openapi "api.yaml" for api.public\nallow web -> api : GET /metrics\n'
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": text, "api.yaml": API}))
    assert told(result) == []
    text = text.replace("web -> api :", "web -> api.public :")
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": text, "api.yaml": API}))
    assert "MSH121 `api.public` has no path `/metrics`" in told(result)


def test_of_a_group_one_member_that_has_it_is_enough() -> None:
    text = (
        HEAD + "service other { port: 80/http }\ngroup both = api | other\n"
        'import openapi "api.yaml" for api\nimport openapi "other.yaml" for other\n'
        "allow web -> both : GET /orders, GET /other\nallow web -> both : GET /neither\n"
    )
    files = {"p.mesh": text, "api.yaml": API, "other.yaml": API.replace("orders", "other")}
    found = told(compile_program(("p.mesh",), MemoryReader(files)))
    assert found == ["MSH121 `api` has no path `/neither`"]


def test_several_schemas_of_one_service_add_up_and_one_may_be_imported_twice() -> None:
    proto = "package a; service {} {{ rpc M (X) returns (Y); }}"
    text = HEAD.replace("8080/http", "9090/grpc") + (
        'import proto "a.proto" for api\nimport proto "a.proto" for api\nimport proto "b.proto" for api\n'
        "allow web -> api : rpc a.A/M, rpc a.B/*\n"
    )
    files = {"p.mesh": text, "a.proto": proto.format("A"), "b.proto": proto.format("B")}
    result = compile_program(("p.mesh",), MemoryReader(files))
    assert told(result) == []
    assert result.mesh is not None
    schema = next(service.schema for service in result.mesh.services if service.name == "api")
    assert schema is not None
    assert [str(operation.path) for operation in schema.operations] == ["/a.A/M", "/a.B/M"]


def test_a_schema_does_not_change_what_a_sidecar_is_told() -> None:
    from meshc_compiler.ir.slice import slice_of

    with_schema = compiled('import openapi "api.yaml" for api\nallow web -> api : GET /orders\n', api_yaml=API)
    without = compiled("allow web -> api : GET /orders\n")
    assert with_schema.index is not None
    assert without.index is not None
    for name in ("web", "api"):
        assert slice_of(with_schema.index, with_schema.index.workloads[name]) == slice_of(
            without.index, without.index.workloads[name]
        )


def test_what_is_declared_in_a_manifest_is_never_mended_by_a_fix() -> None:
    manifest = "kind: Service\nmetadata: {name: mesh}\nspec: {selector: {a: b}, ports: [{name: http, port: 80}]}\n"
    result = compiled('import kubernetes "m.yaml"\n', m_yaml=manifest)
    assert any("`mesh` is left out" in one for one in told(result))
    assert all(
        edit.span.source.path.endswith(".mesh") for one in result.diagnostics for fix in one.fixes for edit in fix.edits
    )


# ---- the algebra of schemas

paths = st.lists(st.sampled_from((*WORDS, "1", "b")), max_size=4).map(tuple)


@given(templates, templates, paths)
def test_templates_meet_if_some_path_is_of_both(left: PathTemplate, right: PathTemplate, path: tuple[str, ...]) -> None:
    if template_matches(left, path) and template_matches(right, path):
        assert templates_meet(left, right)
    assert templates_meet(left, right) == templates_meet(right, left)


@given(templates, templates)
def test_templates_that_meet_share_a_path(left: PathTemplate, right: PathTemplate) -> None:
    if templates_meet(left, right):
        shared = []
        for position in range(max(len(left.segments), len(right.segments))):
            pair = (*left.segments[position : position + 1], *right.segments[position : position + 1])
            kinds = {segment.kind for segment in pair}
            literal = next((segment.literal for segment in pair if segment.kind is SegmentKind.LITERAL), None)
            uuid = "00000000-0000-4000-8000-000000000000"
            word = uuid if SegmentKind.UUID in kinds else "7" if SegmentKind.INT in kinds else "a"
            if kinds != {SegmentKind.REST}:
                shared.append(literal or word)
        assert template_matches(left, tuple(shared))
        assert template_matches(right, tuple(shared))


@given(st.lists(templates, max_size=6), templates)
def test_the_index_finds_what_a_look_at_each_would(declared: list[PathTemplate], asked: PathTemplate) -> None:
    operations = [Operation(port=80, methods=(), path=path) for path in declared]
    found = PortSchema(operations).meeting(asked)
    assert sorted(map(str, (one.path for one in found))) == sorted(
        str(one.path) for one in operations if templates_meet(one.path, asked)
    )


@given(st.lists(templates, min_size=1, max_size=6), templates)
def test_a_path_that_is_proposed_is_declared(declared: list[PathTemplate], asked: PathTemplate) -> None:
    schema = PortSchema([Operation(port=80, methods=(), path=path) for path in declared])
    near = schema.nearest(asked)
    if near is not None:
        assert schema.meeting(near[1])
        assert near[1] != asked


def test_a_misspelt_word_is_mended_and_the_rest_kept() -> None:
    def template(*words: str) -> PathTemplate:
        kinds = {"*": SegmentKind.ANY, "**": SegmentKind.REST}
        return PathTemplate(
            tuple(Segment(kinds[word]) if word in kinds else Segment(SegmentKind.LITERAL, word) for word in words)
        )

    schema = PortSchema([Operation(port=80, methods=(), path=template("v1", "orders", "*"))])
    assert schema.nearest(template("v1", "odrers", "**")) == (schema.operations[0], template("v1", "orders", "**"))
    assert schema.nearest(template("v1", "users", "7")) is None
    assert schema.nearest(template("v1", "odrers")) is None


# ---- texts of others

MANIFEST = (
    "kind: Service\nmetadata: {name: cart}\nspec:\n  selector: {app: cart}\n  ports: [{name: http, port: 80}]\n---\n"
    "kind: Deployment\nmetadata: &m {name: cart}\nspec:\n  replicas: 2\n"
    "  template:\n    metadata: {labels: {app: cart}}\n"
    "    spec: {serviceAccountName: c, containers: [{ports: [{name: x, containerPort: 1}],"
    " livenessProbe: {httpGet: *m}}]}\n"
)
REFERENCES = (
    API + "components: {parameters: {Id: {$ref: '#/components/parameters/Id'}}}\nservers: [{url: 'http://[::1/v1'}]\n"
)
pieces = st.lists(
    st.sampled_from(
        re.findall(r"[A-Za-z0-9.]+|\s+|[^\sA-Za-z0-9]", MANIFEST + REFERENCES + "swagger: 2.0 &a *a << ~ \t")
    ),
    max_size=6,
).map("".join)


@given(st.sampled_from((MANIFEST, REFERENCES)), st.integers(0, 500), st.integers(0, 60), pieces)
def test_no_text_of_others_makes_the_compiler_raise(text: str, start: int, length: int, put: str) -> None:
    broken = text[:start] + put + text[start + length :]
    for statement in ('import kubernetes "x.yaml"', 'import openapi "x.yaml" for api', 'import proto "x.yaml" for api'):
        result = compiled(f"{statement}\nallow web -> api : GET /orders\n", x_yaml=broken)
        assert (result.mesh is None) <= any(one.severity == "error" for one in result.diagnostics)
        for one in result.diagnostics:
            assert 0 <= one.primary.start <= one.primary.end <= len(one.primary.source.text)

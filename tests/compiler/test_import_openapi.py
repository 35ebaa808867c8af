"""Which operations an OpenAPI document has; documents that are none, or harm, are told and never followed."""

from __future__ import annotations

import itertools
import json

import pytest
import yaml

from meshc_compiler.finding import Findings
from meshc_compiler.importing.fact import ApiOperation
from meshc_compiler.importing.openapi import read_openapi
from meshc_compiler.importing.yaml_tree import Mapping, Node, Scalar, YamlProblem, read_yaml
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText

API = """
openapi: 3.1.0
info: {title: Books, version: "1"}
servers:
  - url: https://{env}.example/{base}/
    variables:
      env: {default: api}
      base: {default: v1}
  - url: /v1
paths:
  /books:
    get: {}
    post: {}
  /books/{id}:
    parameters:
      - $ref: "#/components/parameters/Id"
    get: {}
    delete:
      parameters:
        - {name: id, in: path, schema: {type: string, format: uuid}}
  /books/{id}/pages/{page}.json:
    $ref: "#/components/pathItems/Page"
  /files/{path+}:
    servers: [{url: "https://files.example"}]
    get: {}
  x-internal: {}
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {$ref: "#/components/schemas/Id"}}
  schemas:
    Id: {type: integer, minimum: 1}
  pathItems:
    Page:
      get: {}
      query: {}
"""


def read(text: str) -> tuple[tuple[ApiOperation, ...] | None, tuple[Diagnostic, ...]]:
    findings = Findings()
    return read_openapi(SourceText("api.yaml", text), findings), findings.all()


def lines(text: str) -> list[str]:
    operations, found = read(text)
    assert operations is not None, found
    return [f"{'|'.join(one.methods) or '*'} {one.path}" for one in operations]


def problem(text: str) -> tuple[str, str]:
    operations, found = read(text)
    assert operations is None
    assert found[0].code.id == "MSH126"
    return found[0].message, found[0].primary.text


def test_paths_methods_bases_and_classes() -> None:
    assert lines(API) == [
        "GET /v1/books",
        "POST /v1/books",
        "GET /v1/books/{id:int}",
        "DELETE /v1/books/{id:uuid}",
        "GET /v1/books/*/pages/*",
        "QUERY /v1/books/*/pages/*",
        "GET /files/**",
    ]


def test_an_operation_knows_its_place() -> None:
    operations, _ = read(API)
    assert operations is not None
    assert operations[1].span.text == "post"
    assert operations[1].span.first.line == 13


def test_json_says_the_same() -> None:
    document = {
        "swagger": "2.0",
        "info": {"title": "Bücher 😀"},
        "basePath": "/api/",
        "paths": {"/a/{b}": {"get": {"parameters": [{"name": "b", "in": "path", "type": "integer"}]}}},
    }
    for text in (json.dumps(document, indent="\t"), json.dumps(document, ensure_ascii=False)):
        assert lines(text) == ["GET /api/a/{id:int}"]


def test_what_is_in_another_file_may_be_anything_and_is_told_once() -> None:
    text = """
openapi: 3.0.3
paths:
  /a: {$ref: "paths.yaml#/a"}
  /b/{id}: {get: {parameters: [{$ref: "shared.yaml#/Id"}]}, put: {parameters: [{$ref: "shared.yaml#/Id"}]}}
"""
    assert lines(text) == ["* /a", "GET /b/*", "PUT /b/*"]
    _, found = read(text)
    assert [(one.code.id, one.primary.text) for one in found] == [
        ("MSH129", '"paths.yaml#/a"'),
        ("MSH129", '"shared.yaml#/Id"'),
    ]


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("a: [", "neither YAML nor JSON", ""),
        ("just words", "is not an OpenAPI document", ""),
        ("openapi: 4.0.0\npaths: {}", "is not an OpenAPI document", ""),
        ("openapi: 3.0.0\npaths: []", "`paths` is a mapping", "[]"),
        ("openapi: 3.0.0\npaths: {books: {get: {}}}", "a path begins with `/`, and this is `books`", "books"),
        ("openapi: 3.0.0\npaths: {/a: {$ref: '#/x'}}", "there is no `#/x` in this file", "'#/x'"),
        ("openapi: 3.0.0\npaths: {/a: {$ref: '#/paths/~1a'}}", "`#/paths/~1a` refers to itself", "'#/paths/~1a'"),
    ],
)
def test_what_is_malformed_is_told_where_it_is(text: str, message: str, where: str) -> None:
    told, under = problem(text)
    assert message in told
    assert under == where


def test_a_document_without_paths_has_no_operations() -> None:
    assert lines("openapi: 3.1.0\nwebhooks: {a: {post: {}}}") == []


def yaml_problem(text: str) -> str:
    found = read_yaml(SourceText("a.yaml", text))
    assert isinstance(found, YamlProblem)
    return found.message


def test_texts_that_would_use_up_the_machine_are_refused() -> None:
    letters = "abcdefghij"
    laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in itertools.pairwise(letters)
    )
    assert "nodes" in yaml_problem(laughs)
    assert "deeper" in yaml_problem("[" * 400)
    assert "stands inside of what it repeats" in yaml_problem("a: &a [*a]")
    assert "no anchor" in yaml_problem("a: *b")


def test_places_are_those_of_characters_and_merges_are_followed() -> None:
    text = "größe: &b {x: 1, y: 'é'}\r\nc:\r\n  <<: *b\r\n  y: 2\r\n---\r\n---\r\nd: [e]\n"
    documents = read_yaml(SourceText("a.yaml", text))
    assert isinstance(documents, tuple)
    first, second = documents

    def scalars(node: Node | None) -> list[str]:
        assert isinstance(node, Scalar)
        return [node.text, node.span.text]

    assert isinstance(first, Mapping)
    assert scalars(first.get("c", "x")) == ["1", "1"]
    assert scalars(first.get("c", "y")) == ["2", "2"]
    assert scalars(first.get("größe", "y")) == ["é", "'é'"]
    assert second.span.text == "d: [e]"


@pytest.mark.parametrize(
    "text", [API, json.dumps({"a": ["é", {"b": 1}], "c": "x\n"}), "a: |\n  x\n  y\nb: 'q''r'\nc: >-\n z\n"]
)
def test_both_parsers_of_yaml_give_the_same_places(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def places(node: Node) -> list[tuple[int, int]]:
        match node:
            case Scalar():
                below: list[Node] = []
            case Mapping():
                below = [part for entry in node.entries.values() for part in entry]
            case _:
                below = list(node.items)
        return [(node.span.start, node.span.end), *(place for part in below for place in places(part))]

    fast = read_yaml(SourceText("a.yaml", text))
    monkeypatch.delattr(yaml, "CSafeLoader")
    slow = read_yaml(SourceText("a.yaml", text))
    assert isinstance(fast, tuple)
    assert fast == slow
    assert isinstance(slow, tuple)
    assert places(fast[0]) == places(slow[0])

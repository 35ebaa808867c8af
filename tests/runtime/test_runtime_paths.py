from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_runtime.path import RefusedPathError, canonical_path, parse_template

PIECES = st.lists(
    st.sampled_from(
        [
            "/",
            "//",
            "a",
            "B",
            ".",
            "..",
            "...",
            "%2e",
            "%2E%2e",
            "%41",
            "%7e",
            "%3b",
            ";x",
            "%25",
            "%c3%a9",
            "~",
            "*",
            "<",
            "|",
            ":",
            "1",
        ]
    ),
    max_size=12,
)
PATHS = PIECES.map(lambda pieces: "/" + "".join(pieces))


def accepted(path: str) -> str | None:
    try:
        return canonical_path(path)
    except RefusedPathError:
        return None


@given(PATHS)
def test_canonical_path_is_canonical(path: str) -> None:
    once = accepted(path)
    if once is not None:
        assert canonical_path(once) == once


@given(PATHS)
def test_canonical_path_has_no_dots_no_double_slash_and_no_hidden_letter(path: str) -> None:
    once = accepted(path)
    if once is not None:
        assert once.startswith("/")
        assert "//" not in once
        assert not {".", ".."} & set(once.split("/"))
        for escape in re.findall(r"%(..)", once):
            assert escape == escape.upper()
            assert not re.fullmatch(r"[A-Za-z0-9._~-]", chr(int(escape, 16)))


@given(st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=255), max_size=20))
def test_any_text_is_refused_or_visible_ascii(text: str) -> None:
    once = accepted("/" + text)
    assert once is None or re.fullmatch(r"[!-~]+", once)


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("//a///b/", "/a/b/"),
        ("/a/./b/../c", "/a/c"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/%61%2D%7e", "/a-~"),
        ("/%e4%3a", "/%E4%3A"),
        ("/a/%2e%2e/b", "/b"),
        ("/%252e%252e/a", "/%252e%252e/a"),
        ("/a|b", "/a%7Cb"),
        ("/.well-known/x", "/.well-known/x"),
        ("/...", "/..."),
        ("/a;v=1/..x", "/a;v=1/..x"),
    ],
)
def test_spelling(path: str, canonical: str) -> None:
    assert canonical_path(path) == canonical


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "*",
        "/a%2Fb",
        "/a%2fb",
        "/a%5Cb",
        "/a%5cb",
        "/%00",
        "/a\\b",
        "/a\x00",
        "/a#b",
        "/%",
        "/%4",
        "/%zz",
        "/é",
        "/a b",
        "/a\x7f",
        "/..;/a",
        "/a/..;a=b/c",
        "/.;x",
        "/%2e%2e;/a",
        "/a/.%2E;",
    ],
)
def test_refused_spelling(path: str) -> None:
    with pytest.raises(RefusedPathError):
        canonical_path(path)


def naive_match(template: str, path: str) -> bool:
    """The templates' definition, as one regular expression over the path."""
    shapes = {"*": "[^/]+", "{id}": "[^/]+", "{id:int}": "[0-9]+", "{id:slug}": "[a-z0-9-]+"}
    shapes["{id:uuid}"] = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    pattern = ""
    for segment in template.strip("/").split("/"):
        if segment == "**":
            pattern += "(/[^/]+)*"
        elif segment:
            pattern += "/" + shapes.get(segment, re.escape(segment))
    return re.fullmatch(pattern + "/?", path) is not None


SEGMENTS = ["a", "b", "*", "{id}", "{id:int}", "{id:slug}", "{id:uuid}"]
UUID = "123e4567-E89b-12d3-a456-426614174000"
TEMPLATES = st.tuples(st.lists(st.sampled_from(SEGMENTS), max_size=4), st.booleans(), st.booleans()).map(
    lambda parts: (
        "/"
        + "/".join([*parts[0], *(["**"] if parts[1] else [])])
        + ("/" if parts[2] and not parts[1] and parts[0] else "")
    )
)
GIVEN = st.tuples(st.lists(st.sampled_from(["a", "b", "7", "a-7", "A", UUID, "%2A"]), max_size=5), st.booleans()).map(
    lambda parts: "/" + "/".join(parts[0]) + ("/" if parts[1] and parts[0] else "")
)


@given(TEMPLATES, GIVEN)
def test_template_means_what_its_definition_says(template: str, path: str) -> None:
    assert parse_template(template).matches(path) == naive_match(template, path)


@pytest.mark.parametrize(
    "template", ["a", "/a*", "/**/a", "/a//b", "/{id:float}", "/{}", "/a%2fb", "/a%41", "/..", "/a b", "/a|b", "/a?b"]
)
def test_template_that_means_nothing_is_refused(template: str) -> None:
    with pytest.raises(ValueError):
        parse_template(template)

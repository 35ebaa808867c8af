"""The one canonical form of paths, and templates on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_compiler.ir.match import PathTemplate
from meshc_compiler.lower.template import TemplateProblem, parse_template
from meshc_compiler.path import canonical_path, path_matches

CANONICAL = {
    "/": "/",
    "/a": "/a",
    "/a/": "/a/",
    "/a?b=/../c": "/a",
    "/%61": "/a",
    "/%7e": "/~",
    "/%2e%2E/a": "/a",
    "/a%3ab": "/a%3Ab",
    "//a///b": "/a/b",
    "/a/./b": "/a/b",
    "/a/../b": "/b",
    "/../../b": "/b",
    "/a/b/..": "/a/",
    "/a/.": "/a/",
    "/a//../b": "/a/b",
    "/a|b^c": "/a%7Cb%5Ec",
    "/..": "/",
    "/...": "/...",
    "/a;b/..": "/",
    "/.a": "/.a",
    "/%25": "/%25",
    "/%252F": "/%252F",
}
REFUSED = [
    "",
    "a",
    "*",
    "http://a/b",
    "/%2F",
    "/%2f",
    "/%5C",
    "/%5c",
    "/%00",
    "/\\",
    "/\x00",
    "/#",
    "/a#b",
    "/%",
    "/%4",
    "/%zz",
    "/a b",
    "/é",
    "/\x7f",
    "/..;/a",
    "/a/..;x=y/b",
    "/.;x",
    "/%2e%2e;a",
    "/.%2e;",
]


@pytest.mark.parametrize(("target", "path"), CANONICAL.items())
def test_a_target_has_its_canonical_path(target: str, path: str) -> None:
    assert canonical_path(target) == path


@pytest.mark.parametrize("target", REFUSED)
def test_a_target_is_refused(target: str) -> None:
    assert canonical_path(target) is None


@given(st.text(alphabet="/.%;|ab2eEfF5cC0#\\?~é ", max_size=24).map(lambda text: "/" + text))
def test_a_canonical_path_is_its_own(target: str) -> None:
    path = canonical_path(target)
    if path is not None:
        assert canonical_path(path) == path
        assert "//" not in path
        assert not {".", ".."} & set(path.split("/"))


@pytest.mark.parametrize(
    ("template", "matching", "others"),
    [
        ("/", ["/"], ["/a"]),
        ("/a", ["/a", "/a/"], ["/", "/a/b", "/A"]),
        ("/a/", ["/a", "/a/"], ["/a/b"]),
        ("/a/*", ["/a/b", "/a/b/"], ["/a", "/a/", "/a/b/c"]),
        ("/a/{id:int}", ["/a/0", "/a/0123456789012345678901/"], ["/a/x", "/a/-1", "/a/"]),
        ("/a/{id:slug}", ["/a/a-1", "/a/7"], ["/a/A", "/a/a_b"]),
        ("/a/{id:uuid}", ["/a/6FA459EA-ee8a-3ca4-894e-db77e160355e"], ["/a/6fa459ea", "/a/7"]),
        ("/a/**", ["/a", "/a/", "/a/b", "/a/b/c/"], ["/", "/ab"]),
        ("/**", ["/", "/a", "/a/b"], []),
        ("/*/b", ["/a/b"], ["/b", "/a/c"]),
    ],
)
def test_a_template_matches_by_segments(template: str, matching: list[str], others: list[str]) -> None:
    parsed = parse_template(template)
    assert isinstance(parsed, PathTemplate)
    assert [path for path in matching if not path_matches(parsed, path)] == []
    assert [path for path in others if path_matches(parsed, path)] == []


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        ("/a/../b", "/b"),
        ("/%41", "/A"),
        ("/a%3a", "/a%3A"),
        ("/{id:int}/./x", "/{id:int}/x"),
        ("/a/**/b", "/a/**"),
        ("/a*", ""),
        ("/{id}.json", ""),
        ("/{id:integer}", ""),
        ("/%2F", ""),
    ],
)
def test_a_template_that_could_not_match_is_refused(text: str, proposal: str) -> None:
    problem = parse_template(text)
    assert isinstance(problem, TemplateProblem)
    assert problem.proposal == proposal
    if proposal:
        assert isinstance(parse_template(proposal), PathTemplate)

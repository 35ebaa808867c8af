"""Paths as Envoy's matchers: what is emitted means what the template says, and literals mean themselves alone."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_backends.envoy.path_match import (
    ExactPath,
    PathForm,
    PathPrefix,
    RegexPath,
    path_forms,
    quote,
    quote_path,
    route_path_match,
    string_match,
)
from meshc_compiler.ir.match import PathRegex, PathTemplate, Segment, SegmentKind
from support.ir_mesh import template

unhurried = settings(deadline=None)

VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))
SEGMENT = "".join(char for char in VISIBLE if char not in '/%?#\\"<>^`{|}')

texts = st.text(alphabet=VISIBLE + " \t\né€", max_size=12)
literals = st.text(alphabet=SEGMENT, min_size=1, max_size=6)
escapes = st.builds(lambda code: f"%{code:02X}", st.integers(0x80, 0xFF))
segments = st.one_of(
    st.builds(lambda text: Segment(SegmentKind.LITERAL, text), literals),
    st.builds(lambda a, b, c: Segment(SegmentKind.LITERAL, a + b + c), literals, escapes, literals),
    st.sampled_from([Segment(kind) for kind in (SegmentKind.ANY, SegmentKind.INT, SegmentKind.UUID, SegmentKind.SLUG)]),
)
templates = st.builds(
    lambda items, rest: PathTemplate((*items, *([Segment(SegmentKind.REST)] if rest else []))),
    st.lists(segments, max_size=4),
    st.booleans(),
)
paths = st.lists(
    st.one_of(literals, st.sampled_from(["7", "a-b", "A", "00000000-0000-4000-8000-00000000000a"])), max_size=5
).map(lambda items: "/" + "/".join(items))


def matches(form: PathForm, path: str) -> bool:
    match form:
        case ExactPath(text):
            return path == text
        case PathPrefix(prefix):
            return path.startswith(prefix)
        case RegexPath(regex):
            return re.fullmatch(regex, path) is not None


def any_matches(path_template: PathTemplate, path: str) -> bool:
    return any(matches(form, path) for form in path_forms(path_template))


def means(path_template: PathTemplate, path: str) -> bool:
    """Whether the template matches, by the rule: segment by segment, one trailing empty segment dropped."""
    asked = path.split("/")[1:]
    if asked[-1] == "":
        asked = asked[:-1]
    wanted = list(path_template.segments)
    if wanted and wanted[-1].kind is SegmentKind.REST:
        wanted.pop()
        if len(asked) < len(wanted):
            return False
        asked = asked[: len(wanted)]
    return len(asked) == len(wanted) and all(map(accepts, wanted, asked))


def accepts(segment: Segment, text: str) -> bool:
    match segment.kind:
        case SegmentKind.LITERAL:
            return text.upper() == segment.literal.upper() if "%" in segment.literal else text == segment.literal
        case SegmentKind.ANY:
            return text != ""
        case SegmentKind.INT:
            return text != "" and set(text) <= set(string.digits)
        case SegmentKind.SLUG:
            return text != "" and set(text) <= set(string.ascii_lowercase + string.digits + "-")
        case SegmentKind.UUID:
            parts = text.split("-")
            return [len(part) for part in parts] == [8, 4, 4, 4, 12] and set("".join(parts)) <= set(string.hexdigits)
        case SegmentKind.REST:
            raise AssertionError


@unhurried
@given(texts, texts)
def test_a_quoted_literal_matches_itself_and_nothing_else(text: str, other: str) -> None:
    assert re.fullmatch(quote(text), text)
    assert bool(re.fullmatch(quote(text), other)) == (text == other)


@unhurried
@given(st.text(alphabet=SEGMENT, max_size=8), st.text(alphabet=VISIBLE, max_size=8))
def test_a_quoted_path_literal_matches_itself_and_nothing_else(text: str, other: str) -> None:
    assert re.fullmatch(quote_path(text), text)
    assert bool(re.fullmatch(quote_path(text), other)) == (text == other)


def test_characters_that_mean_something_in_expressions_are_escaped() -> None:
    for char in string.punctuation:
        if char not in "_-/":
            assert quote(char) == f"\\{char}"


def test_digits_of_escapes_match_in_either_case_and_nothing_else_does() -> None:
    expression = quote_path("a%3Ab%C3%A9")
    assert [bool(re.fullmatch(expression, text)) for text in ("a%3Ab%C3%A9", "a%3ab%c3%a9", "a%3aB%c3%a9", "a:b")] == [
        True,
        True,
        False,
        False,
    ]


@unhurried
@given(templates, paths, st.booleans())
def test_templates_mean_what_they_say(path_template: PathTemplate, path: str, slash: bool) -> None:
    asked = path + "/" if slash and path != "/" else path
    assert any_matches(path_template, asked) == means(path_template, asked)


@unhurried
@given(templates, st.data())
def test_a_path_made_from_the_template_matches(path_template: PathTemplate, data: st.DataObject) -> None:
    examples = {
        SegmentKind.ANY: "x.y",
        SegmentKind.INT: "0012",
        SegmentKind.SLUG: "a-1",
        SegmentKind.UUID: "0000000A-0000-4000-8000-00000000000a",
        SegmentKind.REST: "p/q",
    }
    path = "/" + "/".join(examples.get(segment.kind, segment.literal) for segment in path_template.segments)
    assert any_matches(path_template, path)
    assert any_matches(path_template, path + "/" if path != "/" else path)


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("/", (ExactPath("/"),)),
        ("/**", (PathPrefix("/"),)),
        ("/a/b", (ExactPath("/a/b"), ExactPath("/a/b/"))),
        ("/a/**", (ExactPath("/a"), PathPrefix("/a/"))),
        ("/a.b/*", (RegexPath("/a\\.b/[^/]+/?"),)),
        ("/a/{id:int}/**", (RegexPath("/a/[0-9]+(?:/.*)?"),)),
        ("/a%3A", (RegexPath("/a%3[Aa]/?"),)),
        ("/a%20", (ExactPath("/a%20"), ExactPath("/a%20/"))),
        ('/a"', (ExactPath("/a%22"), ExactPath("/a%22/"))),
    ],
)
def test_plain_templates_need_no_expression(text: str, forms: tuple[PathForm, ...]) -> None:
    assert path_forms(template(text)) == forms


def test_an_expression_of_the_program_is_passed_on() -> None:
    assert path_forms(PathRegex("/a(b|c)?")) == (RegexPath("/a(b|c)?"),)


def test_the_same_form_serves_rules_and_routes() -> None:
    assert string_match(ExactPath("/a")) == {"exact": "/a"}
    assert route_path_match(ExactPath("/a")) == {"path": "/a"}
    assert route_path_match(RegexPath("/a?")) == string_match(RegexPath("/a?")) == {"safe_regex": {"regex": "/a?"}}

"""Every spelling of a path: what a real Envoy refuses, and what it forwards instead of what was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshc_compiler.ir.mesh import Mesh
from support.envoy_mesh import EnvoyMesh
from support.http_call import Answer, call
from support.ir_mesh import DOMAIN, allow, deny, match, service, workload

REFUSED = [
    b"/a%2fb",
    b"/a%2Fb",
    b"/a%5cb",
    b"/a%5Cb",
    b"/a%00b",
    b"/a\x00b",
    b"/a#b",
    b"/a%",
    b"/a%4",
    b"/a%zz",
    b"/a%4z?x",
    b"/%%3%30",
    b"/a\x7f",
    b"/a\xc3\xa9",
    b"/a b",
    b"/a\tb",
    b"/a\x01b",
    b"/a/%2e%2e%2fb",
    b"/a/%2e%2e;x/c",
    b"/a/.%2E;x",
    b"/%2e;x",
    b"//",
    b"///",
    b"/a/..//",
    b"a",
    b"",
]

FORWARDED = [
    (b"/a", "/a"),
    (b"/a/", "/a/"),
    (b"/%61", "/a"),
    (b"/%41%7E%7e%2D%2e%5f%30", "/A~~-._0"),
    (b"/%3A", "/%3A"),
    (b"/a//b", "/a/b"),
    (b"//a", "/a"),
    (b"/a///b//", "/a/b/"),
    (b"/a/./b", "/a/b"),
    (b"/a/../b", "/b"),
    (b"/../../b", "/b"),
    (b"/a/..", "/"),
    (b"/a/.", "/a/"),
    (b"/%2e%2e/b", "/b"),
    (b"/a/%2E%2E/b", "/b"),
    (b"/a/.%2e/%2e/b", "/b"),
    (b"/a/%2e/b", "/a/b"),
    (b"/...", "/..."),
    (b"/a;x=1/b", "/a;x=1/b"),
    (b"/a/...;x", "/a/...;x"),
    (b"/a//../b", "/a/b"),
    (b"/a/b//../../c", "/a/c"),
    (b'/a"<>^`{|}', "/a%22%3C%3E%5E%60%7B%7C%7D"),
    (b"/a%25b", "/a%25b"),
    (b"/a%2541", "/a%2541"),
    (b"/a%252fb", "/a%252fb"),
    (b"/a!$&'()*+,=:@[]", "/a!$&'()*+,=:@[]"),
    (b"/a?x=//../%2f\\y&z=%41", "/a?x=//../%2f\\y&z=%41"),
]

# What the semantics refuse and Envoy cannot be told to: its normalisation is done before anything could look. It
# decides on what it forwards, so rules hold.
TREATED_AS = [
    (b"/a\\b", "/a/b"),
    (b"/a\\..\\b", "/b"),
    (b"/a/..;/b", "/b"),
    (b"/a/..;x=y/c", "/c"),
    (b"/a/.;x/c", "/a/c"),
    (b"/%%341", "/%2541"),
    # The semantics put digits into upper case, Envoy matches both.
    (b"/%3a", "/%3a"),
]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyMesh]:
    value = Mesh(
        name="spelling",
        trust_domain=DOMAIN,
        workloads=tuple(workload(name) for name in ("guarded", "open", "web")),
        services=(service("guarded"), service("open")),
        rules=(
            allow("any", "open"),
            allow("any", "guarded", match("/**")),
            deny("any", "guarded", match("/admin/**")),
            deny("any", "guarded", match("/")),
            deny("any", "guarded", match("/a:b/%3A{x}/{id}")),
        ),
    )
    with EnvoyMesh(value, tmp_path_factory.mktemp("mesh")) as running:
        yield running


def ask(mesh: EnvoyMesh, direction: str, target: bytes, callee: str = "open") -> Answer:
    if direction == "outbound":
        return call(mesh.outbound("web"), "GET", target, host=callee)
    return call(mesh.inbound(callee), "GET", target, tls=mesh.peer("web"))


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize("target", REFUSED)
def test_refused(mesh: EnvoyMesh, direction: str, target: bytes) -> None:
    before = len(mesh.backend("open").seen)
    assert ask(mesh, direction, target).status == 400
    assert len(mesh.backend("open").seen) == before


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize(("target", "forwarded"), FORWARDED + TREATED_AS)
def test_forwarded(mesh: EnvoyMesh, direction: str, target: bytes, forwarded: str) -> None:
    answer = ask(mesh, direction, target)
    assert (answer.status, answer.echo["target"]) == (200, forwarded)


def test_a_target_that_is_no_path_reaches_nobody(mesh: EnvoyMesh) -> None:
    for direction in ("inbound", "outbound"):
        with_star = call(
            mesh.outbound("web") if direction == "outbound" else mesh.inbound("open"),
            "OPTIONS",
            "*",
            host="open",
            tls=None if direction == "outbound" else mesh.peer("web"),
        )
        assert with_star.status == 404


def test_escapes_in_templates_match_either_case(mesh: EnvoyMesh) -> None:
    for target in (b"/a:b/%3A{x}/1", b"/a:b/%3a%7Bx%7d/1/", b"/%61:b/%3A%7bx}/1"):
        assert ask(mesh, "inbound", target, "guarded").status == 403
    assert ask(mesh, "inbound", b"/a:b/:{x}/1", "guarded").status == 200


def as_an_application_reads(target: str) -> str:
    """The path as applications take it: decoded, slashes merged, dot segments resolved."""
    path = re.sub("//+", "/", unquote(target.split("?")[0], "latin-1").replace("\\", "/"))
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


PIECES = [
    *("admin", "%61dmin", "adm%69n", "ADMIN", "x", "1", "2e", "61", "{", "*", " ", "?", "#"),
    *("/", "//", "\\", "%2f", "%2F", "%5c", "%252f", ".", "..", "%2e", "%2E%2e", "%252e", ";", ";a=b", "..;", "%3b"),
    *("%", "%%", "%3", "%32", "%33", "%36", "%00", "%09", "\x00", "\x7f", "\xa0", "%c0%af", "%uff0f"),
]


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
def test_no_spelling_reaches_what_a_deny_closes(mesh: EnvoyMesh, pieces: list[str]) -> None:
    backend = mesh.backend("guarded")
    backend.forget()
    target = ("/" + "".join(pieces)).encode("latin-1")
    status = ask(mesh, "inbound", target, "guarded").status
    assert status in {200, 400, 403}
    for seen in backend.seen:
        read = as_an_application_reads(seen.target)
        assert read != "/", (target, seen.target)
        assert not re.match(r"/admin(/|$)", read), (target, seen.target)

"""`meshc diff` as a user runs it: directories, revisions of git, builds; what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.meshc_command import invoke, run

SHOP = """\
edition 2026
mesh shop { trust-domain: "shop.example", mtls: strict }
service web { port: 8080/http }
service admin { port: 8080/http }
service api { port: 8080/http, versions: [v1, v2] }
allow web -> api {
  GET|HEAD /v1/orders/**
  DELETE /v1/carts/{id:uuid}
}
allow admin -> api : GET /v1/**
deny any -> api : /v1/admin/** because "break-glass only"
edge web -> api { timeout: 2s }
route api { /v1/** => v1 90%, v2 10% as canary }
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "shop.mesh").write_text(SHOP)
    return tmp_path


@pytest.fixture
def repository(shop: Path) -> Path:
    git(shop, "init", "-q", "-b", "main")
    commit(shop)
    return shop


def git(place: Path, *arguments: str) -> None:
    identity = {"GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "n@example.com"}
    identity |= {"GIT_COMMITTER_NAME": "n", "GIT_COMMITTER_EMAIL": "n@example.com", "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *arguments], cwd=place, check=True, env={**os.environ, **identity}, capture_output=True)


def commit(place: Path) -> None:
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "policy")


def changed(shop: Path, *edits: tuple[str, str]) -> Path:
    text = SHOP
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    (shop / "new").mkdir(exist_ok=True)
    (shop / "new" / "shop.mesh").write_text(text)
    return shop / "new"


def told(shop: Path, *edits: tuple[str, str]) -> list[dict[str, Any]]:
    result = invoke("diff", shop / "policy", changed(shop, *edits), "--format", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["version"] == 1
    changes: list[dict[str, Any]] = document["changes"]
    return changes


def test_a_grant_more_is_opened_and_one_less_closed(shop: Path) -> None:
    opened, closed = told(
        shop,
        ("GET|HEAD /v1/orders/**", "GET|HEAD|POST /v1/orders/**"),
        ("  DELETE /v1/carts/{id:uuid}\n", ""),
    )
    assert (opened["kind"], opened["from"], opened["to"]) == ("opened", "web", "api")
    assert opened["class"] == "POST /v1/orders/**"
    assert opened["witness"]["text"] == "web -> api POST /v1/orders"
    assert (opened["before"], opened["after"]) == ("denied: no allow matches", "allowed")
    assert [(span["side"], span["line"]) for span in opened["spans"]] == [("new", 7)]
    assert (closed["kind"], closed["class"]) == ("closed", "DELETE /v1/carts/{id:uuid}")
    assert [(span["side"], span["line"]) for span in closed["spans"]] == [("old", 8)]


def test_callers_with_the_same_change_are_told_together(shop: Path) -> None:
    (change,) = told(
        shop, ('"break-glass only"\n', '"break-glass only"\ngroup ops = [web, admin]\nallow ops -> api : PUT /x\n')
    )
    assert change["from"] == "admin, web"
    assert change["callers"] == ["admin", "web"]
    assert change["caller_count"] == 2


def test_a_deny_that_makes_an_exception_opens_just_that(shop: Path) -> None:
    (change,) = told(shop, ("/v1/admin/** because", '/v1/admin/** unless header "x-break" == "glass" because'))
    assert (change["kind"], change["from"]) == ("opened", "admin")
    assert change["class"] == 'GET /v1/admin/** if header "x-break" == "glass"'
    assert change["before"] == "denied: a deny matches"
    assert change["witness"]["text"] == 'admin -> api GET /v1/admin {x-break: "glass"}'


def test_shares_times_limits_and_copies(shop: Path) -> None:
    changes = told(
        shop,
        ("v1 90%, v2 10%", "v1 80%, v2 20%"),
        ("timeout: 2s", "timeout: 3s, retry { limit: 1, on: [connect-failure] }"),
        ("edition 2026\n", "edition 2026\nlimit web -> api 500/s\nmirror api GET /v1/orders/** => v2 1%\n"),
    )
    assert [(one["kind"], one["from"], one["before"], one["after"]) for one in changes] == [
        ("rerouted", "admin, web", "v1 90%, v2 10%", "v1 80%, v2 20%"),
        ("rerouted", "admin, web", "no copy", "a copy of 1% to api v2 (port 8080)"),
        ("settings", "web", "no limit", "limit 500/s burst 500"),
        (
            "settings",
            "web",
            "timeout 2s, no retry limit, no retry on",
            "timeout 3s, retry limit 1, retry on [connect-failure]",
        ),
    ]


def test_a_value_that_moves_to_a_wider_scope_is_no_change(shop: Path) -> None:
    assert told(shop, ("edge web -> api { timeout: 2s }", "edge web -> api { timeout: 2s }")) == []
    both = "edge web -> api { timeout: 2s }\nedge admin -> api { timeout: 2s }"
    (shop / "policy" / "shop.mesh").write_text(SHOP.replace("edge web -> api { timeout: 2s }", both))
    for wider in ("defaults api { timeout: 2s }", "defaults mesh { timeout: 2s }"):
        # Nobody else may call anything, so that nobody's value changes.
        assert told(shop, ("edge web -> api { timeout: 2s }", wider)) == []


def test_who_is_who(shop: Path) -> None:
    changes = told(
        shop,
        ("service web { port: 8080/http }", "service web { port: 8081/http, namespace: edge, mtls: permissive }"),
        (
            "service admin { port: 8080/http }",
            'service admin { port: 8080/http }\nexternal bank { hosts: ["bank.example"], port: 443/tls }',
        ),
    )
    assert [(one["to"], one["class"], one["before"], one["after"]) for one in changes] == [
        ("bank", "declaration", "absent", "hosts bank.example, ports 443/http, tls min 1.2"),
        ("web", "identity", "spiffe://shop.example/ns/default/sa/web", "spiffe://shop.example/ns/edge/sa/web"),
        ("web", "mtls", "strict", "permissive"),
        ("web", "port", "8080/http", "8081/http"),
    ]
    assert {one["kind"] for one in changes} == {"identity"}
    # A request to or by what changed, as the new program allows it; nobody may call the external yet.
    assert [one["witness"] and one["witness"]["text"] for one in changes] == [
        None,
        *["web -> api DELETE /v1/carts/00000000-0000-4000-8000-000000000000"] * 3,
    ]


def test_a_service_that_goes_closes_what_was_allowed_to_it(shop: Path) -> None:
    more = SHOP + "service old { port: 80/tcp }\nallow web -> old : tcp\n"
    (shop / "policy" / "shop.mesh").write_text(more)
    closed, gone = told(shop)
    assert (closed["kind"], closed["class"], closed["witness"]["text"]) == ("closed", "tcp", "web -> old tcp")
    assert closed["after"] == "denied: there is no such callee"
    assert (gone["to"], gone["after"]) == ("old", "absent")


def test_equal_programs(shop: Path) -> None:
    blocks = SHOP.split("\n", 1)[1]
    (shop / "new").mkdir()
    (shop / "new" / "a.mesh").write_text(blocks.replace("GET|HEAD", "HEAD|GET"))
    result = invoke("diff", shop / "policy", shop / "new", "--fail-on", "any")
    assert result.exit_code == 0
    assert result.stdout == "no request fares otherwise, and nothing is declared otherwise\n"


def test_text(shop: Path) -> None:
    new = changed(shop, ("GET|HEAD /v1/orders/**", "GET|HEAD /v1/**"), ("2s", "3s"))
    result = run("diff", "policy", "new", cwd=shop)
    assert new.exists()
    assert result.stderr == ""
    assert (
        result.stdout
        == """\
+ web -> api : GET|HEAD /v1/** except * /v1/admin/** and GET|HEAD /v1/orders/**
    opened: denied: no allow matches => allowed
    witness: web -> api GET /v1
    is new/shop.mesh:7:3
~ web -> api : *
    settings: timeout 2s => timeout 3s
    witness: web -> api DELETE /v1/carts/00000000-0000-4000-8000-000000000000
    was policy/shop.mesh:12:19; is new/shop.mesh:12:19

1 opened, 1 settings
"""
    )


@pytest.mark.parametrize(
    ("kinds", "status"),
    [("opened", 1), ("closed", 0), ("closed,opened", 1), ("any", 1), ("settings,identity", 0)],
)
def test_fail_on(shop: Path, kinds: str, status: int) -> None:
    new = changed(shop, ("GET|HEAD /v1/orders/**", "GET|HEAD|POST /v1/orders/**"))
    assert invoke("diff", shop / "policy", new, "--fail-on", kinds).exit_code == status


def test_what_cannot_be_decided_is_an_entry_and_fails(shop: Path) -> None:
    """That two expressions mean the same takes larger automata than are made."""
    one, other = "/(.*a)?.{9}a.{9}a.{15}", "/(.*a)?.{9}a.{8}.a.{14}."
    (shop / "policy" / "shop.mesh").write_text(SHOP + f'allow web -> api : PUT ~"{one}"\n')
    (shop / "new").mkdir()
    (shop / "new" / "shop.mesh").write_text(SHOP + f'allow web -> api : PUT ~"{other}"\n')
    result = invoke("diff", shop / "policy", shop / "new", "--format", "json", "--fail-on", "closed")
    changes = json.loads(result.stdout)["changes"]
    assert {(one["kind"], one["witness"]) for one in changes} == {("undecided", None)}
    assert all(one["after"].startswith("not decided: ") for one in changes)
    assert result.exit_code == 1
    assert invoke("diff", shop / "policy", shop / "new").exit_code == 0


# ---- overlays


STAGING = "overlay staging {\n  set api.route.canary: [50%, 50%]\n}\n"


def test_what_only_an_overlay_changes_names_it(shop: Path) -> None:
    (shop / "policy" / "shop.mesh").write_text(SHOP + STAGING)
    (shop / "new").mkdir()
    text = SHOP.replace("timeout: 2s", "timeout: 3s") + STAGING.replace("[50%, 50%]", "[40%, 60%]")
    (shop / "new" / "shop.mesh").write_text(text)
    result = invoke("diff", shop / "policy", shop / "new", "--format", "json")
    rerouted, timeout = json.loads(result.stdout)["changes"]
    assert (rerouted["after"], rerouted["overlays"]) == ("v1 40%, v2 60%", ["staging"])
    assert (timeout["after"], timeout["overlays"]) == ("timeout 3s", [])
    alone = invoke("diff", shop / "policy", shop / "new", "--format", "json", "--overlay", "staging")
    assert [one["after"] for one in json.loads(alone.stdout)["changes"]] == ["v1 40%, v2 60%", "timeout 3s"]


def test_an_overlay_that_only_one_side_has(shop: Path) -> None:
    (change,) = told(shop, ("edition 2026\n", "edition 2026\n" + STAGING))
    assert (change["to"], change["before"], change["after"]) == ("overlay staging", "absent", "present")
    result = invoke("diff", shop / "policy", shop / "new", "--overlay", "staging")
    assert result.exit_code == 2
    assert "there is no overlay `staging`" in result.output


# ---- git


def test_a_revision_against_the_work_tree(repository: Path) -> None:
    (repository / "policy" / "shop.mesh").write_text(SHOP.replace("GET|HEAD /v1/orders", "GET /v1/orders"))
    result = run("diff", "git:main:policy", "policy", "--format", "json", cwd=repository)
    (change,) = json.loads(result.stdout)["changes"]
    assert (change["kind"], change["class"]) == ("closed", "HEAD /v1/orders/**")
    assert change["spans"][0]["file"] == "git:main:policy/shop.mesh"


def test_paths_of_a_revision_as_git_reads_them(repository: Path) -> None:
    below = repository / "policy"
    for text in ("git:HEAD:policy", "git:HEAD:./", "git:HEAD:./shop.mesh", "git:HEAD:../policy", "git:HEAD^{}:policy/"):
        result = run("diff", text, ".", cwd=below)
        assert (result.returncode, result.stdout) == (
            0,
            "no request fares otherwise, and nothing is declared otherwise\n",
        ), text


def test_imports_resolve_inside_the_revision(repository: Path) -> None:
    library = "allow web -> api : PUT /lib\n"
    (repository / "policy" / "lib").mkdir()
    (repository / "policy" / ".lib.mesh").write_text(library)
    imported = SHOP.replace("edition 2026\n", 'edition 2026\nimport "./.lib.mesh"\n')
    (repository / "policy" / "shop.mesh").write_text(imported)
    commit(repository)
    (repository / "policy" / ".lib.mesh").write_text(library.replace("PUT", "POST"))
    result = run("diff", "git:HEAD:policy", "policy", "--format", "json", cwd=repository)
    assert [(one["kind"], one["class"]) for one in json.loads(result.stdout)["changes"]] == [
        ("opened", "POST /lib"),
        ("closed", "PUT /lib"),
    ]
    alone = run("diff", "git:HEAD:policy/shop.mesh", "policy/shop.mesh", "--fail-on", "opened", cwd=repository)
    assert alone.returncode == 1


def test_links_stay_inside_the_revision(repository: Path) -> None:
    (repository / "linked").mkdir()
    (repository / "linked" / "more.mesh").symlink_to("../policy/shop.mesh")
    (repository / "way").symlink_to("policy")
    commit(repository)
    result = run("diff", "git:HEAD:way", "policy", cwd=repository)
    assert result.returncode == 0, result.stderr
    refused = run("diff", "git:HEAD:linked", "policy", cwd=repository)
    assert refused.returncode == 1
    assert "MSH088" in refused.stderr or "leads out of the directory" in refused.stderr
    (repository / "policy" / "out.mesh").symlink_to("/etc/passwd")
    commit(repository)
    refused = run("diff", "git:HEAD:policy", "policy", cwd=repository)
    assert refused.returncode == 1
    assert "leads nowhere" in refused.stderr


@pytest.mark.parametrize(
    ("old", "status", "said"),
    [
        ("git:nowhere:policy", 2, "there is no revision `nowhere`"),
        ("git:--help:policy", 2, "there is no revision `--help`"),
        ("git:main", 2, "is not `git:REV:PATH`"),
        ("git::policy", 2, "is not `git:REV:PATH`"),
        ("git:main:../outside", 2, "leads out of the repository"),
        ("git:main:elsewhere", 1, "there is no file or directory"),
        ("git:main:policy\nx", 1, "there is no file or directory"),
        ("nothing-here", 1, "there is no file or directory"),
    ],
)
def test_what_is_not_there(repository: Path, old: str, status: int, said: str) -> None:
    result = run("diff", old, "policy", cwd=repository)
    assert result.returncode == status, result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_outside_of_a_repository(shop: Path) -> None:
    result = run("diff", "git:main:policy", "policy", cwd=shop, GIT_CEILING_DIRECTORIES=str(shop.parent))
    assert result.returncode == 2
    assert "not a git repository" in result.stderr


def test_without_git(repository: Path) -> None:
    result = run("diff", "git:main:policy", "policy", cwd=repository, PATH="/nowhere")
    assert result.returncode == 2
    assert "there is no `git` on this machine" in result.stderr


def test_a_side_that_does_not_compile_tells_its_findings(repository: Path) -> None:
    (repository / "policy" / "shop.mesh").write_bytes(b"\xff\xfe\x00")
    commit(repository)
    result = run("diff", "git:HEAD:policy", "git:HEAD~1:policy", cwd=repository)
    assert result.returncode == 1
    assert "MSH081" in result.stderr
    assert "`git:HEAD:policy` is no program that could be compared" in result.stderr
    assert result.stdout == ""


# ---- builds


def test_a_build_against_the_program(shop: Path) -> None:
    built = run("build", "policy", "--out", "out", "--target", "sidecar", "--quiet", cwd=shop)
    assert built.returncode == 0, built.stderr
    same = run("diff", "out", "policy", "--fail-on", "any", cwd=shop)
    assert (same.returncode, same.stdout) == (0, "no request fares otherwise, and nothing is declared otherwise\n")
    changed(shop, ("timeout: 2s", "timeout: 3s"))
    result = run("diff", "out", "new", "--format", "json", cwd=shop)
    (change,) = json.loads(result.stdout)["changes"]
    assert (change["before"], change["after"]) == ("timeout 2s", "timeout 3s")
    assert [span["side"] for span in change["spans"]] == ["new"]


def test_a_build_with_an_overlay_is_compared_in_it(shop: Path) -> None:
    (shop / "policy" / "shop.mesh").write_text(SHOP + STAGING)
    run("build", "policy", "--out", "out", "--target", "sidecar", "--quiet", "--overlay", "staging", cwd=shop)
    assert run("diff", "out", "policy", "--fail-on", "any", cwd=shop).returncode == 0
    wrong = run("diff", "out", "policy", "--overlay", "production", cwd=shop)
    assert wrong.returncode == 2
    assert "`out` was built with the overlay `staging`" in wrong.stderr


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda out: (out / "program.json").write_text("{}"), "changed after the build"),
        (lambda out: (out / "program.json").unlink(), "does not hold the program"),
        (lambda out: (out / "manifest.json").write_text("{"), "no manifest of a bundle"),
    ],
)
def test_a_build_that_was_tampered_with(shop: Path, damage: Any, said: str) -> None:
    run("build", "policy", "--out", "out", "--target", "sidecar", "--quiet", cwd=shop)
    damage(shop / "out")
    result = run("diff", "out", "policy", cwd=shop)
    assert result.returncode == 1
    assert said in result.stderr


# ---- Markdown and annotations


def test_markdown_shows_text_of_programs_as_it_is(shop: Path) -> None:
    evil = 'header "x-a" == "`|<b>@everyone</b>` [x](https://evil.example)"'
    changed(shop, ("GET|HEAD /v1/orders/**", f"GET|HEAD /v1/orders/**\n  PUT /v1/orders if {evil}"))
    result = run("diff", "policy", "new", "--format", "markdown", cwd=shop)
    (line,) = [one for one in result.stdout.splitlines() if one.startswith("| `+ opened`")]
    cells = [cell.strip() for cell in line.replace("\\|", "\0").strip("|").split("|")]
    assert len(cells) == 5
    assert cells[2] == "``" + f"PUT /v1/orders if {evil}".replace("|", "\0") + "``"
    assert "<details>" in result.stdout


def test_markdown_of_a_large_change_fits_into_a_comment(shop: Path) -> None:
    grants = "\n".join(f"  PUT /{'x' * 60}/{number}" for number in range(900))
    changed(shop, ("  GET|HEAD /v1/orders/**", f"  GET|HEAD /v1/orders/**\n{grants}"))
    result = run("diff", "policy", "new", "--format", "markdown", cwd=shop)
    assert result.returncode == 0
    assert len(result.stdout) < 60_000
    assert "more: `meshc diff` tells all of them" in result.stdout


def test_annotations_of_github(shop: Path) -> None:
    changed(shop, ("GET|HEAD /v1/orders/**", "GET|HEAD|POST /v1/orders/**"))
    result = run("diff", "policy", "new", "--format", "github", cwd=shop)
    assert result.stdout == (
        "::warning file=new/shop.mesh,line=7,col=3,endLine=7,endColumn=30,title=meshc diff%3A opened::"
        "web -> api : POST /v1/orders/**%0Adenied: no allow matches => allowed%0A"
        "witness: web -> api POST /v1/orders\n"
    )

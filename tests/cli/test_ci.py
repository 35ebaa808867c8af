"""What repositories run in continuous integration: the hooks, the action, and the commands of the guide."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from meshc.main import cli
from support.meshc_command import ROOT

HOOKS = ROOT / ".pre-commit-hooks.yaml"
ACTION = ROOT / "action.yml"
GUIDE = ROOT / "docs" / "ci.md"
BIN = Path(sys.executable).parent
GOOD = (
    'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 80/http }\n'
    'allow web -> api : GET /x\ntest "t" { web -> api GET /x is allowed }\n'
)
BAD = GOOD.replace("allow web", "allow wbe")


def parsed(command: str) -> click.Context:
    """Read a command line as meshc does, without running it; what does not exist is an error."""
    words = shlex.split(re.split(r"[>|;]", command)[0])
    assert words.pop(0) == "meshc"
    verb = cli.get_command(click.Context(cli), words[0])
    assert verb is not None, f"there is no verb {words[0]}"
    return verb.make_context(words[0], words[1:])


# ---- the guide


def test_the_yaml_of_the_guide_is_yaml_and_uses_what_is_there() -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)]
    assert len(blocks) == 5
    github, _, diff, _, hooks = blocks
    assert diff["jobs"]["diff"]["steps"][0]["with"] == {"fetch-depth": 0}  # a shallow clone lacks the other side
    steps = github["jobs"]["check"]["steps"]
    inputs = yaml.safe_load(ACTION.read_text())["inputs"]
    assert set(steps[1]["with"]) <= set(inputs)
    known = {hook["id"] for hook in yaml.safe_load(HOOKS.read_text())}
    assert {hook["id"] for hook in hooks["repos"][0]["hooks"]} <= known
    assert "sarif-file" in yaml.safe_load(ACTION.read_text())["outputs"]


def test_the_commands_of_the_guide_exist_with_their_options() -> None:
    commands = re.findall(r"meshc (?:check|test|fmt|build|explain|diff(?= ))\b[^`'\n]*", GUIDE.read_text())
    assert len(commands) > 10
    for command in commands:
        with parsed(command):
            pass


# ---- hooks


def hooks() -> dict[str, Any]:
    return {hook["id"]: hook for hook in yaml.safe_load(HOOKS.read_text())}


def test_the_hooks_are_valid_for_pre_commit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(HOOKS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(hooks()) == {"meshc-check", "meshc-fmt", "meshc-test"}
    for hook in hooks().values():
        with parsed(hook["entry"]):
            pass


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that uses the hooks, with meshc as it is installed here."""
    place = tmp_path / "repository"
    (place / "policy").mkdir(parents=True)
    (place / "policy" / "shop.mesh").write_text(GOOD)
    local = [
        {**hook, "language": "system", "args": ["policy"] if "fmt" not in id_ else []} for id_, hook in hooks().items()
    ]
    (place / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": local}]}))
    git(place, "init", "--quiet")
    git(place, "add", "--all")
    return place


def environment(place: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))},
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(place.parent / "cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def git(place: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=place, check=True, env=environment(place))


def run_hooks(place: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_hooks_pass_what_is_right_and_stop_what_is_not(repository: Path) -> None:
    status, shown = run_hooks(repository)
    assert status == 0, shown
    assert shown.count("Passed") == 3

    file = repository / "policy" / "shop.mesh"
    file.write_text(
        GOOD.replace("GET /x is allowed", "GET /y is allowed").replace("service web {}", "service  web  { }")
    )
    git(repository, "add", "--all")
    status, shown = run_hooks(repository)
    assert status == 1
    assert re.search(r"meshc check\.+Passed", shown)
    assert re.search(r"meshc fmt\.+Failed\n[^$]*files were modified by this hook", shown)
    assert re.search(r"meshc test\.+Failed", shown)
    assert "service web {}\n" in file.read_text()

    file.write_text(BAD)
    git(repository, "add", "--all")
    status, shown = run_hooks(repository)
    assert status == 1
    assert "error[MSH101]" in shown


# ---- the action


def action_steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    return steps


def test_no_input_stands_in_a_script_of_the_action() -> None:
    action = yaml.safe_load(ACTION.read_text())
    assert action["runs"]["using"] == "composite"
    given = " ".join(str(value) for step in action_steps() for value in step.get("env", {}).values())
    assert all(f"inputs.{name} " in given for name in action["inputs"])
    for step in action_steps():
        assert "${{" not in step.get("run", "")
        if "run" in step:
            assert step["shell"] == "bash"


def run_action(place: Path, **inputs: str) -> tuple[int, str, dict[str, str]]:
    """Run the action's check as a runner does."""
    (step,) = (step for step in action_steps() if step.get("id") == "check")
    defaults = {
        name: str(given.get("default", "")) for name, given in yaml.safe_load(ACTION.read_text())["inputs"].items()
    }
    values = {f"MESHC_{name.upper()}": {**defaults, **inputs}[name] for name in ("path", "format", "args")}
    assert set(values) == set(step["env"])
    outside = place.parent / "runner"
    outside.mkdir(exist_ok=True)
    output = outside / "output"
    output.write_text("")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=place,
        env={**environment(place), **values, "RUNNER_TEMP": str(outside), "GITHUB_OUTPUT": str(output)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return done.returncode, done.stdout + done.stderr, told


@pytest.fixture
def program(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    (place / "a b").mkdir(parents=True)
    (place / "a b" / "shop.mesh").write_text(GOOD)
    return place


def test_the_action_annotates_and_leaves_a_sarif_file(program: Path) -> None:
    assert run_action(program)[:2] == (0, "")
    (program / "a b" / "shop.mesh").write_text(BAD)
    status, shown, told = run_action(program, path="a b\n")
    assert status == 1
    assert shown.startswith("::error file=a b/shop.mesh,line=4,col=7,")
    log = json.loads(Path(told["sarif-file"]).read_text())
    assert [one["ruleId"] for one in log["runs"][0]["results"]] == ["MSH101"]


def test_the_action_passes_paths_and_arguments_on(program: Path) -> None:
    (program / "b.mesh").write_text("allow web -> api : GET /x\n")
    assert run_action(program)[0] == 0
    assert run_action(program, args="--strict\n--max-errors\n3\n")[0] == 1
    assert run_action(program, path="a b", args="--strict")[0] == 0
    assert run_action(program, path="a b\nb.mesh", args="--strict", format="text")[0] == 1


EVIL = ("$(touch pwned)", "`touch pwned`", "; touch pwned", "' ; touch pwned ; '", '"; touch pwned; "', "--no-such")


@pytest.mark.parametrize("field", ["path", "format", "args"])
def test_inputs_of_the_action_are_never_run(program: Path, field: str) -> None:
    for evil in ("\n".join(EVIL), " ".join(EVIL)):
        status, _, _ = run_action(program, **{field: evil})
        assert status in {1, 2}
        assert not list(program.parent.rglob("pwned"))

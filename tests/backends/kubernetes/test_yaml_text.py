"""What is written as YAML is read back as the same value, by more than one reader."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshc_backends.yaml_text import YamlValue, yaml_documents, yaml_text

KUBECTL = shutil.which("kubectl")

TRAPS = [
    "", " ", "~", "null", "Null", "NULL", "true", "True", "yes", "Yes", "no", "NO", "on", "On", "off", "y", "Y", "n",
    "1", "-1", "+1", "0", "007", "0o7", "0x1F", "0b1", "1_000", "1e3", "1E+3", ".5", "1.", "1.5", ".inf", "-.INF",
    ".nan", "190:20:30", "12:30", "2026-01-01", "2026-01-01T00:00:00Z", "=", "<<", "-", "--", "---", "...", "- a",
    "?", "? a", ":", "a:", "a: b", ":a", "#", "# a", "a #b", "a#b", "&a", "*a", "!a", "!!str a", "|", ">", "|-", "%a",
    "@a", "`a`", "{", "}", "[", "]", ",", "{}", "[]", "'", '"', "'a'", '"a"', "\\", "\\n", "a ", " a", "\ta", "a\t",
    "fe80::1", "::", "::/0", "1.2.3.4", "0.0.0.0/0", "a\nb", "a\nb\n", "a\n\n", "\na", "\n", "\n\n", " a\nb", "a\n b",
    "a \nb", "a\n ", "a\n \n", "a\r\nb", "a\rb", "a\n\tb", "a\n# b\n", "a\n---\nb\n", "a\n...\n", "\x00", "\x07",
    "\x1b[31m", "\x7f", "\x85", "a\x85b", "\xa0", "\xad", "\u2028", "a\u2029b", "\ufeff", "a\ufeffb", "\ufffe",
    "\uffff", "é", "日本\n語\n", "\U0001f600", "a\U0001f600\nb", "\u202e", "e\u0301", "NaN", "Infinity", "_1", "_",
]  # fmt: skip

TEXT = st.one_of(
    st.sampled_from(TRAPS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text("ab \n\t:#-|>{}[]'\"\\.,&*!%@`~01_", max_size=20),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=20,
)


@pytest.mark.parametrize("text", TRAPS)
def test_each_trap_survives_as_value_key_and_item(text: str) -> None:
    values: tuple[YamlValue, ...] = (
        text,
        {text: text},
        [text, {"k": text, text: [text]}],
        {"k": [[text]], "l": {"m": text}, "n": 1},
    )
    for value in values:
        assert yaml.safe_load(yaml_text(value)) == value


@settings(max_examples=600, deadline=None)
@given(VALUES)
@example({"a": [], "b": {}, "c": [[], {}, [[1]], {"d": {"e": ["\n"]}}]})
def test_any_value_survives(value: YamlValue) -> None:
    assert yaml.safe_load(yaml_text(value)) == value


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=5))
def test_several_documents_survive(values: list[YamlValue]) -> None:
    text = yaml_documents(values, ["a comment", "", "and: more"])
    assert list(yaml.safe_load_all(text)) == (values or [])


@pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on this machine, and with it no second reader of YAML")
def test_kubectls_reader_agrees_on_every_trap(tmp_path: Path) -> None:
    # Go's reader is the one that counts in the end. The answer comes through its printer, which spoils some.
    readable = [text for text in TRAPS if text not in {"=", "<<"} and not set(text) & set("\x7f\x85\ufffe\uffff")]
    data = {f"k{number}": text for number, text in enumerate(readable)}
    manifest: YamlValue = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "traps"}, "data": data}
    (tmp_path / "traps.yaml").write_text(yaml_text(manifest), encoding="utf-8")
    (tmp_path / "kustomization.yaml").write_text(yaml_text({"resources": ["traps.yaml"]}), encoding="utf-8")
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(tmp_path)], capture_output=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["data"] == data


def test_json_inside_stays_readable() -> None:
    inner = json.dumps({"a": [1, {"b": "c"}]}, indent=2) + "\n"
    assert yaml_text({"data": {"envoy.json": inner}}) == (
        "data:\n"
        "  envoy.json: |\n"
        "    {\n"
        '      "a": [\n'
        "        1,\n"
        "        {\n"
        '          "b": "c"\n'
        "        }\n"
        "      ]\n"
        "    }\n"
    )


def test_the_style_is_kubectls() -> None:
    value: YamlValue = {
        "kind": "X",
        "on": True,
        "list": ["a", {"b": 1, "c": ["d"]}, ["e", "f"]],
        "nothing": None,
        "empty": {},
        "none": [],
        "text": "a\n\nb",
        "kept": ["x\n\n", "y"],
    }
    assert yaml_text(value) == (
        "kind: X\n"
        '"on": true\n'
        "list:\n"
        "- a\n"
        "- b: 1\n"
        "  c:\n"
        "  - d\n"
        "- - e\n"
        "  - f\n"
        "nothing: null\n"
        "empty: {}\n"
        "none: []\n"
        "text: |-\n"
        "  a\n"
        "\n"
        "  b\n"
        "kept:\n"
        "- |+\n"
        "  x\n"
        "\n"
        '- "y"\n'
    )


def test_what_no_reader_could_take_back_is_a_bug_of_the_writer() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        yaml_text("\ud800")
    with pytest.raises(ValueError, match="key"):
        yaml_text({"k" * 1025: 1})
    with pytest.raises(ValueError, match="comment"):
        yaml_documents([], ["a\nkind: Secret"])

"""Writes `syntaxes/mesh.tmLanguage.json`: the words and literals are those of the language's grammar.

Run it when the grammar has changed: `python editors/vscode/generate_grammar.py`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from meshc_lang.parser import grammar_text
from meshc_lang.recovery import STATEMENTS

TARGET = Path(__file__).parent / "syntaxes" / "mesh.tmLanguage.json"

Rule = dict[str, Any]

NAME = r"[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
END = r"(?!-*[A-Za-z0-9_])"
"""What ends a word: no letter follows, nor a `-` with one behind."""
BEGIN = r"(?<![A-Za-z0-9_-])"

_TERMINAL = re.compile(r"^(?P<name>[A-Z_]+)(?:\.\d+)?: (?:/(?P<pattern>.*)/|\"(?P<text>.*)\")$", re.MULTILINE)
_KEYWORD = re.compile(r"([a-z]+)\(\?!-\*\[A-Za-z0-9_\]\)\Z")

_NUMBERS = {
    "DURATION": "constant.numeric.duration.mesh",
    "PERCENT": "constant.numeric.percent.mesh",
    "SIZE": "constant.numeric.size.mesh",
    "RATE": "constant.numeric.rate.mesh",
    "PORT": "constant.numeric.port.mesh",
    "STATUS_CLASS": "constant.numeric.status.mesh",
    "DECIMAL": "constant.numeric.decimal.mesh",
    "INT": "constant.numeric.integer.mesh",
}
_BEFORE_NUMBER = r"(?:(?<=\.\.)|(?<![A-Za-z0-9_.-]))"
"""A number may stand behind `..` and not within a word."""

_CONSTANTS = ("ON", "OFF")
_PEERS = ("ANY", "INGRESS")
_DECLARING = ("mesh", "service", "external", "group", "jwt", "let", "template", "overlay", "fault")
_ABOUT = ("defaults", "route", "mirror", "slo", "use")
_ARROWS = ("ARROW", "CHAIN_ARROW")
_OPERATORS = ("DOUBLE_ARROW", "EQUAL", "NOT_EQUAL", "LESS_OR_EQUAL", "GREATER_OR_EQUAL")


def terminals() -> dict[str, str]:
    """Return the grammar's terminals as regular expressions, in a form that every engine of editors reads."""
    found: dict[str, str] = {}
    for one in _TERMINAL.finditer(grammar_text()):
        pattern = one["pattern"] if one["pattern"] is not None else re.escape(one["text"])
        found[one["name"]] = pattern.replace("*+", "*")
    return found


def keywords(known: dict[str, str]) -> dict[str, str]:
    """Return the words of the language by terminal."""
    return {name: found[1] for name, pattern in known.items() if (found := _KEYWORD.match(pattern))}


def grammar() -> Rule:
    """Return the TextMate grammar."""
    known = terminals()
    words = keywords(known)
    missing = sorted(set(STATEMENTS) - set(words.values()))
    if missing:
        raise SystemExit(f"the grammar has no terminal for {missing}")
    constants = [*(words[name] for name in _CONSTANTS), "true", "false"]
    peers = [words[name] for name in _PEERS]
    special = {*constants, *peers}
    others = sorted(set(words.values()) - set(STATEMENTS) - special)
    items = [words[name] for name in ("SET", "DROP")]
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "information_for_contributors": [
            "This file is made by editors/vscode/generate_grammar.py out of the language's grammar: change it there."
        ],
        "name": "mesh",
        "scopeName": "source.mesh",
        "fileTypes": ["mesh"],
        "patterns": [{"include": f"#{name}"} for name in (*_ORDER, "word", "number", "operator")],
        "repository": {
            "comment": _comment(),
            "string": _string(),
            "regex": _regex(),
            "declaration": _named(_DECLARING, "entity.name.type.mesh"),
            "about": _named(_ABOUT, "variable.other.peer.mesh"),
            "statement": {
                "match": rf"^\s*({_any(STATEMENTS, items)}){END}(?=\s+[^\s:{{]|\s*$)",
                "captures": {"1": {"name": "keyword.control.mesh"}},
            },
            "rpc": {
                "match": rf"{BEGIN}({words['RPC']}){END}\s+({known['RPC_NAME']})?",
                "captures": {"1": {"name": "keyword.other.mesh"}, "2": {"name": "entity.name.function.rpc.mesh"}},
            },
            "label": {
                "match": rf"{BEGIN}({words['AS']}|{words['OVER']}|{words['BY']}|{words['ROUTED']}){END}\s+({NAME})",
                "captures": {"1": {"name": "keyword.other.mesh"}, "2": {"name": "entity.name.function.mesh"}},
            },
            "flow": _flow(words),
            "callee": _callee(words),
            "key": {
                "match": rf'{BEGIN}({NAME})(?=:(?:\s|$)|\s*\{{)|("(?:[^"\\]|\\.)*")(?=:)',
                "name": "support.type.property-name.mesh",
            },
            "method": {"match": f"{BEGIN}{known['METHOD']}", "name": "support.constant.method.mesh"},
            "path": _path(known["PATH"]),
            "word": {
                "patterns": [
                    {"match": f"{BEGIN}({_any(peers)}){END}", "name": "variable.language.mesh"},
                    {"match": f"{BEGIN}({_any(constants)}){END}", "name": "constant.language.mesh"},
                    {"match": f"{BEGIN}({_any(others, STATEMENTS)}){END}", "name": "keyword.other.mesh"},
                ]
            },
            "number": {
                "patterns": [
                    {"match": f"{_BEFORE_NUMBER}{known[name]}", "name": scope} for name, scope in _NUMBERS.items()
                ]
            },
            "operator": {
                "patterns": [
                    {"match": _any(_signs(known, _ARROWS)), "name": "keyword.operator.arrow.mesh"},
                    {"match": _any(_signs(known, _OPERATORS)), "name": "keyword.operator.mesh"},
                    {"match": r"\.\.|[=<>|~*]|(?<=\s)-(?=\s)", "name": "keyword.operator.mesh"},
                    {"match": r"[,;:]", "name": "punctuation.separator.mesh"},
                    {"match": r"[{}\[\]()]", "name": "punctuation.bracket.mesh"},
                ]
            },
        },
    }


_ORDER = (
    "comment",
    "declaration",
    "about",
    "statement",
    "rpc",
    "label",
    "flow",
    "callee",
    "key",
    "regex",
    "string",
    "method",
    "path",
)


def _any(*lists: Any) -> str:
    """Return a pattern for any of some words, the longest first, so that none hides another."""
    every = sorted({word for words in lists for word in words}, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word).replace(r"\-", "-") for word in every)


def _signs(known: dict[str, str], names: tuple[str, ...]) -> list[str]:
    return [known[name].replace("\\", "") for name in names]


def _comment() -> Rule:
    return {
        "patterns": [
            {
                "match": r"(#\s*(meshc:)\s*(ignore(?:-file)?)\[([^\]]*)\])([^\r\n]*)",
                "name": "comment.line.number-sign.directive.mesh",
                "captures": {
                    "2": {"name": "keyword.other.directive.mesh"},
                    "3": {"name": "keyword.other.directive.mesh"},
                    "4": {"name": "constant.other.code.mesh"},
                },
            },
            {"match": r"##(?!#)[^\r\n]*", "name": "comment.line.documentation.mesh"},
            {"match": r"#[^\r\n]*", "name": "comment.line.number-sign.mesh"},
        ]
    }


def _string() -> Rule:
    # One that is not closed yet is coloured to the end of its line.
    return {
        "begin": '"',
        "end": r'"|(?=$)',
        "name": "string.quoted.double.mesh",
        "patterns": [{"match": r"\\(?:u[0-9a-fA-F]{4}|.)", "name": "constant.character.escape.mesh"}],
    }


def _regex() -> Rule:
    return {
        "begin": r'(~)\s*(")',
        "end": r'"|(?=$)',
        "name": "string.regexp.mesh",
        "beginCaptures": {"1": {"name": "keyword.operator.mesh"}},
        "patterns": [{"match": r"\\.", "name": "constant.character.escape.mesh"}],
    }


def _named(words: tuple[str, ...], scope: str) -> Rule:
    return {
        "match": rf"^\s*({_any(words)}){END}[ \t]+({NAME})",
        "captures": {"1": {"name": "keyword.control.mesh"}, "2": {"name": scope}},
    }


def _flow(words: dict[str, str]) -> Rule:
    """Return the rule for a caller: the name before an arrow."""
    return {
        "match": rf"{BEGIN}(?!(?:{words['ANY']}|{words['INGRESS']}){END})({NAME})(?=\s*->)",
        "captures": {"1": {"name": "variable.other.peer.mesh"}},
    }


def _callee(words: dict[str, str]) -> Rule:
    """Return the rule for a callee: the name behind an arrow, with a port behind a dot."""
    return {
        "match": rf"(->\*?)\s*(?:({words['ANY']}|{words['INGRESS']}){END}|({NAME})(?:(\.)({NAME}))?)",
        "captures": {
            "1": {"name": "keyword.operator.arrow.mesh"},
            "2": {"name": "variable.language.mesh"},
            "3": {"name": "variable.other.peer.mesh"},
            "5": {"name": "variable.other.port.mesh"},
        },
    }


def _path(pattern: str) -> Rule:
    return {
        "match": f"(?<![A-Za-z0-9_]){pattern}",
        "name": "string.unquoted.path.mesh",
        "captures": {
            "0": {
                "patterns": [
                    {"match": r"\{[a-z_]+(?::[ ]?[a-z0-9]+)?\}", "name": "constant.other.placeholder.mesh"},
                    {"match": r"\*\*?", "name": "constant.other.wildcard.mesh"},
                ]
            }
        },
    }


def text() -> str:
    """Return the file's text."""
    return json.dumps(grammar(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"wrote {TARGET}\n")

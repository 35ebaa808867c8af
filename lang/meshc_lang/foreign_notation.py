"""Habits of other languages: comments, operators, assignments, quotes and lists as they are written elsewhere."""

from __future__ import annotations

import unicodedata

from meshc_lang.codes import syntax
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.failure import NAME, Failure, clip, diagnostic, fix
from meshc_lang.pattern import pattern

__all__ = ["explain_character", "explain_foreign"]

_LOOKALIKES = {
    "→": "->",
    "⇒": "=>",
    "“": '"',
    "”": '"',
    "„": '"',
    "‘": '"',
    "’": '"',
    "«": '"',
    "»": '"',
    "–": "-",
    "—": "-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "…": "..",
    "\u00a0": " ",
}
"""Characters that editors put where ASCII is meant."""

_CURLY = pattern(r"[“”„‘’«»]([^“”„‘’«»\"\\\r\n]*)[“”„‘’«»]")
_SINGLE = pattern(r"'([^'\"\\\r\n]*)'")
_INTERPOLATED = pattern(r"\$\{?([A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)\}?")

_OPERATORS = {
    "&&": ("AND", "and"),
    "&": ("AND", "and"),
    "||": ("OR", "or"),
    "|": ("OR", "or"),
    "!": ("NOT", "not"),
    "===": ("EQUAL", "=="),
    "!==": ("NOT_EQUAL", "!="),
    "<>": ("NOT_EQUAL", "!="),
    "=~": ("TILDE", "~"),
    "~=": ("TILDE", "~"),
    "=<": ("LESS_OR_EQUAL", "<="),
    "=>": ("GREATER_OR_EQUAL", ">="),
}
"""Operators by the terminal and the spelling that stand for them here."""

_SPOKEN = {
    "is": "==",
    "equals": "==",
    "eq": "==",
    "ne": "!=",
    "exists": "present",
    "matches": "~",
}
"""Words that elsewhere compare."""


def explain_character(failure: Failure) -> Diagnostic | None:
    """A character that no token begins with, or a string that cannot be one."""
    word, span, source = failure.word, failure.span, failure.source
    if not word:
        return None
    first = word[0]
    if len(word) > 1 and first == '"':
        control = next((index for index, char in enumerate(word) if ord(char) < 0x20 or char == "\x7f"), None)
        if control is None or word[control] == "\t":
            return None
        at = source.span(span.start + control, span.start + control + 1)
        return diagnostic(syntax.UNEXPECTED_CHARACTER, f"a string holds the control character {_shown(at.text)}", at)
    if first == '"':
        end = source.text.find("\n", span.start)
        line = source.text[span.start : len(source.text) if end == -1 else end].rstrip()
        whole = source.span(span.start, span.start + len(line))
        return diagnostic(syntax.UNCLOSED_STRING, "this string has no closing quote", whole)
    at = source.span(span.start, span.start + 1)
    meant = _LOOKALIKES.get(first)
    if meant is not None:
        message = f"{_shown(first)} is not what programs are written with; `{meant}` is meant"
        quoted = _CURLY.match(source.text, span.start) if meant == '"' else None
        if quoted is None:
            return diagnostic(syntax.UNEXPECTED_CHARACTER, message, at, fix(f"write `{meant}`", (at, meant)))
        bare = "STRING" not in failure.accepts and NAME.fullmatch(quoted[1]) is not None
        plain = quoted[1] if bare else f'"{quoted[1]}"'
        whole = source.span(span.start, quoted.end())
        return diagnostic(syntax.UNEXPECTED_CHARACTER, message, at, fix(f"write `{plain}`", (whole, plain)))
    if first == "'" and (single := _SINGLE.match(source.text, span.start)) is not None:
        whole = source.span(span.start, single.end())
        message = f"texts stand in double quotes: `{clip(whole.text)}`"
        repair = fix("write double quotes", (whole, f'"{single[1]}"'))
        return diagnostic(syntax.UNEXPECTED_CHARACTER, message, at, repair)
    if first == "$" and (variable := _INTERPOLATED.match(source.text, span.start)) is not None:
        whole = source.span(span.start, variable.end())
        message = f"nothing is interpolated: a `let` or a parameter stands by its bare name, `{clip(variable[1])}`"
        return diagnostic(syntax.UNEXPECTED_CHARACTER, message, whole, fix("write the name", (whole, variable[1])))
    if not " " < first <= "~" or first in "$^?`'@\\":
        return diagnostic(syntax.UNEXPECTED_CHARACTER, f"{_shown(first)} has no place outside strings and comments", at)
    return None


def explain_foreign(failure: Failure) -> Diagnostic | None:
    """Something that another language would take here."""
    return _comment(failure) or _operator(failure) or _quoted_name(failure) or _assignment(failure) or _item(failure)


def _comment(failure: Failure) -> Diagnostic | None:
    text, start, word = failure.source.text, failure.span.start, failure.word
    alone = not failure.line.strip()
    mark = next((mark for mark in ("//", "/*", "--", "<!--") if text.startswith(mark, start)), None)
    if mark is None or not (alone or text[start - 1] in " \t"):
        return None
    if mark == "//" and not (alone or len(word) == 2):
        return None
    if mark in ("--", "<!--") and not alone:
        return None
    span = failure.source.span(start, start + len(mark))
    message = f"a comment begins with `#`, not `{mark}`"
    if mark in ("//", "--"):
        return diagnostic(syntax.UNEXPECTED_TEXT, message, span, fix("write `#`", (span, "#")))
    return diagnostic(syntax.UNEXPECTED_TEXT, message, span, help="every comment ends with its line")


def _operator(failure: Failure) -> Diagnostic | None:
    word, accepts, span = failure.word, failure.accepts, failure.span
    if word.startswith("!") and word not in _OPERATORS and "NOT" in accepts:
        word, span = "!", failure.source.span(span.start, span.start + 1)
    terminal, meant = _OPERATORS.get(word, ("", ""))
    if terminal and terminal in accepts:
        apart = " " if word == "!" else ""
        message = f"conditions are joined with `and`, `or` and `not`, not `{word}`"
        if terminal not in ("AND", "OR", "NOT"):
            message = f"values are compared with `{meant}`, not `{word}`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, span, fix(f"write `{meant}`", (span, meant + apart)))
    meant = _SPOKEN.get(word, "")
    if meant and {"EQUAL", "PRESENT"} <= accepts:
        message = f"`{meant}` is what `{word}` is here"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, span, fix(f"write `{meant}`", (span, meant)))
    return None


def _quoted_name(failure: Failure) -> Diagnostic | None:
    """`service "web" { … }`."""
    word = failure.word
    if not word.startswith('"') or "NAME" not in failure.accepts or failure.accepts & {"STRING", "HEADER"}:
        return None
    if NAME.fullmatch(word[1:-1]) is None:
        return None
    repair = fix("take the quotes away", (failure.span, word[1:-1]))
    return diagnostic(
        syntax.UNEXPECTED_TEXT, f"a name stands without quotes: `{clip(word[1:-1])}`", failure.span, repair
    )


def _assignment(failure: Failure) -> Diagnostic | None:
    """`key = value` for `key: value`, `let x: 1` for `let x = 1`, `=` for `==`."""
    word, accepts, before = failure.word, failure.accepts, clip(failure.before)
    joined = failure.span.start == failure.before_end
    if word == "=" and joined and failure.before in ("=", "=="):
        whole = failure.place(1).to(failure.span)
        message = f"`{failure.before}` is meant here, not `{whole.text}`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, whole, fix(f"write `{failure.before}`", (failure.span, "")))
    if word == "=" and "EQUAL" in accepts:
        meant, message = "==", "values are compared with `==`, not `=`"
    elif word in ("=", "=>", "->", ":=", "==") and "COLON" in accepts and "ARROW" not in accepts:
        stands = "a path and its value" if failure.keyword == "set" else "a key and its value"
        meant, message = ":", f"between {stands} stands `:`, not `{word}`, as in `{before}: …`"
    elif word in (":", ":=", "==", "=>") and "ASSIGN" in accepts:
        what = "members" if failure.keyword == "group" else "value"
        meant, message = "=", f"between a name and its {what} stands `=`, not `{word}`, as in `{before} = …`"
    else:
        return None
    return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span, fix(f"write `{meant}`", (failure.span, meant)))


def _item(failure: Failure) -> Diagnostic | None:
    """`- v1`: an entry of a list as YAML writes it; and a colon behind a method."""
    word = failure.word
    if (
        word == "-"
        and failure.inside
        and {"NAME", "RBRACE"} <= failure.accepts
        and failure.before_type in ("", "LBRACE")
    ):
        return diagnostic(
            syntax.UNEXPECTED_TEXT, "`-` begins no entry here", failure.span, help="a list stands in brackets: `[a, b]`"
        )
    if word == ":" and failure.before_type == "METHOD" and "PATH" in failure.accepts:
        message = f"a path follows its method without a colon: `{clip(failure.before)} /…`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span, fix("take the colon away", (failure.span, "")))
    return None


def _shown(character: str) -> str:
    name = unicodedata.name(character, "")
    if character.isprintable() and name and not character.isspace():
        return f"`{character}`"
    return f"U+{ord(character):04X}" + (f" ({name.lower()})" if name else "")

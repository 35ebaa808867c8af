"""YAML as meshc writes it: block style, one spelling for each value, the same under YAML 1.1 and 1.2 readers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

YamlValue: TypeAlias = "bool | int | str | Sequence[YamlValue] | Mapping[str, YamlValue] | None"
"""What can be written. Mappings keep their order; there are no floats, for no two readers agree on them."""

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*\Z")
"""Strings that may stand without quotes, unless they are words that some reader takes for something else.

The first character keeps out all numbers, dates, times, `.inf`, `-`, `~`, `=` and `<<`; the others keep out `: ` and
` #`, and with them IPv6 addresses and sexagesimal numbers (YAML 1.1 reads `fe80::1` in odd ways, and `1:30` as 90).
"""

_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Booleans and nulls of YAML 1.1 and 1.2, folded."""

_LETTERS = "\u00a1-\u00ac\u00ae-\u02ff\u0370-\u058f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
"""Letters beyond ASCII that are written as they are. A fixed list: what Python calls printable changes with it."""

_BLOCK = re.compile(rf"[!-~{_LETTERS}][ -~{_LETTERS}\n]*\Z")
_TRAILING_SPACE = re.compile(r" (?:\n|\Z)")
_ESCAPED = re.compile(rf"[^ !#-\[\]-~{_LETTERS}]")
_SHORT = {"\0": "\\0", "\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}

_LONGEST_KEY = 1000
"""Characters of a key as written; readers look for its colon within 1024 (YAML 1.2 §7.4.2)."""


def yaml_text(value: YamlValue) -> str:
    """Return one document, without a marker, ended by a line break."""
    match value:
        case Mapping() | Sequence() if value and not isinstance(value, str):
            lines: list[str] = []
            _block(value, "", "", lines)
            return "\n".join(lines) + "\n"
        case _:
            return _inline(value) + "\n"


def yaml_documents(documents: Sequence[YamlValue], comment: Sequence[str] = ()) -> str:
    """Return a file of documents, each after a `---`, below the lines of a comment."""
    if not all(line.isprintable() for line in comment):
        raise ValueError("a line of a comment must stay one line")
    head = "".join(f"# {line}\n" if line else "#\n" for line in comment)
    return head + "".join("---\n" + yaml_text(document) for document in documents)


def _block(value: Mapping[str, YamlValue] | Sequence[YamlValue], first: str, indent: str, lines: list[str]) -> None:
    """Append the lines of a mapping or sequence that is not empty; `first` is what its first line begins with."""
    start = first
    if isinstance(value, Mapping):
        for key, item in value.items():
            _entry(item, f"{start}{_key(key)}:", indent, lines)
            start = indent
        return
    for item in value:
        if isinstance(item, Mapping | Sequence) and item and not isinstance(item, str):
            _block(item, f"{start}- ", f"{indent}  ", lines)
        elif isinstance(item, str) and (text := _literal(item, f"{indent}  ")):
            lines.append(f"{start}- {text}")
        else:
            lines.append(f"{start}- {_inline(item)}")
        start = indent


def _entry(value: YamlValue, head: str, indent: str, lines: list[str]) -> None:
    match value:
        case str():
            text = _literal(value, f"{indent}  ")
            lines.append(f"{head} {text or _scalar(value)}")
        case Mapping() if value:
            lines.append(head)
            _block(value, f"{indent}  ", f"{indent}  ", lines)
        case Sequence() if value:
            lines.append(head)
            _block(value, indent, indent, lines)
        case _:
            lines.append(f"{head} {_inline(value)}")


def _inline(value: YamlValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return _scalar(value)
        case Mapping():
            return "{}"
        case _:
            return "[]"


@lru_cache(maxsize=1024)  # the same few dozen words, thousands of times
def _key(key: str) -> str:
    text = _scalar(key)
    if len(text) > _LONGEST_KEY:
        raise ValueError(f"a YAML key of {len(key)} characters")
    return text


def _scalar(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    return '"' + _ESCAPED.sub(lambda found: _escape(found.group()), text) + '"'


def _escape(character: str) -> str:
    if short := _SHORT.get(character):
        return short
    number = ord(character)
    if 0xD800 <= number <= 0xDFFF:
        raise ValueError("a lone surrogate is no character, and cannot be written")
    # Never the pair of \u that JSON has for characters beyond the BMP: YAML reads that as two broken characters.
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _literal(text: str, indent: str) -> str | None:
    """Return a text of several lines as a `|` block, None where only quotes keep it as it is."""
    if "\n" not in text or not _BLOCK.match(text) or _TRAILING_SPACE.search(text):
        return None
    body = text.rstrip("\n")
    breaks = len(text) - len(body)
    header = "|-" if breaks == 0 else "|" if breaks == 1 else "|+"
    lines = [f"{indent}{line}" if line else "" for line in body.split("\n")]
    return "\n".join([header, *lines]) + "\n" * max(0, breaks - 1)

"""Expressions for the pseudo-header `:path`, which holds the query behind the path.

`[^/]` and `.` would find themselves in the query too, so every class of letters is spelled without the question mark
that ends the path.
"""

from __future__ import annotations

from typing import assert_never

from meshc_backends.envoy.path_match import quote
from meshc_compiler.regex import Characters, Choice, Regex, Repeat, Sequence, compiled

_QUERY = "(?:\\?.*)?"
_IN_PATHS = frozenset(map(chr, range(0x21, 0x7F))) - {"?"}


def of_template(regex: str) -> str:
    """Return the expression of a template for the path with whatever query behind it."""
    # What any segment or all that follows may be ends where the query begins.
    return regex.replace("[^/]+", "[^/?]+").replace("(?:/.*)?", "(?:/[^?]*)?") + _QUERY


def of_literal(path: str) -> str:
    """Return the expression of one path with whatever query behind it."""
    return quote(path) + _QUERY


def of_expression(pattern: str) -> str:
    """Return a program's own expression about paths for the path with whatever query behind it."""
    return _text(compiled(pattern)) + _QUERY


def _text(tree: Regex) -> str:
    match tree:
        case Characters(accepted):
            return _class(accepted & _IN_PATHS)
        case Sequence(parts):
            return "".join(map(_text, parts))
        case Choice(options):
            return f"(?:{'|'.join(map(_text, options))})"
        case Repeat(part, least, most):
            bounds = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
            if bounds is None:
                bounds = f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"
            return f"(?:{_text(part)}){bounds}"
        case _:
            assert_never(tree)


def _class(letters: frozenset[str]) -> str:
    if not letters:
        return "\\x00"  # no path holds it
    if len(letters) == 1:
        return quote(*letters)
    ranges: list[tuple[str, str]] = []
    for letter in sorted(letters):
        if ranges and ord(ranges[-1][1]) + 1 == ord(letter):
            ranges[-1] = (ranges[-1][0], letter)
        else:
            ranges.append((letter, letter))
    spelled = (_in_class(one) if one == last else f"{_in_class(one)}-{_in_class(last)}" for one, last in ranges)
    return f"[{''.join(spelled)}]"


def _in_class(letter: str) -> str:
    """Return a letter as it stands in a class: `-` has a meaning there."""
    return "\\-" if letter == "-" else quote(letter)

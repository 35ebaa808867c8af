r"""Regular expressions of RE2 (github.com/google/re2, doc/syntax.txt) as trees, by a reader that no emitter shares.

What it does not know it does not guess at: anchors, word boundaries, counted groups, POSIX and Unicode classes and
flags other than a leading `(?i)` are an error. `.` is any letter but the end of a line.
"""

from __future__ import annotations

from functools import lru_cache

from meshc_backends.readback.language import ANY_LETTER, Language, language_of
from meshc_compiler.regex import BEYOND, Characters, Choice, Regex, Repeat, Sequence

_EVERY = ANY_LETTER.accepted
_CLASSES = {
    "d": frozenset("0123456789"),
    "w": frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
    "s": frozenset("\t\n\f\r "),
}
_CONTROLS = {"t": "\t", "n": "\n", "f": "\f", "r": "\r", "v": "\v", "a": "\a"}
_MOST_REPEATED = 1000


class ExpressionError(ValueError):
    """An expression that this reader does not know how to take."""


@lru_cache(maxsize=65536)
def matched_by(pattern: str) -> Language:
    """Return the texts that the expression matches as a whole.

    Raises:
        ExpressionError: it holds something unknown.
    """
    return language_of(tree_of(pattern))


def tree_of(pattern: str) -> Regex:
    """Return the expression as a tree."""
    folded = pattern.startswith("(?i)")
    reader = _Reader(pattern[4:] if folded else pattern, folded=folded)
    tree = reader.choice()
    if reader.at < len(reader.text):
        raise ExpressionError(f"a `)` too many in {pattern!r}")
    return tree


class _Reader:
    def __init__(self, text: str, *, folded: bool) -> None:
        self.text = text
        self.at = 0
        self.folded = folded

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise ExpressionError(f"{self.text!r} ends too early")
        self.at += 1
        return character

    def choice(self) -> Regex:
        options = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self) -> Regex:
        parts: list[Regex] = []
        while self.peek() and self.peek() not in "|)":
            parts.append(self.repeated())
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def repeated(self) -> Regex:
        part = self.atom()
        mark = self.peek()
        if not mark or mark not in "*+?{":
            return part
        self.at += 1
        if mark == "{":
            part = Repeat(part, *self.bounds())
        else:
            part = Repeat(part, *{"*": (0, None), "+": (1, None), "?": (0, 1)}[mark])
        if self.peek() == "?":  # lazy: of whole texts it says nothing
            self.at += 1
        if self.peek() and self.peek() in "*+?{":
            raise ExpressionError(f"a repetition of a repetition in {self.text!r}")
        return part

    def bounds(self) -> tuple[int, int | None]:
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at : max(end, self.at)].partition(",")
        if end < 0 or not low.isdigit() or not (high.isdigit() or not high):
            raise ExpressionError(f"a `{{` without numbers in {self.text!r}")
        self.at = end + 1
        least, most = int(low), int(high) if high else None if comma else int(low)
        if max(least, most or 0) > _MOST_REPEATED or (most is not None and most < least):
            raise ExpressionError(f"a repetition that RE2 does not take in {self.text!r}")
        return least, most

    def atom(self) -> Regex:
        character = self.take()
        match character:
            case "(":
                return self.group()
            case "[":
                return self.letters()
            case ".":
                return Characters(_EVERY - {"\n"})
            case "\\":
                return self.escape()
            case "^" | "$" | "*" | "+" | "?" | "{":
                raise ExpressionError(f"a `{character}` that this reader does not take in {self.text!r}")
            case _:
                return self.one(character)

    def group(self) -> Regex:
        if self.peek() == "?":
            if self.text.startswith("?:", self.at):
                self.at += 2
            elif self.text.startswith("?P<", self.at) and (end := self.text.find(">", self.at)) > 0:
                self.at = end + 1
            else:
                raise ExpressionError(f"a group that this reader does not take in {self.text!r}")
        inner = self.choice()
        if self.take() != ")":
            raise ExpressionError(f"a `(` without its `)` in {self.text!r}")
        return inner

    def escape(self) -> Characters:
        character = self.take()
        if character.lower() in _CLASSES:
            named = _CLASSES[character.lower()]
            return Characters(named if character.islower() else _EVERY - named)
        if character in _CONTROLS:
            return Characters(frozenset(_CONTROLS[character]))
        if character == "x":
            digits = self.text[self.at : self.at + 2]
            if len(digits) != 2 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise ExpressionError(f"a `\\x` that this reader does not take in {self.text!r}")
            self.at += 2
            return self.one(chr(int(digits, 16)))
        if "!" <= character <= "~" and not character.isalnum():
            return self.one(character)
        raise ExpressionError(f"`\\{character}` is not known in {self.text!r}")

    def one(self, character: str) -> Characters:
        letter = character if character < BEYOND else BEYOND
        if letter == BEYOND:
            raise ExpressionError(f"a letter outside ASCII in {self.text!r}")
        if self.folded and letter.isalpha():
            return Characters(frozenset({letter.lower(), letter.upper()}))
        return Characters(frozenset({letter}))

    def letters(self) -> Characters:
        negated = self.peek() == "^"
        self.at += negated
        accepted: set[str] = set()
        first = True
        while first or self.peek() != "]":
            low = self.member()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.member()
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    raise ExpressionError(f"a range that RE2 does not take in {self.text!r}")
                low = frozenset(map(chr, range(ord(min(low)), ord(min(high)) + 1)))
            accepted |= low
            first = False
        self.at += 1
        if self.folded:
            accepted |= {letter.swapcase() for letter in accepted if letter.isascii() and letter.isalpha()}
        return Characters(_EVERY - accepted if negated else frozenset(accepted))

    def member(self) -> frozenset[str]:
        character = self.take()
        if character == "\\":
            return self.escape().accepted
        if character == "[" and self.peek() == ":":
            raise ExpressionError(f"a named class in {self.text!r}")
        return self.one(character).accepted

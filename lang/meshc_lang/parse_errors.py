"""Turns the place where reading failed into a diagnostic that names the construct and what it lacks."""

from __future__ import annotations

import re
import unicodedata

from meshc_lang.codes import syntax
from meshc_lang.codes.code import Code
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix
from meshc_lang.expectations import VALUES, can_end, needed
from meshc_lang.misspelt_quantity import explain_number
from meshc_lang.record import dataclass
from meshc_lang.recovery import STATEMENTS
from meshc_lang.source import SourceText, Span
from meshc_lang.suggestion import suggest

__all__ = ["Failure", "explain"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")

_WORD = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_OFFENDER = re.compile(
    r'"(?:[^"\\\r\n]|\\[^\r\n])*"|[A-Za-z_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9][A-Za-z0-9_.%/]*|/[^\s{}"#,;]*'
    r"|[-=<>]+|[^\s]"
)
_KEY_BEFORE = re.compile(r"([A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)[ \t]*:[ \t]*\Z")
_ARROWS = ("->", "=>", "-->", "==>", "<-", "<=", "--", "~>", ">", "<->", "=", "-")
_LOOKALIKES = {
    "→": "->",
    "⇒": "=>",
    "“": '"',
    "”": '"',
    "„": '"',
    "‘": '"',
    "’": '"',
    "–": "-",
    "—": "-",
    "\u00a0": " ",
}
"""Characters that editors put where ASCII is meant."""

_LINE_NOUNS = {"allow": "grant", "deny": "grant", "route": "rule", "test": "case"}
"""What a line in the block of a statement is called; other blocks hold entries."""

_FOLLOWERS = {
    "IF": "if",
    "UNLESS": "unless",
    "BECAUSE": "because",
    "AND": "and",
    "OR": "or",
    "AS": "as",
    "OVER": "over",
    "BURST": "burst",
    "PER": "per",
    "IS": "is",
    "CLAIMS": "claims",
    "PRESENT": "present",
    "IN": "in",
    "ALLOWED": "allowed",
    "DENIED": "denied",
    "ROUTED": "routed",
    "NEVER": "never",
    "ONLY": "only",
    "HEADER": "header",
    "QUERY": "query",
    "CLAIM": "claim",
    "COOKIE": "cookie",
    "FROM": "from",
    "NOT": "not",
    "RPC": "rpc",
    "TCP": "tcp",
    "WHERE": "where",
    "ON": "on",
    "OFF": "off",
}
"""Keywords inside statements, by terminal: what a misspelt word there may have meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Where and how reading stopped.

    `offset` is where the text that could not be read begins; `accepts` holds the terminals that could have followed
    the last token, which is `before` (its terminal `before_type`, its end `before_end`). `keyword` begins the
    statement, or is empty for a request by itself; `inside` tells that a brace of the statement is open.
    """

    source: SourceText
    offset: int
    accepts: frozenset[str]
    before: str
    before_type: str
    before_end: int
    keyword: str
    inside: bool


def explain(failure: Failure) -> Diagnostic:
    """Return the diagnostic for a failure."""
    text, offset = failure.source.text, failure.offset
    found = _OFFENDER.match(text, offset)
    word = found[0] if found else ""
    if not word and text[offset : offset + 2] != "\r\n" and text[offset : offset + 1] != "\n":
        word = text[offset : offset + 1]
    span = failure.source.span(offset, offset + len(word))
    return (
        _character(failure, word, span)
        or _statement(failure, word, span)
        or explain_number(word, span, failure.accepts, failure.before, failure.source.span(failure.before_end, offset))
        or _arrow(failure, word, span)
        or _quotes(failure, word, span)
        or _matcher(failure, word, span)
        or _assignment(failure, word, span)
        or _verdict(failure)
        or _general(failure, word, span)
    )


def _character(failure: Failure, word: str, span: Span) -> Diagnostic | None:
    """A character that no token begins with, or a string that cannot be one."""
    if not word:
        return None
    first = word[0]
    if len(word) > 1 and first == '"':
        control = next((index for index, char in enumerate(word) if ord(char) < 0x20 or char == "\x7f"), None)
        if control is None or word[control] == "\t":
            return None
        at = failure.source.span(span.start + control, span.start + control + 1)
        return _diagnostic(syntax.UNEXPECTED_CHARACTER, f"a string holds the control character {_shown(at.text)}", at)
    if first == '"':
        line_end = failure.source.text.find("\n", span.start)
        end = len(failure.source.text) if line_end == -1 else line_end
        whole = failure.source.span(span.start, span.start + len(failure.source.text[span.start : end].rstrip()))
        return _diagnostic(syntax.UNCLOSED_STRING, "this string has no closing quote", whole)
    meant = _LOOKALIKES.get(first)
    at = failure.source.span(span.start, span.start + 1)
    if meant is not None:
        fix = Fix(title=f"write `{meant}`", applicability=Applicability.SAFE, edits=(Edit(at, meant),))
        message = f"{_shown(first)} is not what programs are written with; `{meant}` is meant"
        return _diagnostic(syntax.UNEXPECTED_CHARACTER, message, at, fixes=(fix,))
    if not " " < first <= "~" or first in "$^?`'@\\&":
        message = f"{_shown(first)} has no place outside strings and comments"
        return _diagnostic(syntax.UNEXPECTED_CHARACTER, message, at)
    return None


def _statement(failure: Failure, word: str, span: Span) -> Diagnostic | None:
    """A word that should begin a statement."""
    if not {"SERVICE", "ALLOW"} <= failure.accepts or not word:
        return None
    if _WORD.fullmatch(word) is None:
        return _diagnostic(syntax.UNKNOWN_STATEMENT, f"no statement begins with `{_clip(word)}`", span)
    rest = failure.source.text[span.end : _line_end(failure.source, span.end)]
    if rest.lstrip().startswith("->"):
        return Diagnostic(
            code=syntax.UNKNOWN_STATEMENT,
            message=f"no statement begins with a caller such as `{_clip(word)}`",
            primary=span,
            help="begin with what is said of the edge: `allow`, `deny`, `edge` or `limit`",
        )
    near = suggest(word, STATEMENTS)
    return _misspelt(syntax.UNKNOWN_STATEMENT, f"no statement begins with `{_clip(word)}`", span, near)


def _arrow(failure: Failure, word: str, span: Span) -> Diagnostic | None:
    """`=>` for `->`, and the other way round."""
    if word not in _ARROWS:
        return None
    if "DOUBLE_ARROW" in failure.accepts:
        meant, place = "=>", "what a rule matches and its targets"
    elif "ARROW" in failure.accepts:
        meant, place = "->", "a caller and its callee"
    else:
        return None
    fix = Fix(title=f"write `{meant}`", applicability=Applicability.SAFE, edits=(Edit(span, meant),))
    return _diagnostic(syntax.WRONG_ARROW, f"between {place} stands `{meant}`, not `{word}`", span, fixes=(fix,))


def _quotes(failure: Failure, word: str, span: Span) -> Diagnostic | None:
    """A text without its quotes: where only a string may stand, or a name with dots in it."""
    accepts = failure.accepts
    bare = word and (word[0].isalnum() or word[0] in "_/") and '"' not in word
    if bare and "STRING" in accepts and len(accepts & VALUES) == 1 and not accepts & {"NAME", "ANY"}:
        start, end = span.start, span.end
    elif word.startswith(".") and failure.before_type == "NAME" and "COMMA" in accepts and "ANY" not in accepts:
        start = failure.before_end - len(failure.before)
        found = re.compile(r"[A-Za-z0-9_.*-]*").match(failure.source.text, start)
        end = found.end() if found else span.end
    else:
        return None
    whole = failure.source.span(start, end)
    fix = Fix(title="put it in quotes", applicability=Applicability.SAFE, edits=(Edit(whole, f'"{whole.text}"'),))
    return _diagnostic(syntax.NEEDS_QUOTES, f"`{_clip(whole.text)}` needs quotes here", whole, fixes=(fix,))


def _matcher(failure: Failure, word: str, span: Span) -> Diagnostic | None:
    """A method that is none, or a path that is none, where a grant or rule begins."""
    accepts = failure.accepts
    if not word or not accepts & {"METHOD", "PATH", "REQUEST_METHOD"} or len(accepts & VALUES) > 4:
        return None
    if word.startswith('"') and "PATH" in accepts:
        inner = word[1:-1]
        fixes: tuple[Fix, ...] = ()
        if re.fullmatch(r"/[A-Za-z0-9._~%{}:*/-]*", inner):
            fixes = (Fix(title="take the quotes away", applicability=Applicability.SAFE, edits=(Edit(span, inner),)),)
        return _diagnostic(syntax.BAD_PATH, "a path stands without quotes", span, fixes=fixes)
    if _WORD.fullmatch(word) is None:
        return None
    line = failure.source.text[span.end : _line_end(failure.source, span.end)]
    if line.startswith("/"):
        fix = Fix(title="begin with `/`", applicability=Applicability.UNSAFE, edits=(_insert(span, "/"),))
        return _diagnostic(syntax.BAD_PATH, f"a path begins with `/`, and `{_clip(word)}` does not", span, fixes=(fix,))
    if word.upper() in _METHODS and word.upper() != word:
        fix = Fix(title="write it in capitals", applicability=Applicability.SAFE, edits=(Edit(span, word.upper()),))
        message = f"methods are written in capitals: `{word.upper()}`"
        return _diagnostic(syntax.UNKNOWN_METHOD, message, span, fixes=(fix,))
    if "METHOD" not in accepts:
        return None
    followed = line.lstrip()[:1] in ("/", "|", "~")
    near = suggest(word, _METHODS if followed else (*_METHODS, "rpc", "tcp"))
    if followed or (near and word.isupper()):
        return _misspelt(syntax.UNKNOWN_METHOD, f"`{_clip(word)}` is no HTTP method", span, near)
    return None


def _assignment(failure: Failure, word: str, span: Span) -> Diagnostic | None:
    """`key = value` for `key: value`, and `=` for `==`."""
    if word != "=":
        return None
    if "EQUAL" in failure.accepts:
        meant, message = "==", "values are compared with `==`, not `=`"
    elif "COLON" in failure.accepts:
        meant, message = ":", f"between a key and its value stands `:`, not `=`, as in `{_clip(failure.before)}: …`"
    else:
        return None
    fix = Fix(title=f"write `{meant}`", applicability=Applicability.SAFE, edits=(Edit(span, meant),))
    return _diagnostic(syntax.UNEXPECTED_TEXT, message, span, fixes=(fix,))


def _verdict(failure: Failure) -> Diagnostic | None:
    """A misspelt verdict, which reads as a setting without its value."""
    if failure.keyword != "test" or failure.before_type != "NAME" or not len(failure.accepts & VALUES) > 4:
        return None
    near = suggest(failure.before, ("allowed", "denied", "routed"))
    span = failure.source.span(failure.before_end - len(failure.before), failure.before_end)
    message = f"`{_clip(failure.before)}` is no verdict"
    return _misspelt(syntax.UNEXPECTED_TEXT, message, span, near) if near else None


def _general(failure: Failure, word: str, span: Span) -> Diagnostic:
    """What is left: something is missing, or something is left over."""
    noun = _noun(failure)
    at_end = not word or word in ("}", ";", "]", ")")
    near: tuple[str, ...] = ()
    if not at_end and _WORD.fullmatch(word):
        near = suggest(word, [text for terminal, text in _FOLLOWERS.items() if terminal in failure.accepts])
    before = _clip(failure.before.strip())
    if near:
        return _misspelt(syntax.UNEXPECTED_TEXT, f"`{_clip(word)}` has no place in {noun}", span, near)
    if can_end(failure.accepts) and not at_end:
        return _left_over(failure, noun, word, span)
    if word == "-" and failure.before_type == "NAME" and span.start == failure.before_end:
        return _diagnostic(syntax.UNEXPECTED_TEXT, f"a name such as `{before}` does not end with `-`", span)
    if failure.inside and {"COLON", "LBRACE"} <= failure.accepts and failure.keyword not in _LINE_NOUNS:
        noun, lack = f"`{before}`", "`:` and a value, or a block"
    else:
        lack = needed(failure.accepts, before, failure.before_type, failure.keyword)
    if at_end:
        end = failure.source.span(failure.before_end, failure.before_end)
        place = span if word == "}" else end
        return _diagnostic(syntax.UNFINISHED_STATEMENT, f"{noun} needs {lack}", place)
    return _diagnostic(syntax.UNEXPECTED_TEXT, f"{noun} needs {lack}, not `{_clip(word)}`", span)


def _left_over(failure: Failure, noun: str, word: str, span: Span) -> Diagnostic:
    before = _clip(failure.before.strip())
    if failure.before_type == "PATH" and word[0] in "/{},;#":
        return Diagnostic(
            code=syntax.BAD_PATH,
            message=f"the path `{before}` can't go on with `{_clip(word)}`",
            primary=span,
            help="a path holds no `//`, `,`, `;` or `#`; placeholders are `*`, `{id}`, `{id:int}` and a final `**`",
        )
    listing = failure.inside and failure.keyword not in ("route", "test")
    if listing and "COMMA" in failure.accepts and failure.accepts & {"RBRACE", "RSQB"}:
        message = f"`{_clip(word)}` begins another entry; a comma or a new line must come before it"
    else:
        message = f"{noun} is complete before `{_clip(word)}`"
    end_rule = "" if failure.inside else "a statement ends with its line"
    return Diagnostic(code=syntax.UNEXPECTED_TEXT, message=message, primary=span, help=end_rule)


def _noun(failure: Failure) -> str:
    if failure.keyword in ("", "statement"):
        return "this statement" if failure.keyword else "this request"
    if failure.inside and failure.keyword in _LINE_NOUNS:
        return f"this {_LINE_NOUNS[failure.keyword]}"
    if failure.inside and failure.before_type == "COLON":
        key = _KEY_BEFORE.search(failure.source.text, max(0, failure.before_end - 80), failure.before_end)
        if key is not None:
            return f"`{_clip(key[1])}`"
    return f"the block of this `{failure.keyword}`" if failure.inside else f"this `{failure.keyword}`"


def _misspelt(code: Code, message: str, span: Span, near: tuple[str, ...]) -> Diagnostic:
    if not near:
        return _diagnostic(code, message, span)
    applicability = Applicability.SAFE if len(near) == 1 else Applicability.CHOOSE_ONE
    fixes = tuple(Fix(title=f"write `{word}`", applicability=applicability, edits=(Edit(span, word),)) for word in near)
    offered = " or ".join(f"`{word}`" for word in near)
    return _diagnostic(code, f"{message}; did you mean {offered}?", span, fixes=fixes)


def _diagnostic(code: Code, message: str, span: Span, *, fixes: tuple[Fix, ...] = ()) -> Diagnostic:
    return Diagnostic(code=code, message=message, primary=span, fixes=fixes)


def _insert(span: Span, text: str) -> Edit:
    return Edit(Span(span.source, span.start, span.start), text)


def _line_end(source: SourceText, offset: int) -> int:
    end = source.text.find("\n", offset)
    stop = len(source.text) if end == -1 else end
    return offset + len(source.text[offset:stop].rstrip())


def _clip(word: str) -> str:
    printable = "".join(char if char.isprintable() else "\ufffd" for char in word[:40])
    return printable if len(word) <= 40 else printable[:39] + "…"


def _shown(character: str) -> str:
    name = unicodedata.name(character, "")
    if character.isprintable() and name and not character.isspace():
        return f"`{character}`"
    return f"U+{ord(character):04X}" + (f" ({name.lower()})" if name else "")

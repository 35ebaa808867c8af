"""Turns the place where reading failed into a diagnostic that names the construct and what it lacks."""

from __future__ import annotations

import re

from meshc_lang.codes import syntax
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.expectations import VALUES, can_end, needed
from meshc_lang.failure import Failure, clip, diagnostic, failure_at, fix, inserted, misspelt
from meshc_lang.foreign_notation import explain_character, explain_foreign
from meshc_lang.misspelt_quantity import explain_number
from meshc_lang.pattern import pattern
from meshc_lang.recovery import STATEMENT_LINE, STATEMENTS
from meshc_lang.sentence_errors import explain_sentence, value_like
from meshc_lang.suggestion import suggest

__all__ = ["Failure", "explain", "failure_at"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")

_WORD = pattern(r"[A-Za-z_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_KEY_BEFORE = pattern(r"([A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)[ \t]*:[ \t]*\Z")
_RUN = pattern(r"[^\s\"#{},;]+")
_REASON = pattern(r"[^\r\n\"#{}]*[^\s\"#{}]")
_RPC = pattern(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+\Z")
_ARROWS = ("->", "=>", "-->", "==>", "<-", "<=", "--", "~>", ">", "<->", "=", "-")

_LINE_NOUNS = {"allow": "grant", "deny": "grant", "route": "rule", "test": "case"}
"""What a line in the block of a statement is called; other blocks hold entries."""

_MEANT = {
    "permit": ("allow",),
    "grant": ("allow",),
    "forbid": ("deny",),
    "block": ("deny",),
    "include": ("import",),
    "require": ("import",),
    "const": ("let",),
    "var": ("let",),
    "variable": ("let",),
    "macro": ("template",),
    "module": ("template",),
    "environment": ("overlay",),
    "profile": ("overlay",),
    "workload": ("service",),
    "issuer": ("jwt",),
    "shadow": ("mirror",),
    "inject": ("fault",),
    "objective": ("slo",),
    "ratelimit": ("limit",),
    "check": ("assert", "test"),
    "expect": ("assert", "test"),
}
"""Words with which other languages begin what a statement here says."""

_SETTINGS = ("timeout", "retry", "breaker", "balance", "connect-timeout", "idle-timeout", "telemetry")

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
    "BY": "by",
    "NEVER": "never",
    "ALWAYS": "always",
    "ONLY": "only",
    "EVERY": "every",
    "EDGE": "edge",
    "TO": "to",
    "HAS": "has",
    "MTLS": "mtls",
    "FOR": "for",
    "REDIRECT": "redirect",
    "RESPOND": "respond",
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


def explain(failure: Failure) -> Diagnostic:
    """Return the diagnostic for a failure."""
    gap = failure.source.span(failure.before_end, failure.span.start)
    return (
        explain_character(failure)
        or _trailing_comma(failure)
        or _statement(failure)
        or explain_number(failure.word, failure.span, failure.accepts, failure.before, gap)
        or _arrow(failure)
        or explain_sentence(failure)
        or explain_foreign(failure)
        or _quotes(failure)
        or _matcher(failure)
        or _small_method(failure)
        or _verdict(failure)
        or _general(failure)
    )


def _trailing_comma(failure: Failure) -> Diagnostic | None:
    """A comma that joins a line to the next one, which is another rule, case or statement."""
    behind = next((back for back in (1, 2, 3) if failure.kind(back) == "COMMA"), 0)
    if not behind:
        return None
    comma = failure.place(behind)
    first = failure.place(behind - 1).start if behind > 1 else failure.span.start
    line = failure.source.line(failure.source.position(first).line)
    if "\n" not in failure.source.text[comma.end : first] or not first < failure.span.start + (behind == 1):
        return None
    lines = failure.inside and failure.keyword in ("route", "test") and failure.kind(behind - 1) != "COMMA"
    another = lines and (failure.word == "->" or failure.word[:1] in ("/", "*", "~"))
    if not ((failure.last and behind == 1) or STATEMENT_LINE.match(line) or another):
        return None
    message = "a comma at the end of a line joins it to the next one"
    return diagnostic(syntax.UNEXPECTED_TEXT, message, comma, fix("take the comma away", (comma, "")))


def _statement(failure: Failure) -> Diagnostic | None:
    """A word that should begin a statement."""
    word, span, code = failure.word, failure.span, syntax.UNKNOWN_STATEMENT
    if not {"SERVICE", "ALLOW"} <= failure.accepts or not word:
        return None
    message = f"no statement begins with `{clip(word)}`"
    if _WORD.fullmatch(word) is None:
        return explain_foreign(failure) or diagnostic(code, message, span)
    behind = failure.rest.lstrip()
    if behind.startswith("->"):
        return diagnostic(
            code,
            f"no statement begins with a caller such as `{clip(word)}`",
            span,
            help="begin with what is said of the edge: `allow`, `deny`, `edge` or `limit`",
        )
    within = failure.inside and "SET" in failure.accepts
    if word.lower() in ("set", "drop") and not within:
        return diagnostic(code, f"`{clip(word)}` stands in an overlay: it changes what the program says", span)
    if word in _SETTINGS:
        return diagnostic(code, message, span, help="settings stand in a block, as in `defaults mesh { timeout: 5s }`")
    if word in _MEANT:
        meant = " or ".join(f"`{one}`" for one in _MEANT[word])
        repairs = [fix(f"write `{one}`", (span, one), unsafe=True) for one in _MEANT[word]]
        return diagnostic(code, f"{message}; what it would say is said by {meant}", span, *repairs)
    if within and behind.startswith(":"):
        repair = inserted(failure, span.start, "set ", "write `set`")
        return diagnostic(code, f"a change of `{clip(word)}` begins with `set`", span, repair)
    words = (*STATEMENTS, "set", "drop") if within else STATEMENTS
    return misspelt(code, message, span, suggest(word, words))


def _arrow(failure: Failure) -> Diagnostic | None:
    """`=>` for `->`, and the other way round; `->*` where no chain is meant."""
    word, span = failure.word, failure.span
    if word == "->*" and "ARROW" in failure.accepts:
        message = "only `assert never` speaks of chains of calls: elsewhere stands `->`, not `->*`"
        return diagnostic(syntax.WRONG_ARROW, message, span, fix("write `->`", (span, "->"), unsafe=True))
    if word not in _ARROWS:
        return None
    if "DOUBLE_ARROW" in failure.accepts:
        places = "what is copied and its target", "what a rule matches and its targets"
        meant, place = "=>", places[failure.keyword != "mirror"]
    elif "ARROW" in failure.accepts:
        meant, place = "->", "a caller and its callee"
    else:
        return None
    message = f"between {place} stands `{meant}`, not `{word}`"
    return diagnostic(syntax.WRONG_ARROW, message, span, fix(f"write `{meant}`", (span, meant)))


def _quotes(failure: Failure) -> Diagnostic | None:
    """A text without its quotes: where only a string may stand, or a name with dots in it."""
    accepts, word, span = failure.accepts, failure.word, failure.span
    bare = word and (word[0].isalnum() or word[0] in "_/") and '"' not in word
    if bare and "STRING" in accepts and len(accepts & VALUES) == 1 and not accepts & {"NAME", "ANY"}:
        run = _REASON if failure.before_type == "BECAUSE" else _RUN
        found = run.match(failure.source.text, span.start)
        start, end = span.start, found.end() if found else span.end
    elif word.startswith(".") and failure.before_type == "NAME" and "COMMA" in accepts and "ANY" not in accepts:
        start = failure.before_end - len(failure.before)
        found = re.compile(r"[A-Za-z0-9_.*-]*").match(failure.source.text, start)
        end = found.end() if found else span.end
    else:
        return None
    whole = failure.source.span(start, end)
    repair = fix("put it in quotes", (whole, f'"{whole.text}"'))
    return diagnostic(syntax.NEEDS_QUOTES, f"`{clip(whole.text)}` needs quotes here", whole, repair)


def _matcher(failure: Failure) -> Diagnostic | None:
    """A method that is none, or a path that is none, where a grant or rule begins."""
    accepts, word, span = failure.accepts, failure.word, failure.span
    if not word or not accepts & {"METHOD", "PATH", "REQUEST_METHOD"} or len(accepts & VALUES) > 4:
        return None
    if word.startswith('"') and "PATH" in accepts:
        inner = word[1:-1]
        bare = fix("take the quotes away", (span, inner))
        if inner.upper() in _METHODS and "METHOD" in accepts:
            message = f"a method stands without quotes: `{inner.upper()} /…`"
            return diagnostic(syntax.UNKNOWN_METHOD, message, span, fix("write the method", (span, inner.upper())))
        template = re.fullmatch(r"/[A-Za-z0-9._~%{}:*/-]*", inner) is not None and "//" not in inner
        return diagnostic(syntax.BAD_PATH, "a path stands without quotes", span, *((bare,) if template else ()))
    if _WORD.fullmatch(word) is None:
        return None
    if failure.rest.startswith("/"):
        if _RPC.match(word) and "RPC" in accepts:
            message = f"an rpc is named behind the word `rpc`: `rpc {clip(word)}/…`"
            return diagnostic(syntax.BAD_PATH, message, span, inserted(failure, span.start, "rpc ", "write `rpc`"))
        repair = inserted(failure, span.start, "/", "begin with `/`", unsafe=True)
        return diagnostic(syntax.BAD_PATH, f"a path begins with `/`, and `{clip(word)}` does not", span, repair)
    if word.upper() in _METHODS and word.upper() != word:
        message = f"methods are written in capitals: `{word.upper()}`"
        return diagnostic(syntax.UNKNOWN_METHOD, message, span, fix("write it in capitals", (span, word.upper())))
    if "METHOD" not in accepts:
        return None
    followed = failure.rest.lstrip()[:1] in ("/", "|", "~")
    near = suggest(word, _METHODS if followed else (*_METHODS, "rpc", "tcp"))
    if followed or (near and word.isupper()):
        return misspelt(syntax.UNKNOWN_METHOD, f"`{clip(word)}` is no HTTP method", span, near)
    return None


def _small_method(failure: Failure) -> Diagnostic | None:
    """`get base`: a method in small letters before the name of a path reads as such a name itself."""
    if failure.kind(1) != "PATH_NAME" or not _WORD.fullmatch(failure.word):
        return None
    said, place = failure.text(1), failure.place(1)
    if said.upper() in _METHODS and said.upper() != said:
        message = f"methods are written in capitals: `{said.upper()}`"
        return diagnostic(syntax.UNKNOWN_METHOD, message, place, fix("write it in capitals", (place, said.upper())))
    near = suggest(said, _METHODS) if said.isupper() else suggest(said, ("rpc",))
    if not near:
        return None
    return misspelt(syntax.UNKNOWN_METHOD, f"`{clip(said)}` is no HTTP method", place, near)


def _verdict(failure: Failure) -> Diagnostic | None:
    """A misspelt verdict, which reads as a setting without its value."""
    if failure.keyword != "test" or failure.before_type != "NAME" or not len(failure.accepts & VALUES) > 4:
        return None
    near = suggest(failure.before, ("allowed", "denied", "routed"))
    message = f"`{clip(failure.before)}` is no verdict"
    return misspelt(syntax.UNEXPECTED_TEXT, message, failure.place(1), near) if near else None


def _general(failure: Failure) -> Diagnostic:
    """What is left: something is missing, or something is left over."""
    noun, word, span = _noun(failure), failure.word, failure.span
    near: tuple[str, ...] = ()
    if not failure.at_end and _WORD.fullmatch(word):
        near = suggest(word, [text for terminal, text in _FOLLOWERS.items() if terminal in failure.accepts])
    before = clip(failure.before.strip())
    if near:
        return misspelt(syntax.UNEXPECTED_TEXT, f"`{clip(word)}` has no place in {noun}", span, near)
    if word == "-" and failure.before_type in ("NAME", "PATH_NAME") and span.start == failure.before_end:
        return diagnostic(syntax.UNEXPECTED_TEXT, f"a name such as `{before}` does not end with `-`", span)
    if can_end(failure.accepts) and not failure.at_end:
        return _left_over(failure, noun)
    block = failure.inside and failure.keyword not in _LINE_NOUNS and failure.keyword != "assert"
    colon = block and {"COLON", "LBRACE"} <= failure.accepts
    if colon:
        noun, lack = f"`{before}`", "`:` and a value, or a block"
    else:
        lack = needed(failure.accepts, before, failure.before_type, failure.keyword)
    if failure.at_end:
        return _lacking(failure, f"{noun} needs {lack}")
    message = f"{noun} needs {lack}, not `{clip(word)}`"
    if colon and value_like(failure):
        return diagnostic(
            syntax.UNEXPECTED_TEXT, message, span, inserted(failure, failure.before_end, ":", "write `:`")
        )
    return diagnostic(syntax.UNEXPECTED_TEXT, message, span)


def _lacking(failure: Failure, message: str) -> Diagnostic:
    """A line, block or list that ends too soon."""
    code, place = syntax.UNFINISHED_STATEMENT, failure.place_of_lack
    if failure.kind(1) == "COMMA" and not failure.inside:
        comma = failure.place(1)
        return diagnostic(code, message, place, fix("take the comma away", (comma, "")))
    if failure.before_type == "COLON" and failure.inside and not failure.word:
        following = failure.source.text[failure.span.end :].lstrip()
        if following.startswith("- "):
            return diagnostic(code, message, place, help="a list stands in brackets: `[a, b]`")
        if re.match(r"[A-Za-z_][A-Za-z0-9_-]*:", following):
            return diagnostic(code, message, place, help="a block stands in braces: `{ key: value }`")
    return diagnostic(code, message, place)


def _left_over(failure: Failure, noun: str) -> Diagnostic:
    before, word, span = clip(failure.before.strip()), failure.word, failure.span
    if failure.before_type == "PATH" and word[0] in "/{},;#(":
        return diagnostic(
            syntax.BAD_PATH,
            f"the path `{before}` can't go on with `{clip(word)}`",
            span,
            help="a path holds no `//`, `,`, `;` or `#`; placeholders are `*`, `{id}`, `{id:int}` and a final `**`",
        )
    key = failure.inside and {"NAME", "STRING", "RBRACE"} <= failure.accepts and "COMMA" not in failure.accepts
    if key and failure.before_type in ("COMMA", "LBRACE", "") and word[0].isdigit():
        if failure.before_type == "COMMA" and failure.kind(2) == "INT" and span.start == failure.before_end:
            repair = fix("write a point", (failure.place(1), "."))
            return diagnostic(syntax.UNEXPECTED_TEXT, "a fraction is written with a point", failure.place(1), repair)
        message = f"an entry begins with its key, as in `timeout: 5s`, not with `{clip(word)}`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, span)
    listing = failure.inside and failure.keyword not in ("route", "test", "overlay")
    if listing and "COMMA" in failure.accepts and failure.accepts & {"RBRACE", "RSQB", "RPAR"}:
        message = f"`{clip(word)}` begins another entry; a comma or a new line must come before it"
        if failure.source.text[failure.before_end : span.start].strip(" \t") == "" and span.start > failure.before_end:
            return diagnostic(
                syntax.UNEXPECTED_TEXT, message, span, inserted(failure, failure.before_end, ",", "write a comma")
            )
    else:
        message = f"{noun} is complete before `{clip(word)}`"
    end_rule = "" if failure.inside else "a statement ends with its line"
    return diagnostic(syntax.UNEXPECTED_TEXT, message, span, help=end_rule)


def _noun(failure: Failure) -> str:
    if failure.keyword in ("", "statement"):
        return "this statement" if failure.keyword else "this request"
    if failure.inside and failure.keyword in _LINE_NOUNS:
        return f"this {_LINE_NOUNS[failure.keyword]}"
    if failure.inside and failure.before_type == "COLON":
        key = _KEY_BEFORE.search(failure.source.text, max(0, failure.before_end - 80), failure.before_end)
        if key is not None:
            return f"`{clip(key[1])}`"
    block = failure.inside and failure.keyword not in ("use", "assert")
    return f"the block of this `{failure.keyword}`" if block else f"this `{failure.keyword}`"

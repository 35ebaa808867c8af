"""Explains what is wrong with a statement in its own terms: what an assert, a mirror, a template and so on must say."""

from __future__ import annotations

import re
from collections.abc import Callable

from meshc_lang.codes import syntax
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.expectations import CLAIMS
from meshc_lang.failure import NAME, Failure, clip, diagnostic, fix, inserted, misspelt
from meshc_lang.pattern import pattern
from meshc_lang.suggestion import suggest

__all__ = ["explain_sentence", "value_like"]

_CLAIM_WORDS = ("never", "always", "only", "every", "mtls", "attempts", "deadline")
_TARGET = pattern(rf"{NAME.pattern}(?:\.{NAME.pattern})?")
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">", "~", "present", "in", "=")
_FILE = pattern(r"[^\s\"#{};,]+")
_GRANTED = pattern(r"(?:[A-Z]+(?![A-Za-z0-9_-])|rpc(?![A-Za-z0-9_-])|tcp(?![A-Za-z0-9_-])|[/*~])")
_OUTCOMES = {
    "permitted": "allowed",
    "accepted": "allowed",
    "granted": "allowed",
    "ok": "allowed",
    "forbidden": "denied",
    "blocked": "denied",
    "rejected": "denied",
    "refused": "denied",
}


def explain_sentence(failure: Failure) -> Diagnostic | None:
    """Return what is wrong, where the kind of statement tells; None where it does not."""
    explain = _BY_KEYWORD.get(failure.keyword)
    return (explain(failure) if explain is not None else None) or _condition(failure)


def value_like(failure: Failure) -> bool:
    """Tell whether the word can only be a value: only a mark before it is missing."""
    word = failure.word
    if not word:
        return False
    if word[0].isdigit() or word[0] in '"[/':
        return True
    return NAME.fullmatch(word) is not None and failure.rest.lstrip()[:1] in ("", ",", "}", "#", ";")


# ---- who may call whom


def _grants(failure: Failure) -> Diagnostic | None:
    """The mark between an edge and what may be done on it."""
    if (
        not {"COLON", "LBRACE"} <= failure.accepts
        or not failure.before
        or not _GRANTED.match(failure.word + failure.rest[:1])
    ):
        return None
    return diagnostic(
        syntax.UNEXPECTED_TEXT,
        f"this `{failure.keyword}` needs `:` between `{clip(failure.before)}` and `{clip(failure.word)}`",
        failure.span,
        inserted(failure, failure.before_end, " :", "write `:`"),
    )


def _condition(failure: Failure) -> Diagnostic | None:
    """An attribute that no request has, and the ways of other languages to ask for one."""
    word, accepts, span = failure.word, failure.accepts, failure.span
    if failure.before_type in ("HEADER", "QUERY", "CLAIM", "COOKIE") and word[:1] in (".", "[", "("):
        found = re.compile(r"(?:\.|\[\"?|\(\"?)([A-Za-z0-9_-]+)(?:\"?[\])])?").match(failure.source.text, span.start)
        if found is not None:
            whole = failure.source.span(span.start, found.end())
            message = f"the name of a {failure.before} stands in quotes behind a blank"
            return diagnostic(syntax.UNEXPECTED_TEXT, message, whole, fix("write it so", (whole, f' "{found[1]}"')))
    if accepts != {"DOT"} or failure.before_type != "NAME":
        return None
    before, place = clip(failure.before), failure.place(1)
    if word.startswith('"'):
        near = suggest(failure.before, ("header", "query", "claim", "cookie"))
        return misspelt(syntax.UNEXPECTED_TEXT, f"a request has no `{before}`", place, near)
    if word not in _COMPARISONS:
        return None
    if failure.keyword == "assert":
        message, owner = f"a condition on edges asks for a field of theirs: `edge.{before}`", "edge."
    elif failure.keyword == "group":
        message, owner = f"a condition on services asks for a field of theirs: `service.{before}`", "service."
    else:
        message = f"`{before}` is nothing that a condition can ask about"
        help_ = 'a request has a `header "…"`, `query "…"`, `cookie "…"` and `claim "…"`, and comes `from` a caller'
        return diagnostic(syntax.UNEXPECTED_TEXT, message, place, help=help_)
    repair = inserted(failure, place.start, owner, f"write `{owner}{before}`")
    return diagnostic(syntax.UNEXPECTED_TEXT, message, place, repair)


# ---- imports, templates, overlays


def _import(failure: Failure) -> Diagnostic | None:
    text, start = failure.source.text, failure.span.start
    if "STRING" in failure.accepts and failure.word and not failure.word.startswith('"'):
        if failure.before_type == "NAME" and start == failure.before_end:
            start = failure.place(1).start
        found = _FILE.match(text, start)
        if found is None:
            return None
        whole = failure.source.span(start, found.end())
        repair = fix("put it in quotes", (whole, f'"{whole.text}"'))
        return diagnostic(syntax.NEEDS_QUOTES, f"`{clip(whole.text)}` needs quotes here", whole, repair)
    if failure.word == "as" and failure.before_type == "STRING":
        message = "what an import brings keeps its names: it can't be imported `as` another"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span)
    return None


def _template(failure: Failure) -> Diagnostic | None:
    word = failure.word
    if "LPAR" in failure.accepts and (word == "{" or failure.at_end):
        message = f"this `template` needs its parameters after `{clip(failure.before)}`, as in `(name, base)`"
        repairs = (inserted(failure, failure.before_end, "()", "write `()`"),) if word == "{" else ()
        code = syntax.UNFINISHED_STATEMENT if failure.at_end else syntax.UNEXPECTED_TEXT
        return diagnostic(code, message, failure.place_of_lack, *repairs)
    if word in (":", "=") and "RPAR" in failure.accepts:
        message = "a parameter is a name alone, and stands for what `use` gives in its place"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span)
    return None


def _use(failure: Failure) -> Diagnostic | None:
    word = failure.word
    if "LPAR" in failure.accepts and failure.at_end and failure.kind(2) == "USE":
        name = clip(failure.before)
        message = f"this `use` needs what the parameters stand for after `{name}`, as in `{name}(shop)`"
        repair = inserted(failure, failure.before_end, "()", "write `()`")
        return diagnostic(syntax.UNFINISHED_STATEMENT, message, failure.place_of_lack, repair)
    if word in (":", "=") and failure.before_type == "NAME" and "RPAR" in failure.accepts:
        message = "arguments stand in the order of the parameters, without their names"
        named = failure.source.span(
            failure.place(1).start, failure.span.end + len(failure.rest) - len(failure.rest.lstrip())
        )
        return diagnostic(
            syntax.UNEXPECTED_TEXT, message, failure.span, fix("take the name away", (named, ""), unsafe=True)
        )
    return None


def _set(failure: Failure) -> Diagnostic | None:
    if "COLON" in failure.accepts and failure.before_type == "NAME" and (failure.word == "{" or value_like(failure)):
        path = ".".join(piece.value for piece in failure.pieces if piece.type == "NAME")
        message = f"this `set` needs `:` after the path `{clip(path)}`"
        repair = inserted(failure, failure.before_end, ":", "write `:`")
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span, repair)
    return None


def _let(failure: Failure) -> Diagnostic | None:
    if "ASSIGN" in failure.accepts and value_like(failure):
        message = f"this `{failure.keyword}` needs `=` after the name `{clip(failure.before)}`"
        repair = inserted(failure, failure.before_end, " =", "write `=`")
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span, repair)
    return None


# ---- how calls behave


def _limit(failure: Failure) -> Diagnostic | None:
    if failure.before in ("burst", "per") and failure.before_type == "NAME" and "BURST" in failure.accepts:
        message = f"this `limit` needs a rate before `{failure.before}`, such as `500/s`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.place(1))
    return None


def _rule(failure: Failure) -> Diagnostic | None:
    """A rule of a route, or a mirror."""
    word, accepts, span = failure.word, failure.accepts, failure.span
    if failure.kind(1) == "DOUBLE_ARROW" and "REDIRECT" in accepts:
        if re.fullmatch(r"[1-5][0-9][0-9]", word):
            message = f"a rule that answers `{word}` itself says `respond {word}`"
            return diagnostic(
                syntax.UNEXPECTED_TEXT, message, span, inserted(failure, span.start, "respond ", "write it")
            )
        if word.startswith(('"http', '"/')):
            message = "a rule that sends the caller elsewhere says `redirect` before the address"
            return diagnostic(
                syntax.UNEXPECTED_TEXT, message, span, inserted(failure, span.start, "redirect ", "write `redirect`")
            )
    if word.isdigit() and "PERCENT" in accepts and "INT" not in accepts:
        repair = inserted(failure, span.end, "%", f"write `{clip(word)}%`")
        return diagnostic(syntax.UNKNOWN_UNIT, f"a share is in percent: `{clip(word)}%`", span, repair)
    if (
        failure.kind(1) == "NAME"
        and failure.kind(2) in ("NAME", "PERCENT")
        and "AS" in accepts
        and NAME.fullmatch(word)
    ):
        near = suggest(failure.text(1), ("as", "over"))
        if near:
            message = f"`{clip(failure.text(1))}` has no place in this rule"
            return misspelt(syntax.UNEXPECTED_TEXT, message, failure.place(1), near)
    ends = failure.rest.lstrip()[:1] in ("", ",", "#", "}") or re.match(r"\s+[0-9.]+%", failure.rest)
    if "DOUBLE_ARROW" in accepts and failure.kind(1) not in ("METHOD", "NAME") and _TARGET.fullmatch(word) and ends:
        noun = "mirror" if failure.keyword == "mirror" else "rule"
        message = f"this {noun} needs `=>` before its target `{clip(word)}`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, span, inserted(failure, span.start, "=> ", "write `=>`"))
    return None


def _mirror(failure: Failure) -> Diagnostic | None:
    if failure.word == "->" and len(failure.pieces) <= 4 and "DOUBLE_ARROW" not in failure.accepts:
        message = "a mirror copies what one service gets from all its callers: it names no edge"
        help_ = "write `mirror api GET /v1/** => api.v2 5%`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span, help=help_)
    if failure.word == "," and "_NL" in failure.accepts:
        return diagnostic(syntax.UNEXPECTED_TEXT, "a mirror has one target: write another `mirror`", failure.span)
    return _rule(failure)


def _fault(failure: Failure) -> Diagnostic | None:
    if failure.accepts != {"ON"}:
        return None
    name = clip(failure.before)
    if failure.before == "on":
        message = "this `fault` needs a name before `on`, as in `fault slow-api on web -> api`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.place(1))
    if failure.word == "->":
        message = f"this `fault` needs a name and `on` before the caller `{name}`, as in `fault slow-api on {name}`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.place(1))
    if failure.rest.lstrip().startswith("->"):
        message = f"this `fault` needs `on` between its name `{name}` and its edge"
        return diagnostic(
            syntax.UNEXPECTED_TEXT, message, failure.span, inserted(failure, failure.span.start, "on ", "write `on`")
        )
    return None


def _slo(failure: Failure) -> Diagnostic | None:
    if failure.word == "->" and failure.before_type == "NAME":
        message = "an objective is of one service, whoever calls it, and not of an edge"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span)
    return None


# ---- what must hold


def _assert(failure: Failure) -> Diagnostic | None:
    word, accepts = failure.word, failure.accepts
    before = clip(failure.before)
    if failure.kind(2) == "ASSERT" and failure.kind(1) == "NAME" and "LPAR" in accepts:
        if failure.before in ("attempts", "deadline"):
            message = f"`{before}` is of an edge, in parentheses: `{before}(web -> api)`"
            code = syntax.UNFINISHED_STATEMENT if failure.at_end else syntax.UNEXPECTED_TEXT
            return diagnostic(code, message, failure.place(1))
        near = suggest(failure.before, _CLAIM_WORDS) if word != "->" else ()
        help_ = f"an assert says one of {CLAIMS}"
        message = f"no claim begins with `{before}`"
        return misspelt(syntax.UNEXPECTED_TEXT, message, failure.place(1), near, help=help_)
    if accepts == {"EDGE"} and not failure.at_end:
        message = "`every` is said of edges: `every edge from web to api has …`"
        fits = word in ("from", "to", "has")
        repairs = (inserted(failure, failure.span.start, "edge ", "write `edge`"),) if fits else ()
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span, *repairs)
    if "HAS" in accepts and word in ("with", "have", "where", "if", "must", "needs"):
        message = f"what every edge must fulfil stands behind `has`, not `{word}`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span, fix("write `has`", (failure.span, "has")))
    if {"FROM", "TO"} & accepts and failure.kind(1) == "EDGE" and failure.rest.lstrip().startswith("->"):
        message = "the ends of `every edge` stand behind `from` and `to`, as in `every edge from web to api`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, failure.span)
    return _grants(failure)


def _test(failure: Failure) -> Diagnostic | None:
    word, accepts, span = failure.word, failure.accepts, failure.span
    if not failure.inside:
        return None
    if "IS" in accepts and word in ("=>", "->", ":", "==", "=", "are", "gives", "expect", "expects", "should"):
        message = f"what is expected of a request stands behind `is`, not `{word}`"
        return diagnostic(syntax.UNEXPECTED_TEXT, message, span, fix("write `is`", (span, "is")))
    if failure.kind(1) == "NAME" and failure.kind(2) in ("IS", "COMMA"):
        said, place = failure.text(1), failure.place(1)
        meant = _OUTCOMES.get(said, "")
        if meant and (failure.at_end or word == ","):
            message = f"a request is `allowed` or `denied`, not `{said}`"
            repair = fix(f"write `{meant}`", (place, meant), unsafe=True)
            return diagnostic(syntax.UNEXPECTED_TEXT, message, place, repair)
    if failure.kind(2) == "ROUTED" and word.endswith("%"):
        message = "a request is routed to one target: no share stands behind it"
        whole = failure.source.span(failure.before_end, span.end)
        return diagnostic(syntax.UNEXPECTED_TEXT, message, span, fix("take the share away", (whole, "")))
    if failure.kind(2) == "ROUTED" and failure.before == "to" and NAME.fullmatch(word):
        place = failure.place(1)
        message = "a target follows `routed` at once, without `to`"
        whole = failure.source.span(place.start, span.start)
        return diagnostic(syntax.UNEXPECTED_TEXT, message, place, fix("take `to` away", (whole, "")))
    verdict = word in ("allowed", "denied", "routed", "by") or re.match(r"[ \t]+[A-Za-z0-9\"\[]", failure.rest)
    if {"COMMA", "_NL"} <= accepts and NAME.fullmatch(word) and failure.before and verdict:
        message = f"a comma stands between what is expected, before `{clip(word)}`"
        return diagnostic(
            syntax.UNEXPECTED_TEXT, message, span, inserted(failure, failure.before_end, ",", "write a comma")
        )
    return None


_BY_KEYWORD: dict[str, Callable[[Failure], Diagnostic | None]] = {
    "allow": _grants,
    "deny": _grants,
    "import": _import,
    "template": _template,
    "use": _use,
    "set": _set,
    "let": _let,
    "group": _let,
    "limit": _limit,
    "route": _rule,
    "mirror": _mirror,
    "fault": _fault,
    "slo": _slo,
    "assert": _assert,
    "test": _test,
}

"""Conditions of the tree to what they ask of a request: its headers, query, cookies, token and caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, assert_never

from meshc_compiler.automaton import NoText, find_text
from meshc_compiler.finding import Findings, one_of
from meshc_compiler.ir import match as ir
from meshc_compiler.regex import RegexProblem, Subject, parse_regex
from meshc_compiler.resolve.peer import PeerResolver
from meshc_lang.codes import identities, names, units
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree import policy as tree
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import ListValue, Value

_TOKEN = pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
"""RFC 9110 §5.6.2: the name of a header, and of a cookie (RFC 6265 §4.1.1)."""
_MEMBER = pattern(r"[\x20-\x7e]+\Z")
_COOKIE_VALUE = pattern(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*\Z")
"""RFC 6265 §4.1.1: `cookie-octet`."""

Poisoned: TypeAlias = None
"""What stands for a piece with an error in it."""

_NOUNS = {
    tree.AttributeKind.HEADER: "a header",
    tree.AttributeKind.QUERY: "a parameter of the query",
    tree.AttributeKind.COOKIE: "a cookie",
    tree.AttributeKind.CLAIM: "a claim",
}
_KINDS = {
    tree.AttributeKind.QUERY: ir.AttributeKind.QUERY,
    tree.AttributeKind.COOKIE: ir.AttributeKind.COOKIE,
    tree.AttributeKind.CLAIM: ir.AttributeKind.CLAIM,
}
_SEPARATORS = {tree.AttributeKind.HEADER: ",", tree.AttributeKind.COOKIE: ";"}
"""What no single value of a kind holds, since it stands between two."""


def combine(guard: ir.Condition | None, unless: ir.Condition | None) -> ir.Condition | None:
    """Return the condition under which a rule matches: its guard holds, and what stands behind `unless` does not."""
    if unless is None:
        return guard
    negated = ir.Not(unless)
    return negated if guard is None else ir.AllOf((guard, negated))


def lower_condition(
    condition: tree.Condition, resolver: PeerResolver, findings: Findings, *, outbound: bool = False
) -> ir.Condition | Poisoned:
    """Return what a condition asks of a request, or tell what no request could answer.

    An `outbound` condition is asked by the caller's sidecar, which has an identity.
    """
    match condition:
        case tree.AllOf() | tree.AnyOf():
            operands = [
                lower_condition(operand, resolver, findings, outbound=outbound) for operand in condition.operands
            ]
            known = tuple(operand for operand in operands if operand is not None)
            if len(known) < len(operands):
                return None
            return ir.AllOf(known) if isinstance(condition, tree.AllOf) else ir.AnyOf(known)
        case tree.Not():
            inner = lower_condition(condition.operand, resolver, findings, outbound=outbound)
            return None if inner is None else ir.Not(inner)
        case tree.FromPeer():
            caller = resolver.caller(condition.peer)
            if caller is not None and caller.plaintext and outbound:
                message = "the caller's sidecar asks this, and whoever calls as `plaintext` has none"
                findings.add(names.WRONG_KIND, message, condition.span)
                return None
            return None if caller is None else ir.CallerIn(resolver.callers(caller), caller.text)
        case tree.Present() | tree.Compare() | tree.Within():
            attribute = condition.attribute
            name = attribute_name(attribute, resolver, findings)
            makers = None if name is None else _makers(attribute.kind, name)
            match condition:
                case tree.Present():
                    return None if makers is None else makers.present
                case tree.Compare():
                    return _compare(condition, makers, findings)
                case tree.Within():
                    return _within(condition, makers, findings)
                case _:
                    assert_never(condition)
        case _:
            assert_never(condition)


def without_claims(condition: tree.Condition) -> tree.Condition | None:
    """Return what is left of a condition where no token is trusted; None if it never holds then.

    For `deny … unless`, where a claim that nobody has excepts nobody. Behind a `not` claims are left to be told.
    """
    match condition:
        case tree.Present() | tree.Compare() | tree.Within():
            is_claim = condition.attribute.kind is tree.AttributeKind.CLAIM
            never = is_claim and getattr(condition, "comparison", None) is not tree.Comparison.NOT_EQUAL
            return None if never else condition
        case tree.AllOf():
            parts = [without_claims(operand) for operand in condition.operands]
            return None if None in parts else condition
        case tree.AnyOf():
            left = [part for operand in condition.operands if (part := without_claims(operand)) is not None]
            return replace(condition, operands=tuple(left)) if left else None
        case _:
            return condition


class _Makers:
    """Makes the questions about one header, parameter, cookie or claim."""

    def __init__(
        self,
        present: ir.Condition,
        one_of: Callable[[tuple[str, ...]], ir.Condition],
        matches: Callable[[str], ir.Condition],
    ) -> None:
        self.present = present
        self.one_of = one_of
        self.matches = matches


def _makers(kind: tree.AttributeKind, name: str) -> _Makers:
    if kind is tree.AttributeKind.HEADER:
        return _Makers(
            ir.HeaderPresent(name),
            lambda values: ir.HeaderOneOf(name, values),
            lambda pattern: ir.HeaderMatches(name, pattern),
        )
    where = _KINDS[kind]
    return _Makers(
        ir.AttributePresent(where, name),
        lambda values: ir.AttributeOneOf(where, name, values),
        lambda pattern: ir.AttributeMatches(where, name, pattern),
    )


def _compare(condition: tree.Compare, makers: _Makers | None, findings: Findings) -> ir.Condition | Poisoned:
    kind, comparison = condition.attribute.kind, condition.comparison
    match comparison:
        case tree.Comparison.EQUAL | tree.Comparison.NOT_EQUAL:
            value = _literal(condition.value, kind, findings)
            if value is None or makers is None:
                return None
            equal = makers.one_of((value,))
            return equal if comparison is tree.Comparison.EQUAL else ir.Not(equal)
        case tree.Comparison.MATCHES:
            pattern = _pattern(condition.value, kind, findings)
            return None if pattern is None or makers is None else makers.matches(pattern)
        case _:
            if makers is not None:
                message = f"`{comparison}` compares quantities, and {_NOUNS[kind]} is a text"
                help_line = "a text is compared by `==`, `!=`, `in` and `~`"
                findings.add(units.WRONG_TYPE, message, condition.span, help=help_line)
            return None


def _within(condition: tree.Within, makers: _Makers | None, findings: Findings) -> ir.Condition | Poisoned:
    if not isinstance(condition.value, ListValue):
        findings.add(units.WRONG_TYPE, '`in` takes a list, for example `in ["a", "b"]`', condition.value.span)
        return None
    if not condition.value.items:
        findings.add(units.OUT_OF_RANGE, "nothing is in an empty list", condition.value.span)
        return None
    values = [_literal(item, condition.attribute.kind, findings) for item in condition.value.items]
    known = {value for value in values if value is not None}
    return None if makers is None or None in values else makers.one_of(tuple(sorted(known)))


# ---- names


def attribute_name(attribute: tree.Attribute, resolver: PeerResolver, findings: Findings) -> str | Poisoned:
    """Return the name of a header (in lower case), parameter, cookie or claim; tell of one that is never borne."""
    key, span = attribute.key, attribute.span
    match attribute.kind:
        case tree.AttributeKind.HEADER:
            name = header_name(key, span, findings)
            if name == "cookie":
                message = "the header `cookie` holds pairs, and no list that could be compared member by member"
                findings.add(units.INVALID_HEADER, message, span, help='ask for one of them: `cookie "session"`')
                return None
            return name
        case tree.AttributeKind.COOKIE:
            if _TOKEN.match(key):
                return key
            findings.add(units.INVALID_ATTRIBUTE, f"`{key}` is not the name of a cookie", span)
            return None
        case tree.AttributeKind.QUERY | tree.AttributeKind.CLAIM:
            if not key:
                findings.add(units.INVALID_ATTRIBUTE, f"{_NOUNS[attribute.kind]} has a name", span)
                return None
            if attribute.kind is tree.AttributeKind.CLAIM and not resolver.trusts_tokens:
                _tell_untrusted(key, span, resolver, findings)
            return key
        case tree.AttributeKind.FIELD:
            field = f"{attribute.owner}.{key}"
            message = f"`{field}` is a property of the program, and a guard speaks of requests"
            findings.add(units.WRONG_TYPE, message, span, help='for example `header "x-beta" == "1"`')
            return None
        case _:
            assert_never(attribute.kind)


def header_name(name: str, span: Span, findings: Findings) -> str | Poisoned:
    """Return a header's name in lower case, or tell that no request can bear it."""
    if _TOKEN.match(name):
        return name.lower()
    message = f"`{name}` is not the name of a header"
    if name.startswith(":"):
        message = f"`{name}` is a pseudo-header of HTTP/2; methods and paths stand in front of the condition"
    findings.add(units.INVALID_HEADER, message, span)
    return None


def _tell_untrusted(claim: str, span: Span, resolver: PeerResolver, findings: Findings) -> None:
    """Tell once that no token is trusted: all other conditions on claims have the same cause."""
    if resolver.take_note("untrusted claims"):
        findings.add(
            identities.NO_TRUSTED_TOKEN,
            f"no token is trusted, so no request has the claim `{claim}`",
            span,
            help="declare whose tokens are, by `jwt NAME { issuer: …, audiences: …, jwks: … }`",
        )


# ---- values


def _literal(value: Value, kind: tree.AttributeKind, findings: Findings) -> str | Poisoned:
    noun = _NOUNS.get(kind, "it")
    if not isinstance(value, Text):
        help_line = f'write `"{value.text}"`' if isinstance(value, Name) else ""
        findings.add(units.WRONG_TYPE, f"{noun} is compared with a text in quotes", value.span, help=help_line)
        return None
    text = value.text
    if kind is tree.AttributeKind.HEADER:
        return text if _is_member(text, value.span, findings) else None
    if kind is tree.AttributeKind.COOKIE and not _COOKIE_VALUE.match(text):
        message = f"no cookie has the value `{text}`: it holds no space, comma, semicolon, quote or backslash"
        findings.add(units.INVALID_ATTRIBUTE, message, value.span)
        return None
    return text


def _is_member(text: str, span: Span, findings: Findings) -> bool:
    if "," in text:
        message = f"a header is a list, so a member of it never holds a comma: `{text}`"
        choices = one_of(part.strip() for part in text.split(",") if part.strip())
        findings.add(units.INVALID_HEADER, message, span, help=f"compare with {choices}" if choices else "")
        return False
    if not _MEMBER.match(text) or text != text.strip(" "):
        message = "a header is compared with visible ASCII characters, without spaces at the ends"
        if text == "":
            message = "a header is not compared with an empty text: ask whether it is `present`"
        findings.add(units.INVALID_HEADER, message, span)
        return False
    return True


def _pattern(value: Value, kind: tree.AttributeKind, findings: Findings) -> str | Poisoned:
    if not isinstance(value, Text):
        findings.add(units.WRONG_TYPE, "`~` takes a regular expression in quotes", value.span)
        return None
    expression = parse_regex(value.text, Subject.VALUE)
    if isinstance(expression, RegexProblem):
        tell_regex(value, expression, findings)
        return None
    separator = _SEPARATORS.get(kind, "")
    if separator and find_text([expression], [], Subject.VALUE.value.all - {separator}) is NoText.NONE:
        between = "a comma stands between members" if separator == "," else "a semicolon stands between cookies"
        message = f"`{value.text}` matches no value of {_NOUNS[kind]}: {between}, and never in one"
        findings.add(units.INVALID_REGEX, message, value.span)
        return None
    return value.text


def tell_regex(pattern: Text, problem: RegexProblem, findings: Findings) -> None:
    """Tell why an expression is refused, at the character where it goes wrong."""
    span = pattern.span
    start = span.start + 1 + problem.offset
    if start < span.end - 1:
        span = span.at(start, start + 1)
    message = f"`{pattern.text}` is not a regular expression of the kind taken here: {problem.message}"
    findings.add(units.INVALID_REGEX, message, span)

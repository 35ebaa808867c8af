"""Matchers and conditions of the tree to what they mean: sets of requests."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeAlias, assert_never

from meshc_compiler.finding import Findings, one_of, replacement
from meshc_compiler.ir import match as ir
from meshc_compiler.ir.match import PathMatch, PathRegex, PathTemplate, RequestMatch, Segment, SegmentKind
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_compiler.lower.template import TemplateProblem, parse_template
from meshc_compiler.regex import RegexProblem, parse_regex
from meshc_lang.codes import units
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree import policy as tree
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import ListValue, Value

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_LITERAL = re.compile(r"[\x20-\x7e]+\Z")
_LATER = {
    tree.AttributeKind.QUERY: "queries",
    tree.AttributeKind.COOKIE: "cookies",
    tree.AttributeKind.CLAIM: "end-user claims",
}


class Form(StrEnum):
    """The form of a matcher, which decides on which ports it can be seen."""

    HTTP = "http"
    RPC = "rpc"
    TCP = "tcp"
    ANYTHING = "anything"

    def fits(self, port: ServicePort, guarded: bool) -> bool:
        """Tell whether a port shows what a matcher of this form speaks of; a guard speaks of headers."""
        match self:
            case Form.HTTP:
                return port.protocol in {Protocol.HTTP, Protocol.HTTP2}
            case Form.RPC:
                return port.protocol is Protocol.GRPC
            case Form.TCP:
                return port.protocol in {Protocol.TCP, Protocol.TLS} and not guarded
            case Form.ANYTHING:
                return port.protocol.is_http or not guarded
            case _:
                assert_never(self)


Poisoned: TypeAlias = None
"""What stands for a piece with an error in it."""


@dataclass(frozen=True, slots=True)
class LoweredMatcher:
    """The sets of requests that one matcher stands for (an rpc with several methods is several), and its form."""

    form: Form
    matches: tuple[RequestMatch, ...]


def lower_grant(matcher: tree.Matcher, condition: ir.Condition | None, findings: Findings) -> LoweredMatcher | Poisoned:
    """Return what a matcher means together with a condition that is already lowered."""
    match matcher:
        case tree.HttpMatcher():
            path = lower_path(matcher.path, findings)
            if path is None:
                return None
            methods = tuple(sorted({method.text for method in matcher.methods}))
            return LoweredMatcher(Form.HTTP, (RequestMatch(methods=methods, path=path, condition=condition),))
        case tree.RpcMatcher():
            return LoweredMatcher(
                Form.RPC,
                tuple(
                    RequestMatch(methods=("POST",), path=_rpc_path(matcher.service, method), condition=condition)
                    for method in dict.fromkeys(matcher.methods)
                ),
            )
        case tree.TcpMatcher():
            if condition is not None:
                message = "a `tcp` grant has no headers that a condition could speak of"
                findings.add(units.PROTOCOL_MISMATCH, message, matcher.span)
                return None
            return LoweredMatcher(Form.TCP, (RequestMatch(),))
        case tree.AnyMatcher():
            return LoweredMatcher(Form.ANYTHING, (RequestMatch(condition=condition),))
        case _:
            assert_never(matcher)


def _rpc_path(service: str, method: str) -> PathTemplate:
    last = Segment(SegmentKind.ANY) if method == "*" else Segment(SegmentKind.LITERAL, method)
    return PathTemplate((Segment(SegmentKind.LITERAL, service), last))


def lower_path(
    pattern: tree.PathPattern | tree.RegexPattern | tree.PathName, findings: Findings
) -> PathMatch | Poisoned:
    """Return a template or a regular expression, or tell what is wrong with it."""
    match pattern:
        case tree.PathPattern():
            template = parse_template(pattern.text)
            if isinstance(template, PathTemplate):
                return template
            _tell_template(template, pattern.span, findings)
            return None
        case tree.RegexPattern():
            text = pattern.pattern.text
            tree_or_problem = parse_regex(text)
            if isinstance(tree_or_problem, RegexProblem):
                message = f"`{text}` is not a regular expression of the kind taken here: {tree_or_problem.message}"
                start = pattern.pattern.span.start + 1 + tree_or_problem.offset
                span = pattern.pattern.span
                if start < span.end - 1:
                    span = span.at(start, start + 1)
                findings.add(units.INVALID_REGEX, message, span)
                return None
            if text == "" or not text.startswith(("/", "(", "[", ".", "\\/")):
                message = f"`{text}` matches no path: the whole path must match, and it begins with `/`"
                findings.add(units.INVALID_REGEX, message, pattern.pattern.span)
                return None
            return PathRegex(text)
        case tree.PathName():
            # A name that is left stands for no path, which another finding tells.
            return None
        case _:
            assert_never(pattern)


def _tell_template(problem: TemplateProblem, span: Span, findings: Findings) -> None:
    fixes = (replacement(f"write `{problem.proposal}`", span, problem.proposal),) if problem.proposal else ()
    findings.add(units.INVALID_PATH, problem.message, span, help=problem.help, fixes=fixes)


def combine(guard: ir.Condition | None, unless: ir.Condition | None) -> ir.Condition | None:
    """Return the condition under which a rule matches: its guard holds, and what stands behind `unless` does not."""
    if unless is None:
        return guard
    negated = ir.Not(unless)
    return negated if guard is None else ir.AllOf((guard, negated))


def lower_condition(condition: tree.Condition, findings: Findings) -> ir.Condition | Poisoned:
    """Return a condition on headers, or tell what this version does not carry."""
    match condition:
        case tree.AllOf() | tree.AnyOf():
            operands = [lower_condition(operand, findings) for operand in condition.operands]
            known = tuple(operand for operand in operands if operand is not None)
            if len(known) < len(operands):
                return None
            return ir.AllOf(known) if isinstance(condition, tree.AllOf) else ir.AnyOf(known)
        case tree.Not():
            inner = lower_condition(condition.operand, findings)
            return None if inner is None else ir.Not(inner)
        case tree.Present():
            name = _header(condition.attribute, findings)
            return None if name is None else ir.HeaderPresent(name)
        case tree.Compare():
            return _compare(condition, findings)
        case tree.Within():
            return _within(condition, findings)
        case tree.FromPeer():
            message = "a condition `from` is not part of this version: name the caller before the `->`"
            findings.add(units.NOT_IN_THIS_VERSION, message, condition.span)
            return None
        case _:
            assert_never(condition)


def _compare(condition: tree.Compare, findings: Findings) -> ir.Condition | Poisoned:
    name = _header(condition.attribute, findings)
    if name is None:
        return None
    if condition.comparison not in {tree.Comparison.EQUAL, tree.Comparison.NOT_EQUAL}:
        message = f"comparing a header by `{condition.comparison}` is not part of this version"
        help_line = "`==`, `!=`, `in` and `present` are"
        findings.add(units.NOT_IN_THIS_VERSION, message, condition.span, help=help_line)
        return None
    value = _literal(condition.value, findings)
    if value is None:
        return None
    equal = ir.HeaderOneOf(name, (value,))
    return equal if condition.comparison is tree.Comparison.EQUAL else ir.Not(equal)


def _within(condition: tree.Within, findings: Findings) -> ir.Condition | Poisoned:
    name = _header(condition.attribute, findings)
    if not isinstance(condition.value, ListValue):
        findings.add(units.WRONG_TYPE, '`in` takes a list, for example `in ["a", "b"]`', condition.value.span)
        return None
    if not condition.value.items:
        findings.add(units.OUT_OF_RANGE, "nothing is in an empty list", condition.value.span)
        return None
    values = [_literal(item, findings) for item in condition.value.items]
    known = {value for value in values if value is not None}
    return None if name is None or None in values else ir.HeaderOneOf(name, tuple(sorted(known)))


def _header(attribute: tree.Attribute, findings: Findings) -> str | Poisoned:
    """Return the header's name in lower case."""
    if attribute.kind is tree.AttributeKind.HEADER:
        return header_name(attribute.key, attribute.span, findings)
    if attribute.kind is tree.AttributeKind.FIELD:
        message = f"`{attribute.owner}.{attribute.key}` is a property of the program, and a guard speaks of requests"
        findings.add(units.WRONG_TYPE, message, attribute.span, help='for example `header "x-beta" == "1"`')
    else:
        message = f"conditions on {_LATER[attribute.kind]} are not part of this version"
        findings.add(units.NOT_IN_THIS_VERSION, message, attribute.span, help="conditions on headers are")
    return None


def header_name(name: str, span: Span, findings: Findings) -> str | Poisoned:
    """Return a header's name in lower case, or tell that no request can bear it."""
    if _TOKEN.match(name):
        return name.lower()
    message = f"`{name}` is not the name of a header"
    if name.startswith(":"):
        message = f"`{name}` is a pseudo-header of HTTP/2; methods and paths stand in front of the condition"
    findings.add(units.INVALID_HEADER, message, span)
    return None


def _literal(value: Value, findings: Findings) -> str | Poisoned:
    if not isinstance(value, Text):
        help_line = f'write `"{value.text}"`' if isinstance(value, Name) else ""
        findings.add(units.WRONG_TYPE, "a header is compared with a text in quotes", value.span, help=help_line)
        return None
    text = value.text
    if "," in text:
        message = f"a header is a list, so a member of it never holds a comma: `{text}`"
        choices = one_of(part.strip() for part in text.split(",") if part.strip())
        findings.add(units.INVALID_HEADER, message, value.span, help=f"compare with {choices}" if choices else "")
        return None
    if not _LITERAL.match(text) or text != text.strip(" "):
        message = "a header is compared with visible ASCII characters, without spaces at the ends"
        if text == "":
            message = "a header is not compared with an empty text: ask whether it is `present`"
        findings.add(units.INVALID_HEADER, message, value.span)
        return None
    return text

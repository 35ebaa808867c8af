"""Matchers of the tree to what they mean: sets of requests."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias, assert_never

from meshc_compiler.finding import Findings, replacement
from meshc_compiler.ir import match as ir
from meshc_compiler.ir.condition import is_about_requests
from meshc_compiler.ir.match import PathMatch, PathRegex, PathTemplate, RequestMatch, Segment, SegmentKind
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_compiler.lower.condition import tell_regex
from meshc_compiler.lower.template import TemplateProblem, parse_template
from meshc_compiler.regex import RegexProblem, parse_regex
from meshc_lang.codes import units
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree import policy as tree


class Form(StrEnum):
    """The form of a matcher, which decides on which ports it can be seen."""

    HTTP = "http"
    RPC = "rpc"
    TCP = "tcp"
    ANYTHING = "anything"

    def fits(self, port: ServicePort, guarded: bool) -> bool:
        """Tell whether a port shows what a matcher of this form speaks of, and what requests alone bear if guarded."""
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
            if is_about_requests(condition):
                message = "a connection shows who calls and nothing else that a condition could speak of"
                findings.add(units.PROTOCOL_MISMATCH, message, matcher.span)
                return None
            return LoweredMatcher(Form.TCP, (RequestMatch(condition=condition),))
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
            expression = parse_regex(text)
            if isinstance(expression, RegexProblem):
                tell_regex(pattern.pattern, expression, findings)
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

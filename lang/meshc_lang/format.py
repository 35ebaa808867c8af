"""Tree and comments back to text, in the one canonical form.

The form: two blanks of indentation; one statement, one grant, one rule, one case a line; single blank lines kept, more
than one made one; nothing is aligned over lines, so that a changed line is one line of a diff. A block or list written
on one line stays there while it fits in 100 columns; one that holds a line break has an entry a line. Strings and
quantities stay as they were written. Every comment is kept, beside or above what it was beside or above.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, assert_never

from meshc_lang.layout import Layout, Render
from meshc_lang.source import Span
from meshc_lang.tree.claim import (
    AllowedVerdict,
    AssertDecl,
    ByVerdict,
    CaseDecl,
    DeniedVerdict,
    NeverClaim,
    OnlyClaim,
    RoutedVerdict,
    SettingVerdict,
    TestDecl,
    Verdict,
)
from meshc_lang.tree.declaration import (
    EditionDecl,
    ExternalDecl,
    GroupDecl,
    GroupDifference,
    GroupExpression,
    GroupList,
    GroupUnion,
    GroupWhere,
    MeshDecl,
    ServiceDecl,
)
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.node import Name, Node, Text
from meshc_lang.tree.policy import (
    AllOf,
    AnyMatcher,
    AnyOf,
    AnyPeer,
    Attribute,
    AttributeKind,
    Compare,
    Condition,
    Flow,
    FromPeer,
    Grant,
    HttpMatcher,
    IngressPeer,
    Matcher,
    NamedPeer,
    Not,
    PathName,
    PathPattern,
    PeerRef,
    Present,
    RegexPattern,
    RpcMatcher,
    SpiffePeer,
    TcpMatcher,
    Within,
)
from meshc_lang.tree.statement import (
    AllowDecl,
    AnyStatement,
    DefaultsDecl,
    DenyDecl,
    EdgeDecl,
    LimitDecl,
    RouteDecl,
    RuleDecl,
)
from meshc_lang.tree.target import Target
from meshc_lang.tree.value import (
    Block,
    Decimal,
    Duration,
    Integer,
    ListValue,
    Pair,
    Path,
    Percent,
    PortLiteral,
    Range,
    Rate,
    Size,
    Switch,
    Value,
)

__all__ = ["format_file"]

_Item = TypeVar("_Item", RuleDecl, CaseDecl)


def format_file(file: SourceFile) -> str:
    """Return a file's canonical text; the file must have been read without errors, or what was left out is lost.

    Formatting what is formatted changes nothing, and the result reads as the same tree with the same comments.
    """
    writer = _Writer(file)
    lines = writer.lines(file.statements, writer.statement, "", 0, len(file.source.text))
    return "\n".join(lines) + "\n" if lines else ""


class _Writer(Layout):
    """Prints each kind of node; where a method takes `before`, that is what the line holds already."""

    def statement(self, node: AnyStatement, before: str) -> str:
        match node:
            case EditionDecl():
                return f"edition {node.year.value}"
            case MeshDecl():
                return self._with_block(before, f"mesh {node.name}", node.body)
            case ServiceDecl():
                return self._with_block(before, f"service {node.name}", node.body)
            case ExternalDecl():
                return self._with_block(before, f"external {node.name}", node.body)
            case DefaultsDecl():
                return self._with_block(before, f"defaults {node.scope}", node.body)
            case EdgeDecl():
                return self._with_block(before, f"edge {_flow(node.flow)}", node.body)
            case GroupDecl():
                head = f"group {node.name} = "
                return head + self.group(node.members, before + head)
            case AllowDecl():
                end = (node.because or node).span
                out = self._granting(before, f"allow {_flow(node.flow)}", node.flow, node.grants, end, node.span)
                return out + _because(node.because)
            case DenyDecl():
                end = (node.unless or node.because or node).span
                out = self._granting(before, f"deny {_flow(node.flow)}", node.flow, node.grants, end, node.span)
                if node.unless is not None:
                    out += f" unless {self.condition(node.unless, before)}"
                return out + _because(node.because)
            case RouteDecl():
                port = f".{node.port}" if node.port else ""
                head = f"route {node.service}{port} "
                return head + self._lines_of(node.rules, self.rule, node.port or node.service, node, before + head)
            case LimitDecl():
                burst = f" burst {node.burst.span.text}" if node.burst else ""
                per = f" per {_attribute(node.per)}" if node.per else ""
                return f"limit {_flow(node.flow)} {node.rate.text}{burst}{per}"
            case AssertDecl():
                return self.claim(node, before) + _because(node.because)
            case TestDecl():
                head = f"test {node.name.span.text} "
                return head + self._lines_of(node.cases, self.case, node.name, node, before + head)
            case _:
                raise NotImplementedError(type(node).__name__)

    def _lines_of(self, items: Sequence[_Item], render: Render[_Item], last: Node, whole: Node, before: str) -> str:
        """Print the rules or cases that stand in braces behind the node `last`."""
        return self.bracketed(
            items,
            render,
            opener=self.text.index("{", last.span.end),
            closer=whole.span.end - 1,
            marks=("{ ", " }"),
            before=before,
            one_a_line=True,
        )

    # ---- groups

    def group(self, node: GroupExpression, before: str, *, right: bool = False) -> str:
        match node:
            case GroupUnion() | GroupDifference():
                sign = "|" if isinstance(node, GroupUnion) else "-"
                left = self.group(node.left, before) + f" {sign} "
                out = left + self.group(node.right, _last_line(before + left), right=True)
                return _parenthesised(out) if right else out
            case GroupList():
                return self.bracketed(
                    node.peers,
                    lambda peer, _: _peer(peer),
                    opener=node.span.start,
                    closer=node.span.end - 1,
                    marks=("[", "]"),
                    before=before,
                    separator=",",
                )
            case GroupWhere():
                return f"where {self.condition(node.condition, before)}"
            case _:
                return _peer(node)

    # ---- grants, rules, cases

    def grant(self, node: Grant, before: str) -> str:
        guard = f" if {self.condition(node.guard, before)}" if node.guard else ""
        return _matcher(node.matcher) + guard

    def rule(self, node: RuleDecl, before: str) -> str:
        guard = f" if {self.condition(node.guard, before)}" if node.guard else ""
        out = f"{_matcher(node.matcher)}{guard} => "
        out += self.after_commas(node.targets, lambda target, _: _target(target), _last_line(before + out))
        if node.name is not None:
            out += f" as {node.name}"
        if node.over:
            out += f" over {', '.join(name.text for name in node.over)}"
        if node.body is not None:
            out += " "
            out += self.block(node.body, _last_line(before + out))
        return out

    def case(self, node: CaseDecl, before: str) -> str:
        out = f"{node.request.text} is "
        return out + self.after_commas(node.verdicts, self.verdict, before + out)

    def verdict(self, node: Verdict, before: str) -> str:
        match node:
            case AllowedVerdict():
                return "allowed"
            case DeniedVerdict():
                return "denied"
            case RoutedVerdict():
                return f"routed {_target(node.target)}"
            case SettingVerdict():
                head = f"{node.name} "
                return head + self.value(node.value, before + head)
            case ByVerdict():
                return f"by {node.name}"
            case _:
                assert_never(node)

    def claim(self, node: AssertDecl, before: str) -> str:
        match node.claim:
            case NeverClaim() as claim:
                head = f"assert never {_flow(claim.flow)}"
                if not claim.grants:
                    return head
                return self._granting(before, head, claim.flow, claim.grants, claim.span, claim.span)
            case OnlyClaim() as claim:
                return f"assert only {_peer(claim.caller)} -> {_peer(claim.callee)}"
            case _:
                raise NotImplementedError(type(node.claim).__name__)

    def _granting(self, before: str, head: str, flow: Flow, grants: tuple[Grant, ...], end: Span, whole: Span) -> str:
        """Print grants behind a colon or in braces, as they were written; `end` is what follows, or the whole."""
        opener = self.text.index("{", flow.span.end) if self._next_mark(flow.span.end) == "{" else None
        if opener is None:
            head += " : "
            return head + self.after_commas(grants, self.grant, before + head)
        limit = whole.end if end is whole else end.start
        closer = self.text.rindex("}", grants[-1].span.end, limit)
        # Comments may hold braces, but none stands between the closing one and what follows it on its line.
        head += " "
        return head + self.bracketed(
            grants, self.grant, opener=opener, closer=closer, marks=("{ ", " }"), before=before + head
        )

    def _next_mark(self, offset: int) -> str:
        while self.text[offset] in " \t\\\r\n":
            offset += 1
        return self.text[offset]

    # ---- conditions

    def condition(self, node: Condition, before: str, *, inside: type[Condition] | None = None) -> str:
        match node:
            case Compare():
                return f"{_attribute(node.attribute)} {node.comparison.value} {self.value(node.value, before)}"
            case Present():
                return f"{_attribute(node.attribute)} present"
            case Within():
                return f"{_attribute(node.attribute)} in {self.value(node.value, before)}"
            case FromPeer():
                return f"from {_peer(node.peer)}"
            case Not():
                return f"not {self.condition(node.operand, before, inside=Not)}"
            case AllOf() | AnyOf():
                word = " and " if isinstance(node, AllOf) else " or "
                out = word.join(self.condition(operand, before, inside=type(node)) for operand in node.operands)
                # `and` binds closer than `or`: only an `and` in an `or` needs no parentheses.
                bare = inside is None or (isinstance(node, AllOf) and inside is AnyOf)
                return out if bare else _parenthesised(out)
            case _:
                assert_never(node)

    # ---- values

    def value(self, node: Value, before: str) -> str:
        match node:
            case Name():
                return node.text
            case Text():
                return node.span.text
            case Integer():
                return str(node.value)
            case Decimal() | Duration() | Percent() | Size() | Rate() | Path():
                return node.text
            case PortLiteral():
                return f"{node.number}/{node.protocol}"
            case Switch():
                return "on" if node.on else "off"
            case Range():
                return f"{self.value(node.low, before)}..{self.value(node.high, before)}"
            case ListValue():
                return self.bracketed(
                    node.items,
                    self.value,
                    opener=node.span.start,
                    closer=node.span.end - 1,
                    marks=("[", "]"),
                    before=before,
                    separator=",",
                )
            case Block():
                return self.block(node, before, marks=("{", "}"))
            case _:
                assert_never(node)

    def block(self, node: Block, before: str, marks: tuple[str, str] = ("{ ", " }")) -> str:
        return self.bracketed(
            node.pairs,
            self.pair,
            opener=node.span.start,
            closer=node.span.end - 1,
            marks=marks,
            before=before,
        )

    def pair(self, node: Pair, before: str) -> str:
        key = node.key.text if isinstance(node.key, Name) else node.key.span.text
        if isinstance(node.value, Block) and ":" not in self.text[node.key.span.end : node.value.span.start]:
            return f"{key} " + self.block(node.value, f"{before}{key} ")
        return f"{key}: " + self.value(node.value, f"{before}{key}: ")

    def _with_block(self, before: str, head: str, body: Block) -> str:
        return f"{head} " + self.block(body, f"{before}{head} ")


def _parenthesised(text: str) -> str:
    # A path may hold a `)`, so one that ends the text must not run into it.
    ends_in_path = text[text.rfind(" ") + 1] == "/" and not text.endswith('"')
    return f"({text} )" if ends_in_path else f"({text})"


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]


def _flow(node: Flow) -> str:
    return f"{_peer(node.caller)} -> {_peer(node.callee)}"


def _peer(node: PeerRef) -> str:
    match node:
        case NamedPeer():
            return f"{node.name}.{node.part}" if node.part else node.name.text
        case AnyPeer():
            return "any"
        case IngressPeer():
            return "ingress"
        case SpiffePeer():
            return node.id.span.text
        case _:
            assert_never(node)


def _matcher(node: Matcher) -> str:
    match node:
        case HttpMatcher():
            # `* /x` and `/x` say the same; which of them was written is kept.
            star = "* " if node.span.text.startswith("*") else ""
            methods = "|".join(method.text for method in node.methods) + " " if node.methods else star
            return methods + _path(node.path)
        case RpcMatcher():
            return f"rpc {node.service}/{'|'.join(node.methods)}"
        case TcpMatcher():
            return "tcp"
        case AnyMatcher():
            return "*"
        case _:
            assert_never(node)


def _path(node: PathPattern | RegexPattern | PathName) -> str:
    if isinstance(node, PathName):
        return node.name.text
    return node.text if isinstance(node, PathPattern) else f"~{node.pattern.span.text}"


def _attribute(node: Attribute) -> str:
    if node.kind is AttributeKind.FIELD:
        return f"{node.owner}.{node.key}"
    written = node.span.text
    return f"{node.kind.value} {written[written.index(chr(34)) :]}"


def _target(node: Target) -> str:
    part = f".{node.part}" if node.part else ""
    share = f" {node.share.text}" if node.share else ""
    return f"{node.name}{part}{share}"


def _because(node: Text | None) -> str:
    return f" because {node.span.text}" if node is not None else ""

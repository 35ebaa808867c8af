"""Tree and comments back to text, in the one canonical form.

The form: two blanks of indentation; one statement, one grant, one rule, one case a line; single blank lines kept, more
than one made one; nothing is aligned over lines, so that a changed line is one line of a diff. A block or list written
on one line stays there while it fits in 100 columns; one that holds a line break has an entry a line. Strings and
quantities stay as they were written. Every comment is kept, beside or above what it was beside or above.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeVar, assert_never

from meshc_lang.layout import Render
from meshc_lang.policy_writer import (
    PolicyWriter,
    attribute_text,
    because_text,
    flow_text,
    last_line,
    matcher_text,
    peer_text,
    target_text,
)
from meshc_lang.tree.claim import (
    AllowedVerdict,
    AlwaysClaim,
    AssertDecl,
    ByVerdict,
    CaseDecl,
    DeniedVerdict,
    EveryEdgeClaim,
    MetricClaim,
    MtlsClaim,
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
    ImportDecl,
    JwtDecl,
    LetDecl,
    MeshDecl,
    ServiceDecl,
)
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.node import Node
from meshc_lang.tree.policy import Grant
from meshc_lang.tree.statement import (
    AllowDecl,
    AnyStatement,
    DefaultsDecl,
    DenyDecl,
    DropItem,
    EdgeDecl,
    FaultDecl,
    LimitDecl,
    MirrorDecl,
    OverlayDecl,
    Ref,
    RouteDecl,
    RuleDecl,
    SetItem,
    SloDecl,
    TemplateDecl,
    UseDecl,
)
from meshc_lang.tree.target import Answer, Redirect
from meshc_lang.tree.value import Block

__all__ = ["format_file"]

_Line = TypeVar("_Line", RuleDecl, CaseDecl)
_Item: TypeAlias = AnyStatement | SetItem | DropItem
_Sentence: TypeAlias = (
    AllowDecl
    | DenyDecl
    | DefaultsDecl
    | EdgeDecl
    | RouteDecl
    | LimitDecl
    | MirrorDecl
    | FaultDecl
    | SloDecl
    | AssertDecl
    | TestDecl
)


def format_file(file: SourceFile) -> str:
    """Return a file's canonical text; the file must have been read without errors, or what was left out is lost.

    Formatting what is formatted changes nothing, and the result reads as the same tree with the same comments.
    """
    writer = _Writer(file)
    lines = writer.lines(file.statements, writer.statement, "", 0, len(file.source.text))
    return "\n".join(lines) + "\n" if lines else ""


class _Writer(PolicyWriter):
    """Prints each kind of statement; where a method takes `before`, that is what the line holds already."""

    def statement(self, node: _Item, before: str) -> str:
        match node:
            case EditionDecl():
                return f"edition {node.year.value}"
            case ImportDecl():
                kind = f"{node.kind} " if node.kind else ""
                service = f" for {peer_text(node.service)}" if node.service else ""
                return f"import {kind}{node.path.span.text}{service}"
            case MeshDecl():
                return self._with_block(before, f"mesh {node.name}", node.body)
            case ServiceDecl():
                return self._with_block(before, f"service {node.name}", node.body)
            case ExternalDecl():
                return self._with_block(before, f"external {node.name}", node.body)
            case JwtDecl():
                return self._with_block(before, f"jwt {node.name}", node.body)
            case GroupDecl():
                head = f"group {node.name} = "
                return head + self.group(node.members, before + head)
            case LetDecl():
                head = f"let {node.name} = "
                return head + self.value(node.value, before + head)
            case TemplateDecl():
                return self._template(node, before)
            case UseDecl():
                return self._use(node, before)
            case OverlayDecl():
                head = f"overlay {node.name} "
                return head + self._statements(node.items, self.mark_behind(node.name.span.end), node, before + head)
            case SetItem():
                head = f"set {_ref(node.ref)}: "
                return head + self.value(node.value, before + head)
            case DropItem():
                return f"drop {_ref(node.ref)}"
            case _:
                return self._sentence(node, before)

    def _sentence(self, node: _Sentence, before: str) -> str:
        """Print a statement about an edge or a callee."""
        match node:
            case AllowDecl():
                out = self.granting(before, f"allow {flow_text(node.flow)}", node.flow.span, node.grants)
                return out + because_text(node.because)
            case DenyDecl():
                out = self.granting(before, f"deny {flow_text(node.flow)}", node.flow.span, node.grants)
                if node.unless is not None:
                    out += f" unless {self.condition(node.unless, before)}"
                return out + because_text(node.because)
            case DefaultsDecl():
                return self._with_block(before, f"defaults {node.scope}", node.body)
            case EdgeDecl():
                return self._with_block(before, f"edge {flow_text(node.flow)}", node.body)
            case RouteDecl():
                port = f".{node.port}" if node.port else ""
                head = f"route {node.service}{port} "
                return head + self._lines_of(node.rules, self.rule, node.port or node.service, node, before + head)
            case LimitDecl():
                burst = f" burst {node.burst.span.text}" if node.burst else ""
                per = f" per {attribute_text(node.per)}" if node.per else ""
                return f"limit {flow_text(node.flow)} {node.rate.text}{burst}{per}"
            case MirrorDecl():
                port = f".{node.port}" if node.port else ""
                guard = f" if {self.condition(node.guard, before)}" if node.guard else ""
                return f"mirror {node.service}{port} {matcher_text(node.matcher)}{guard} => {target_text(node.target)}"
            case FaultDecl():
                return self._with_block(before, f"fault {node.name} on {flow_text(node.flow)}", node.body)
            case SloDecl():
                return self._with_block(before, f"slo {node.service}", node.body)
            case AssertDecl():
                return "assert " + self.claim(node, before + "assert ") + because_text(node.because)
            case TestDecl():
                head = f"test {node.name.span.text} "
                return head + self._lines_of(node.cases, self.case, node.name, node, before + head)
            case _:
                assert_never(node)

    # ---- statements that hold statements

    def _template(self, node: TemplateDecl, before: str) -> str:
        head = f"template {node.name}"
        last = node.parameters[-1].span if node.parameters else None
        opener = self.mark_behind(node.name.span.end)
        closer = self.mark_behind(last.end if last else opener + 1)
        head += self.bracketed(
            node.parameters,
            lambda parameter, _: parameter.text,
            opener=opener,
            closer=closer,
            marks=("(", ")"),
            before=before + head,
            separator=",",
        )
        head += " "
        return head + self._statements(node.body, self.mark_behind(closer + 1), node, last_line(before + head))

    def _use(self, node: UseDecl, before: str) -> str:
        head = f"use {node.name}"
        return head + self.bracketed(
            node.arguments,
            self.value,
            opener=self.mark_behind(node.name.span.end),
            closer=node.span.end - 1,
            marks=("(", ")"),
            before=before + head,
            separator=",",
        )

    def _statements(self, items: Sequence[_Item], opener: int, whole: Node, before: str) -> str:
        return self.bracketed(
            items,
            self.statement,
            opener=opener,
            closer=whole.span.end - 1,
            marks=("{ ", " }"),
            before=before,
            broken=True,
        )

    def _lines_of(self, items: Sequence[_Line], render: Render[_Line], last: Node, whole: Node, before: str) -> str:
        """Print the rules or cases that stand in braces behind the node `last`."""
        return self.bracketed(
            items,
            render,
            opener=self.mark_behind(last.span.end),
            closer=whole.span.end - 1,
            marks=("{ ", " }"),
            before=before,
            one_a_line=True,
        )

    def _with_block(self, before: str, head: str, body: Block) -> str:
        return f"{head} " + self.block(body, f"{before}{head} ")

    # ---- rules, cases, claims

    def rule(self, node: RuleDecl, before: str) -> str:
        guard = f" if {self.condition(node.guard, before)}" if node.guard else ""
        out = f"{matcher_text(node.matcher)}{guard} => "
        if node.answer is not None:
            out += _answer(node.answer)
        else:
            out += self.after_commas(node.targets, lambda target, _: target_text(target), last_line(before + out))
        if node.name is not None:
            out += f" as {node.name}"
        if node.over:
            out += f" over {', '.join(name.text for name in node.over)}"
        if node.body is not None:
            out += " "
            out += self.block(node.body, last_line(before + out))
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
                return f"routed {target_text(node.target)}"
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
                arrow = "->*" if claim.chain else "->"
                head = f"never {peer_text(claim.flow.caller)} {arrow} {peer_text(claim.flow.callee)}"
                return self._granted(before, head, claim.flow, claim.grants)
            case AlwaysClaim() as claim:
                return self._granted(before, f"always {flow_text(claim.flow)}", claim.flow, claim.grants)
            case OnlyClaim() as claim:
                head = f"only {peer_text(claim.caller)} -> {peer_text(claim.callee)}"
                return self._granted(before, head, claim.callee, claim.grants)
            case EveryEdgeClaim() as claim:
                caller = f" from {peer_text(claim.caller)}" if claim.caller else ""
                callee = f" to {peer_text(claim.callee)}" if claim.callee else ""
                return f"every edge{caller}{callee} has {self.condition(claim.condition, before)}"
            case MetricClaim() as claim:
                out = self._granted(before, f"{claim.metric}({flow_text(claim.flow)}", claim.flow, claim.grants)
                out += f") {claim.comparison.value} "
                return out + self.value(claim.value, last_line(before + out))
            case MtlsClaim() as claim:
                return f"mtls {flow_text(claim.flow)}" if claim.flow else "mtls"
            case _:
                assert_never(node.claim)

    def _granted(self, before: str, head: str, last: Node, grants: tuple[Grant, ...]) -> str:
        return self.granting(before, head, last.span, grants) if grants else head


def _ref(node: Ref) -> str:
    return ".".join(part.text for part in node.parts)


def _answer(node: Answer) -> str:
    if isinstance(node, Redirect):
        return f"redirect {node.location.span.text}"
    return f"respond {node.status.value}"

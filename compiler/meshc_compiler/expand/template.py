"""`template` and `use`: statements written out with names and values for the parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from meshc_compiler.expand.let import MOST_PIECES, Mentions
from meshc_compiler.expand.rewrite import Place, Rewriter
from meshc_compiler.expand.value import at_parameter, put
from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.lower.field import describe
from meshc_lang.codes import expansion, names
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass, field
from meshc_lang.source import ExpandedSpan, Span, UseSite
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
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.policy import AnyPeer, IngressPeer, NamedPeer, PeerRef, SpiffePeer
from meshc_lang.tree.statement import AnyStatement, FaultDecl, OverlayDecl, TemplateDecl, UseDecl
from meshc_lang.tree.value import Value
from meshc_lang.tree.walk import walk

MOST_STATEMENTS = 100_000
"""The most statements that all templates of a program may write out."""
MOST_NESTED = 32
"""How many templates may be written out within each other."""

_Declaring = ServiceDecl | ExternalDecl | GroupDecl | JwtDecl | FaultDecl | MeshDecl
_MISPLACED = {
    EditionDecl: "edition",
    ImportDecl: "import",
    TemplateDecl: "template",
    OverlayDecl: "overlay",
    LetDecl: "let",
}


@dataclass(slots=True)
class Written:
    """What has been written out so far: how much, and by which `use` each statement that declares a fixed name."""

    statements: int = 0
    fixed: dict[int, UseSite] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    """Names that a `use` with an error would have declared."""
    times: dict[str, int] = field(default_factory=dict)
    """How often each template was written out."""

    def copy(self) -> Written:
        """Return a state that can go on by itself."""
        return Written(self.statements, dict(self.fixed), set(self.lost), dict(self.times))


class TemplateTable:
    """The templates of a program, examined once: their names, what they hold, who uses whom."""

    def __init__(
        self, declarations: Iterable[TemplateDecl], findings: Findings, lost: frozenset[str] | None = frozenset()
    ) -> None:
        """Examine the declarations; `lost` are names of statements that could not be read, None if any may be one."""
        self._lost = lost
        self._templates: dict[str, TemplateDecl] = {}
        self._refused: set[str] = set()
        self._sizes: dict[str, tuple[int, int]] = {}
        self._mentions: dict[str, Mentions] = {}
        for declaration in declarations:
            self._declare(declaration, findings)
        self._tell_circles(findings)

    @property
    def templates(self) -> tuple[TemplateDecl, ...]:
        """The templates that count."""
        return tuple(self._templates.values())

    def unused_parameters(self) -> Iterator[tuple[TemplateDecl, Name]]:
        """Return the parameters that stand nowhere in their templates."""
        for name, template in self._templates.items():
            mentions = self._mentions[name]
            for parameter in template.parameters:
                if parameter.text not in mentions.values and parameter.text not in mentions.names:
                    yield template, parameter

    def write_out(self, use: UseDecl, written: Written, findings: Findings) -> tuple[AnyStatement, ...]:
        """Return the statements that a `use` stands for, nested ones among them; none, and why, if it is wrong."""
        template = self._templates.get(use.name.text)
        if template is None:
            if self._lost is not None and use.name.text not in self._lost:
                self._unknown(use, findings)
        elif template.name.text not in self._refused and self._arguments_fit(use, template, findings):
            size, depth = self._sizes[template.name.text]
            if depth > MOST_NESTED or written.statements + size > MOST_STATEMENTS:
                self._too_large(use, depth, findings)
            elif (made := self._write(use, template, written, findings)) is not None:
                return made
        written.lost |= {argument.text for argument in use.arguments if isinstance(argument, Name)}
        return ()

    def _write(
        self, use: UseDecl, template: TemplateDecl, written: Written, findings: Findings
    ) -> tuple[AnyStatement, ...] | None:
        own = Findings()
        writer = _Writer(use, template, own)
        copies = [(original, writer.node(original)) for original in template.body]
        findings.extend(own.all())
        if own.all():
            return None
        written.times[template.name.text] = written.times.get(template.name.text, 0) + 1
        made: list[AnyStatement] = []
        for original, copy in copies:
            if isinstance(copy, UseDecl):
                if sum(1 for argument in copy.arguments for _ in walk(argument)) > MOST_PIECES:
                    message = f"an argument of this `use` is made of more than {MOST_PIECES:,} pieces"
                    findings.add(expansion.TOO_LARGE_EXPANSION, message, copy.span, subject=f"use {copy.name}")
                    continue
                made += self.write_out(copy, written, findings)
            elif not self._is_repeated(original, template, use, written, findings):
                written.statements += 1
                made.append(copy)
        return tuple(made)

    def _is_repeated(
        self, original: AnyStatement, template: TemplateDecl, use: UseDecl, written: Written, findings: Findings
    ) -> bool:
        """Tell whether a statement declares a name of its own, and was written out before."""
        if not isinstance(original, _Declaring) or original.name.text in {one.text for one in template.parameters}:
            return False
        site = UseSite(template.name.text, use.name.span)
        first = written.fixed.setdefault(id(original), site)
        if first is site:
            return False
        findings.add(
            names.DUPLICATE_NAME,
            f"the template `{template.name}` declares `{original.name}` itself, so it can be used once",
            use.name.span,
            label="used again here",
            related=(Label(first.span, "used here first"), Label(original.name.span, "declared here")),
            help="let a parameter stand for the name",
            subject=f"template {template.name}",
        )
        return True

    # ---- what is wrong with templates and their uses

    def _declare(self, declaration: TemplateDecl, findings: Findings) -> None:
        name = declaration.name
        first = self._templates.setdefault(name.text, declaration)
        if first is not declaration:
            findings.add(
                names.DUPLICATE_NAME,
                f"the template `{name}` is declared twice",
                name.span,
                label="declared again here",
                related=(Label(first.name.span, "first declared here"),),
                subject=f"template {name}",
            )
            return
        seen: dict[str, Name] = {}
        for parameter in declaration.parameters:
            other = seen.setdefault(parameter.text, parameter)
            if other is not parameter:
                self._refused.add(name.text)
                message = f"the template `{name}` has two parameters `{parameter}`"
                related = (Label(other.span, "the first is here"),)
                findings.add(names.DUPLICATE_NAME, message, parameter.span, related=related)
        mentions = self._mentions[name.text] = Mentions()
        for statement in declaration.body:
            word = _MISPLACED.get(type(statement))
            if word is not None:
                self._refused.add(name.text)
                message = f"`{word}` cannot stand in a template"
                help_line = "write it beside the template: it is seen everywhere" if word == "let" else ""
                span = statement.span.at(statement.span.start, statement.span.start + len(word))
                findings.add(expansion.MISPLACED_STATEMENT, message, span, help=help_line)
            else:
                mentions.node(statement)

    def _tell_circles(self, findings: Findings) -> None:
        for name in sorted(self._templates):
            if name not in self._sizes:
                self._follow(name, findings)

    def _follow(self, start: str, findings: Findings) -> None:
        """Go from a template to those that it uses, and measure each when all within it are."""
        way = {start: iter(self._uses(start))}
        while way:
            name, uses = next(reversed(way.items()))
            use = next(uses, None)
            if use is None:
                self._sizes[name] = self._measured(name)
                del way[name]
            elif (inner := use.name.text) in way:
                entered = list(way)
                self._tell_circle(entered[entered.index(inner) :], use, findings)
            elif inner in self._templates and inner not in self._sizes:
                way[inner] = iter(self._uses(inner))

    def _tell_circle(self, circle: list[str], use: UseDecl, findings: Findings) -> None:
        if not self._refused.isdisjoint(circle):
            return
        self._refused.update(circle)
        first, *others = (self._templates[name] for name in circle)
        way = " -> ".join(f"`{name}`" for name in [*circle, circle[0]])
        related = [Label(other.name.span, f"`{other.name}` is part of the circle") for other in others[:2]]
        findings.add(
            expansion.TEMPLATE_CYCLE,
            f"the template `{first.name}` uses itself: {way}",
            first.name.span,
            related=(*related, Label(use.span, "and here the circle closes")),
            subject=f"template {first.name}",
        )

    def _uses(self, name: str) -> tuple[UseDecl, ...]:
        return tuple(statement for statement in self._templates[name].body if isinstance(statement, UseDecl))

    def _measured(self, name: str) -> tuple[int, int]:
        """Return how many statements a template writes out, each `use` counted too, and how deep templates nest."""
        inner = [self._sizes[use.name.text] for use in self._uses(name) if use.name.text in self._sizes]
        size = len(self._templates[name].body) + sum(size for size, _ in inner)
        return size, 1 + max((depth for _, depth in inner), default=0)

    def _unknown(self, use: UseDecl, findings: Findings) -> None:
        help_line, fixes = did_you_mean(use.name.text, self._templates, use.name.span)
        message = f"there is no template `{use.name}`"
        subject = f"template {use.name}"
        findings.add(expansion.UNKNOWN_TEMPLATE, message, use.name.span, help=help_line, fixes=fixes, subject=subject)

    def _arguments_fit(self, use: UseDecl, template: TemplateDecl, findings: Findings) -> bool:
        given, wanted = use.arguments, template.parameters
        if len(given) == len(wanted):
            return True
        words = "no argument" if not wanted else f"{len(wanted)} argument{'s' if len(wanted) > 1 else ''}"
        takes = f"the template `{template.name}` takes {words}"
        if len(given) < len(wanted):
            missing = one_of(parameter.text for parameter in wanted[len(given) :]).replace(" or ", " and ")
            is_ = "is" if len(wanted) - len(given) == 1 else "are"
            message, span = f"{takes}, and {missing} {is_} missing", use.span
        else:
            message, span = f"{takes}, and this is one too many", given[len(wanted)].span
        signature = f"{template.name}({', '.join(parameter.text for parameter in wanted)})"
        findings.add(
            expansion.WRONG_ARGUMENTS,
            message,
            span,
            related=(Label(template.name.span, f"declared here, as `{signature}`"),),
            subject=f"use {use.name}",
        )
        return False

    def _too_large(self, use: UseDecl, depth: int, findings: Findings) -> None:
        message = f"with this `use` templates write out more than {MOST_STATEMENTS:,} statements"
        if depth > MOST_NESTED:
            message = (
                f"`{use.name}` writes out {depth} templates within each other, and at most {MOST_NESTED} are taken"
            )
        findings.add(expansion.TOO_LARGE_EXPANSION, message, use.span, subject=f"use {use.name}")


class _Writer(Rewriter):
    """Copies a template's statements with arguments in the places of its parameters."""

    def __init__(self, use: UseDecl, template: TemplateDecl, findings: Findings) -> None:
        self._arguments = dict(zip((parameter.text for parameter in template.parameters), use.arguments, strict=True))
        outer = use.span.uses if isinstance(use.span, ExpandedSpan) else ()
        place = Span(use.span.source, use.span.start, use.span.end)
        self._uses = (UseSite(template.name.text, place), *outer)
        self._overlay = use.span.overlay
        self._findings = findings

    def span(self, span: Span) -> Span:
        return ExpandedSpan(span.source, span.start, span.end, uses=self._uses, within=self._overlay)

    def name(self, name: Name) -> Name:
        argument = self._arguments.get(name.text)
        if argument is None:
            return name
        if isinstance(argument, Name):
            moved = at_parameter(argument, name)
            assert isinstance(moved, Name)  # noqa: S101 - a name stays one
            return moved
        self._findings.add(
            expansion.VALUE_FOR_NAME,
            f"`{name}` stands for a name in the template, and this is {describe(argument)}",
            argument.span,
            related=(Label(self.span(name.span), f"`{name}` stands here"),),
            subject=f"parameter {name}",
        )
        return name

    def peer(self, peer: NamedPeer) -> PeerRef:
        argument = self._arguments.get(peer.name.text)
        if peer.part is None and argument is not None:
            span = at_parameter(argument, peer.name).span
            match argument:
                case Text():
                    return SpiffePeer(span=span, id=dataclasses.replace(argument, span=span))
                case Name(text="any"):
                    return AnyPeer(span=span)
                case Name(text="ingress"):
                    return IngressPeer(span=span)
        return self.node(peer)

    def value(self, name: Name, place: Place) -> Any:
        argument: Value | None = self._arguments.get(name.text)
        if argument is None:
            return name
        moved = at_parameter(argument, name)
        if isinstance(moved, Name):
            # The name of a `let`, most likely: those are looked up when all templates are written out.
            return moved
        made = put(place, moved, self._findings)
        return name if made is None else made

"""A program with its values, templates and overlays worked out: plain statements, for itself and for each overlay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from meshc_compiler.expand.let import LetTable, Mentions
from meshc_compiler.expand.overlay import Change, Within
from meshc_compiler.expand.provenance import Background
from meshc_compiler.expand.reference import Places
from meshc_compiler.expand.template import TemplateTable, Written
from meshc_compiler.finding import Findings, delete
from meshc_compiler.loader import Program
from meshc_lang.codes import expansion, names
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.record import dataclass
from meshc_lang.source import Span
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
from meshc_lang.tree.node import Name
from meshc_lang.tree.statement import (
    AnyStatement,
    DropItem,
    OverlayDecl,
    SetItem,
    TemplateDecl,
    UseDecl,
)

_MISPLACED = {
    EditionDecl: "edition",
    ImportDecl: "import",
    MeshDecl: "mesh",
    TemplateDecl: "template",
    OverlayDecl: "overlay",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """A program, or one of its overlays, as plain statements.

    `lost_names` are names that a statement with an error would have declared. `background` is for `explained`.
    """

    statements: tuple[AnyStatement, ...]
    lost_names: frozenset[str]
    background: Background
    diagnostics: tuple[Diagnostic, ...]


class Expander:
    """The values, templates and overlays of a program, examined once.

    `complete` tells that all of the program could be read; otherwise nothing is called unused, since what could not be
    read may use it.
    """

    def __init__(self, program: Program, *, complete: bool = True) -> None:
        self._program = program
        self._findings = Findings()
        self._raw = sorted(
            (statement for file in program.files for statement in file.statements), key=lambda node: node.span.sort_key
        )
        self._overlays = self._gather_overlays()
        lost = None if program.incomplete else program.lost_names
        self._templates = TemplateTable(self._of(TemplateDecl), self._findings, lost)
        self._written = Written()
        plain = [one for one in self._raw if not isinstance(one, LetDecl | TemplateDecl | UseDecl | OverlayDecl)]
        self._plain = [*plain, *self._used(self._of(UseDecl), self._written, self._findings)]
        if program.imported is not None:
            from meshc_compiler.importing.declare import declare  # most programs import nothing

            self._plain = declare(self._plain, program.imported, self._findings)
        declared = _declared(self._plain)
        self._lets = LetTable(self._of(LetDecl), declared, self._findings, lost)
        self._resolved = tuple(self._lets.resolve(statement, self._findings) for statement in self._plain)
        if complete:
            self._tell_unused()
        self._places: Places | None = None

    @property
    def overlays(self) -> tuple[str, ...]:
        """The names of the program's overlays, sorted."""
        return tuple(sorted(self._overlays))

    def base(self) -> Expansion:
        """Return the program itself, without any overlay."""
        return Expansion(
            statements=self._resolved,
            lost_names=self._program.lost_names | self._written.lost,
            background=Background(
                lets=self._lets.names(),
                poisoned=self._lets.poisoned,
                expansions=self._written.times,
            ),
            diagnostics=self._findings.all(),
        )

    def overlay(self, name: str) -> Expansion:
        """Return the program as one of its overlays has it; its findings are those about the overlay alone."""
        overlay = self._overlays[name]
        findings = Findings()
        if self._places is None:
            self._places = Places(self._resolved, self._lets)
        items = tuple(Within(name).node(item) for item in overlay.items)
        change = Change(name, items, self._places, findings)
        added = [item for item in items if not isinstance(item, SetItem | DropItem)]
        self._tell_misplaced(added, overlay, findings)
        written = self._written.copy()
        plain: list[AnyStatement] = [
            one for one in added if type(one) not in _MISPLACED and not isinstance(one, LetDecl | UseDecl)
        ]
        plain += self._used([one for one in added if isinstance(one, UseDecl)], written, findings)
        new_lets = [one for one in added if isinstance(one, LetDecl)]
        changed = change.changed_lets(self._lets)
        lets, base = self._lets, self._resolved
        if new_lets or changed is not None:
            declarations = (*(changed if changed is not None else self._lets.declarations), *new_lets)
            declared = _declared([*self._plain, *plain])
            lets = LetTable(declarations, declared, findings, self._lets.lost)
            base = tuple(lets.resolve(statement, findings) for statement in self._plain)
        statements = change.apply(base, lets, self._lets)
        return Expansion(
            statements=(*statements, *(lets.resolve(statement, findings) for statement in plain)),
            lost_names=self._program.lost_names | written.lost,
            background=Background(
                lets=lets.names(),
                poisoned=lets.poisoned | self._lets.poisoned,
                expansions=written.times,
                overlay=overlay,
                dropped=change.dropped,
            ),
            diagnostics=findings.all(),
        )

    # ---- the parts of a program

    def _of(self, kind: type[AnyStatement]) -> list:  # type: ignore[type-arg]
        return [statement for statement in self._raw if isinstance(statement, kind)]

    def _gather_overlays(self) -> dict[str, OverlayDecl]:
        overlays: dict[str, OverlayDecl] = {}
        for overlay in self._of(OverlayDecl):
            first = overlays.setdefault(overlay.name.text, overlay)
            if first is not overlay:
                self._findings.add(
                    names.DUPLICATE_NAME,
                    f"the overlay `{overlay.name}` is declared twice",
                    overlay.name.span,
                    label="declared again here",
                    related=(Label(first.name.span, "first declared here"),),
                    help="an overlay says in one place what it changes",
                    subject=f"overlay {overlay.name}",
                )
        return overlays

    def _used(self, uses: Iterable[UseDecl], written: Written, findings: Findings) -> list[AnyStatement]:
        return [made for use in uses for made in self._templates.write_out(use, written, findings)]

    def _tell_misplaced(self, items: Sequence[AnyStatement], overlay: OverlayDecl, findings: Findings) -> None:
        for item in items:
            word = _MISPLACED.get(type(item))
            if word is not None:
                span = item.span.at(item.span.start, item.span.start + len(word))
                help_line = (
                    "change the mesh by `set mesh.FIELD: …`" if word == "mesh" else "write it beside the overlay"
                )
                message = f"`{word}` cannot stand in an overlay"
                findings.add(
                    expansion.MISPLACED_STATEMENT, message, span, help=help_line, subject=f"overlay {overlay.name}"
                )

    # ---- what nothing uses

    def _tell_unused(self) -> None:
        lets = [one for one in self._lets.declarations if not self._is_library(one.span)]
        templates = [one for one in self._templates.templates if not self._is_library(one.span)]
        for template, parameter in self._templates.unused_parameters():
            message = f"the parameter `{parameter}` of the template `{template.name}` stands nowhere in it"
            self._findings.add(expansion.UNUSED, message, parameter.span, subject=f"template {template.name}")
        if not lets and not templates:
            return
        mentions = Mentions()
        used: set[str] = set()
        for statement in self._raw:
            mentions.node(statement)
            used |= _templates_used(statement)
        for template in templates:
            if template.name.text not in used:
                self._tell_one(f"the template `{template.name}`", template, template.name)
        for let in lets:
            if let.name.text not in mentions.values:
                self._tell_one(f"the `let` `{let.name}`", let, let.name)

    def _tell_one(self, what: str, statement: LetDecl | TemplateDecl, name: Name) -> None:
        self._findings.add(
            expansion.UNUSED,
            f"nothing uses {what}",
            name.span,
            fixes=(delete("delete it", statement.span, len(statement.doc)),),
            subject=what,
        )

    def _is_library(self, span: Span) -> bool:
        return span.source.path in self._program.libraries


def _templates_used(statement: AnyStatement) -> set[str]:
    match statement:
        case UseDecl():
            return {statement.name.text}
        case TemplateDecl():
            return {one.name.text for one in statement.body if isinstance(one, UseDecl)}
        case OverlayDecl():
            return {one.name.text for one in statement.items if isinstance(one, UseDecl)}
    return set()


def _declared(statements: Iterable[AnyStatement]) -> Mapping[str, Name]:
    kinds = ServiceDecl | ExternalDecl | GroupDecl | JwtDecl
    return {one.name.text: one.name for one in statements if isinstance(one, kinds)}

"""`let NAME = VALUE`: names of values, and every place where one stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from meshc_compiler.expand.rewrite import Place, Rewriter
from meshc_compiler.expand.value import WANTED, at_name, fits, put
from meshc_compiler.finding import Findings, did_you_mean
from meshc_compiler.resolve.symbol import RESERVED
from meshc_lang.codes import expansion, names
from meshc_lang.diagnostic import Label
from meshc_lang.source import expanded
from meshc_lang.tree.declaration import LetDecl
from meshc_lang.tree.node import Name, Node
from meshc_lang.tree.statement import TemplateDecl
from meshc_lang.tree.value import Pair, Value

WORDS = frozenset(
    (
        *RESERVED,
        *("true", "false", "strict", "permissive", "errors"),
        *("connect-failure", "reset", "refused-stream", "gateway-error", "1xx", "2xx", "3xx", "4xx", "5xx"),
        *("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"),
        *("round-robin", "least-request", "random", "peak-ewma", "ring-hash", "w3c", "b3"),
    )
)
"""The words that mean something of their own where a value may stand (`sNNN` besides)."""

MOST_PIECES = 10_000
"""The most words, texts, numbers and lists of which one value may be made, other values in it counted each time."""
MOST_NESTED = 32
"""How many values may be named within each other."""

N = TypeVar("N", bound=Node)


class LetTable:
    """The values by name. A name whose definition has an error has no value, and whatever uses it stays silent."""

    def __init__(
        self,
        declarations: Iterable[LetDecl],
        declared: Mapping[str, Name],
        findings: Findings,
        lost: frozenset[str] | None = frozenset(),
    ) -> None:
        """Examine the declarations. `declared` are names of other things, `lost` those that could not be read."""
        self._findings = findings
        self.lost = lost
        """Names of statements that could not be read; None if any name may be one."""
        self._declarations: dict[str, LetDecl] = {}
        self._values: dict[str, Value | None] = {}
        self._extents: dict[str, tuple[int, int]] = {}
        """Of how many pieces values are made, and how many are named within each other."""
        self._shadowing: set[str] = set()
        self._open: list[str] = []
        self.poisoned: set[tuple[str, int, int]] = set()
        """Where names stand that have no value because of an error told elsewhere."""
        for declaration in declarations:
            self._declare(declaration, declared)
        for name in self._declarations:
            self.value(name)

    @property
    def declarations(self) -> tuple[LetDecl, ...]:
        """The `let` statements that count."""
        return tuple(self._declarations.values())

    def names(self, place: Place = Place.VALUE) -> tuple[str, ...]:
        """Return the names whose values may stand at a place."""
        return tuple(name for name, value in self._values.items() if value is not None and fits(place, value))

    def declaration(self, name: str) -> LetDecl | None:
        """Return the `let` of a name."""
        return self._declarations.get(name)

    def value(self, name: str) -> Value | None:
        """Return the value that a name has in the end; None where there is no such `let`, or it has an error."""
        if name in self._values or name not in self._declarations:
            return self._values.get(name)
        if name in self._open:
            self._tell_circle(self._open[self._open.index(name) :])
            return None
        self._open.append(name)
        resolved = self._resolved(self._declarations[name])
        self._open.pop()
        return self._values.setdefault(name, resolved)

    def extent(self, name: str) -> tuple[int, int]:
        """Return of how many pieces the value of a name is made, and how many are named within each other for it."""
        self.value(name)
        return self._extents.get(name, (1, 0))

    def is_broken(self, name: str) -> bool:
        """Tell whether there is such a `let`, and it has no value; or there may be one that could not be read."""
        if name in self._declarations:
            return self.value(name) is None
        return self.lost is None or name in self._shadowing or name in self.lost

    def resolve(self, statement: N, findings: Findings) -> N:
        """Return a statement with values in the places of their names; the statement itself if it has none."""
        return _Resolver(self, findings).node(statement)

    def _resolved(self, declaration: LetDecl) -> Value | None:
        """Return the value of a `let` that is open, with values in the places of names; None if that is too much."""
        value = declaration.value
        if len(self._open) > MOST_NESTED:
            self._tell_too_large(declaration, nested=True)
            return None
        extent = _Extent(self)
        extent.add(value)
        if extent.pieces > MOST_PIECES or extent.depth > MOST_NESTED:
            self._tell_too_large(declaration, nested=extent.depth > MOST_NESTED)
            return None
        self._extents[declaration.name.text] = extent.pieces, extent.depth
        if isinstance(value, Name) and self.is_broken(value.text):
            return None
        made = _Resolver(self, self._findings).value(value, Place.VALUE) if isinstance(value, Name) else None
        return made if made is not None else _Resolver(self, self._findings).node(value)

    def _declare(self, declaration: LetDecl, declared: Mapping[str, Name]) -> None:
        name = declaration.name.text
        first = self._declarations.get(name)
        if first is not None:
            self._findings.add(
                names.DUPLICATE_NAME,
                f"`{name}` is declared twice",
                declaration.name.span,
                label="declared again here",
                related=(Label(first.name.span, "first declared here, as a `let`"),),
                subject=f"name {name}",
            )
            return
        self._declarations[name] = declaration
        other = declared.get(name)
        if name in WORDS or (name.startswith("s") and name[1:].isdigit() and len(name) == 4):
            message = f"`{name}` is a word of the language, and a `let` of that name would hide it"
            self._tell_shadowing(declaration, message)
        elif other is not None:
            message = f"`{name}` is declared already, and a `let` of that name would hide it"
            self._tell_shadowing(declaration, message, Label(other.span, "declared here"))

    def _tell_shadowing(self, declaration: LetDecl, message: str, *related: Label) -> None:
        name = declaration.name
        help_line = f"give it a name of its own, for example `{name}-value`"
        self._findings.add(
            expansion.SHADOWING_LET, message, name.span, related=related, help=help_line, subject=f"let {name}"
        )
        # Its name stays what it was without it.
        del self._declarations[name.text]
        self._shadowing.add(name.text)

    def _tell_too_large(self, declaration: LetDecl, *, nested: bool) -> None:
        name = declaration.name
        message = f"the value of `{name}` is made of more than {MOST_PIECES:,} pieces"
        if nested:
            message = f"`{name}` names more than {MOST_NESTED} values within each other"
        self._findings.add(expansion.TOO_LARGE_EXPANSION, message, name.span, subject=f"let {name}")

    def _tell_circle(self, circle: list[str]) -> None:
        first, *others = (self._declarations[name] for name in circle)
        way = " -> ".join(f"`{name}`" for name in [*circle, circle[0]])
        self._findings.add(
            expansion.LET_CYCLE,
            f"`{first.name}` is defined by itself: {way}",
            first.name.span,
            related=tuple(Label(other.name.span, f"`{other.name}` is part of the circle") for other in others[:3]),
            subject=f"let {first.name}",
        )
        for name in circle:
            self._values[name] = None


class _Extent(Rewriter):
    """Counts what a value would be made of, without making it."""

    def __init__(self, lets: LetTable) -> None:
        self._lets = lets
        self.pieces = 0
        self.depth = 1

    def add(self, value: Value) -> None:
        """Count a value."""
        if isinstance(value, Name):
            self.value(value, Place.VALUE)
        else:
            self.node(value)

    def node(self, node: N) -> N:
        self.pieces += 1
        return super().node(node)

    def value(self, name: Name, place: Place) -> Any:
        del place
        pieces, depth = self._lets.extent(name.text)
        self.pieces += pieces
        self.depth = max(self.depth, depth + 1)
        return name


class _Resolver(Rewriter):
    """Puts values in the places of their names, and tells of names that have none where only a value can stand."""

    def __init__(self, lets: LetTable, findings: Findings) -> None:
        self._lets = lets
        self._findings = findings

    def node(self, node: N) -> N:
        made = super().node(node)
        if isinstance(made, Pair) and isinstance(node, Pair) and made.value is not node.value:
            return self._noted(made, node) if isinstance(node.value, Name) else made  # type: ignore[return-value]
        return made

    def value(self, name: Name, place: Place) -> Any:
        value = self._lets.value(name.text)
        if value is None:
            if self._lets.is_broken(name.text):
                self._lets.poisoned.add(name.span.sort_key)
            elif place is not Place.VALUE:
                self._unknown(name, place)
            return name
        overlay = value.span.overlay if not name.span.overlay else ""
        made = put(place, at_name(value, name, overlay), self._findings)
        return name if made is None else made

    def _noted(self, made: Pair, node: Pair) -> Pair:
        """Return an entry whose span says by which name its value came."""
        remarks = (f"let {node.value}", *expanded(made.value.span).remarks)
        return dataclasses.replace(made, span=dataclasses.replace(expanded(made.span), remarks=remarks))

    def _unknown(self, name: Name, place: Place) -> None:
        what, wanted = WANTED[place]
        help_line, fixes = did_you_mean(name.text, self._lets.names(place), name.span)
        message = f"{what} takes {wanted}, and no `let` is named `{name}`"
        self._findings.add(
            expansion.UNKNOWN_VALUE, message, name.span, help=help_line, fixes=fixes, subject=f"let {name}"
        )


class Mentions(Rewriter):
    """Which names stand where values or names may, in the source as it is written; for what nothing uses."""

    def __init__(self) -> None:
        self.values: set[str] = set()
        self.names: set[str] = set()
        self._hidden: frozenset[str] = frozenset()

    def name(self, name: Name) -> Name:
        """Note a name of something."""
        self.names.add(name.text)
        return name

    def value(self, name: Name, place: Place) -> Any:
        """Note a name where a value may stand, unless a parameter has it."""
        del place
        if name.text not in self._hidden:
            self.values.add(name.text)
        return name

    def node(self, node: N) -> N:
        """Look through a node; in a template its parameters come first."""
        if not isinstance(node, TemplateDecl):
            return super().node(node)
        before = self._hidden
        self._hidden = before | {parameter.text for parameter in node.parameters}
        super().node(node)
        self._hidden = before
        return node

"""The names of a program: services, externals, groups and issuers of tokens share one namespace."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_lang.codes import names
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass
from meshc_lang.request import PLAINTEXT
from meshc_lang.source import Span
from meshc_lang.suggestion import suggest
from meshc_lang.tree.declaration import ExternalDecl, GroupDecl, JwtDecl, ServiceDecl
from meshc_lang.tree.statement import AnyStatement

MOST_COMPARED = 100
"""Of how many unknown names those are looked for that may have been meant: where there are more, a file is missing."""

RESERVED = ("any", "ingress", "mesh", PLAINTEXT)
"""Names that the language has taken."""


class SymbolKind(StrEnum):
    """What a name stands for."""

    SERVICE = "service"
    EXTERNAL = "external"
    GROUP = "group"
    JWT = "jwt"


NamedDecl: TypeAlias = ServiceDecl | ExternalDecl | GroupDecl | JwtDecl
"""A statement that declares a name."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name and the statement that declares it."""

    kind: SymbolKind
    declaration: NamedDecl

    @property
    def name(self) -> str:
        """The name."""
        return self.declaration.name.text


class SymbolTable:
    """Every declared name. Names of which a declaration was refused are known too, so that they are not unknown."""

    def __init__(self, symbols: Iterable[Symbol], refused: Iterable[str], incomplete: bool = False) -> None:
        self._symbols = {symbol.name: symbol for symbol in symbols}
        self._refused = frozenset(refused)
        self._incomplete = incomplete
        self._by_kind: dict[tuple[SymbolKind, ...], tuple[Symbol, ...]] = {}
        self._nearest: dict[tuple[str, tuple[SymbolKind, ...]], tuple[str, ...]] = {}

    def get(self, name: str) -> Symbol | None:
        """Return the symbol of a name."""
        return self._symbols.get(name)

    @property
    def has_losses(self) -> bool:
        """Whether some declaration was refused or could not be read: a name that is missing may be its."""
        return self._incomplete or bool(self._refused)

    def may_be_lost(self, name: str) -> bool:
        """Tell whether an unknown name may have been declared by a statement that was refused or could not be read."""
        return self._incomplete or name in self._refused

    def of_kind(self, *kinds: SymbolKind) -> tuple[Symbol, ...]:
        """Return the symbols of these kinds, sorted by name."""
        if kinds not in self._by_kind:
            names = sorted(self._symbols)
            self._by_kind[kinds] = tuple(self._symbols[name] for name in names if self._symbols[name].kind in kinds)
        return self._by_kind[kinds]

    def _near(self, name: str, kinds: tuple[SymbolKind, ...]) -> tuple[str, ...]:
        """Return the names of these kinds that may have been meant; for so many unknown names and no more."""
        key = (name, kinds)
        if key not in self._nearest and len(self._nearest) < MOST_COMPARED:
            self._nearest[key] = suggest(name, (other.name for other in self.of_kind(*kinds)))
        return self._nearest.get(key, ())

    def resolve(self, name: str, span: Span, kinds: tuple[SymbolKind, ...], findings: Findings) -> Symbol | None:
        """Return the symbol that a reference means; None, with a finding, if there is none of these kinds."""
        symbol = self._symbols.get(name)
        if symbol is None:
            if not self.may_be_lost(name):
                help_line, fixes = did_you_mean(name, self._near(name, kinds), span)
                if not help_line and SymbolKind.SERVICE in kinds:
                    help_line = f"declare it, for example by `service {name} {{ port: 8080/http }}`"
                message = f"there is no {_either(kinds)} `{name}`"
                findings.add(names.UNKNOWN_NAME, message, span, help=help_line, fixes=fixes, subject=f"name {name}")
            return None
        if symbol.kind not in kinds:
            findings.add(
                names.WRONG_KIND,
                f"`{name}` is {_article(symbol.kind)}, and here stands {_either(kinds, article=True)}",
                span,
                related=(Label(symbol.declaration.name.span, "declared here"),),
                subject=f"name {name}",
            )
            return None
        return symbol


def collect_symbols(
    statements: Iterable[AnyStatement],
    findings: Findings,
    lost: Iterable[str] = (),
    incomplete: bool = False,
) -> SymbolTable:
    """Return the names that the statements declare. Of two declarations the first in the order of files is kept.

    `lost` are names of declarations that could not be parsed; if the program is `incomplete` any name may be lost.
    """
    symbols: dict[str, Symbol] = {}
    refused: set[str] = set(lost)
    for statement in statements:
        match statement:
            case ServiceDecl():
                symbol = Symbol(SymbolKind.SERVICE, statement)
            case ExternalDecl():
                symbol = Symbol(SymbolKind.EXTERNAL, statement)
            case GroupDecl():
                symbol = Symbol(SymbolKind.GROUP, statement)
            case JwtDecl():
                symbol = Symbol(SymbolKind.JWT, statement)
            case _:
                continue
        name = symbol.name
        if name in RESERVED:
            message = f"`{name}` is a word of the language and cannot name {_article(symbol.kind)}"
            help_line = f"reserved are {one_of(RESERVED).replace(' or ', ' and ')}"
            span = symbol.declaration.name.span
            findings.add(names.RESERVED_NAME, message, span, help=help_line, subject=f"name {name}")
            refused.add(name)
        elif (first := symbols.get(name)) is not None:
            findings.add(
                names.DUPLICATE_NAME,
                f"`{name}` is declared twice",
                symbol.declaration.name.span,
                label="declared again here",
                related=(Label(first.declaration.name.span, f"first declared here, as {_article(first.kind)}"),),
                help="give one of them another name, or make one of both",
                subject=f"name {name}",
            )
        else:
            symbols[name] = symbol
    return SymbolTable(symbols.values(), refused.difference(symbols), incomplete)


def _article(kind: SymbolKind) -> str:
    return f"an {kind}" if kind is SymbolKind.EXTERNAL else f"a {kind}"


def _either(kinds: tuple[SymbolKind, ...], article: bool = False) -> str:
    words = [_article(kind) if article else str(kind) for kind in kinds]
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]

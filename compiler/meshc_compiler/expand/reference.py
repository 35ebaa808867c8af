"""The paths of overlays: what `api.route.canary` names in a program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from meshc_compiler.expand.let import LetTable
from meshc_lang.record import dataclass
from meshc_lang.tree.declaration import ExternalDecl, GroupDecl, JwtDecl, MeshDecl, ServiceDecl
from meshc_lang.tree.node import Name
from meshc_lang.tree.statement import AnyStatement, DefaultsDecl, FaultDecl, Ref, RouteDecl, RuleDecl, SloDecl
from meshc_lang.tree.value import Block, Pair

MESH, DEFAULTS, ROUTE, SLO, FAULT = "mesh", "defaults", "route", "slo", "fault"
"""The words of paths."""

Declaration: TypeAlias = ServiceDecl | ExternalDecl | GroupDecl | JwtDecl


@dataclass(frozen=True, slots=True)
class LetPlace:
    """`slow`: the value of a `let`."""

    name: str


@dataclass(frozen=True, slots=True)
class DeclarationPlace:
    """`api`: a declaration as a whole, by its number among the statements."""

    number: int
    declaration: Declaration


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPlace:
    """`api.defaults.retry.limit`: what stands in the block of statements, of which there may be none yet.

    `numbers` are those of the statements that have the block, `rule` is the name of a rule within a route. `path` leads
    through the block; an empty one is all of it. `scope` is whose defaults they are, where they are some.
    """

    numbers: tuple[int, ...]
    path: tuple[Name, ...]
    rule: str | None = None
    scope: Name | None = None


@dataclass(frozen=True, slots=True)
class RulePlace:
    """`api.route.canary`: a rule of a route."""

    number: int
    rule: RuleDecl


@dataclass(frozen=True, slots=True)
class RoutesPlace:
    """`api.route`: all of a service's routes."""

    numbers: tuple[int, ...]


Located: TypeAlias = LetPlace | DeclarationPlace | BlockPlace | RulePlace | RoutesPlace
"""What a path names."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Where a path goes astray: at which of its names, behind which others, and what it could have named there."""

    at: Name
    behind: str
    known: tuple[str, ...]


class Places:
    """The statements of a program by what the paths of overlays call them; made once for all overlays."""

    def __init__(self, statements: Iterable[AnyStatement], lets: LetTable) -> None:
        self.statements: tuple[AnyStatement, ...] = tuple(statements)
        self._lets = lets
        self._mesh: list[int] = []
        self._declared: dict[str, int] = {}
        self._defaults: dict[str, list[int]] = {}
        self._slos: dict[str, list[int]] = {}
        self._faults: dict[str, list[int]] = {}
        self._routes: dict[str, list[int]] = {}
        for number, statement in enumerate(self.statements):
            match statement:
                case MeshDecl():
                    self._mesh.append(number)
                case ServiceDecl() | ExternalDecl() | GroupDecl() | JwtDecl():
                    self._declared.setdefault(statement.name.text, number)
                case DefaultsDecl():
                    self._defaults.setdefault(statement.scope.text, []).append(number)
                case SloDecl():
                    self._slos.setdefault(statement.service.text, []).append(number)
                case FaultDecl():
                    self._faults.setdefault(statement.name.text, []).append(number)
                case RouteDecl():
                    self._routes.setdefault(statement.service.text, []).append(number)

    def locate(self, ref: Ref) -> Located | Miss:
        """Return what a path names, or where it goes astray."""
        first, *rest = ref.parts
        if first.text == MESH:
            return self._in_mesh(first, rest)
        number = self._declared.get(first.text)
        if number is not None:
            return self._in_declaration(number, first, rest)
        if first.text == FAULT and rest and self._faults:
            return self._in_fault(rest)
        if self._lets.declaration(first.text) is not None and not rest:
            return LetPlace(first.text)
        if self._lets.declaration(first.text) is not None:
            return Miss(rest[0], first.text, ())
        return Miss(first, "", self._roots())

    def has_block(self, place: BlockPlace) -> bool:
        """Tell whether something stands at the place already."""
        return any(find(block, place.path) is not None for block in self.blocks(place))

    def blocks(self, place: BlockPlace) -> Iterator[Block]:
        """Return the blocks of a place."""
        for number in place.numbers:
            block = block_of(self.statements[number], place.rule)
            if block is not None:
                yield block

    def _roots(self) -> tuple[str, ...]:
        lets = [declaration.name.text for declaration in self._lets.declarations]
        fault = [FAULT] if self._faults else []
        return (MESH, *self._declared, *lets, *fault)

    def _in_mesh(self, first: Name, rest: list[Name]) -> Located | Miss:
        if rest and rest[0].text == DEFAULTS:
            return BlockPlace(numbers=tuple(self._defaults.get(MESH, ())), path=tuple(rest[1:]), scope=first)
        if not self._mesh:
            return Miss(first, "", self._roots())
        return BlockPlace(numbers=tuple(self._mesh[:1]), path=tuple(rest))

    def _in_declaration(self, number: int, first: Name, rest: list[Name]) -> Located | Miss:
        declaration = self.statements[number]
        assert isinstance(declaration, Declaration)  # noqa: S101 - so they were entered
        if not rest:
            return DeclarationPlace(number, declaration)
        name, word = first.text, rest[0].text
        if isinstance(declaration, GroupDecl):
            return Miss(rest[0], name, ())
        if isinstance(declaration, ServiceDecl | ExternalDecl) and word == DEFAULTS:
            return BlockPlace(numbers=tuple(self._defaults.get(name, ())), path=tuple(rest[1:]), scope=first)
        if isinstance(declaration, ServiceDecl) and word == SLO:
            if name not in self._slos:
                return Miss(rest[0], name, self._fields(declaration))
            return BlockPlace(numbers=tuple(self._slos[name]), path=tuple(rest[1:]))
        if isinstance(declaration, ServiceDecl) and word == ROUTE:
            return self._in_route(name, rest, declaration)
        return BlockPlace(numbers=(number,), path=tuple(rest))

    def _in_route(self, service: str, rest: list[Name], declaration: ServiceDecl) -> Located | Miss:
        numbers = self._routes.get(service)
        if numbers is None:
            return Miss(rest[0], service, self._fields(declaration))
        if len(rest) == 1:
            return RoutesPlace(tuple(numbers))
        known: list[str] = []
        for number in numbers:
            route = self.statements[number]
            for rule in route.rules if isinstance(route, RouteDecl) else ():
                if rule.name is None:
                    continue
                if rule.name.text == rest[1].text:
                    if len(rest) == 2:
                        return RulePlace(number, rule)
                    return BlockPlace(numbers=(number,), path=tuple(rest[2:]), rule=rule.name.text)
                known.append(rule.name.text)
        return Miss(rest[1], f"{service}.{ROUTE}", tuple(known))

    def _in_fault(self, rest: list[Name]) -> Located | Miss:
        numbers = self._faults.get(rest[0].text)
        if numbers is None:
            return Miss(rest[0], FAULT, tuple(self._faults))
        return BlockPlace(numbers=tuple(numbers), path=tuple(rest[1:]))

    def _fields(self, declaration: ServiceDecl) -> tuple[str, ...]:
        """Return what paths may say behind a service's name."""
        name = declaration.name.text
        words = [word for word, table in ((ROUTE, self._routes), (SLO, self._slos)) if name in table]
        return (*(pair.key.text for pair in declaration.body.pairs), DEFAULTS, *words)

    def entries(self, place: BlockPlace) -> tuple[str, ...]:
        """Return the keys that stand beside the last one of a place."""
        keys: dict[str, None] = {}
        for block in self.blocks(place):
            inner = find(block, place.path[:-1])
            held = block if len(place.path) <= 1 else inner.value if inner is not None else None
            if isinstance(held, Block):
                keys |= dict.fromkeys(pair.key.text for pair in held.pairs)
        return tuple(keys)


def block_of(statement: AnyStatement, rule: str | None = None) -> Block | None:
    """Return the block of a statement, or that of one of its rules."""
    if rule is None:
        return getattr(statement, "body", None)
    rules = statement.rules if isinstance(statement, RouteDecl) else ()
    return next((one.body for one in rules if one.name is not None and one.name.text == rule), None)


def find(block: Block, path: tuple[Name, ...]) -> Pair | None:
    """Return the entry to which a path leads."""
    found: Pair | None = None
    held: object = block
    for name in path:
        pairs = held.pairs if isinstance(held, Block) else ()
        found = next((pair for pair in pairs if pair.key.text == name.text), None)
        if found is None:
            return None
        held = found.value
    return found

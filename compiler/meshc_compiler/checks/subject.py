"""What a check looks at: the mesh, its look-ups, the spaces of its callees, and where its rules were written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cached_property

from meshc_compiler.call_graph import CallGraph
from meshc_compiler.ir.claim import EveryEdge, MutualTls
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.lower.program import LoweredProgram
from meshc_compiler.lower.rule import GrantSite
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import RequestSpace
from meshc_lang.source import Span


class Doubt(StrEnum):
    """A question about a grant that may have no answer within the bounds of the algebra."""

    EMPTY = "any request meets the guard"
    DEAD = "every request is denied"
    REDUNDANT = "others allow all of it"
    USELESS = "anything is taken away"
    PASSING = "calls without an identity pass all the same"
    RESPELT = "another spelling of a path passes"
    TOKENLESS = "requests without a token are allowed"
    COPIED = "a request that changes something is copied"
    REPEATED = "a request that need not be idempotent is tried again"
    IMPATIENT = "all who call the caller give up before"

    @property
    def of(self) -> str:
        """What the question is about."""
        return _ABOUT.get(self, "grant")


_ABOUT = {Doubt.COPIED: "mirror", Doubt.REPEATED: "setting", Doubt.IMPATIENT: "setting"}


class PortDoubts:
    """What could not be decided about one port: of which places which question, and the spaces that were asked."""

    def __init__(self) -> None:
        self.questions: dict[Doubt, dict[Span, None]] = {}
        self._spaces: dict[int, CalleeSpace] = {}

    def note(self, doubt: Doubt, origin: Span, space: CalleeSpace) -> None:
        """Note a question about what stands at a place."""
        self.questions.setdefault(doubt, {})[origin] = None
        self._spaces[id(space)] = space

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, as half-sentences."""
        return tuple(dict.fromkeys(reason for space in self._spaces.values() for reason in space.doubts))


class CheckSubject:
    """A lowered program under examination; what several checks need is made once.

    `focus` are the workloads that matter, where the program is only the part of one that tells all about them.
    """

    def __init__(self, lowered: LoweredProgram, index: MeshIndex, focus: frozenset[str] | None = None) -> None:
        self.lowered = lowered
        self.index = index
        self.focus = frozenset(index.workloads) if focus is None else focus
        self._spaces: dict[tuple[str, int], CalleeSpace | None] = {}
        self._routed_spaces: dict[tuple[str, int], CalleeSpace | None] = {}
        self._pool: dict[tuple[object, ...], RequestSpace | None] = {}
        self.doubts: dict[tuple[str, int], PortDoubts] = {}
        """Of each port, what could not be decided."""

    def doubt_of(self, rule: Rule, doubt: Doubt) -> Callable[[], None]:
        """Return what notes that a question about a rule could not be decided."""

        def note() -> None:
            self.note_doubt(self.space(rule.callee, rule.port), doubt, rule.origin)

        return note

    def note_doubt(self, space: CalleeSpace | None, doubt: Doubt, origin: Span | None) -> None:
        """Note that a question about what stands at a place could not be decided in a space."""
        if space is not None and origin is not None:
            self.doubts.setdefault((space.callee, space.port.number), PortDoubts()).note(doubt, origin, space)

    @property
    def mesh(self) -> Mesh:
        """The mesh."""
        return self.lowered.mesh

    def site(self, rule: Rule) -> GrantSite:
        """Return where a rule was written."""
        return self.lowered.sites[rule.id]

    @cached_property
    def grants(self) -> tuple[tuple[GrantSite, tuple[Rule, ...]], ...]:
        """Every grant with the rules made of it, by the id of the first of them."""
        grants: dict[int, tuple[GrantSite, list[Rule]]] = {}
        for rule in self.mesh.rules:
            site = self.site(rule)
            grants.setdefault(id(site.grant), (site, []))[1].append(rule)
        return tuple((site, tuple(rules)) for site, rules in grants.values())

    def grants_of(self, effect: Effect) -> Iterator[tuple[GrantSite, tuple[Rule, ...]]]:
        """Return the grants of the allows, or of the denies."""
        return ((site, rules) for site, rules in self.grants if rules[0].effect is effect)

    @cached_property
    def _claimed(self) -> dict[tuple[str, int], list[RequestMatch]]:
        claimed: dict[tuple[str, int], list[RequestMatch]] = {}
        for claim in self.mesh.assertions:
            if not isinstance(claim, EveryEdge | MutualTls):
                for callee in claim.callees:
                    claimed.setdefault(callee, []).extend(claim.matches)
        return claimed

    @cached_property
    def calls(self) -> CallGraph:
        """Who can call whom."""
        return CallGraph(self.index, self.space, self.routed_space)

    def space(self, callee: str, number: int) -> CalleeSpace | None:
        """Return the space of one port of a callee, in which its rules and all claims about it can be compared."""
        key = (callee, number)
        if key not in self._spaces:
            port = self.index.port_of(callee, number)
            extra = self._claimed.get(key, ())
            self._spaces[key] = None if port is None else CalleeSpace(self.index, callee, port, extra, pool=self._pool)
        return self._spaces[key]

    def routed_space(self, callee: str, number: int) -> CalleeSpace | None:
        """Return the space in which the rules of the callee's route can be compared with its rules and claims, too."""
        route = self.index.routes.get((callee, number))
        if route is None:
            return self.space(callee, number)
        key = (callee, number)
        if key not in self._routed_spaces:
            port = self.index.port_of(callee, number)
            extra = (*self._claimed.get(key, ()), *(rule.match for rule in route.rules))
            self._routed_spaces[key] = (
                None if port is None else CalleeSpace(self.index, callee, port, extra, pool=self._pool)
            )
        return self._routed_spaces[key]

"""How far an edit reaches: whose rules it changes, whose sidecars, and which statements tell all about those."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from meshc_compiler.edit.outline import (
    ALLOW,
    ANSWERING_ROUTE,
    ANY,
    DEFAULTS,
    DENY,
    EDGE,
    EDITION,
    EXTERNAL,
    GROUP,
    JWT,
    MESH,
    ROUTE,
    SENTENCES,
    SERVICE,
    Fact,
    FileOutline,
)
from meshc_compiler.edit.window import Edit
from meshc_compiler.ir.mesh import INGRESS
from meshc_lang.record import dataclass

__all__ = ["Reach", "reach_of"]

MOST_CALLEES = 32
"""Of how many callees the rules are worked out anew; where an edit speaks of more, the whole program is compiled."""

MOST_OF_THE_TEXT = 4
"""One part in so many of a program is compiled by itself; more is not much less than all of it."""

_FEW = 100_000
"""So many characters are always few."""

_WORD = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")

Place = tuple[int, int]
"""A statement: the number of its file, and its own in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What an edit reaches. `callees` are those of whom all is told anew; `workloads` those whose files may change.

    `statements` are all that is needed to know both, and those in `concerned` are about the callees.
    """

    callees: frozenset[str]
    workloads: frozenset[str]
    statements: tuple[Place, ...]
    concerned: frozenset[Place]


def reach_of(files: Sequence[FileOutline], edits: Sequence[Edit]) -> Reach | None:
    """Return how far edits reach; None where they may reach anything. `files` are the outlines after them."""
    changed = [fact for edit in edits for fact in (*edit.gone, *edit.come)]
    if any(kind not in SENTENCES for kind, _, _ in changed):
        return None
    land = _Map(files)
    return land.reach(changed) if land.keeps_the_gateway(edits) else None


class _Map:
    """The statements of a program by whom they are about."""

    def __init__(self, files: Sequence[FileOutline]) -> None:
        self._files = files
        self._declared: dict[str, list[Place]] = {}
        self._defaults: dict[str, list[Place]] = {}
        self._about: dict[str, list[Place]] = {}
        self._by: dict[str, list[Place]] = {}
        self._everywhere: list[Place] = []
        groups: list[Place] = []
        for number, file in enumerate(files):
            for position, (kind, caller, callee) in enumerate(file.facts):
                if kind in SENTENCES:
                    self._about.setdefault(callee, []).append((number, position))
                    if caller:
                        self._by.setdefault(caller, []).append((number, position))
                elif kind in (SERVICE, EXTERNAL, JWT, GROUP):
                    self._declared.setdefault(callee, []).append((number, position))
                    if kind == GROUP:
                        groups.append((number, position))
                    if kind == JWT:
                        self._everywhere.append((number, position))
                elif kind == DEFAULTS and callee != "mesh":
                    self._defaults.setdefault(callee, []).append((number, position))
                elif kind in (EDITION, MESH, DEFAULTS):
                    self._everywhere.append((number, position))
        self._members: dict[str, frozenset[str]] = {}
        self._groups_of: dict[str, list[str]] = {}
        self._where = False
        for place in groups:
            name = self._fact(place)[2]
            self._where |= bool(re.search(r"\bwhere\b", self._text(place)))
            own = (INGRESS,) if INGRESS in _WORD.findall(self._text(place)) else ()
            self._members[name] = (self._named((place,)) - {name}).union(own)
        for group in self._members:
            for name in self._meant(group):
                self._groups_of.setdefault(name, []).append(group)

    def reach(self, changed: Sequence[Fact]) -> Reach | None:
        if self._where or self._is_about_all(changed):
            return None
        callees = {name for _, _, callee in changed for name in self._meant(callee)}
        if not self._close(callees):
            return None
        workloads = callees | {name for _, caller, _ in changed if caller for name in self._meant(caller)}
        for callee in {name for _, _, about in changed for name in self._meant(about)}:
            kinds = {kind for kind, _, about in changed if callee in self._meant(about)}
            answers = any(self._fact(place)[0] == ANSWERING_ROUTE for place in self._about_name(callee))
            # What a route or a deny says of a callee its callers go by; so they do by its rules, where no sidecar of
            # its own keeps them, or where they answer in its place.
            if answers or self._is_external(callee) or kinds & {ROUTE, ANSWERING_ROUTE, DENY}:
                callers = self._callers(callee)
                if callers is None:
                    return None
                workloads |= callers
        workloads -= {ANY}
        return self._gathered(frozenset(callees), frozenset(workloads))

    def _is_about_all(self, changed: Sequence[Fact]) -> bool:
        """Tell whether an edit speaks of callers or callees that are not named one by one."""
        if any(callee == ANY or (caller == ANY and kind in (ALLOW, EDGE)) for kind, caller, callee in changed):
            return True
        # What is said of all callees is a sentence about each, and edges of all callers state settings of each.
        return ANY in self._about or any(self._fact(place)[0] == EDGE for place in self._by.get(ANY, ()))

    def keeps_the_gateway(self, edits: Sequence[Edit]) -> bool:
        """Tell whether the gateway is there after edits as before: it is there if a statement speaks of it."""
        words = {word for edit in edits for text in edit.texts for word in _WORD.findall(text)}
        meant = words.union(*(self._members.get(word, ()) for word in words))
        if meant.isdisjoint((ANY, INGRESS)):
            return True
        come = sum(caller in (ANY, INGRESS) for edit in edits for _, caller, _ in edit.come)
        return come < len(self._by.get(ANY, ())) + len(self._by.get(INGRESS, ()))

    def _close(self, callees: set[str]) -> bool:
        """Add who is a callee of the same sentence: what is found of it is asked of all its callees at once."""
        todo = list(callees)
        while todo:
            name = todo.pop()
            for group in self._groups_of.get(name, ()):
                if group in self._about:
                    more = self._meant(group) - callees
                    callees |= more
                    todo += more
            if len(callees) > MOST_CALLEES:
                return False
        return True

    def _callers(self, callee: str) -> set[str] | None:
        """Return who may be allowed to call; None if anybody may."""
        names: set[str] = set()
        for place in self._about_name(callee):
            kind, caller, _ = self._fact(place)
            if kind == ALLOW:
                if caller == ANY:
                    return None
                names |= self._meant(caller)
        return names

    def _gathered(self, callees: frozenset[str], workloads: frozenset[str]) -> Reach | None:
        concerned = {place for name in callees for place in self._about_name(name)}
        chosen = set(self._everywhere) | concerned
        chosen.update(place for name in workloads for place in self._about_name(name))
        chosen.update(place for name in workloads for place in self._by_name(name))
        chosen.update(place for place in self._by.get(ANY, ()) if self._fact(place)[0] == ALLOW)
        called = {
            name for place in tuple(chosen) if (fact := self._fact(place))[0] == ALLOW for name in self._meant(fact[2])
        }
        for name in called:
            own = tuple(self._about_name(name))
            kinds = {self._fact(place)[0] for place in own}
            if ANSWERING_ROUTE in kinds or self._is_external(name):
                chosen.update(own)
            chosen.update(place for place in own if self._fact(place)[0] in (ROUTE, DENY))
        declared = self._declarations(chosen, callees | workloads)
        for name in callees:
            concerned.update(self._declared.get(name, ()))
            concerned.update(self._defaults.get(name, ()))
        chosen |= declared
        if self._is_much(chosen):
            return None
        return Reach(
            callees=callees,
            workloads=workloads,
            statements=tuple(sorted(chosen)),
            concerned=frozenset(concerned),
        )

    def _declarations(self, chosen: set[Place], own: frozenset[str]) -> set[Place]:
        """Return the declarations of some names and all that statements name, one more, and what is stated of them."""
        declarations = (place for name in own for place in self._declared.get(name, ()))
        names = self._named((*chosen, *declarations)) | own
        # Somebody whom nothing names stands for all of them.
        other = next((name for name, places in self._declared.items() if self._is_spare(name, places, names)), None)
        names |= frozenset(() if other is None else (other,))
        declared = {place for name in names for place in self._declared.get(name, ())}
        stated = {place for name in names for place in self._defaults.get(name, ())}
        return declared | stated

    def _is_external(self, name: str) -> bool:
        return any(self._fact(place)[0] == EXTERNAL for place in self._declared.get(name, ()))

    def _is_spare(self, name: str, places: Sequence[Place], names: frozenset[str]) -> bool:
        return name not in names and all(self._fact(place)[0] == SERVICE for place in places)

    def _named(self, places: Iterable[Place]) -> frozenset[str]:
        """Return the declared names among the words of statements, and of the declarations of those."""
        found: set[str] = set()
        todo = list(places)
        while todo:
            place = todo.pop()
            new = {word for word in _WORD.findall(self._text(place)) if word in self._declared} - found
            found |= new
            todo += [declaration for name in new for declaration in self._declared[name]]
        return frozenset(found)

    def _is_much(self, chosen: Iterable[Place]) -> bool:
        size = sum(len(self._text(place)) for place in chosen)
        whole = sum(len(file.text) for file in self._files)
        return size > _FEW and size * MOST_OF_THE_TEXT > whole

    def _meant(self, word: str) -> frozenset[str]:
        """Return whom a word means: the members of a group (and who is left out of it), or the one that it names."""
        members = self._members.get(word)
        return frozenset((word,)) if members is None else members - self._members.keys()

    def _about_name(self, name: str) -> Iterator[Place]:
        yield from self._about.get(name, ())
        for group in self._groups_of.get(name, ()):
            yield from self._about.get(group, ())

    def _by_name(self, name: str) -> Iterator[Place]:
        yield from self._by.get(name, ())
        for group in self._groups_of.get(name, ()):
            yield from self._by.get(group, ())

    def _fact(self, place: Place) -> Fact:
        return self._files[place[0]].facts[place[1]]

    def _text(self, place: Place) -> str:
        file = self._files[place[0]]
        return file.text[file.starts[place[1]] : file.ends[place[1]]]

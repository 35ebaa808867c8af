"""What changes for callers of whom the two programs say the same: what opens, what closes, what fares otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_compiler.diff.change import Change, ChangeKind
from meshc_compiler.diff.fate import EVERYTHING, Access, Outcome, Treatment
from meshc_compiler.diff.request_classes import RequestClasses
from meshc_compiler.diff.sides import Caller, PortSides
from meshc_compiler.diff.wording import (
    Places,
    fault_spans,
    fault_words,
    health_spans,
    health_words,
    limit_spans,
    limit_words,
    mirror_spans,
    mirror_words,
    refusal_words,
    route_spans,
    rule_spans,
    setting_spans,
    setting_words,
    target_words,
)
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.space.callee_space import Region
from meshc_compiler.space.request_space import Nothing, Witness
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """All that the two programs say about a caller. Callers of one profile fare alike."""

    old_access: Access
    new_access: Access
    old_treatment: Treatment | None
    new_treatment: Treatment | None

    @property
    def says_the_same(self) -> bool:
        """Whether nothing can be otherwise for these callers."""
        return self.old_access == self.new_access and self.old_treatment == self.new_treatment

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two profiles of one port the same; equal matches are one object there."""
        return (
            *_access_key(self.old_access),
            *_access_key(self.new_access),
            _treatment_key(self.old_treatment),
            _treatment_key(self.new_treatment),
        )

    def matches(self) -> Iterator[RequestMatch]:
        """Yield the matches of which the profile is made."""
        for access in (self.old_access, self.new_access):
            yield from access.allows
            yield from access.denies
        for treatment in (self.old_treatment, self.new_treatment):
            if treatment is not None:
                yield from (match for match, _ in treatment.routes)
                yield from (match for match, _ in treatment.mirrors)


def _access_key(access: Access) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (tuple(map(id, access.allows)), tuple(map(id, access.denies)))


def _treatment_key(treatment: Treatment | None) -> tuple[object, ...]:
    if treatment is None:
        return ()
    routes = tuple((id(match), outcome) for match, outcome in treatment.routes)
    mirrors = tuple((id(match), target) for match, target in treatment.mirrors)
    return (routes, mirrors, treatment.limits, treatment.faults, treatment.health)


class ProfileDiff:
    """What changes for the callers of one profile, of whom `caller` stands for all."""

    def __init__(self, sides: PortSides, classes: RequestClasses, profile: Profile, caller: Caller) -> None:
        self._sides = sides
        self._classes = classes
        self._profile = profile
        self._caller = caller

    def changes(self) -> Iterator[Change]:
        """Yield the changes; their callers are filled in by whoever knows all callers that have them."""
        classes, profile = self._classes, self._profile
        old, new = self._allowed(profile.old_access), self._allowed(profile.new_access)
        if profile.old_access != profile.new_access:
            yield from self._gained(ChangeKind.OPENED, profile.new_access, profile.old_access, classes.less(new, old))
            yield from self._gained(ChangeKind.CLOSED, profile.old_access, profile.new_access, classes.less(old, new))
        before, after = profile.old_treatment, profile.new_treatment
        if before is not None and after is not None and before != after:
            both = old if profile.old_access == profile.new_access else classes.both(old, new)
            if not classes.is_empty(both):
                yield from self._treated(before, after, both)

    def _allowed(self, access: Access) -> Region:
        classes = self._classes
        return classes.less(classes.of_any(access.allows), classes.of_any(access.denies))

    # ---- opened and closed

    def _gained(self, kind: ChangeKind, gain: Access, lose: Access, region: Region) -> Iterator[Change]:
        """Tell of requests that one program allows and the other does not, by the allow that they have in common."""
        classes = self._classes
        known = classes.example(region)
        if isinstance(known, Nothing):
            return
        if not isinstance(known, Witness):
            yield self._undecided("*")
            return
        told: Region = ()
        for allow in sorted(gain.allows, key=_breadth):
            part = classes.both(region, classes.of(allow))
            found = classes.example(classes.less(part, told))
            if isinstance(found, Nothing):
                continue
            told = classes.join(told, part)
            if not isinstance(found, Witness):
                yield self._undecided(classes.text(allow))
                continue
            around = [deny for deny in lose.denies if classes.within(part, classes.of(deny))]
            bases = (allow, *(classes.meet(allow, deny) for deny in around))
            words = classes.described(part, bases, (*lose.allows, *gain.denies))
            request = self._sides.request(found, self._caller, kind)
            old, new = self._sides.decided(request)
            has_old, has_new = self._sides.has_port()
            yield Change(
                kind=kind,
                callee=self._sides.to,
                requests=words,
                before=refusal_words(old, has_old),
                after=refusal_words(new, has_new),
                witness=request,
                old_spans=rule_spans(old),
                new_spans=rule_spans(new),
            )

    # ---- rerouted, and treated otherwise

    def _treated(self, before: Treatment, after: Treatment, both: Region) -> Iterator[Change]:
        classes = self._classes
        answered: Region = ()
        if before.routes != after.routes:
            told: dict[tuple[ChangeKind, str, str], list[tuple[str, Region]]] = {}
            for words, region, (one, other) in self._cells(before, after, both):
                if (one.targets, one.answer) != (other.targets, other.answer):
                    key = (ChangeKind.REROUTED, target_words(one), target_words(other))
                    told.setdefault(key, []).append((words, region))
                if one.answer is None and other.answer is None and one.settings != other.settings:
                    key = (ChangeKind.SETTINGS, *setting_words(one.settings, other.settings))
                    told.setdefault(key, []).append((words, region))
            for (kind, old, new), parts in told.items():
                places = route_spans if kind is ChangeKind.REROUTED else setting_spans
                yield from self._told(kind, old, new, parts, both, places)
        for routes in {before.routes, after.routes}:
            answered = classes.join(answered, self._answered(routes, both))
        called = classes.less(both, answered) if answered else both
        for old, new, places in (
            (limit_words(before.limits), limit_words(after.limits), limit_spans),
            (fault_words(before.faults), fault_words(after.faults), fault_spans),
            (health_words(before.health), health_words(after.health), health_spans),
        ):
            if old != new:
                yield from self._told(ChangeKind.SETTINGS, old, new, [("*", called)], called, places)
        yield from self._mirrored(before, after, called)

    def _cells(
        self, before: Treatment, after: Treatment, both: Region
    ) -> Iterator[tuple[str, Region, tuple[Outcome, Outcome]]]:
        """Yield the requests that meet one rule before and one after, where these two treat them otherwise."""
        classes = self._classes
        old, new = [match for match, _ in before.routes], [match for match, _ in after.routes]
        winning_old = self._winning(old, both)
        winning_new = winning_old if old == new else self._winning(new, both)
        for i, (match, one) in enumerate(before.routes):
            for j, (other_match, other) in enumerate(after.routes):
                if one == other or (old == new and i != j):
                    continue
                cell = winning_old[i] if old == new else classes.both(winning_old[i], winning_new[j])
                if cell is not None and classes.is_empty(cell):
                    continue
                common = match if match == other_match else classes.meet(match, other_match)
                bases = (common, other_match) if common is not None else (match,)
                yield self._words(cell, both, bases, (*old[:i], *new[:j])), cell, (one, other)

    def _words(
        self, cell: Region, both: Region, bases: tuple[RequestMatch, ...], earlier: Iterable[RequestMatch]
    ) -> str:
        """Return words for a part of the allowed requests: what is not allowed anyway needs no exception."""
        classes = self._classes
        if classes.within(both, cell):
            return "*"
        rest = classes.less(classes.both(both, classes.of_base(bases[0])), cell)
        exceptions: list[RequestMatch] = []
        for match in dict.fromkeys(earlier):
            near = classes.both(rest, classes.of(match))
            if near is not None and not classes.is_empty(near):
                exceptions.append(match)
                rest = classes.less(rest, near)
        words = classes.text(bases[0])
        if not classes.is_empty(rest):
            return f"{words} in part"
        return f"{words} except {' and '.join(map(classes.text, exceptions))}" if exceptions else words

    def _winning(self, matches: list[RequestMatch], both: Region) -> list[Region]:
        """Return for each rule the requests that it wins: those that no rule before it matches."""
        classes, rest, won = self._classes, both, []
        for match in matches:
            if match == EVERYTHING:
                won.append(rest)
                continue
            own = classes.of(match)
            won.append(classes.both(rest, own))
            rest = classes.less(rest, own)
        return won

    def _answered(self, routes: tuple[tuple[RequestMatch, Outcome], ...], both: Region) -> Region:
        """Return the requests that the caller's sidecar answers itself: nothing is called for them."""
        if all(outcome.answer is None for _, outcome in routes):
            return ()
        region: Region = ()
        for part, (_, outcome) in zip(self._winning([match for match, _ in routes], both), routes, strict=True):
            if outcome.answer is not None:
                region = self._classes.join(region, part)
        return region

    def _mirrored(self, before: Treatment, after: Treatment, called: Region) -> Iterator[Change]:
        if before.mirrors == after.mirrors:
            return
        classes = self._classes
        for target in sorted({target for _, target in (*before.mirrors, *after.mirrors)}, key=repr):
            old = [match for match, other in before.mirrors if other == target]
            new = [match for match, other in after.mirrors if other == target]
            if old == new:
                continue
            left, right = (classes.both(called, classes.of_any(matches)) for matches in (old, new))
            words = mirror_words(target)
            for part, texts, pair in (
                (classes.less(right, left), new, ("no copy", words)),
                (classes.less(left, right), old, (words, "no copy")),
            ):
                told = ", ".join(sorted(map(classes.text, texts)))
                yield from self._told(ChangeKind.REROUTED, *pair, [(told, part)], called, mirror_spans)

    def _told(
        self,
        kind: ChangeKind,
        before: str,
        after: str,
        parts: list[tuple[str, Region]],
        both: Region,
        places: Places,
    ) -> Iterator[Change]:
        """Tell of a change of several classes once, if there is a request in any of them."""
        classes = self._classes
        region: Region = ()
        for _, part in parts:
            region = classes.join(region, part)
        words = "*"
        if len(parts) > 1 and not classes.within(both, region):
            words = ", ".join(dict.fromkeys(words for words, _ in parts))
        elif len(parts) == 1:
            words = parts[0][0]
        found = classes.example(region)
        if isinstance(found, Nothing):
            return
        if not isinstance(found, Witness):
            yield self._undecided(words)
            return
        request = self._sides.request(found, self._caller, kind)
        old, new = self._sides.decided(request)
        yield Change(
            kind=kind,
            callee=self._sides.to,
            requests=words,
            before=before,
            after=after,
            witness=request,
            old_spans=places(old, new),
            new_spans=places(new, old),
        )

    def _undecided(self, words: str) -> Change:
        return Change(
            kind=ChangeKind.UNDECIDED,
            callee=self._sides.to,
            requests=words,
            before="",
            after=f"not decided: {self._classes.doubt}",
        )


def _breadth(match: RequestMatch) -> tuple[object, ...]:
    """The wider matches come first: what they tell need not be told again."""
    words = str(match.path)
    return (match.condition is not None, bool(match.methods), match.path is not None, len(words), words, match.methods)

"""What changes for the calls to one port of a callee, caller by caller, and told once for all who fare alike."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace

from meshc_compiler.diff.change import CallerGroup, Change
from meshc_compiler.diff.fate import CalleeSide
from meshc_compiler.diff.profile_diff import Profile, ProfileDiff
from meshc_compiler.diff.request_classes import RequestClasses
from meshc_compiler.diff.sides import Caller, PortSides
from meshc_compiler.ir.identity import SpiffeId
from meshc_lang.request import PLAINTEXT


class PortDiff:
    """The two sides of one port. At least one of them has it."""

    def __init__(self, old: CalleeSide, new: CalleeSide, workloads: Set[SpiffeId]) -> None:
        """`workloads` are those of both programs."""
        self._old, self._new = old, new
        self._sides = PortSides(old, new)
        self._named = frozenset((*old.identities(), *new.identities()))
        self._workloads = workloads
        self._profiles: dict[tuple[object, ...], tuple[Profile, list[Caller]]] = {}
        self._group_callers()

    def changes(self) -> tuple[Change, ...]:
        """Return the changes, those that are the same for several callers as one."""
        differing = [(profile, callers) for profile, callers in self._profiles.values() if not profile.says_the_same]
        if not differing:
            return ()
        matches = dict.fromkeys(match for profile, _ in differing for match in profile.matches())
        classes = RequestClasses(matches, self._sides.port.protocol)
        told: dict[tuple[str, ...], tuple[Change, list[Caller]]] = {}
        for profile, callers in differing:
            for change in ProfileDiff(self._sides, classes, profile, callers[0]).changes():
                told.setdefault(change.key, (change, []))[1].extend(callers)
        return tuple(replace(change, callers=self._group_of(callers)) for change, callers in told.values())

    # ---- callers

    def _group_callers(self) -> None:
        old, new = self._old, self._new
        treated = _may_treat_otherwise(old, new)
        callers: list[Caller] = sorted(self._named, key=lambda one: (self._sides.name(one), one))
        callers.append(self._somebody_else)
        if old.takes_plaintext or new.takes_plaintext:
            callers.append(None)
        for caller in callers:
            profile = Profile(
                old.access(caller),
                new.access(caller),
                old.treatment(caller) if treated else None,
                new.treatment(caller) if treated else None,
            )
            self._profiles.setdefault(profile.key, (profile, []))[1].append(caller)

    @property
    def _somebody_else(self) -> SpiffeId:
        """An identity that nothing names: a workload of both programs if there is one."""
        for name, workload in self._new.index.workloads.items():
            if workload.spiffe_id not in self._named and name in self._old.index.workloads and name != self._new.callee:
                return workload.spiffe_id
        domain = self._new.index.mesh.trust_domain
        identity = SpiffeId.of_workload(domain, "default", "somebody-else")
        while identity in self._named:
            identity = SpiffeId(domain, identity.path + "-again")
        return identity

    def _group_of(self, callers: Iterable[Caller]) -> CallerGroup:
        members = set(callers)
        here = members & self._named
        names = {self._sides.name(one) for one in here} | ({PLAINTEXT} if None in members else set())
        rest = bool(members - self._named - {None})
        besides = {self._sides.name(one) for one in self._named - members} if rest else set()
        unnamed = len(self._workloads) - sum(one in self._workloads for one in self._named) if rest else 0
        return CallerGroup(
            names=tuple(sorted(names)), rest=rest, besides=tuple(sorted(besides)), count=len(here) + unnamed
        )


def _may_treat_otherwise(old: CalleeSide, new: CalleeSide) -> bool:
    """Tell whether allowed requests may fare otherwise: not where all that is said of them is the same."""
    if old.port is None or new.port is None:
        return False
    if (old.route, old.mirrors, old.limits, old.faults, old.health) != (
        new.route,
        new.mirrors,
        new.limits,
        new.faults,
        new.health,
    ):
        return True
    if old.trusts_tokens is not new.trusts_tokens or old.number != new.number:
        return True
    names = {*old.index.callers_with_settings(old.callee, old.number)}
    names.update(new.index.callers_with_settings(new.callee, new.number))
    return any(
        old.index.scopes(name, old.callee, old.number, None) != new.index.scopes(name, new.callee, new.number, None)
        for name in (*names, "")
    )

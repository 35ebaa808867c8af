"""What else an edit changes: the other requests that it opens and closes, counted in classes that the rules make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_compiler.evaluate import identity_of
from meshc_compiler.ir.match import PathTemplate, RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.lower.template import parse_template
from meshc_compiler.space.callee_space import CalleeSpace, Region
from meshc_compiler.space.caller_classes import identities_asked, identities_in
from meshc_compiler.space.request_space import Nothing, Witness
from meshc_lang.record import dataclass
from meshc_lang.request import PLAINTEXT, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """The classes of other requests that an edit opens, or closes, and one of them; None where it was not decided."""

    count: int | None = 0
    witness: Request | None = None

    def plus(self, other: Effects) -> Effects:
        """Return both together."""
        count = None if self.count is None or other.count is None else self.count + other.count
        return Effects(count=count, witness=self.witness or other.witness)


def effects(
    before: MeshIndex, after: MeshIndex, request: Request, apart: Iterable[RequestMatch] = ()
) -> tuple[Effects, Effects]:
    """Return what an edit opens and what it closes besides a request, whatever that bears.

    A class is a caller, a method and a kind of path; the rules before and after, and `apart`, tell paths apart.
    """
    opened, closed = Effects(), Effects()
    for callee, port in sorted(changed_ports(before, after)):
        more = _at_port(before, after, callee, port, request, tuple(apart))
        opened, closed = opened.plus(more[0]), closed.plus(more[1])
    return opened, closed


def changed_ports(before: MeshIndex, after: MeshIndex) -> set[tuple[str, int]]:
    """Return the ports of which some rule differs."""
    left, right = ({rule.id: rule for rule in index.mesh.rules} for index in (before, after))
    differing = [one for id_, one in left.items() if right.get(id_) != one]
    differing += [one for id_, one in right.items() if left.get(id_) != one]
    return {(rule.callee, rule.port) for rule in differing}


def _at_port(
    before: MeshIndex, after: MeshIndex, callee: str, number: int, request: Request, apart: tuple[RequestMatch, ...]
) -> tuple[Effects, Effects]:
    port = after.port_of(callee, number)
    if port is None or before.port_of(callee, number) is None:
        return Effects(count=None), Effects(count=None)
    own = _match_of(request) if callee == request.callee else None
    rules = {True: before.rules_of(callee, number), False: after.rules_of(callee, number)}
    matches = (*(rule.match for rule in rules[False]), *apart, *((own,) if own is not None else ()))
    caller = identity_of(before, request.caller)
    every = (rule for each in rules.values() for rule in each)
    named = dict.fromkeys(identity for rule in every for identity in identities_in(rule.callers))
    named |= identities_asked(matches)
    if caller is not None:
        named[caller] = None
    space = CalleeSpace(before, callee, port, matches, named)
    allowed = {side: _allowed(space, each) for side, each in rules.items()}
    mine: Region = ()
    if own is not None:
        plaintext = space.callers.plaintext if request.caller == PLAINTEXT else 0
        mine = space.requests_of((own,), plaintext if caller is None else space.mask_within({caller}))
    told = []
    for old, new in ((True, False), (False, True)):
        left = space.left_over(space.left_over(allowed[new], allowed[old]), mine)
        answer = space.example(left)
        if isinstance(answer, Nothing):
            told.append(Effects())
            continue
        witness = space.request(answer) if isinstance(answer, Witness) else None
        told.append(Effects(count=space.class_count(left), witness=witness))
    return told[0], told[1]


def _allowed(space: CalleeSpace, rules: tuple[Rule, ...]) -> Region:
    regions: dict[Effect, list[Region]] = {effect: [] for effect in Effect}
    for rule in rules:
        regions[rule.effect].append(space.requests_of((rule.match,), space.callers.mask(rule.callers)))
    return space.left_over(space.any_of(regions[Effect.ALLOW]), space.any_of(regions[Effect.DENY]))


def _match_of(request: Request) -> RequestMatch:
    """Return the requests of one method to one path, whatever they bear."""
    template = parse_template(request.path) if request.protocol != "tcp" else None
    if isinstance(template, PathTemplate):
        return RequestMatch(methods=(request.method,), path=template)
    return RequestMatch(methods=() if request.protocol == "tcp" else (request.method,))


def all_matches(indexes: Iterable[MeshIndex], callee: str) -> Iterator[RequestMatch]:
    """Yield what the rules about a callee say of requests, in any of several meshes."""
    for index in indexes:
        for rule in index.mesh.rules:
            if rule.callee == callee:
                yield rule.match

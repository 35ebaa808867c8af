"""Who reaches a service through others: for each source the shortest chain of calls, with a request for each call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from meshc_compiler.callers.direct import ANYBODY, identities_told_apart
from meshc_compiler.callers.question import Question
from meshc_compiler.callers.request_class import DirectCaller
from meshc_compiler.callers.sample import sample_request
from meshc_compiler.evaluate import View, matches
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers, includes
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Answer, Nothing, Undecided, Witness
from meshc_lang.record import dataclass
from meshc_lang.request import PLAINTEXT, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Calls that are allowed one after the other: who calls whom, and a request for each call.

    A request is None where it could not be decided whether there is one.
    """

    names: tuple[str, ...]
    witnesses: tuple[Request | None, ...]

    @property
    def is_certain(self) -> bool:
        """Whether each of the calls has a request to show for it."""
        return None not in self.witnesses


def chains_to(index: MeshIndex, question: Question, direct: tuple[DirectCaller, ...]) -> tuple[Chain, ...]:
    """Return the shortest chain from each caller who reaches the ports through others and not by itself.

    Sorted by the length of the chain, then by its names. Doubtful calls are made use of only where nothing else leads.
    """
    return _Search(index, question, direct).chains()


class _Search:
    """A search from the callee backwards; sets of callers are bit masks, a bit for each of `_names`."""

    def __init__(self, index: MeshIndex, question: Question, direct: tuple[DirectCaller, ...]) -> None:
        self._index = index
        self._callee = question.callee
        strangers = sorted(_undeclared(index))
        workloads = sorted(index.workloads)
        # Who is not named at all comes last, after the callers without an identity.
        self._names = [*workloads, *map(str, strangers), PLAINTEXT, ANYBODY]
        self._bits = {name: 1 << number for number, name in enumerate(self._names)}
        self._identified = (1 << len(self._names)) - 1 & ~self._bits[PLAINTEXT]
        self._masks: dict[int, int] = {}
        self._stranger = SpiffeId.of_workload(index.mesh.trust_domain, "default", "somebody-else")
        self._spaces: dict[tuple[str, int], CalleeSpace] = {}
        self._answers: dict[tuple[str, str], Request | None] = {}
        self._next: dict[str, str] = {}
        self._doubtful: list[tuple[str, str]] = []
        seen = self._bits.get(self._callee, 0)
        self._front: list[str] = []
        self._doubtful_front: list[str] = []
        for one in direct:
            seen |= self._bits[one.name]
            if one.name == ANYBODY:
                named = (self._name(identity) for identity in identities_told_apart(index, question))
                seen |= self._identified & ~sum(self._bits[name] for name in set(named) if name in self._bits)
            witness = next((each.witness for each in one.classes if each.witness is not None), None)
            (self._doubtful_front if witness is None else self._front).extend((one.name, *one.names))
            for name in (one.name, *one.names):
                self._answers[name, self._callee] = _by(witness, name, self._stranger)
                self._next[name] = self._callee
        self._direct = frozenset(self._next)
        self._seen = seen

    def chains(self) -> tuple[Chain, ...]:
        """Search in steps, so that each source is found by a shortest chain; then through what is left in doubt."""
        self._spread(self._front)
        while doubtful := [
            (caller, callee) for caller, callee in self._doubtful if not self._seen & self._bits[caller]
        ]:
            caller, callee = doubtful[0]
            self._add(caller, callee, None)
            self._spread([caller])
        found = (self._chain(name) for name in self._names if name in self._next and name not in self._direct)
        return tuple(sorted(found, key=lambda chain: (len(chain.names), chain.names)))

    def _spread(self, front: list[str]) -> None:
        while front:
            further: list[str] = []
            for callee in sorted(front):
                service = self._index.services.get(callee)
                for port in () if service is None else service.ports:
                    rules = self._index.rules_of(callee, port.number)
                    allows = [(self._mask(rule.callers, callee), rule) for rule in rules if rule.effect is Effect.ALLOW]
                    denies = [rule for rule in rules if rule.effect is Effect.DENY]
                    for bit in self._new_callers(allows):
                        caller = self._names[bit.bit_length() - 1]
                        own = [rule for mask, rule in allows if mask & bit]
                        answer = self._request(caller, port, own, denies)
                        if isinstance(answer, Request):
                            self._add(caller, callee, answer)
                            further.append(caller)
                        elif isinstance(answer, Undecided):
                            self._doubtful.append((caller, callee))
            front = further

    def _add(self, caller: str, callee: str, request: Request | None) -> None:
        self._seen |= self._bits[caller]
        self._next[caller] = callee
        self._answers[caller, callee] = request

    def _new_callers(self, allows: list[tuple[int, Rule]]) -> Iterator[int]:
        """Yield the bits of those whom some allow lets call and who were not yet found."""
        mask = 0
        for callers, _ in allows:
            mask |= callers
        mask &= ~self._seen
        while mask:
            bit = mask & -mask
            mask ^= bit
            yield bit

    def _mask(self, callers: Callers, callee: str) -> int:
        match callers:
            case AnyCaller():
                return self._identified
            case TheseCallers(ids):
                if id(ids) not in self._masks:
                    self._masks[id(ids)] = sum(self._bits[self._name(identity)] for identity in ids)
                return self._masks[id(ids)]
            case PlaintextCaller():
                return self._bits[PLAINTEXT] if self._index.takes_plaintext(callee) else 0

    def _name(self, identity: SpiffeId) -> str:
        workload = self._index.workloads_by_id.get(identity)
        return str(identity) if workload is None else workload.name

    def _request(
        self, caller: str, port: ServicePort, allows: list[Rule], denies: list[Rule]
    ) -> Request | Nothing | Undecided:
        """Return a request that a caller may make; that of a plain allow at once, all else by the algebra."""
        who = str(self._stranger) if caller == ANYBODY else caller
        identity = self._identity(caller)
        own = [rule for rule in denies if includes(rule.callers, identity)]
        # A request that somebody meant shows more than one that everybody may make, as for health.
        for rule in sorted(allows, key=lambda rule: isinstance(rule.callers, AnyCaller)):
            request = sample_request(rule, who, port)
            if request is not None and not any(
                matches(deny.match, request.method, request.path, View(caller=identity)) for deny in own
            ):
                return request
        space, answer = self._by_algebra(identity, allows[0].callee, port)
        if not isinstance(answer, Witness):
            return answer
        return space.request(answer, frozenset() if identity is None else frozenset({identity}))

    def _identity(self, caller: str) -> SpiffeId | None:
        if caller == PLAINTEXT:
            return None
        workload = self._index.workloads.get(caller)
        return workload.spiffe_id if workload is not None else SpiffeId.parse(caller) or self._stranger

    def _by_algebra(self, identity: SpiffeId | None, callee: str, port: ServicePort) -> tuple[CalleeSpace, Answer]:
        key = (callee, port.number)
        if key not in self._spaces:
            self._spaces[key] = CalleeSpace(self._index, callee, port)
        space = self._spaces[key]
        who = space.callers.plaintext if identity is None else space.mask_within({identity})
        own = space.requests_of((RequestMatch(),), who)
        return space, space.example(space.shared(space.allowed, own))

    def _chain(self, name: str) -> Chain:
        names = [name]
        witnesses: list[Request | None] = []
        while names[-1] != self._callee:
            following = self._next[names[-1]]
            witnesses.append(self._answers[names[-1], following])
            names.append(following)
        return Chain(names=tuple(names), witnesses=tuple(witnesses))


def _by(request: Request | None, name: str, stranger: SpiffeId) -> Request | None:
    """Return a request as another caller makes it whom no rule tells apart from the one that it is of."""
    return None if request is None else replace(request, caller=str(stranger) if name == ANYBODY else name)


def _undeclared(index: MeshIndex) -> Iterable[SpiffeId]:
    """Return the identities that rules name and nothing declares."""
    lists = {
        id(rule.callers.ids): rule.callers.ids for rule in index.mesh.rules if isinstance(rule.callers, TheseCallers)
    }
    named = {identity for ids in lists.values() for identity in ids}
    return named - index.workloads_by_id.keys()

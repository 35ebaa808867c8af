"""Classes of requests to one port, whoever calls: sets out of the matches of two programs, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from meshc_compiler.diff.fate import EVERYTHING
from meshc_compiler.evaluate import NEVER_FORWARDED
from meshc_compiler.ir.match import AllOf, Condition, Not, RequestMatch
from meshc_compiler.ir.workload import Protocol
from meshc_compiler.lower.sentence import match_text
from meshc_compiler.space.path_atoms import MOST_STATES
from meshc_compiler.space.request_space import Answer, Nothing, Region, Undecided, build_space

_REFUSED = RequestMatch(methods=tuple(sorted(NEVER_FORWARDED)))
_MOST_EXCEPTIONS = 6
"""A class with more of them is told as a part of another."""


class RequestClasses:
    """The sets that some matches make. No match asks who calls: that was settled, for one group of callers or another.

    Methods that nobody forwards are in no set.
    """

    def __init__(self, matches: Iterable[RequestMatch], protocol: Protocol) -> None:
        self._protocol = protocol
        self._space = build_space((EVERYTHING, _REFUSED, *matches))
        self._regions: dict[int, tuple[RequestMatch, Region]] = {}

    # ---- sets

    def of(self, match: RequestMatch) -> Region:
        """Return the requests of one match."""
        if self._space is None:
            return None
        # By the object: matches of programs are each one object, and to compare them takes longer than all else.
        known = self._regions.get(id(match))
        if known is None:
            region = self._space.boxes(match)
            if self._protocol.is_http:
                region = self._space.difference(region, self._space.boxes(_REFUSED))
            known = self._regions[id(match)] = (match, region)
        return known[1]

    def of_any(self, matches: Iterable[RequestMatch]) -> Region:
        """Return the requests of any of the matches."""
        return None if self._space is None else self._space.union(map(self.of, matches))

    def join(self, left: Region, right: Region) -> Region:
        """Return what is in either."""
        return None if self._space is None else self._space.union((left, right))

    def less(self, region: Region, taken: Region) -> Region:
        """Return what is in the first and not in the second."""
        return None if self._space is None else self._space.difference(region, taken)

    def both(self, left: Region, right: Region) -> Region:
        """Return what is in both."""
        return None if self._space is None else self._space.intersection(left, right)

    def example(self, region: Region) -> Answer:
        """Return a request out of a set, or that there is none, or that this could not be decided."""
        return Undecided() if self._space is None else self._space.example(region)

    def is_empty(self, region: Region) -> bool:
        """Tell whether a set is proved to be empty."""
        return isinstance(self.example(region), Nothing)

    def within(self, left: Region, right: Region) -> bool:
        """Tell whether the one set is proved to lie in the other."""
        return self._space is not None and isinstance(self._space.escape(left, right), Nothing)

    @property
    def doubt(self) -> str:
        """Why something could not be decided."""
        doubts = () if self._space is None else self._space.doubts
        return "; ".join(doubts) or f"the paths of the rules take more than {MOST_STATES:,} states to tell apart"

    # ---- words

    def text(self, match: RequestMatch) -> str:
        """Return a match as it is written."""
        return match_text(match, self._protocol)

    def described(self, part: Region, bases: Sequence[RequestMatch | None], taken: Iterable[RequestMatch]) -> str:
        """Return words for a set that lies in each of the bases, the best first: one of them, less some of `taken`.

        What is told is exactly the set; where that takes too many words it is called a part of the first base.
        """
        known = tuple(self._with_methods_of(part, base) for base in bases if base is not None)
        for base in known:
            if self.within(self.of_base(base), part):
                return self.text(base)
        # What has a request in common with the set can be no exception from it.
        taken = tuple(match for match in dict.fromkeys(taken) if self.is_empty(self.both(part, self.of(match))))
        for base in known:
            words = self._with_exceptions(part, base, taken)
            if words is not None:
                return words
        return f"{self.text(known[0])} in part"

    def _with_methods_of(self, part: Region, base: RequestMatch) -> RequestMatch:
        """Return a match without those of its methods that no request of the set has."""
        if len(base.methods) < 2:
            return base
        had = tuple(
            one for one in base.methods if not self.is_empty(self.both(part, self.of(RequestMatch(methods=(one,)))))
        )
        return replace(base, methods=had) if had else base

    def of_base(self, base: RequestMatch) -> Region:
        """Return the requests of a match that was made of others by `meet`."""
        if isinstance(base.condition, AllOf):
            region = self.of(replace(base, condition=None))
            for operand in base.condition.operands:
                region = self.both(region, self.of(RequestMatch(condition=operand)))
            return region
        return self.of(base)

    def _with_exceptions(self, part: Region, base: RequestMatch, taken: tuple[RequestMatch, ...]) -> str | None:
        whole = self.of_base(base)
        rest = self.less(whole, part)
        exceptions: list[RequestMatch] = []
        for match in taken:
            near = self.both(rest, self.of(match))
            if near is None or self.is_empty(near):
                continue
            exceptions.append(match)
            rest = self.less(rest, near)
            if self.is_empty(rest) or len(exceptions) > _MOST_EXCEPTIONS:
                break
        if len(exceptions) > _MOST_EXCEPTIONS or not self.is_empty(rest):
            return None
        if len(exceptions) == 1 and (condition := exceptions[0].condition) is not None:
            unguarded = replace(exceptions[0], condition=None)
            if self.within(whole, self.of(unguarded)):
                return self.text(replace(base, condition=conjunction(base.condition, _negated(condition))))
        return f"{self.text(base)} except {' and '.join(sorted(map(self.text, exceptions)))}"

    def meet(self, left: RequestMatch, right: RequestMatch) -> RequestMatch | None:
        """Return what two matches have in common as one match; None where no single template says it."""
        methods = left.methods or right.methods
        if left.methods and right.methods:
            methods = tuple(method for method in left.methods if method in right.methods)
            if not methods:
                return None
        path = left.path if left.path is not None else right.path
        if left.path is not None and right.path is not None and left.path != right.path:
            one, other = self.of(RequestMatch(path=left.path)), self.of(RequestMatch(path=right.path))
            if self.within(other, one):
                path = right.path
            elif not self.within(one, other):
                return None
        return RequestMatch(methods=methods, path=path, condition=conjunction(left.condition, right.condition))


def conjunction(left: Condition | None, right: Condition | None) -> Condition | None:
    """Return a condition that holds where both do."""
    if left is None or right is None or left == right:
        return left if left is not None else right
    operands = [*_operands(left), *(one for one in _operands(right) if one not in _operands(left))]
    return operands[0] if len(operands) == 1 else AllOf(tuple(operands))


def _operands(condition: Condition) -> tuple[Condition, ...]:
    return condition.operands if isinstance(condition, AllOf) else (condition,)


def _negated(condition: Condition) -> Condition:
    return condition.operand if isinstance(condition, Not) else Not(condition)

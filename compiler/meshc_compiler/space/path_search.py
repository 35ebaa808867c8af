"""Paths that some templates and expressions match and others do not: sampled first, then sought by automata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import islice

from meshc_compiler.automaton import MOST_GIVEN_UP, NoText
from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.path import canonical_path
from meshc_compiler.regex import compiled, cover, full_match, samples
from meshc_compiler.space.path_atoms import PathAtoms
from meshc_compiler.space.path_language import find_path

_SAMPLES = 24
_ATOM_SAMPLES = 64
_MOST_CANDIDATES = 256
_MOST_ATOMS = 64

MOST_TEMPLATES = 48
"""The most templates that an automaton of paths is narrowed by."""


class PathSearch:
    """The paths of one space. `patterns` gives the bit of each expression; what was asked once is kept."""

    def __init__(self, atoms: PathAtoms, patterns: dict[str, int]) -> None:
        self._atoms = atoms
        self._patterns = patterns
        self._of_paths = sum(patterns.values())
        self._matched: dict[tuple[str, str], bool] = {}
        self._found: dict[tuple[int, int, int], str | NoText] = {}
        self._given_up = 0
        self.doubtful: dict[str, None] = {}
        """The expressions of searches that ended at their bound."""

    def path(self, paths: int, pos: int, neg: int) -> str | NoText:
        """Return a canonical path out of some atoms that expressions match, or do not, as the literals say."""
        asked = [(pattern, bool(pos & bit)) for pattern, bit in self._patterns.items() if (pos | neg) & bit]
        if not asked:
            return self._atoms.witnesses[(paths & -paths).bit_length() - 1]
        key = (paths, pos & self._of_paths, neg & self._of_paths)
        if key not in self._found:
            path = self._sampled(paths, asked) or self._sought(paths, asked)
            if path is NoText.UNKNOWN:
                self._given_up += 1
                self.doubtful.update((pattern, None) for pattern, _ in asked)
            self._found[key] = path
        return self._found[key]

    def _sampled(self, paths: int, asked: list[tuple[str, bool]]) -> str | None:
        """Return such a path if one is at hand: the plainest are."""
        # Samples of those that must match first; those of the others are as good as any where nothing must.
        candidates = [text for pattern, wanted in asked if wanted for text in _samples(pattern)]
        atoms = islice(_each_bit(paths), _ATOM_SAMPLES)
        candidates += [self._atoms.witnesses[bit.bit_length() - 1] for bit in atoms]
        for pattern in self._patterns:
            candidates += _samples(pattern)
        for candidate in islice(dict.fromkeys(candidates), _MOST_CANDIDATES):
            if all(self._matches(pattern, candidate) is wanted for pattern, wanted in asked) and (
                paths >> self._atoms.atom_of(candidate) & 1
            ):
                return candidate
        return None

    def _sought(self, paths: int, asked: list[tuple[str, bool]]) -> str | NoText:
        """Return such a path, sought by automata; or that there is none."""
        matched = [pattern for pattern, wanted in asked if wanted]
        unmatched = [pattern for pattern, wanted in asked if not wanted]
        if self._given_up >= MOST_GIVEN_UP:
            return NoText.UNKNOWN
        if paths == self._atoms.everything:
            return find_path((), (), matched, unmatched)
        # Without regard to the atoms first: most sets that are empty are so for their expressions alone.
        if find_path((), (), matched, unmatched) is NoText.NONE:
            return NoText.NONE
        if paths.bit_count() > _MOST_ATOMS:
            return NoText.UNKNOWN
        unknown = False
        for bit in _each_bit(paths):
            inside, outside = self._bounds(bit)
            if len(inside) + len(outside) > MOST_TEMPLATES:
                unknown = True
                continue
            path = find_path(inside, outside, matched, unmatched)
            if isinstance(path, str):
                return path
            unknown |= path is NoText.UNKNOWN
        return NoText.UNKNOWN if unknown else NoText.NONE

    def _bounds(self, atom: int) -> tuple[list[PathTemplate], list[PathTemplate]]:
        """Return the narrowest templates that an atom (a bit) is in, and the widest in these that it is not in."""
        own = [(template, mask) for template, mask in self._masks if mask & atom]
        inside = [one for one in own if not any(other[1] & ~one[1] == 0 and other[1] != one[1] for other in own)]
        common = self._atoms.everything
        for _, mask in inside:
            common &= mask
        others = {mask & common: template for template, mask in self._masks if not mask & atom and mask & common}
        outside = [
            template
            for mask, template in others.items()
            if not any(mask & ~other == 0 and other != mask for other in others)
        ]
        return [template for template, _ in inside], outside

    @cached_property
    def _masks(self) -> tuple[tuple[PathTemplate, int], ...]:
        return tuple(self._atoms.masks.items())

    def _matches(self, pattern: str, path: str) -> bool:
        key = (pattern, path)
        if key not in self._matched:
            self._matched[key] = full_match(pattern, path)
        return self._matched[key]


@lru_cache(maxsize=4096)
def covering_templates(pattern: str) -> tuple[PathTemplate, ...]:
    """Return templates that together match every path which the expression matches."""
    rest = Segment(SegmentKind.REST)
    return tuple(
        PathTemplate((*(Segment(SegmentKind.LITERAL, text) for text in beginning), rest))
        for beginning in cover(compiled(pattern))
    )


@lru_cache(maxsize=4096)
def _samples(pattern: str) -> tuple[str, ...]:
    """Return a few canonical paths that the expression matches."""
    return tuple(text for text in samples(compiled(pattern), _SAMPLES) if canonical_path(text) == text)


def _each_bit(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit


def pattern_text(patterns: Iterable[str]) -> str:
    """Return expressions as a program writes them."""
    return ", ".join(f'`~"{pattern}"`' for pattern in patterns)

"""Paths in finitely many classes: the atoms of a set of templates, by subset construction over segments."""

from __future__ import annotations

from collections.abc import Container, Iterable

from meshc_compiler.ir.match import PathTemplate, SegmentKind
from meshc_compiler.path import path_segments, segment_kinds

MOST_STATES = 20_000
"""The most states of the construction; laminar sets need one a segment, crossing `*` and literals many more."""

_UUID = "00000000-0000-4000-8000-000000000000"
_REPRESENTATIVES = tuple(
    (text, segment_kinds(text)) for text in ("x", "7", "X", _UUID, "AAAAAAAA-0000-4000-8000-000000000000")
)
"""One segment for each combination of classes that a segment can be in: any is, some are `int`, `uuid` or `slug`."""

_EXAMPLES = {SegmentKind.ANY: "x", SegmentKind.INT: "7", SegmentKind.SLUG: "x", SegmentKind.UUID: _UUID}

_State = tuple[int, ...]
"""The nodes of the tree of templates that a path leads to, sorted."""


class _Tree:
    """Templates as a tree: those that begin alike share a way from its root. Nodes are numbers."""

    def __init__(self) -> None:
        self.literals: list[dict[str, int]] = [{}]
        self.kinds: list[dict[SegmentKind, int]] = [{}]
        self.rests: list[int] = [-1]
        """Where `**` leads from a node: to a node that stays where it is, whatever comes."""
        self.ended: list[int] = [0]
        """The templates that end at a node, as bits."""
        self.staying: set[int] = set()

    def _new(self) -> int:
        self.literals.append({})
        self.kinds.append({})
        self.rests.append(-1)
        self.ended.append(0)
        return len(self.ended) - 1

    def end_of(self, template: PathTemplate, *, grow: bool) -> int:
        """Return the node at which a template ends; -1 if there is none and the tree is not to grow."""
        node = 0
        for segment in template.segments:
            kind = segment.kind
            if kind is SegmentKind.LITERAL:
                following = self.literals[node].get(segment.literal, -1)
                if following < 0:
                    if not grow:
                        return -1
                    following = self.literals[node][segment.literal] = self._new()
            elif kind is SegmentKind.REST:
                following = self.rests[node]
                if following < 0:
                    if not grow:
                        return -1
                    following = self.rests[node] = self._new()
                    self.staying.add(following)
            else:
                following = self.kinds[node].get(kind, -1)
                if following < 0:
                    if not grow:
                        return -1
                    following = self.kinds[node][kind] = self._new()
            node = following
        return node

    def settled(self, nodes: list[int]) -> _State:
        """Return a state: the nodes, and those that `**` reaches from them without a segment."""
        rests = self.rests
        more = [rests[node] for node in nodes if rests[node] >= 0]
        if not more and len(nodes) < 2:
            return tuple(nodes)
        return tuple(sorted({*nodes, *more}))

    def after(self, state: _State, segment: str) -> _State:
        """Return the state that one more segment leads to."""
        nodes = [node for node in state if node in self.staying]
        kinds = segment_kinds(segment)
        for node in state:
            literal = self.literals[node].get(segment)
            if literal is not None:
                nodes.append(literal)
            nodes += [following for kind, following in self.kinds[node].items() if kind in kinds]
        return self.settled(nodes)


class PathAtoms:
    """The atoms: two paths are in one atom when the same templates match them.

    Sets of atoms are bit masks; `witnesses` has a canonical path of each atom.
    """

    def __init__(
        self,
        tree: _Tree,
        given: list[PathTemplate],
        ends: list[int],
        atoms: dict[int, int],
        paths: list[str],
    ) -> None:
        self._tree = tree
        self._atoms = atoms
        self._given = given
        self.witnesses = tuple(paths)
        self.everything = (1 << len(paths)) - 1
        masks = [0] * len(given)
        for signature, atom in atoms.items():
            bit = 1 << atom
            while signature:
                lowest = signature & -signature
                masks[lowest.bit_length() - 1] |= bit
                signature ^= lowest
        self._ends = {end: masks[tree.ended[end].bit_length() - 1] for end in ends}
        # By identity first: those that are asked about are mostly the very ones that were given.
        self._known = {id(template): self._ends[end] for template, end in zip(given, ends, strict=True)}

    @property
    def masks(self) -> dict[PathTemplate, int]:
        """The set of each template."""
        return {template: self._known[id(template)] for template in self._given}

    def mask(self, template: PathTemplate) -> int:
        """Return the set of a template, which must be among those of the atoms."""
        mask = self._known.get(id(template))
        return self._ends[self._tree.end_of(template, grow=False)] if mask is None else mask

    def atom_of(self, canonical: str) -> int:
        """Return the atom (a number) that a canonical path is in."""
        state = self._tree.settled([0])
        for segment in path_segments(canonical):
            # An empty segment is in the middle of no canonical path.
            state = self._tree.after(state, segment)
        signature = 0
        for node in state:
            signature |= self._tree.ended[node]
        return self._atoms[signature]


def split_paths(templates: Iterable[PathTemplate]) -> PathAtoms | None:
    """Return the atoms of a set of templates, or None where there would be too many states.

    A state is the set of template positions that some path leads to; each transition is a segment: a literal that some
    template mentions there, or a representative of a combination of classes. The templates that accept in a state are
    the signature of its paths. The search goes by length, so that witnesses are short.
    """
    tree = _Tree()
    given = list(templates)
    ends = [tree.end_of(template, grow=True) for template in given]
    ended = tree.ended
    for number, end in enumerate(ends):
        if not ended[end]:
            ended[end] = 1 << number
    apart = _apart(tree)
    if apart is not None:
        return PathAtoms(tree, given, ends, *apart)
    start = tree.settled([0])
    witness = {start: ""}
    atoms: dict[int, int] = {}
    witnesses: list[str] = []
    level = [start]
    while level:
        following: list[_State] = []
        for state in level:
            path = witness[state]
            signature = 0
            for node in state:
                signature |= ended[node]
            if signature not in atoms:
                atoms[signature] = len(witnesses)
                witnesses.append(path or "/")
            for segment, reached in _transitions(tree, state):
                if reached not in witness:
                    witness[reached] = f"{path}/{segment}"
                    following.append(reached)
                    if len(witness) > MOST_STATES:
                        return None
        level = following
    return PathAtoms(tree, given, ends, atoms, witnesses)


def _apart(tree: _Tree) -> tuple[dict[int, int], list[str]] | None:
    """Return atoms and witnesses of templates of which no path has two; None where some path may have.

    No segment leads two ways then, so that each template has an atom of its own.
    """
    if tree.kinds[0] or tree.rests[0] >= 0:
        return None
    atoms: dict[int, int] = {}
    witnesses: list[str] = []
    level = [(0, "")]
    while level:
        following: list[tuple[int, str]] = []
        for node, path in level:
            literals, kinds, rest, ended = tree.literals[node], tree.kinds[node], tree.rests[node], tree.ended[node]
            if rest >= 0:
                if literals or kinds or ended:
                    return None
                ended = tree.ended[rest]
            if kinds and (literals or len(kinds) > 1):
                return None
            if ended not in atoms:
                atoms[ended] = len(witnesses)
                witnesses.append(path or "/")
            if literals:
                following += [(after, f"{path}/{literal}") for literal, after in literals.items()]
            elif kinds:
                [(kind, after)] = kinds.items()
                following.append((after, f"{path}/{_EXAMPLES[kind]}"))
        if level[0][1] and 0 not in atoms:
            atoms[0] = len(witnesses)
            witnesses.append(f"/{_unmentioned('x', tree.literals[0])}")
        level = following
    if 0 not in atoms:
        atoms[0] = len(witnesses)
        witnesses.append("/x")
    return atoms, witnesses


def _transitions(tree: _Tree, state: _State) -> list[tuple[str, _State]]:
    """Return one segment for each class of segments that the templates tell apart here, with the state it leads to."""
    if len(state) == 1 and not tree.kinds[state[0]]:
        # The most frequent case: one way on for each literal, and none for others; or one that takes whatever comes.
        node = state[0]
        rests, following = tree.rests, tree.literals[node]
        if not following:
            return [("x", state if node in tree.staying else ())]
        ways: list[tuple[str, _State]] = [
            (literal, (after,) if rests[after] < 0 else (after, rests[after])) for literal, after in following.items()
        ]
        ways.append((_unmentioned("x", following), ()))
        return ways
    always: list[int] = []
    literals: dict[str, list[int]] = {}
    classes: dict[SegmentKind, list[int]] = {}
    for node in state:
        if node in tree.staying:
            always.append(node)
            continue
        for literal, after in tree.literals[node].items():
            literals.setdefault(literal, []).append(after)
        for kind, after in tree.kinds[node].items():
            if kind is SegmentKind.ANY:
                always.append(after)
            else:
                classes.setdefault(kind, []).append(after)
    found: list[tuple[str, _State]] = []
    for literal, reached in literals.items():
        reached += always
        if classes:
            kinds = segment_kinds(literal)
            for kind, those in classes.items():
                if kind in kinds:
                    reached += those
        found.append((literal, tree.settled(reached)))
    if not classes:
        found.append((_unmentioned("x", literals), tree.settled(always)))
        return found
    combinations: set[frozenset[SegmentKind]] = set()
    for representative, kinds in _REPRESENTATIVES:
        inside = kinds.intersection(classes)
        if inside not in combinations:
            combinations.add(inside)
            nodes = always.copy()
            for kind in inside:
                nodes += classes[kind]
            found.append((_unmentioned(representative, literals), tree.settled(nodes)))
    return found


def _unmentioned(representative: str, literals: Container[str]) -> str:
    """Return a segment of the same classes that is none of the literals."""
    segment, number = representative, 0
    while segment in literals:
        number += 1
        # Digits at the end keep a number a number, a word a word and a UUID a UUID.
        segment = f"{representative[:-12]}{number:012}" if len(representative) == 36 else f"{representative}{number}"
    return segment

"""What a schema answers: whether requests of a set can meet one of its operations at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from operator import itemgetter
from typing import TypeAlias

from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.ir.workload import Operation
from meshc_compiler.path import segment_matches
from meshc_lang.record import dataclass, field
from meshc_lang.suggestion import distance, suggest

_IMPLIED = {"HEAD": "GET"}
"""Methods that go with another: whoever answers GET answers HEAD (RFC 9110 §9.3.2)."""
_OF_EVERY_PATH = "OPTIONS"
"""May be asked of every path (RFC 9110 §9.3.7)."""
_MOST_COMPARED = 50_000
"""How many pairs of paths are compared in search of what was meant: about a second of work."""
_OF_THE_LIBRARY = "grpc."
"""The packages of gRPC itself: health, reflection and the like are served by the library, whatever a `.proto` says."""
_Numbered: TypeAlias = tuple[int, Operation]


@dataclass(slots=True)
class _Branch:
    """The templates that begin alike: which segments can follow, and what ends here (as `(number, operation)`)."""

    literals: dict[str, _Branch] = field(default_factory=dict)
    classes: dict[SegmentKind, _Branch] = field(default_factory=dict)
    ends: list[_Numbered] = field(default_factory=list)
    rests: list[_Numbered] = field(default_factory=list)
    below: tuple[_Numbered, ...] | None = None

    def following(self, segment: Segment) -> Iterator[_Branch]:
        """Yield the branches that a segment which is not the rest can lead to."""
        if segment.kind is SegmentKind.LITERAL:
            if (branch := self.literals.get(segment.literal)) is not None:
                yield branch
        else:
            for literal, branch in self.literals.items():
                if segment_matches(segment, literal):
                    yield branch
        for kind, branch in self.classes.items():
            if _segments_meet(Segment(kind), segment):
                yield branch

    def everything(self) -> tuple[_Numbered, ...]:
        """Return all that is declared here and below; gathered once."""
        if self.below is None:
            found: list[_Numbered] = []
            pending = [self]
            while pending:
                branch = pending.pop()
                found += branch.ends
                found += branch.rests
                pending += branch.literals.values()
                pending += branch.classes.values()
            self.below = tuple(found)
        return self.below


class PortSchema:
    """The operations of one port, found segment by segment: a look-up does not grow with their number."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = tuple(operations)
        self._root = _Branch()
        self._compared = 0
        for number, operation in enumerate(self.operations):
            branch = self._root
            rest = False
            for segment in operation.path.segments:
                if segment.kind is SegmentKind.REST:
                    rest = True
                    break
                branch = (
                    branch.literals.setdefault(segment.literal, _Branch())
                    if segment.kind is SegmentKind.LITERAL
                    else branch.classes.setdefault(segment.kind, _Branch())
                )
            (branch.rests if rest else branch.ends).append((number, operation))

    def meeting(self, path: PathTemplate) -> tuple[Operation, ...]:
        """Return the operations of which some path is also one of the template's, in their order."""
        found: list[_Numbered] = []
        level = [self._root]
        for segment in path.segments:
            for branch in level:
                found += branch.everything() if segment.kind is SegmentKind.REST else branch.rests
            if segment.kind is SegmentKind.REST:
                level = []
                break
            level = [after for branch in level for after in branch.following(segment)]
        for branch in level:
            found += branch.ends
            found += branch.rests
        return tuple(operation for _, operation in sorted(found, key=itemgetter(0)))

    def rpcs_of(self, service: str) -> tuple[Operation, ...]:
        """Return the rpcs of a gRPC service by its full name."""
        branch = self._root.literals.get(service)
        return (
            ()
            if branch is None
            else tuple(operation for _, operation in sorted(branch.everything(), key=itemgetter(0)))
        )

    @cached_property
    def paths(self) -> dict[str, Operation]:
        """The paths as they are written, each with the first operation that has it."""
        paths: dict[str, Operation] = {}
        for operation in self.operations:
            paths.setdefault(str(operation.path), operation)
        return paths

    @property
    def rpc_services(self) -> tuple[str, ...]:
        """The full names of the gRPC services, sorted."""
        return tuple(sorted(self._root.literals))

    def nearest(self, path: PathTemplate) -> tuple[Operation, PathTemplate] | None:
        """Return the operation whose path was most likely meant, and the template as it should have been written.

        Words are compared one by one, so after very many comparisons nothing is proposed any more.
        """
        self._compared += len(self.paths)
        if self._compared > _MOST_COMPARED:
            return None
        best: tuple[int, str, Operation, PathTemplate] | None = None
        for text, operation in self.paths.items():
            mended = _mended(path, operation.path)
            if mended is not None and (best is None or (mended[0], text) < best[:2]):
                best = (mended[0], text, operation, mended[1])
        return None if best is None else best[2:]


def is_of_the_library(service: str) -> bool:
    """Tell whether a gRPC service comes with the library and needs no declaration."""
    return service.startswith(_OF_THE_LIBRARY)


def takes_method(operation: Operation, method: str) -> bool:
    """Tell whether an operation's path may be asked with a method."""
    stated = operation.methods
    return not stated or method in stated or method == _OF_EVERY_PATH or _IMPLIED.get(method) in stated


def templates_meet(left: PathTemplate, right: PathTemplate) -> bool:
    """Tell whether some path is matched by both templates: exact, segment by segment."""
    for position in range(max(len(left.segments), len(right.segments))):
        one, other = left.segments[position : position + 1], right.segments[position : position + 1]
        if any(segment.kind is SegmentKind.REST for segment in (*one, *other)):
            # What is left of the other can be met by the rest, whatever it is.
            return True
        if not one or not other or not _segments_meet(one[0], other[0]):
            return False
    return True


def _segments_meet(left: Segment, right: Segment) -> bool:
    if left.kind is SegmentKind.LITERAL:
        return segment_matches(right, left.literal)
    if right.kind is SegmentKind.LITERAL:
        return segment_matches(left, right.literal)
    # Of the classes only these two share no segment: one has hyphens, the other digits alone.
    return {left.kind, right.kind} != {SegmentKind.INT, SegmentKind.UUID}


def _mended(written: PathTemplate, declared: PathTemplate) -> tuple[int, PathTemplate] | None:
    """Return the written template with its misspelt words put right after a declared one, and how far that was."""
    segments: list[Segment] = []
    apart = 0
    for position, segment in enumerate(written.segments):
        if segment.kind is SegmentKind.REST:
            segments.append(segment)
            break
        if position >= len(declared.segments):
            return None
        model = declared.segments[position]
        if model.kind is SegmentKind.REST:
            segments += written.segments[position:]
            break
        if _segments_meet(segment, model):
            segments.append(segment)
        elif model.kind is segment.kind is SegmentKind.LITERAL and _is_near(segment.literal, model.literal):
            apart += distance(segment.literal, model.literal)
            segments.append(model)
        else:
            return None
    mended = PathTemplate(tuple(segments))
    return (apart, mended) if apart and templates_meet(mended, declared) else None


def _is_near(word: str, model: str) -> bool:
    """Tell whether a word is offered for another; most are told apart by their lengths alone."""
    return abs(len(word) - len(model)) <= max(1, len(word) // 3) and bool(suggest(word, (model,)))

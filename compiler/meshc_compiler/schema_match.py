"""What a schema answers: whether requests of a set can meet one of its operations at all."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.ir.workload import Operation
from meshc_compiler.path import segment_matches
from meshc_lang.suggestion import distance, suggest

_IMPLIED = {"HEAD": "GET"}
"""Methods that go with another: whoever answers GET answers HEAD (RFC 9110 §9.3.2)."""
_OF_EVERY_PATH = "OPTIONS"
"""May be asked of every path (RFC 9110 §9.3.7)."""
_OF_THE_LIBRARY = "grpc."
"""The packages of gRPC itself: health, reflection and the like are served by the library, whatever a `.proto` says."""


class PortSchema:
    """The operations of one port, found by the first segment of their paths."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations = tuple(operations)
        self._by_first: dict[str, list[Operation]] = {}
        self._others: list[Operation] = []
        for operation in self.operations:
            first = operation.path.segments[:1]
            if first and first[0].kind is SegmentKind.LITERAL:
                self._by_first.setdefault(first[0].literal, []).append(operation)
            else:
                self._others.append(operation)

    def meeting(self, path: PathTemplate) -> tuple[Operation, ...]:
        """Return the operations of which some path is also one of the template's."""
        first = path.segments[:1]
        candidates: Iterable[Operation] = self.operations
        if first and first[0].kind is SegmentKind.LITERAL:
            candidates = (*self._by_first.get(first[0].literal, ()), *self._others)
        return tuple(operation for operation in candidates if templates_meet(operation.path, path))

    def rpcs_of(self, service: str) -> tuple[Operation, ...]:
        """Return the rpcs of a gRPC service by its full name."""
        return tuple(self._by_first.get(service, ()))

    @property
    def rpc_services(self) -> tuple[str, ...]:
        """The full names of the gRPC services, sorted."""
        return tuple(sorted(self._by_first))

    def nearest(self, path: PathTemplate) -> tuple[Operation, PathTemplate] | None:
        """Return the operation whose path was most likely meant, and the template as it should have been written."""
        best: tuple[int, str, Operation, PathTemplate] | None = None
        for operation in self.operations:
            mended = _mended(path, operation.path)
            if mended is not None and (best is None or (mended[0], str(operation.path)) < best[:2]):
                best = (mended[0], str(operation.path), operation, mended[1])
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
        elif model.kind is segment.kind is SegmentKind.LITERAL and suggest(segment.literal, (model.literal,)):
            apart += distance(segment.literal, model.literal)
            segments.append(model)
        else:
            return None
    mended = PathTemplate(tuple(segments))
    return (apart, mended) if apart and templates_meet(mended, declared) else None

"""What an edit reaches, compiled by itself: the part of a program that tells all about some callees and workloads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshc_compiler.checks import CHECKS
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.edit.outline import FileOutline
from meshc_compiler.edit.reach import Place, Reach
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.setting import Settings
from meshc_compiler.loader import Program
from meshc_compiler.lower.program import lower_program
from meshc_lang.codes import authorization, units
from meshc_lang.collector import collector_paused
from meshc_lang.diagnostic import Severity
from meshc_lang.parser import parse
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText

__all__ = ["LOCAL_FINDINGS", "LocalFinding", "compile_part", "tries_again"]

LOCAL_FINDINGS = {
    code.id: code
    for code in (
        authorization.DEAD_ALLOW,
        authorization.REDUNDANT_ALLOW,
        authorization.UNIVERSAL_ALLOW,
        authorization.UNREACHABLE_SERVICE,
        authorization.USELESS_DENY,
        units.IMPOSSIBLE_GUARD,
    )
}
"""Findings that follow from what is said of one callee, or of those of one sentence, and from nothing else."""

_TRIED_AGAIN = ("retry_limit", "per_try_timeout_ns", "outlier_consecutive_5xx", "outlier_max_ejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFinding:
    """A finding about what an edit reaches: its code and message, and where it stands in which file (by number)."""

    code: str
    message: str
    file: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """A statement in the text of a part: where it ends there, how far it lies from its own place, and which it is."""

    end: int
    shift: int
    place: Place


def compile_part(
    files: Sequence[FileOutline], reach: Reach, namespaces: tuple[str, ...]
) -> tuple[MeshIndex, tuple[LocalFinding, ...]] | None:
    """Return the mesh of the statements that an edit reaches, and what is found about the callees.

    Of its callees and workloads it tells what the whole program would; of others only a part. `namespaces` are those
    of the whole. None if something is found that may be about more than that.
    """
    with collector_paused():
        pieces: dict[str, list[_Piece]] = {}
        parsed = []
        for source in _sources(files, reach, pieces):
            file, problems = parse(source)
            if problems:
                return None
            parsed.append(file)
        lowered, found = lower_program(Program(files=tuple(parsed)))
        if any(one.severity is Severity.ERROR for one in found) or tries_again(lowered.mesh):
            return None
        index = MeshIndex(lowered.mesh, namespaces)
        subject = CheckSubject(lowered, index, reach.workloads)
        findings: list[LocalFinding] = []
        for one in (*found, *(one for check in CHECKS for one in check(subject))):
            piece = next((piece for piece in pieces[one.primary.source.path] if piece.end > one.primary.start), None)
            if piece is None or one.code.id not in LOCAL_FINDINGS:
                return None
            # Of a callee of which only a part is known much may seem to be wrong.
            if piece.place in reach.concerned:
                start, end = one.primary.start + piece.shift, one.primary.end + piece.shift
                findings.append(
                    LocalFinding(code=one.code.id, message=one.message, file=piece.place[0], start=start, end=end)
                )
        return index, tuple(findings)


def tries_again(mesh: Mesh) -> bool:
    """Tell whether anything is stated about tries: what they come to is a matter of whole chains of calls."""
    return any(getattr(stated, name) is not None for stated in _all_settings(mesh) for name in _TRIED_AGAIN)


def _all_settings(mesh: Mesh) -> Iterator[Settings]:
    yield mesh.mesh_settings
    yield from (stated for _, stated in mesh.service_settings)
    yield from (stated for _, _, stated in mesh.edge_settings)
    yield from (stated for _, _, _, stated in mesh.port_settings)
    yield from (rule.settings for route in mesh.routes for rule in route.rules)


def _sources(files: Sequence[FileOutline], reach: Reach, pieces: dict[str, list[_Piece]]) -> Iterator[SourceText]:
    by_file: dict[int, list[Place]] = {}
    for place in reach.statements:
        by_file.setdefault(place[0], []).append(place)
    for number, places in by_file.items():
        file = files[number]
        texts: list[str] = []
        own = pieces[file.path] = []
        start = 0
        for place in places:
            text = file.text[file.starts[place[1]] : file.ends[place[1]]]
            texts.append(text)
            own.append(_Piece(start + len(text) + 1, file.starts[place[1]] - start, place))
            start += len(text) + 1
        yield SourceText(file.path, "\n".join(texts) + "\n")

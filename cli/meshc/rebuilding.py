"""A build after an edit: what was built of a program is remembered, and of an edit only what it reaches is made anew.

What is remembered lies in the cache, sealed as everything there. It counts for the same command in the same directory,
as long as the bundle lies there as it was written and the edit's reach is plain; else everything is built as ever.
"""

from __future__ import annotations

import bisect
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from meshc_backends.artifact_cache import ArtifactCache, open_cache
from meshc_backends.build import BuildInput, BuildResult
from meshc_backends.renewal import RENEWABLE, Part, renew, stamps
from meshc_compiler.edit.local import LOCAL_FINDINGS, LocalFinding, compile_part, tries_again
from meshc_compiler.edit.outline import FileOutline, outline_of
from meshc_compiler.edit.reach import Reach, reach_of
from meshc_compiler.edit.window import Edit, edit_of
from meshc_compiler.loader import DiskReader, load
from meshc_compiler.pipeline import CompileResult
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText
from meshc_lang.tree.file import SourceFile

__all__ = ["Memory", "memory_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is remembered of a build."""

    files: tuple[FileOutline, ...]
    namespaces: tuple[str, ...]
    told: tuple[LocalFinding, ...]
    stamps: dict[str, list[int]]


class Memory:
    """What is remembered of the builds that one command makes in one place."""

    def __init__(self, cache: ArtifactCache, program: tuple[str, ...], targets: tuple[str, ...], out: Path) -> None:
        self._cache = cache
        self._program = program
        self._targets = targets
        self._out = Path(os.path.abspath(out))  # noqa: PTH100 - links are not followed
        self._key = cache.key("build", os.getcwd(), *program, "->", str(self._out), *targets)  # noqa: PTH109

    def rebuild(self, source: BuildInput, stops: Callable[[tuple[Diagnostic, ...]], object]) -> BuildResult | None:
        """Bring the bundle up to date with what was edited; None where all must be built, or findings `stop` it."""
        known = self._recalled()
        if known is None:
            return None
        program, found = load(self._program, DiskReader(), _unread)
        if found or [file.source.path for file in program.files] != [file.path for file in known.files]:
            return None
        edits: dict[int, Edit] = {}
        for number, (file, source_file) in enumerate(zip(known.files, program.files, strict=True)):
            if source_file.source.text != file.text:
                edit = edit_of(file, source_file.source.text)
                if edit is None:
                    return None
                edits[number] = edit
        files = tuple(edits[number].outline if number in edits else file for number, file in enumerate(known.files))
        part, reach = None, None
        found_now: tuple[LocalFinding, ...] = ()
        if any(edit.gone or edit.come for edit in edits.values()):
            reach = reach_of(files, tuple(edits.values()))
            compiled = None if reach is None else compile_part(files, reach, known.namespaces)
            if reach is None or compiled is None:
                return None
            index, found_now = compiled
            part = Part(index=index, callees=reach.callees, workloads=reach.workloads)
        kept = _still_told(known.told, files, edits, reach)
        if kept is None:
            return None
        kept += found_now
        diagnostics = _diagnostics(kept, files)
        if stops(diagnostics):
            return None
        result = renew(self._targets, self._out, known.stamps, part, source, self._cache)
        if result is None:
            return None
        if edits:
            lie = stamps(self._out) if result.changed else known.stamps
            self._cache.tidy()
            if lie is not None:
                self._remember(replace(known, files=files, told=kept, stamps=lie))
        return replace(result, diagnostics=diagnostics)

    def remember(self, compiled: CompileResult, built: BuildResult) -> None:
        """Remember a build that wrote its bundle, if an edit of its program can be told from it."""
        index, mesh = compiled.index, compiled.mesh
        if index is None or mesh is None or not built.written or built.diagnostics or built.reservations:
            return
        if compiled.program.imported is not None or mesh.assertions or mesh.examples or tries_again(mesh):
            return
        files = tuple(outline for file in compiled.program.files if (outline := outline_of(file)) is not None)
        told = tuple(_told(one, files) for one in compiled.diagnostics)
        lie = stamps(self._out)
        if len(files) < len(compiled.program.files) or None in told or lie is None:
            return
        kept = tuple(one for one in told if one is not None)
        self._remember(_Known(files=files, namespaces=index.namespaces, told=kept, stamps=lie))

    def close(self) -> None:
        """Let go of the cache."""
        self._cache.close()

    # ---- as bytes

    def _remember(self, known: _Known) -> None:
        self._cache.put(
            self._key,
            json.dumps(
                {
                    "files": [
                        (file.path, file.text, file.starts, file.ends, *zip(*file.facts, strict=True))
                        for file in known.files
                    ],
                    "namespaces": known.namespaces,
                    "told": [
                        {"code": one.code, "message": one.message, "file": one.file, "start": one.start, "end": one.end}
                        for one in known.told
                    ],
                    "stamps": known.stamps,
                },
                separators=(",", ":"),
            ).encode(),
        )

    def _recalled(self) -> _Known | None:
        content = self._cache.get(self._key)
        if content is None:
            return None
        held: dict[str, Any] = json.loads(content)
        return _Known(
            files=tuple(
                FileOutline(path=path, text=text, starts=starts, ends=ends, facts=list(zip(*facts, strict=True)))
                for path, text, starts, ends, *facts in held["files"]
            ),
            namespaces=tuple(held["namespaces"]),
            told=tuple(LocalFinding(**one) for one in held["told"]),
            stamps=held["stamps"],
        )


def memory_of(
    program: tuple[str, ...], targets: tuple[str, ...], out: Path, folder: Path | None, source: BuildInput
) -> Memory | None:
    """Return the memory of a command, whose cache is in a folder; None where it can have none."""
    if folder is None or not RENEWABLE.issuperset(targets):
        return None
    cache = open_cache(folder, source.now.timestamp())
    return None if cache is None else Memory(cache, program, targets, out)


def _unread(source: SourceText) -> tuple[SourceFile, tuple[Diagnostic, ...]]:
    return SourceFile(source=source, statements=()), ()


def _told(finding: Diagnostic, files: Sequence[FileOutline]) -> LocalFinding | None:
    place = finding.primary
    number = next((number for number, file in enumerate(files) if file.path == place.source.path), None)
    if number is None or finding.code.id not in LOCAL_FINDINGS:
        return None
    return LocalFinding(code=finding.code.id, message=finding.message, file=number, start=place.start, end=place.end)


def _still_told(
    told: Sequence[LocalFinding], files: Sequence[FileOutline], edits: dict[int, Edit], reach: Reach | None
) -> tuple[LocalFinding, ...] | None:
    """Return what is told after edits as it was before, of callees that none reaches; None where that is not plain."""
    kept: list[LocalFinding] = []
    for one in told:
        edit, start = edits.get(one.file), one.start
        if edit is not None and one.end > edit.first:
            if one.start < edit.last:
                return None
            start += edit.shift
        position = bisect.bisect_right(files[one.file].starts, start) - 1
        if position < 0:
            return None
        if reach is None or (one.file, position) not in reach.concerned:
            kept.append(replace(one, start=start, end=start + one.end - one.start))
    return tuple(kept)


def _diagnostics(told: Sequence[LocalFinding], files: Sequence[FileOutline]) -> tuple[Diagnostic, ...]:
    sources = [SourceText(file.path, file.text) for file in files] if told else []
    return tuple(
        Diagnostic(
            code=LOCAL_FINDINGS[one.code], message=one.message, primary=sources[one.file].span(one.start, one.end)
        )
        for one in told
    )

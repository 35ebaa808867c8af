"""A build as the command line asks for it: the program compiled, its tests passed, its targets written."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from meshc.compiling import compile_paths
from meshc.rebuilding import Memory, memory_of
from meshc.reporting import Reporting
from meshc.version import compiler_version
from meshc_backends.build import BuildInput, BuildResult, build
from meshc_backends.workers import processors
from meshc_compiler.examples import run_examples
from meshc_compiler.ir.dump import record_text


def build_program(
    program: tuple[str, ...],
    targets: tuple[str, ...],
    out: Path,
    authority: Path,
    reporting: Reporting,
    overlay: str | None = None,
    cache: Path | None = None,
) -> BuildResult:
    """Compile, check and write a bundle; the findings of the program and of its targets are in the result.

    What fails the command stops the build: under `--strict` a warning does, whoever found it.
    """
    source = BuildInput(
        program="",
        compiler=compiler_version(),
        tests=(0, 0),
        authority=authority,
        now=datetime.now(UTC),
        cache=cache,
        processes=processors(),
    )
    # What is remembered of findings is a line of each, which is all that a build without errors tells of them as text.
    memory = memory_of(program, targets, out, cache, source) if overlay is None and reporting.form == "text" else None
    try:
        rebuilt = None if memory is None else memory.rebuild(source, reporting.status)
        return rebuilt or _build(program, targets, out, reporting, overlay, source, memory)
    finally:
        if memory is not None:
            memory.close()


def _build(
    program: tuple[str, ...],
    targets: tuple[str, ...],
    out: Path,
    reporting: Reporting,
    overlay: str | None,
    source: BuildInput,
    memory: Memory | None,
) -> BuildResult:
    """Build everything."""
    compiled = compile_paths(program, overlay)
    findings = compiled.diagnostics
    if compiled.index is None or not compiled.buildable or reporting.status(findings):
        return BuildResult(written=False, diagnostics=findings)
    cases = run_examples(compiled.index)
    passed = sum(case.passed for case in cases)
    record = record_text(compiled.index.mesh).encode()
    source = replace(
        source,
        program=hashlib.sha256(record).hexdigest(),
        record=record,
        tests=(passed, len(cases) - passed),
    )
    silence = compiled.suppressions.silence
    built = build(compiled.index, targets, out, source, stops=lambda found: bool(reporting.status(silence(found).kept)))
    if memory is not None:
        memory.remember(compiled, built)
    return replace(built, diagnostics=findings + silence(built.diagnostics).kept, overlay=overlay)

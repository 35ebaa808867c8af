"""The demonstration on a terminal: build, run, tour; the exit status says whether everything was as it should be."""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from meshc.building import build_program
from meshc.compiling import mesh_or_exit
from meshc.demo.tour import TOUR, Seen, Stop
from meshc.local_mesh.mesh import LocalMesh, start_mesh
from meshc.local_mesh.up_file import UpFile
from meshc.render.build_report import build_report
from meshc.render.terminal import Ink, Terminal, cell_count, terminal_of
from meshc.reporting import Reporting
from meshc_lang.diagnostic import has_errors

TARGETS = ("envoy", "sidecar", "kubernetes", "certs")
_BAR = 40


def show(examples: Path, folder: Path) -> int:
    """Build `boutique`, run `shop`, show its calls. Return 0 if all was as the programs say, else 1."""
    terminal = terminal_of(sys.stdout)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C: the mesh is stopped, its keys are removed
    return _show_build(examples / "boutique", folder, terminal) or _show_mesh(examples / "shop", folder, terminal)


def _show_build(program: Path, folder: Path, terminal: Terminal) -> int:
    out = folder / "boutique"
    _title(f"meshc build {program} --target {','.join(TARGETS)}", terminal)
    result = build_program((str(program),), TARGETS, out, folder / "authority", Reporting())
    if not result.written:
        Reporting().tell(result.diagnostics)
        return 1
    _say(build_report(out, result, terminal).rstrip("\n"))
    for target in sorted(result.targets):
        files = sorted(path for path in (out / target).rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in files)
        _say(f"  {target + '/':<12} {len(files):>3} files {size / 1024:>7.0f} KiB")
    return 0


def _show_mesh(program: Path, folder: Path, terminal: Terminal) -> int:
    _say()
    _title(f"meshc up {program}", terminal)
    index = mesh_or_exit((str(program),), Reporting())
    mesh, problems = start_mesh(index, UpFile(), folder / "up", datetime.now(UTC))
    with mesh:
        Reporting().tell(problems)
        if has_errors(problems):
            return 1
        names = ", ".join(instance.name for instance in mesh.plan.instances)
        _say(f"{len(mesh.plan.instances)} sidecars with mutual TLS: {names}")
        _say("The workloads behind them are stand-ins that say what they were asked.")
        wrong = 0
        for stop in TOUR:
            wrong += _visit(stop, mesh, terminal)
        for child in mesh.ended():
            _say(terminal.paint(f"the {child.name} {child.ending}: {child.last_words()}", Ink.ERROR))
            wrong += 1
    _say()
    if wrong:
        _say(terminal.paint(f"{wrong} of these are not as the program says; the logs are in {mesh.logs}", Ink.ERROR))
        return 1
    _say(terminal.paint("All as the program says. The mesh is stopped and its keys are gone.", Ink.GOOD))
    return 0


def _visit(stop: Stop, mesh: LocalMesh, terminal: Terminal) -> int:
    _say()
    _say(f"{terminal.paint(stop.title, Ink.STRONG)}   {terminal.paint(terminal.safe(stop.source), Ink.FAINT)}")
    wrong = 0
    try:
        for seen in stop.visit(mesh):
            wrong += not seen.right
            _say(_line(seen, terminal))
    except OSError as error:
        _say(terminal.paint(f"  the call failed: {error}", Ink.ERROR))
        wrong += 1
    return wrong


def _line(seen: Seen, terminal: Terminal) -> str:
    mark = terminal.paint(terminal.safe("✓"), Ink.GOOD) if seen.right else terminal.paint(terminal.safe("✗"), Ink.ERROR)
    bar = ""
    if seen.share is not None:
        bar = "  " + terminal.paint(terminal.safe("█" * round(seen.share * _BAR)), Ink.FRAME)
    text = terminal.safe(seen.call)
    return f"  {mark} {text}{' ' * max(48 - cell_count(text), 1)} {terminal.safe(seen.result)}{bar}"


def _title(text: str, terminal: Terminal) -> None:
    _say(terminal.paint(f"$ {terminal.safe(text)}", Ink.FRAME))


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()

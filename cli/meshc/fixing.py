"""`meshc check --fix`: the fixes of a program written to its files, or shown."""

from __future__ import annotations

import sys
from pathlib import Path

from meshc.compiling import today
from meshc.render.count import counted
from meshc.render.difference import difference
from meshc.render.terminal import Ink, terminal_of
from meshc.replacing import replace_file
from meshc.reporting import Reporting
from meshc_backends.finding import finding, reason_of
from meshc_compiler.fixing import Fixing, fix_program
from meshc_compiler.loader import DiskReader
from meshc_lang.codes.targets import OUTPUT_UNWRITABLE
from meshc_lang.diagnostic import Diagnostic

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def fixed(program: tuple[str, ...], *, unsafe: bool) -> Fixing:
    """Work out the fixes of a program; nothing is written yet."""
    return fix_program(program, DiskReader(), unsafe=unsafe, today=today)


def show_fixes(fixing: Fixing) -> None:
    """Print the fixes as one patch on standard output, and their number on standard error."""
    terminal = terminal_of(sys.stdout)
    for file in fixing.files:
        sys.stdout.write(difference(file.path, file.before, file.after, terminal))
    _tell_refused(fixing)
    files = counted(len(fixing.files), "file")
    told = f"would fix {counted(len(fixing.fixed), 'finding')} in {files}" if fixing.files else "nothing to fix"
    sys.stderr.write(terminal_of(sys.stderr).paint(told, Ink.STRONG) + "\n")


def write_fixes(fixing: Fixing, reporting: Reporting) -> tuple[Diagnostic, ...]:
    """Write the files that fixes change, each in one step, and tell which; return why some could not be written.

    They are told on standard output, or on standard error where that is for a program to read.
    """
    stream = sys.stdout if reporting.form == "text" else sys.stderr
    terminal = terminal_of(stream)
    problems: list[Diagnostic] = []
    for file in fixing.files:
        mark = _BYTE_ORDER_MARK if file.content.startswith(_BYTE_ORDER_MARK) else b""
        try:
            if Path(file.path).read_bytes() != file.content:
                raise OSError(None, "it was changed meanwhile")
            replace_file(file.path, mark + file.after.encode())
        except OSError as error:
            message = f"`{file.path}` cannot be written: {reason_of(error)}"
            problems.append(finding(OUTPUT_UNWRITABLE, Path(file.path), message))
        else:
            stream.write(f"{terminal.paint('fixed', Ink.GOOD)} {terminal.safe(file.path)}\n")
    _tell_refused(fixing)
    return tuple(problems)


def _tell_refused(fixing: Fixing) -> None:
    terminal = terminal_of(sys.stderr)
    for one in fixing.refused:
        told = f"left {one.code.id} at {one.primary} alone: its fix would bring new errors"
        sys.stderr.write(terminal.safe(told) + "\n")

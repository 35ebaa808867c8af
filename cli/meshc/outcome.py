"""How a command ends: its exit status, whatever happens; no exception leaves it, and none shows a traceback."""

from __future__ import annotations

import _thread
import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

__all__ = ["BROKEN_PIPE", "CLEAN", "FINDINGS", "INTERNAL", "INTERRUPTED", "USAGE", "end", "forget_output", "outcome_of"]

CLEAN, FINDINGS, USAGE, INTERNAL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141
"""Exit status: nothing to say, findings, a command line that cannot be meant, a bug of ours, Ctrl-C, reader gone."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def outcome_of(run: Callable[[], int]) -> int:
    """Run a command and return its exit status."""
    _tolerate_odd_text()
    try:
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if error.errno not in _NO_ROOM:
            return _internal_error(error)
        forget_output()
        sys.stderr.write(f"meshc: this could not be written: {(error.strerror or '').lower()}\n")
        return INTERNAL
    except Exception as error:  # the last net: whatever comes here is a bug of ours
        return _internal_error(error)


def end(status: int) -> NoReturn:
    """End the process."""
    import atexit

    if _thread._count():  # of all but this one; `threading` is not imported to hear that there is none
        sys.exit(status)
    # What Python does at an end, but for taking its modules apart one by one: that takes a tenth of a short check.
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        status = status or BROKEN_PIPE
    os._exit(status)


def forget_output() -> None:
    """The reader went away (`meshc … | head`): nothing more can be said, not even at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tolerate_odd_text() -> None:
    """A name that the terminal's encoding lacks must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _internal_error(error: Exception) -> int:
    import tempfile
    import traceback

    if os.environ.get("MESHC_DEBUG"):
        traceback.print_exception(error)
        return INTERNAL
    first = f"meshc: internal error: {type(error).__name__}: {error}".splitlines()[0]
    try:
        with tempfile.NamedTemporaryFile("w", prefix="meshc-", suffix=".txt", delete=False) as file:
            traceback.print_exception(error, file=file)
        where = f"the traceback is in {file.name}"
    except OSError:
        where = "MESHC_DEBUG=1 shows the traceback"
    sys.stderr.write(f"{first}\nThis is a bug in meshc, not in your program; {where}.\n")
    return INTERNAL

"""A file's content replaced in one step, so that nobody ever reads half of it."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_file(path: str, content: bytes) -> None:
    """Write a file that exists anew, through links and with the mode that it has; after an OSError it is as it was."""
    real = Path(os.path.realpath(path))
    mode = stat.S_IMODE(real.stat().st_mode)
    handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(content)
            new.flush()
            os.fchmod(new.fileno(), mode)
            os.fsync(new.fileno())
        os.replace(name, real)  # noqa: PTH105 - a name from mkstemp
    except BaseException:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise


def create_file(path: str, content: bytes) -> None:
    """Write a file that does not exist yet, in one step; one that appeared meanwhile is left as it is (an OSError)."""
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(content)
            new.flush()
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(new.fileno(), 0o666 & ~umask)
            os.fsync(new.fileno())
        os.link(name, target)
    finally:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108

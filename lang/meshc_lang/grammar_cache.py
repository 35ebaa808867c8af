"""Where the tables of the grammar may be kept between runs, if not beside it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress


def grammar_cache() -> str | None:
    """Return the file that the tables may be kept in, or None where there is no place that is ours alone.

    It lies in the user's cache directory (`XDG_CACHE_HOME`, else `~/.cache`) and is safe to delete. A directory that
    others may write to is not used: what is read from the file decides what a program means.
    """
    try:
        base = os.environ.get("XDG_CACHE_HOME") or ""
        if not os.path.isabs(base):
            base = os.path.join(os.path.expanduser("~"), ".cache")
        folder = os.path.join(base, "meshc")
        if not os.path.isabs(base):
            return None
        os.makedirs(base, exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.lstat(folder)
    except OSError:
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return os.path.join(folder, "mesh.tables") if ours and os.access(folder, os.W_OK) else None

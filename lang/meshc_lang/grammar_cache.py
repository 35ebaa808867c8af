"""Where the tables of the grammar may be kept between runs, if not beside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def grammar_cache() -> Path | None:
    """Return the file that the tables may be kept in, or None where there is no place that is ours alone.

    It lies in the user's cache directory (`XDG_CACHE_HOME`, else `~/.cache`) and is safe to delete. A directory that
    others may write to is not used: what is read from the file decides what a program means.
    """
    try:
        base = os.environ.get("XDG_CACHE_HOME") or ""
        folder = (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "meshc"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except (OSError, RuntimeError):
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return folder / "mesh.tables" if ours and os.access(folder, os.W_OK) else None

"""The user's cache directory of meshc: for what is kept between runs, and must be nobody else's to write."""

from __future__ import annotations

import os
import stat
from contextlib import suppress


def user_cache() -> str | None:
    """Return the folder `meshc` in the user's cache directory (`XDG_CACHE_HOME`, else `~/.cache`).

    It is safe to delete. None where there is none that only the user may write to: what is read from it decides what
    a program means.
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
    return folder if ours and os.access(folder, os.W_OK) else None

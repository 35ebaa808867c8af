"""Where the tables that Lark makes of the grammar are kept between runs: making them takes longer than a program."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def grammar_cache() -> str | None:
    """Return the file that Lark may keep its tables in, or None where there is no place that is ours alone.

    It lies in the user's cache directory (`XDG_CACHE_HOME`, else `~/.cache`), is safe to delete, and Lark takes it only
    if grammar, Lark and Python are the same. A directory that others may write to is not used: Lark unpickles the file.
    """
    try:
        base = os.environ.get("XDG_CACHE_HOME") or ""
        folder = (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "meshc"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except (OSError, RuntimeError):
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return str(folder / "grammar.tables") if ours and os.access(folder, os.W_OK) else None

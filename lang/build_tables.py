"""Puts the tables of the grammar into a wheel, so that no run of an installed meshc has to make them (0.3 s)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LANG = Path(__file__).resolve().parent


class TablesHook(BuildHookInterface):  # type: ignore[type-arg, misc, unused-ignore]
    """Called by hatchling for each wheel, but for editable ones: the first run of those writes the tables itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the tables and name the file among those of the wheel."""
        if version == "editable":
            return
        sys.path.insert(0, str(LANG))
        from meshc_lang.table_maker import make_tables
        from meshc_lang.tables import GRAMMAR_STARTS, grammar_text, packed

        path = Path(self.directory) / "mesh.tables"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(grammar_text(), make_tables(grammar_text(), GRAMMAR_STARTS)))
        build_data["force_include"][str(path)] = "meshc_lang/grammar/mesh.tables"

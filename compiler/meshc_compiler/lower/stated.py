"""What a block of settings states, noted while it is read."""

from __future__ import annotations

from typing import Any

from meshc_compiler.ir.setting import Scope, Setting, Settings
from meshc_compiler.lower.field import Fields


class Stated:
    """The values that the fields of one block state, each with its scope and its place; shared with blocks inside."""

    def __init__(self, fields: Fields, scope: Scope, values: dict[str, Setting[Any]] | None = None) -> None:
        self.fields = fields
        self.scope = scope
        self._values: dict[str, Setting[Any]] = {} if values is None else values

    def inside(self, fields: Fields) -> Stated:
        """Return the same for a block inside this one."""
        return Stated(fields, self.scope, self._values)

    def note(self, name: str, value: object, key: str) -> None:
        """Note that the field `key` states a value of the setting `name`; None, after an error, states nothing."""
        if value is not None:
            self._values[name] = Setting(value=value, scope=self.scope, origin=self.fields.span(key))

    def settings(self) -> Settings:
        """Return all that was noted."""
        return Settings(**self._values)

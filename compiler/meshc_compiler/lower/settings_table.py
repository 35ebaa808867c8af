"""The settings of one scope, gathered from all statements about it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from meshc_compiler.finding import Findings, replacement
from meshc_compiler.ir.setting import NOTHING_STATED, SETTING_FIELDS, SETTING_NAMES, Setting, Settings
from meshc_lang.codes import routing
from meshc_lang.diagnostic import Applicability, Fix, Label
from meshc_lang.source import ExpandedSpan, Span

K = TypeVar("K", bound=Hashable)


class SettingsTable(Generic[K]):
    """The settings of one scope by what they are about; two statements may add up and must not contradict.

    What a statement of the overlay says that was applied beats what the program says itself, field by field.
    """

    def __init__(self, scope_name: str, findings: Findings) -> None:
        self._scope_name = scope_name
        self._findings = findings
        self._settings: dict[K, Settings] = {}
        self._told: set[tuple[Span | None, Span | None]] = set()

    def add(self, key: K, stated: Settings, what: str) -> None:
        """Put a statement's settings beside those already there. `what` names the key to the user."""
        known = self._settings.get(key)
        if known is None:
            self._settings[key] = stated
            return
        changes: dict[str, Any] = {}
        for name in SETTING_FIELDS:
            old, new = getattr(known, name), getattr(stated, name)
            if new is None:
                continue
            if old is None or _is_of_overlay(new) > _is_of_overlay(old):
                changes[name] = new
            elif old.value != new.value and _is_of_overlay(new) == _is_of_overlay(old):
                self._conflict(name, old, new, what)
        if changes:
            self._settings[key] = replace(known, **changes)

    def get(self, key: K) -> Settings:
        """Return the settings about one thing."""
        return self._settings.get(key, NOTHING_STATED)

    def items(self) -> tuple[tuple[K, Settings], ...]:
        """Return all that is stated, sorted."""
        return tuple((key, self._settings[key]) for key in sorted(self._settings))  # type: ignore[type-var]

    def _conflict(self, name: str, old: Setting[Any], new: Setting[Any], what: str) -> None:
        pair = (old.origin, new.origin)
        if pair in self._told or old.origin is None or new.origin is None:
            return
        self._told.add(pair)
        self._findings.add(
            routing.CONFLICTING_SETTINGS,
            f"{what} has two values of `{SETTING_NAMES[name]}` at the same scope ({self._scope_name})",
            new.origin,
            label="and another here",
            related=(Label(old.origin, "one here …"),),
            help="keep one of them, or state one at a more specific scope",
            fixes=_agreements(old.origin, new.origin),
            subject=f"settings {what}",
        )


def _agreements(old: Span, new: Span) -> tuple[Fix, ...]:
    """Return the two ways to make both places say the same; none where they are not two values of one field.

    Nor where a place stands for several, or for a value that is written elsewhere.
    """
    if isinstance(old, ExpandedSpan) or isinstance(new, ExpandedSpan):
        return ()
    if old.text.partition(":")[0].strip() != new.text.partition(":")[0].strip():
        return ()
    return tuple(
        replacement(f"say `{' '.join(kept.text.split())}` in both places", changed, kept.text, Applicability.CHOOSE_ONE)
        for kept, changed in ((old, new), (new, old))
    )


def _is_of_overlay(setting: Setting[Any]) -> bool:
    return setting.origin is not None and setting.origin.overlay != ""

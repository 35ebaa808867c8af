"""Which statements of a document speak of a name, kept up to date with each edit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshc.lsp.analysis.symbol import Key, by_key
from meshc_lang.incremental import Stretch


class NameIndex:
    """The stretches of one document by the names in them; one is noted when it is read, or at the next question."""

    def __init__(self) -> None:
        self._stretches: dict[Key, dict[Stretch, None]] = {}
        self._waiting: dict[Stretch, None] = {}

    def change(self, gone: Sequence[Stretch], new: Sequence[Stretch]) -> None:
        """Take over that the document has other stretches."""
        for stretch in gone:
            if stretch in self._waiting:
                del self._waiting[stretch]
                continue
            for key in stretch.derived(by_key):
                found = self._stretches.get(key, {})
                found.pop(stretch, None)
                if not found:
                    self._stretches.pop(key, None)
        self._waiting.update(dict.fromkeys(new))

    def note(self, stretch: Stretch) -> None:
        """Note the names of a stretch that was read."""
        if stretch in self._waiting:
            del self._waiting[stretch]
            for key in stretch.derived(by_key):
                self._stretches.setdefault(key, {})[stretch] = None

    def stretches(self, key: Key) -> Iterable[Stretch]:
        """Return the stretches that speak of a name, in any order."""
        self._note_all()
        return self._stretches.get(key, ())

    def keys(self) -> Iterable[Key]:
        """Return every name that is spoken of."""
        self._note_all()
        return self._stretches

    def _note_all(self) -> None:
        for stretch in tuple(self._waiting):
            self.note(stretch)

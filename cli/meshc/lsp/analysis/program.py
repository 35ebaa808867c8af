"""The documents of one program, and where a name is declared and used in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshc.lsp.analysis.document import Cursor, Document
from meshc.lsp.analysis.place import Encoding, Place, Position, Range
from meshc.lsp.analysis.question import Origin
from meshc.lsp.analysis.symbol import Key, NameKind, Occurrence, Role, by_key, occurrences
from meshc_lang.incremental import Stretch
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText
from meshc_lang.tree.node import Node


@dataclass(frozen=True, slots=True)
class Site:
    """A name in a document; its spans count from `base`."""

    document: Document
    stretch: Stretch
    base: int
    occurrence: Occurrence

    @property
    def range(self) -> Range:
        """Where the name stands."""
        span = self.occurrence.span
        return self.document.range(self.base + span.start, self.base + span.end)

    @property
    def place(self) -> Place:
        """Where the name stands, and in which document."""
        return Place(self.document.key, self.range)

    @property
    def statement(self) -> Node | None:
        """The statement that the name is part of, the innermost of nested ones."""
        found: Node | None = None
        for statement in self.stretch.reading.statements or ():
            if statement.span.start <= self.occurrence.span.start < statement.span.end:
                found = statement
        return found


class ProgramView:
    """What an editor's questions are asked of: the documents by key, and of which revision each was compiled last.

    `others` are files that are not of the language, as manifests, and were as they are when the program was compiled.
    """

    def __init__(
        self,
        documents: Mapping[str, Document],
        compiled: Mapping[str, int] | None = None,
        others: Mapping[str, SourceText] | None = None,
        encoding: Encoding = Encoding.UTF16,
    ) -> None:
        self.documents = documents
        self.compiled = compiled or {}
        self.others = others or {}
        self._encoding = encoding

    def now(self, origin: Origin) -> int:
        """Return the offset at which something stands now that stood elsewhere when the program was compiled."""
        document = self.documents.get(origin.key)
        return 0 if document is None else document.followed(origin.start, self.compiled.get(origin.key, 0))

    def place_of(self, origin: Origin) -> Place | None:
        """Return where something stands now that was compiled; None in a file that is not there."""
        document = self.documents.get(origin.key)
        if document is None:
            return self._elsewhere(origin)
        revision = self.compiled.get(origin.key, 0)
        start, end = document.followed(origin.start, revision), document.followed(origin.end, revision)
        return document.place(start, max(start, end))

    def _elsewhere(self, origin: Origin) -> Place | None:
        other = self.others.get(origin.key)
        if other is None or origin.end > len(other.text):
            return None
        ends = []
        for offset in (origin.start, origin.end):
            line = other.position(offset).line
            start = other.line_starts[line - 1]
            ends.append(Position(line - 1, self._encoding.width(other.text[start:offset])))
        return Place(origin.key, Range(*ends))

    def stretches(self) -> Iterator[tuple[Document, Stretch, int]]:
        """Return every stretch of every document with where it begins."""
        for key in sorted(self.documents):
            document = self.documents[key]
            base = 0
            for stretch in document.source.stretches:
                yield document, stretch, base
                base += len(stretch.text)

    def sites(self, key: Key) -> Iterator[Site]:
        """Return where a name stands; within a file in any order."""
        for name in sorted(self.documents):
            document = self.documents[name]
            source = document.source
            for stretch in document.names.stretches(key):
                index = source.index_of(stretch)
                if index is None:
                    continue
                base = source.start_of(index)
                for occurrence in stretch.derived(by_key)[key]:
                    yield Site(document, stretch, base, occurrence)

    def sorted_sites(self, key: Key) -> list[Site]:
        """Return where a name stands, in the order of files and places."""
        return sorted(self.sites(key), key=lambda site: (site.document.key, site.base, site.occurrence.span.start))

    def declared(self, key: Key) -> list[Site]:
        """Return where a name is declared; where nothing declares it, the `use` that seems to."""
        sites = self.sorted_sites(key)
        declared = [site for site in sites if site.occurrence.role is Role.DECLARED]
        return declared or [site for site in sites if site.occurrence.role is Role.PERHAPS]

    def meant(self, occurrence: Occurrence) -> Key | None:
        """Return which of its keys a name means; None for a word that is no name."""
        if occurrence.role is Role.DECLARED:
            return occurrence.key
        found = next((key for key in occurrence.keys if any(self._declares(key))), None)
        return found if found is not None or occurrence.role is Role.PERHAPS else occurrence.key

    def _declares(self, key: Key) -> Iterator[Site]:
        return (site for site in self.sites(key) if site.occurrence.role is Role.DECLARED)

    def uses(self, key: Key) -> list[Site]:
        """Return every place where the name means this, declarations included."""
        return [
            site
            for site in self.sorted_sites(key)
            if (len(site.occurrence.keys) == 1 and site.occurrence.role is not Role.PERHAPS)
            or self.meant(site.occurrence) == key
        ]

    def name_at(self, cursor: Cursor) -> tuple[Site, Key] | None:
        """Return the name at a place and what it means."""
        relative = cursor.offset - cursor.base
        for occurrence in cursor.stretch.derived(occurrences):
            if occurrence.span.start <= relative <= occurrence.span.end:
                key = self.meant(occurrence)
                if key is not None:
                    return Site(cursor.document, cursor.stretch, cursor.base, occurrence), key
        return self._peer_word(cursor)

    def _peer_word(self, cursor: Cursor) -> tuple[Site, Key] | None:
        """In a statement that cannot be read a word is a name if there is a service, external or group of that name."""
        word = cursor.document.word_at(cursor.offset)
        if cursor.nodes or word is None or cursor.stretch.reading.statements is not None:
            return None
        key = Key(NameKind.PEER, word.text)
        if not self.declared(key):
            return None
        span = cursor.stretch.source.span(word.start - cursor.base, word.end - cursor.base)
        occurrence = Occurrence((key,), span, Role.USED)
        return Site(cursor.document, cursor.stretch, cursor.base, occurrence), key

    def names(self, kind: NameKind, owner: str | None = None) -> list[str]:
        """Return the declared names of a kind, of one owner if that is given, sorted."""
        found: set[str] = set()
        for document in self.documents.values():
            for key in document.names.keys():  # noqa: SIM118 - an index is no dictionary
                if (
                    key.kind is kind
                    and owner in (None, key.owner)
                    and key.name not in found
                    and any(self._declares(key))
                ):
                    found.add(key.name)
        return sorted(found)

"""From a name to where it is declared and used, and all of it under another name."""

from __future__ import annotations

import re

from meshc.lsp.analysis.document import Cursor
from meshc.lsp.analysis.place import Place, Range, TextEdit
from meshc.lsp.analysis.program import ProgramView, Site
from meshc.lsp.analysis.symbol import NOT_PEERS, Key, NameKind, Role
from meshc_lang.record import dataclass
from meshc_lang.reference import IN_OVERLAYS, STATEMENTS, WORDS
from meshc_lang.tree.declaration import ImportDecl

_NAME = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\Z")

_ONE_NAMESPACE = (NameKind.PEER, NameKind.VALUE, NameKind.JWT)
"""Kinds of names of which one may not be called as another: an overlay's paths begin with any of them."""


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a name is declared: the name there, and what is around it."""

    origin: Range
    place: Place
    whole: Range


@dataclass(frozen=True, slots=True)
class Highlight:
    """A place where the name under the cursor stands; `declared` where it is declared."""

    range: Range
    declared: bool


class RefusedError(Exception):
    """A rename that can't be done, and why, in words for the user."""


def definitions(view: ProgramView, cursor: Cursor) -> tuple[Definition, ...]:
    """Return where the name at a place is declared; for an `import`, the file."""
    named = view.name_at(cursor)
    if named is None:
        return _imported(view, cursor)
    site, key = named
    found = []
    for declared in view.declared(key):
        statement = declared.statement
        whole = declared.range
        if statement is not None:
            whole = declared.document.range(declared.base + statement.span.start, declared.base + statement.span.end)
        found.append(Definition(site.range, declared.place, whole))
    return tuple(found)


def _imported(view: ProgramView, cursor: Cursor) -> tuple[Definition, ...]:
    statement = cursor.nodes[0] if cursor.nodes else None
    if not isinstance(statement, ImportDecl) or statement.kind is not None:
        return ()
    folder = cursor.document.key.rpartition("/")[0]
    key = _joined(folder, statement.path.text)
    document = view.documents.get(key)
    if document is None:
        return ()
    beginning = document.range(0, 0)
    return (Definition(cursor.range(statement.path.span), Place(key, beginning), beginning),)


def _joined(folder: str, path: str) -> str:
    parts = [] if path.startswith("/") else folder.split("/")
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) if parts[:1] == [""] or not path.startswith("/") else "/" + "/".join(parts)


def references(view: ProgramView, cursor: Cursor, *, with_declaration: bool) -> tuple[Place, ...]:
    """Return everywhere that the name at a place is used."""
    named = view.name_at(cursor)
    if named is None:
        return ()
    sites = view.uses(named[1])
    return tuple(site.place for site in sites if with_declaration or site.occurrence.role is not Role.DECLARED)


def highlights(view: ProgramView, cursor: Cursor) -> tuple[Highlight, ...]:
    """Return where the name at a place stands in the same document."""
    named = view.name_at(cursor)
    if named is None:
        return ()
    own = ProgramView({cursor.document.key: cursor.document})
    sites = [site for site in own.sorted_sites(named[1]) if view.meant(site.occurrence) == named[1]]
    return tuple(Highlight(site.range, site.occurrence.role is Role.DECLARED) for site in sites)


# ---- rename


def renamable(view: ProgramView, cursor: Cursor) -> tuple[Range, str]:
    """Return the name at a place that can be renamed, and where it stands; raises `RefusedError` if there is none."""
    named = view.name_at(cursor)
    if named is None:
        word = cursor.document.word_at(cursor.offset)
        if word is not None and (word.text in NOT_PEERS or word.text in STATEMENTS or word.text in WORDS):
            raise RefusedError(f"`{word.text}` is a word of the language and can't be renamed")
        raise RefusedError("there is no name here that could be renamed")
    site, key = named
    if not any(one.occurrence.role is Role.DECLARED for one in view.sites(key)):
        raise RefusedError(f"there is no declaration of {_described(key)}, so it can't be renamed")
    return site.range, key.name


def rename(view: ProgramView, cursor: Cursor, new: str) -> tuple[tuple[str, tuple[TextEdit, ...]], ...]:
    """Return the edits, by document, that give a name another one; raises `RefusedError` if that can't be done."""
    renamable(view, cursor)
    named = view.name_at(cursor)
    assert named is not None  # noqa: S101 - `renamable` has just found it
    key = named[1]
    if new == key.name:
        return ()
    _check_new_name(view, key, new)
    edits: dict[str, list[TextEdit]] = {}
    for site in _all_sites(view, key):
        edits.setdefault(site.document.key, []).append(TextEdit(site.range, new))
    return tuple((name, tuple(found)) for name, found in edits.items())


def _all_sites(view: ProgramView, key: Key) -> list[Site]:
    sites = view.uses(key)
    if key.kind is NameKind.PEER:
        # `use f(api)`: the argument is the name of what the template writes out.
        sites += [site for site in view.sites(key) if site.occurrence.role is Role.PERHAPS and site not in sites]
    return sites


def _check_new_name(view: ProgramView, key: Key, new: str) -> None:
    if not _NAME.match(new):
        raise RefusedError(f"`{new}` is no name: names have letters, digits, `_` and `-`, and begin with no digit")
    if key.kind in _ONE_NAMESPACE and (new in NOT_PEERS or new in IN_OVERLAYS):
        raise RefusedError(f"`{new}` is a word of the language and cannot name a {key.kind}")
    kinds = _ONE_NAMESPACE if key.kind in _ONE_NAMESPACE else (key.kind,)
    for kind in kinds:
        other = Key(kind, new, key.owner)
        if any(site.occurrence.role is Role.DECLARED for site in view.sites(other)):
            raise RefusedError(f"there is {_described(other)} already")


def _described(key: Key) -> str:
    article = "an" if key.kind.value[0] in "aeiou" else "a"
    owner = f" of `{key.owner}`" if key.owner else ""
    return f"{article} {key.kind} `{key.name}`{owner}"

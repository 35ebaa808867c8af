"""Where the rules of a mesh are written: the statement and grant of each, and the groups that it names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_compiler.ir.policy import Rule
from meshc_compiler.loader import Program
from meshc_compiler.lower.rule import GrantSite
from meshc_lang.source import Span
from meshc_lang.tree.declaration import GroupDecl
from meshc_lang.tree.node import Node
from meshc_lang.tree.policy import NamedPeer
from meshc_lang.tree.statement import AllowDecl, DenyDecl, OverlayDecl, TemplateDecl

_Place = tuple[str, int, int]


class SentenceSites:
    """The allows, denies and groups of a program, within templates and overlays too, by where they stand."""

    def __init__(self, program: Program) -> None:
        self._sites: dict[_Place, GrantSite] = {}
        self._groups: dict[str, GroupDecl] = {}
        for file in program.files:
            for statement in _every(file.statements):
                if isinstance(statement, AllowDecl | DenyDecl):
                    for grant in statement.grants:
                        self._sites[grant.span.sort_key] = GrantSite(statement, grant)
                elif isinstance(statement, GroupDecl):
                    self._groups[statement.name.text] = statement

    def site(self, rule: Rule) -> GrantSite | None:
        """Return where a rule is written, as the text has it."""
        return None if rule.origin is None else self._sites.get(rule.origin.sort_key)

    def group_of_callers(self, site: GrantSite) -> GroupDecl | None:
        """Return the group that a sentence names as its callers."""
        caller = site.statement.flow.caller
        return self._groups.get(caller.name.text) if isinstance(caller, NamedPeer) and caller.part is None else None


def _every(statements: Iterable[Node]) -> Iterator[Node]:
    for statement in statements:
        yield statement
        if isinstance(statement, TemplateDecl):
            yield from _every(statement.body)
        elif isinstance(statement, OverlayDecl):
            yield from _every(statement.items)


def plain(span: Span) -> Span:
    """Return a stretch of the text itself, without how it came into the program."""
    return Span(span.source, span.start, span.end)

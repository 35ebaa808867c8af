"""An index from method and canonical path to the rules that could match, whatever their number.

The path is walked once, segment by segment, through a tree; only regular expressions, and conditions of rules
that lead to one and the same place, are tried one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from meshc_runtime.condition import Predicate
from meshc_runtime.path import Segment, SegmentKind, parse_template, path_segments
from meshc_runtime.regex import LinearRegex
from meshc_runtime.snapshot import PathPattern, RegexPath, TemplatePath

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[T]):
    """One rule: its place in the document, what it must still satisfy, what it means.

    Of two rules of one `group` the earlier wins where both match.
    """

    order: int
    group: str
    condition: Predicate | None
    value: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher(Generic[T]):
    """An entry with the methods (null: any) and the path (null: any) that lead to it."""

    methods: tuple[str, ...] | None
    path: PathPattern | None
    entry: Entry[T]


@dataclass(slots=True, kw_only=True)
class _Node(Generic[T]):
    """A place in the tree: what ends here, what covers everything from here on, where to go on."""

    ends: list[Entry[T]] = field(default_factory=list)
    covers: list[Entry[T]] = field(default_factory=list)
    literals: dict[str, _Node[T]] = field(default_factory=dict)
    shaped: list[tuple[Segment, _Node[T]]] = field(default_factory=list)

    def child(self, segment: Segment) -> _Node[T]:
        if segment.kind is SegmentKind.LITERAL:
            node = self.literals.get(segment.text)
            if node is None:
                node = self.literals[segment.text] = _Node()
            return node
        for shape, known in self.shaped:
            if shape == segment:
                return known
        node = _Node()
        self.shaped.append((segment, node))
        return node


class _PathTree(Generic[T]):
    """The entries of one method, by path."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._regexes: dict[str, tuple[LinearRegex, list[Entry[T]]]] = {}

    def add(self, pattern: PathPattern | None, entry: Entry[T]) -> None:
        match pattern:
            case None:
                _insert(self._root.covers, entry)
            case TemplatePath():
                template = parse_template(pattern.template)
                node = self._root
                for segment in template.segments:
                    node = node.child(segment)
                _insert(node.covers if template.open_end else node.ends, entry)
            case RegexPath():
                if pattern.regex not in self._regexes:
                    self._regexes[pattern.regex] = (LinearRegex(pattern.regex), [])
                _insert(self._regexes[pattern.regex][1], entry)

    def candidates(self, path: str) -> list[Entry[T]]:
        found: list[Entry[T]] = []
        nodes = [self._root]
        for segment in path_segments(path):
            following: list[_Node[T]] = []
            for node in nodes:
                found += node.covers
                literal = node.literals.get(segment)
                if literal is not None:
                    following.append(literal)
                for shape, child in node.shaped:
                    if shape.accepts(segment):
                        following.append(child)
            nodes = following
        for node in nodes:
            found += node.ends
            found += node.covers
        for regex, entries in self._regexes.values():
            if regex.matches(path):
                found += entries
        return found


def _insert(entries: list[Entry[T]], entry: Entry[T]) -> None:
    """Add an entry, in ascending order, unless an earlier one of its group always wins at this place."""
    if not any(known.group == entry.group and known.condition is None for known in entries):
        entries.append(entry)


class RequestIndex(Generic[T]):
    """The compiled matchers; `candidates` are the entries whose method and path match a request."""

    def __init__(self, matchers: Iterable[Matcher[T]]) -> None:
        """Compile the matchers.

        Raises:
            ValueError: a template or regular expression that cannot be compiled.
        """
        self._methods: dict[str, _PathTree[T]] = {}
        self._others: _PathTree[T] = _PathTree()
        listed = list(matchers)
        for matcher in listed:
            for method in matcher.methods or ():
                self._methods.setdefault(method, _PathTree())
        for matcher in listed:
            if matcher.methods is None:
                self._others.add(matcher.path, matcher.entry)
                for tree in self._methods.values():
                    tree.add(matcher.path, matcher.entry)
            else:
                for method in set(matcher.methods):
                    self._methods[method].add(matcher.path, matcher.entry)

    def candidates(self, method: str, path: str) -> list[Entry[T]]:
        """The entries for this method and canonical path, in no order; their conditions are not tried yet."""
        return self._methods.get(method, self._others).candidates(path)

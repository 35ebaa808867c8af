"""YAML and JSON as a tree in which every node knows its place: built from events, within bounds.

PyYAML's own composer recurses and copies nothing for an alias, so that a text of a kilobyte can stand for a billion
nodes. Here every alias costs what it stands for, and nesting has an end. No tag is obeyed: there are texts, lists and
mappings, and nothing is constructed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass, field
from meshc_lang.source import SourceText, Span

DEEPEST = 200
"""The most mappings and lists inside each other."""
MOST_NODES = 2_000_000
"""The most nodes of one text, those that aliases repeat counted again: the API of Kubernetes itself has 300,000."""

_SURROGATES = pattern(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_MERGE = "<<"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A text, a number, a word: `text` is its value, `plain` whether it stands without quotes."""

    text: str
    plain: bool
    span: Span = field(compare=False, repr=False)

    @property
    def number(self) -> int | None:
        """The whole number that it is, if it is one."""
        digits = self.text.lstrip("-+")
        return int(self.text) if self.plain and digits.isascii() and digits.isdigit() and len(digits) < 19 else None

    @property
    def is_null(self) -> bool:
        """Whether it says nothing."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping; of two entries with one key the last counts, as in every reader of Kubernetes objects."""

    entries: dict[str, tuple[Scalar, Node]]
    span: Span = field(compare=False, repr=False)

    def get(self, *path: str) -> Node | None:
        """Return what stands at a path of keys; None where a part of it is missing, null or no mapping."""
        node: Node = self
        for key in path:
            if not isinstance(node, Mapping) or key not in node.entries:
                return None
            node = node.entries[key][1]
        return None if isinstance(node, Scalar) and node.is_null else node

    def key(self, key: str) -> Scalar:
        """Return the key itself, as it stands; it must be there."""
        return self.entries[key][0]

    def text(self, *path: str) -> str | None:
        """Return the text at a path."""
        node = self.get(*path)
        return node.text if isinstance(node, Scalar) else None

    def mapping(self, *path: str) -> Mapping | None:
        """Return the mapping at a path."""
        node = self.get(*path)
        return node if isinstance(node, Mapping) else None

    def items(self, *path: str) -> tuple[Node, ...]:
        """Return the items of the list at a path; none where there is no list."""
        node = self.get(*path)
        return node.items if isinstance(node, Sequence) else ()

    def mappings(self, *path: str) -> tuple[Mapping, ...]:
        """Return those items of the list at a path that are mappings."""
        return tuple(item for item in self.items(*path) if isinstance(item, Mapping))


Node: TypeAlias = Scalar | Sequence | Mapping
"""Any part of a document."""


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """Why a text is not YAML that is read here."""

    message: str
    span: Span


def read_yaml(source: SourceText) -> tuple[Node, ...] | YamlProblem:
    """Return the documents of a text, empty ones left out."""
    import yaml  # takes a while, and only programs with such imports need it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _TreeBuilder(source).documents(yaml.parse(_as_yaml(source.text), Loader=loader))
    except _UnreadableError as problem:
        return YamlProblem(str(problem), problem.span)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        start = min(mark.index if mark is not None else 0, len(source.text))
        return YamlProblem(str(error.problem or error.context or "it is malformed"), _character(source, start))
    except yaml.reader.ReaderError as error:
        start = min(error.position or 0, len(source.text))
        return YamlProblem(
            f"the character U+{ord(source.text[start : start + 1] or ' '):04X} may not stand in it",
            _character(source, start),
        )


class _UnreadableError(Exception):
    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.span = span


@dataclass(slots=True)
class _Open:
    """A list or mapping of which the end has not come yet."""

    start: int
    anchor: str | None
    is_mapping: bool
    children: list[Node] = field(default_factory=list)
    weight: int = 1


class _TreeBuilder:
    """Makes nodes of events, with a stack of its own."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._unfinished: set[str] = set()
        self._total = 0

    def documents(self, events: Iterator[Any]) -> tuple[Node, ...]:
        found: list[Node] = []
        for event in events:
            kind = type(event).__name__
            match kind:
                case "DocumentStartEvent":
                    self._anchors.clear()
                case "ScalarEvent":
                    span = self._span(event)
                    node = Scalar(text=event.value, plain=event.style is None or event.style == "", span=span)
                    self._put(node, 1, event.anchor, found)
                case "AliasEvent":
                    self._put(*self._repeated(event), None, found)
                case "SequenceStartEvent" | "MappingStartEvent":
                    self._begin(event, kind == "MappingStartEvent")
                case "SequenceEndEvent" | "MappingEndEvent":
                    self._end(event, found)
                case _:
                    pass
        return tuple(node for node in found if not (isinstance(node, Scalar) and node.is_null))

    def _begin(self, event: Any, is_mapping: bool) -> None:
        if len(self._open) >= DEEPEST:
            raise _UnreadableError(f"it is nested deeper than {DEEPEST} levels", self._span(event))
        if event.anchor is not None:
            self._unfinished.add(event.anchor)
        self._open.append(_Open(event.start_mark.index, event.anchor, is_mapping))

    def _end(self, event: Any, found: list[Node]) -> None:
        ended = self._open.pop()
        children = ended.children
        end = event.end_mark.index
        if event.start_mark.index == end:
            # The end of a block is noticed at the next token: what belongs to it ends with its last child.
            end = max(children[-1].span.end, ended.start) if children else ended.start
        span = self._source.span(ended.start, end)
        node: Node
        node = self._mapping(children, span) if ended.is_mapping else Sequence(items=tuple(children), span=span)
        self._put(node, ended.weight, ended.anchor, found)

    def _mapping(self, children: list[Node], span: Span) -> Mapping:
        merged: dict[str, tuple[Scalar, Node]] = {}
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise _UnreadableError("a key of a mapping is a list or a mapping", key.span)
            if key.text == _MERGE and key.plain:
                sources = value.items if isinstance(value, Sequence) else (value,)
                for source in sources:
                    if isinstance(source, Mapping):
                        # Of several the first that has a key wins.
                        merged = source.entries | merged
            else:
                entries[key.text] = (key, value)
        return Mapping(entries=merged | entries if merged else entries, span=span)

    def _repeated(self, event: Any) -> tuple[Node, int]:
        name = event.anchor
        if name in self._unfinished:
            raise _UnreadableError(f"`*{name}` stands inside of what it repeats", self._span(event))
        known = self._anchors.get(name)
        if known is None:
            raise _UnreadableError(f"there is no anchor `&{name}` before it", self._span(event))
        return known

    def _put(self, node: Node, weight: int, anchor: str | None, found: list[Node]) -> None:
        if anchor is not None:
            self._unfinished.discard(anchor)
            self._anchors[anchor] = (node, weight)
        if not self._open:
            found.append(node)
            self._total += weight
        else:
            parent = self._open[-1]
            parent.children.append(node)
            parent.weight += weight
            if parent.weight + self._total > MOST_NODES:
                message = f"it has more than {MOST_NODES:,} nodes, what aliases repeat counted again"
                raise _UnreadableError(message, node.span)

    def _span(self, event: Any) -> Span:
        return self._source.span(event.start_mark.index, event.end_mark.index)


def _character(source: SourceText, start: int) -> Span:
    return source.span(start, min(start + 1, len(source.text)))


def _as_yaml(text: str) -> str:
    """Return the text such that YAML reads JSON too, no character moved.

    JSON may be indented by tabs, and writes characters beyond U+FFFF as two escapes, which YAML refuses.
    """
    if not text.lstrip().startswith(("{", "[")):
        return text
    return _SURROGATES.sub(r"\\ufffd\\ufffd", text.replace("\t", " "))

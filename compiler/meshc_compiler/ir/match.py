"""What a request must look like: methods, path, and conditions on what it bears and who makes it."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from meshc_compiler.ir.caller import Callers
from meshc_lang.record import dataclass, field


class SegmentKind(StrEnum):
    """What one segment of a path template accepts."""

    LITERAL = "literal"
    ANY = "any"
    """`*` or `{id}`: exactly one segment that is not empty."""
    INT = "int"
    """`{id:int}`: ASCII digits."""
    UUID = "uuid"
    """`{id:uuid}`: 8-4-4-4-12 hexadecimal digits of any case (RFC 9562 §4)."""
    SLUG = "slug"
    """`{id:slug}`: lower-case ASCII letters, digits and hyphens."""
    REST = "rest"
    """`**`, last only: zero or more segments."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a template; `literal` is empty unless the kind is LITERAL."""

    kind: SegmentKind
    literal: str = ""


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A template, as `/v1/carts/{id:uuid}`, compared segment by segment with a canonical path."""

    segments: tuple[Segment, ...]

    def __str__(self) -> str:
        def text(segment: Segment) -> str:
            match segment.kind:
                case SegmentKind.LITERAL:
                    return segment.literal
                case SegmentKind.ANY:
                    return "*"
                case SegmentKind.REST:
                    return "**"
                case kind:
                    return f"{{id:{kind}}}"

        return "/" + "/".join(text(segment) for segment in self.segments)


@dataclass(frozen=True, slots=True)
class PathRegex:
    """A regular expression (RE2 syntax) that must match the whole canonical path."""

    pattern: str

    def __str__(self) -> str:
        return f'~"{self.pattern}"'


PathMatch: TypeAlias = PathTemplate | PathRegex
"""What a path must look like."""


@dataclass(frozen=True, slots=True)
class HeaderPresent:
    """The header has at least one line; the line may be empty. `name` is in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class HeaderOneOf:
    """Some member of the header is one of `values` (sorted). `name` is in lower case.

    The members are the pieces between commas of all its lines, each without at most one leading space
    (RFC 9110 §5.6.1).
    """

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeaderMatches:
    """Some member of the header is matched as a whole by the expression (RE2 syntax). `name` is in lower case."""

    name: str
    pattern: str


class AttributeKind(StrEnum):
    """Where else a request bears values under names; names are compared exactly, letter by letter."""

    QUERY = "query"
    """A parameter of the query: its values are percent-decoded, and `+` is a space (WHATWG URL §5.1)."""
    COOKIE = "cookie"
    """A pair of any `Cookie` line (RFC 6265 §4.2.1), without the quotes around its value."""
    CLAIM = "claim"
    """A claim of a token that was verified for a declared issuer (RFC 7519 §4): each member of a list is a value."""


@dataclass(frozen=True, slots=True)
class AttributePresent:
    """The request bears a value under the name, be it empty."""

    kind: AttributeKind
    name: str


@dataclass(frozen=True, slots=True)
class AttributeOneOf:
    """Some value that the request bears under the name is one of `values` (sorted)."""

    kind: AttributeKind
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttributeMatches:
    """Some value that the request bears under the name is matched as a whole by the expression (RE2 syntax)."""

    kind: AttributeKind
    name: str
    pattern: str


@dataclass(frozen=True, slots=True)
class CallerIn:
    """The caller is one of these. `text` is how the program names them, behind `from`."""

    callers: Callers
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class AllOf:
    """All operands hold."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some operand holds."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The operand does not hold."""

    operand: Condition


Condition: TypeAlias = (
    HeaderPresent
    | HeaderOneOf
    | HeaderMatches
    | AttributePresent
    | AttributeOneOf
    | AttributeMatches
    | CallerIn
    | AllOf
    | AnyOf
    | Not
)
"""What must hold of what a request bears, and of its caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMatch:
    """A set of requests. `methods` (sorted) empty means any; `path` None means any; `condition` None means none.

    `RequestMatch()` is everything a port carries, connections of a TCP port among it.
    """

    methods: tuple[str, ...] = ()
    path: PathMatch | None = None
    condition: Condition | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it matches whatever the port carries."""
        return not self.methods and self.path is None and self.condition is None

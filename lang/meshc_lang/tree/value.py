"""Values in blocks: typed literals, names, lists and blocks."""

from __future__ import annotations

from typing import TypeAlias

from meshc_lang.record import dataclass
from meshc_lang.tree.node import Name, Node, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer(Node):
    """A bare whole number."""

    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decimal(Node):
    """A bare number with a fraction; `text` as written, so that nothing is lost to binary floats."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration(Node):
    """A length of time, as `250ms`: whole nanoseconds, and the text as written."""

    nanoseconds: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent(Node):
    """A share, as `20%`: in millionths (20 % is 200,000), so that shares add up exactly."""

    millionths: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size(Node):
    """A number of bytes, as `64KiB`."""

    bytes: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate(Node):
    """So many in a unit of time, as `500/s`; the unit in seconds (1, 60 or 3600)."""

    amount: int
    seconds: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLiteral(Node):
    """A port and its protocol, as `8080/http`: one of http, http2, grpc, tcp, tls."""

    number: int
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Path(Node):
    """A path or path template, as `/v1/orders/**`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Node):
    """`on` or `off`."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Node):
    """From one value to another, as `25ms..250ms`."""

    low: Duration | Integer
    high: Duration | Integer


@dataclass(frozen=True, slots=True, kw_only=True)
class ListValue(Node):
    """`[a, b]`."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Node):
    """One entry of a block: `key: value`, or `key { … }`, whose value is a block."""

    key: Name | Text
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Node):
    """`{ … }`: entries in the order written."""

    pairs: tuple[Pair, ...]


Value: TypeAlias = (
    Name
    | Text
    | Integer
    | Decimal
    | Duration
    | Percent
    | Size
    | Rate
    | PortLiteral
    | Path
    | Switch
    | Range
    | ListValue
    | Block
)
"""Whatever may stand behind a colon."""

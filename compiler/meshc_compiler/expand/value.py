"""Values that are moved to where a name stood: whether they fit there, and how their spans tell of the way."""

from __future__ import annotations

import dataclasses
from typing import Any

from meshc_compiler.expand.rewrite import Place, Rewriter
from meshc_compiler.finding import Findings
from meshc_compiler.lower.field import as_percent, wrong_type
from meshc_lang.source import ExpandedSpan, Span, UseSite, Waypoint, expanded
from meshc_lang.tree.node import Name
from meshc_lang.tree.policy import PathPattern
from meshc_lang.tree.value import Decimal, Duration, Integer, Path, Percent, Rate, Size, Value

WANTED = {
    Place.RATE: ("`limit`", "a rate, for example `500/s`"),
    Place.BURST: ("`burst`", "a whole number, for example `100`"),
    Place.SHARE: ("a target", "a share, for example `20%`"),
    Place.PATH: ("a grant", "a path, for example `/v1/**`"),
}
"""What stands at each place that takes one kind of value, and of what it is said."""


def fits(place: Place, value: Value) -> bool:
    """Tell whether a value may stand at a place; behind a colon every kind may, and the field judges it."""
    match place:
        case Place.RATE:
            return isinstance(value, Rate)
        case Place.BURST:
            return isinstance(value, Integer)
        case Place.SHARE:
            return isinstance(value, Percent)
        case Place.PATH:
            return isinstance(value, Path)
        case _:
            return True


def put(place: Place, value: Value, findings: Findings) -> Any | None:
    """Return the node that a value is at a place; None, with a finding, where it cannot stand there."""
    if fits(place, value):
        return (
            PathPattern(span=value.span, text=value.text) if place is Place.PATH and isinstance(value, Path) else value
        )
    what, wanted = WANTED[place]
    if place is Place.SHARE and isinstance(value, Integer | Decimal):
        as_percent(value, "a share", findings)
    else:
        wrong_type(findings, what, wanted, value)
    return None


def at_name(value: Value, name: Name, overlay: str = "") -> Value:
    """Return a `let`'s value as it stands where its name is used: told there, and pointing at the `let`.

    What is within a list or a block keeps its own place and points at the name.
    """
    moved = _PointAt(Waypoint(name.span, "used here"), expanded(name.span)).node(value)
    here, there = expanded(name.span), expanded(value.span)
    span = dataclasses.replace(
        here,
        waypoints=(*here.waypoints, Waypoint(value.span, "the value comes from here"), *there.waypoints),
        written=there.written or value.span,
        remarks=(f"overlay {overlay}",) if overlay else there.remarks,
    )
    return dataclasses.replace(moved, span=span)


def at_parameter(argument: Value, parameter: Name) -> Value:
    """Return an argument as it stands where a parameter does: told at the `use`, and pointing at the template."""
    waypoint = Waypoint(parameter.span, f"`{parameter}` stands here")
    return _PointAt(waypoint, None).node(argument)


class _PointAt(Rewriter):
    """Gives every span within a value one more waypoint; and the provenance of `through`, where the value goes to."""

    def __init__(self, waypoint: Waypoint, through: ExpandedSpan | None) -> None:
        self._waypoint = waypoint
        self._through = through

    def span(self, span: Span) -> Span:
        own = expanded(span)
        uses: tuple[UseSite, ...] = own.uses
        within = own.within
        if self._through is not None:
            uses, within = uses or self._through.uses, within or self._through.within
        return dataclasses.replace(own, waypoints=(*own.waypoints, self._waypoint), uses=uses, within=within)


def same_meaning(left: Value, right: Value) -> bool:
    """Tell whether two values say the same, however they are spelt (`1s` and `1000ms`)."""
    return bool(_Bare().node(left) == _Bare().node(right))


class _Bare(Rewriter):
    """Takes the spelling off quantities."""

    def node(self, node: Any) -> Any:
        if isinstance(node, Duration | Percent | Rate | Size):
            return dataclasses.replace(node, text="")
        return super().node(node)

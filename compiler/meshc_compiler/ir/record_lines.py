"""The record of a mesh (`dump.record_text`) with what it says of some callees exchanged, line by line."""

from __future__ import annotations

import json
from typing import Any

from meshc_compiler.ir.dump import record_text
from meshc_compiler.ir.mesh import Mesh

__all__ = ["exchanged"]

_ORDERS: dict[str, tuple[str, ...]] = {
    "rules": ("id",),
    "limits": ("id",),
    "routes": ("service", "port"),
    "edge_settings": (),
    "port_settings": (),
}
"""Lists of parts that are about one callee each, and by which of their fields they are sorted; else by their words."""

_BETWEEN = ",\n"

_CALLEE = {"rules": "callee", "limits": "callee", "routes": "service"}


def exchanged(record: str, part: Mesh, callees: frozenset[str]) -> str | None:
    """Return a record that says of these callees what a part of the mesh says of them, and of others what it said.

    None where a list would begin or end to be there, or the text is none that `record_text` wrote.
    """
    new = record_text(part)
    for name in _ORDERS:
        own = _bounds(new, name)
        mine = [] if own is None else [new[start:end] for start, end in _about(name, new, own, callees)]
        there = _bounds(record, name)
        if there is None:
            if mine:
                return None
            continue
        gone = _about(name, record, there, callees)
        if not gone and not mine:
            continue
        parts = _joined(name, record, there, gone, mine)
        if not parts:
            return None
        record = record[: there[0]] + parts + record[there[1] :]
    return record


def _bounds(record: str, name: str) -> tuple[int, int] | None:
    """Return where the parts of a list begin and end. No text within a part holds a line break."""
    mark = f'\n"{name}":[\n'
    start = record.find(mark)
    end = record.find("\n]", start)
    return None if start < 0 or end < 0 else (start + len(mark), end)


def _about(name: str, record: str, bounds: tuple[int, int], callees: frozenset[str]) -> list[tuple[int, int]]:
    """Return where the parts of a list stand that are about some callees, in order."""
    found: set[tuple[int, int]] = set()
    for callee in callees:
        mark = json.dumps(callee)
        if (field := _CALLEE.get(name)) is not None:
            mark = f'"{field}":{mark}'
        at = record.find(mark, *bounds)
        while at >= 0:
            start, end = _line(record, bounds, at)
            if _callee(name, record[start:end]) in callees:
                found.add((start, end))
            at = record.find(mark, end, bounds[1])
    return sorted(found)


def _line(record: str, bounds: tuple[int, int], at: int) -> tuple[int, int]:
    """Return where the part begins and ends in which a place is, without the comma behind it."""
    start = record.rfind("\n", bounds[0], at) + 1 or bounds[0]
    end = record.find("\n", at, bounds[1])
    return start, bounds[1] if end < 0 else end - 1


def _joined(name: str, record: str, bounds: tuple[int, int], gone: list[tuple[int, int]], mine: list[str]) -> str:
    """Return the parts of a list without some, and with others where they belong."""
    events = [(start, 1, end, "") for start, end in gone]
    events += [(_place(name, record, bounds, line), 0, 0, line) for line in mine]
    parts: list[str] = []
    at = bounds[0]
    for place, leaves, end, line in sorted(events, key=lambda event: event[:2]):
        if place > at:
            parts.append(record[at : place - len(_BETWEEN)])
            at = place
        if leaves:
            at = end + len(_BETWEEN)
        else:
            parts.append(line)
    if at < bounds[1]:
        parts.append(record[at : bounds[1]])
    return _BETWEEN.join(parts)


def _place(name: str, record: str, bounds: tuple[int, int], line: str) -> int:
    """Return where the first part begins that does not come before another; behind the last, as if one followed it."""
    key = _key(name, line)
    low, high = bounds[0], bounds[1] + len(_BETWEEN)
    while low < high:
        start, end = _line(record, bounds, min((low + high) // 2, bounds[1] - 1))
        if _key(name, record[start:end]) < key:
            low = end + len(_BETWEEN)
        else:
            high = start
    return low


def _callee(name: str, line: str) -> str:
    part = json.loads(line)
    callee = part[1] if name not in _CALLEE else part[_CALLEE[name]]
    return callee if isinstance(callee, str) else ""


def _key(name: str, line: str) -> tuple[Any, ...]:
    part = json.loads(line)
    if order := _ORDERS[name]:
        return tuple(part[field] for field in order)
    return tuple(part[:-1])

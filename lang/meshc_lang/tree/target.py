"""Where a route sends a request, or what it answers itself."""

from __future__ import annotations

from typing import TypeAlias

from meshc_lang.record import dataclass
from meshc_lang.tree.node import Name, Node, Text
from meshc_lang.tree.value import Integer, Percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Node):
    """`v1 95%`, `api.v2`: where a route sends, and which share of it; the share may be the name of one."""

    name: Name
    part: Name | None = None
    share: Percent | Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(Node):
    """`redirect "https://shop.example/"`: the caller is sent elsewhere."""

    location: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Respond(Node):
    """`respond 404`: the caller gets this status."""

    status: Integer


Answer: TypeAlias = Redirect | Respond
"""What a sidecar answers itself."""

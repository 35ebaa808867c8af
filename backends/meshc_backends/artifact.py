"""What a backend makes: files, some of them secret."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath

from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file of a bundle: its path inside the bundle (relative, with `/`) and its bytes.

    A secret one is written 0600 and never shown: neither its repr nor a diagnostic holds its content.
    """

    path: str
    content: bytes
    secret: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a path that would leave the bundle: that is a bug of a backend."""
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError(f"artifact path {self.path!r} leaves the bundle")

    def __repr__(self) -> str:
        shown = "[redacted]" if self.secret else f"{len(self.content)} bytes"
        return f"Artifact({self.path!r}, {shown})"


class Loss(StrEnum):
    """What became of a part of the program that a target cannot say."""

    REFUSED = "refused"
    """The target denies such calls: nothing is opened that the program closes."""
    NARROWED = "narrowed"
    """The target enforces less finely, and another layer of the same build enforces the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A part of the program that the target does not carry as written, for the manifest: what, and why."""

    target: str
    loss: Loss
    subject: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """What one backend returns: files, findings, reservations. With an error among the findings nothing is written."""

    artifacts: tuple[Artifact, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    reservations: tuple[Reservation, ...] = ()

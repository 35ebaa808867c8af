"""What happens if something that a target does not carry reaches its emission after all: nothing is written."""

from __future__ import annotations


class NotCarriedError(Exception):
    """A part of the mesh that the target does not carry reached its emission; the build refuses it before that."""

    def __init__(self, part: object) -> None:
        super().__init__(f"{part!r} is refused before anything is emitted")

"""What a reader does not know is an error of its own: nothing is passed over where it could change a file's meaning."""

from __future__ import annotations


class UnreadError(Exception):
    """A file says something at a place that its reader does not know."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what

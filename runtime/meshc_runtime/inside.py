"""The proxy's own pages: readiness, metrics, and the admin pages on loopback. One request a connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from meshc_runtime.http1_head import find_head_end, parse_request_head
from meshc_runtime.loop import Loop, Timer
from meshc_runtime.message import HttpError
from meshc_runtime.stream import Stream

_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page says now."""

    status: int
    content_type: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a page: GET or POST, and the parameters of the query."""

    method: str
    query: Mapping[str, str]


Pages = Mapping[str, Callable[[Asked], Page]]


def text_page(status: int, text: str) -> Page:
    """A page of plain text."""
    return Page(status=status, content_type="text/plain; charset=utf-8", text=text)


def json_page(value: object) -> Page:
    """A page of JSON."""
    return Page(status=200, content_type="application/json", text=json.dumps(value, indent=2) + "\n")


class PageConnection:
    """A connection that asks for one page."""

    def __init__(
        self,
        loop: Loop,
        pages: Pages,
        closed: Callable[[PageConnection], None],
        takes_posts: frozenset[str] = frozenset(),
    ) -> None:
        self._pages = pages
        self._takes_posts = takes_posts
        self._closed = closed
        self._stream: Stream | None = None
        self._buffer = b""
        self._answered = False
        self._timer: Timer = loop.call_later(_SECONDS, self.close)

    def attach(self, stream: Stream) -> None:
        """Begin, on a stream whose owner this is."""
        self._stream = stream

    def connected(self) -> None:
        """Nothing to do: the request comes next."""

    def received(self, data: bytes) -> None:
        """Some of the request's head; a body is not read."""
        if self._answered:
            return
        scanned = len(self._buffer)
        self._buffer += data
        try:
            end = find_head_end(self._buffer, scanned)
            if end < 0:
                return
            head = parse_request_head(self._buffer[:end])
            page = self._pages.get(head.path)
            takes_posts = head.path in self._takes_posts
            if head.method not in ("GET", "HEAD") and not (head.method == "POST" and takes_posts):
                answer = text_page(405, "only GET and POST\n" if takes_posts else "only GET\n")
            elif page is None:
                answer = text_page(404, "pages: " + " ".join(self._pages) + "\n")
            else:
                query = dict(parse_qsl(head.query.removeprefix("?"), keep_blank_values=True, max_num_fields=16))
                answer = page(Asked(method="POST" if head.method == "POST" else "GET", query=query))
            self._answer(answer, head_only=head.method == "HEAD")
        except ValueError:
            self._answer(text_page(400, "too many parameters\n"), head_only=False)
        except HttpError as error:
            self._answer(text_page(error.status, error.reason + "\n"), head_only=False)

    def ended(self, _clean: bool, /) -> None:
        """The client sends no more: it may still be reading the answer."""
        if not self._answered or self._stream is None or self._stream.sent:
            self.close()

    def drained(self) -> None:
        """The answer has left."""

    def lost(self, _reason: str, /) -> None:
        """The connection is gone."""
        self.close()

    def close(self) -> None:
        """Close now."""
        self._timer.cancel()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            self._closed(self)

    def _answer(self, page: Page, *, head_only: bool) -> None:
        self._answered = True
        body = page.text.encode()
        head = (
            f"HTTP/1.1 {page.status} {_REASONS.get(page.status, 'Error')}\r\ncontent-type: {page.content_type}\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        if self._stream is not None:
            self._stream.write(head.encode() + (b"" if head_only else body))
            self._stream.finish()


_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

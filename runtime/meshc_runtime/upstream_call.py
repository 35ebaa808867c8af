"""What passes between a request and the connection that carries it, in whatever protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from meshc_runtime.hpack import Field
from meshc_runtime.message import OutgoingRequest, ResponseHead
from meshc_runtime.retry import TryFailure

if TYPE_CHECKING:
    from meshc_runtime.endpoint import Endpoint


class UpstreamUser(Protocol):
    """A request that uses a connection; after `upstream_failed` and `upstream_finished` it no longer does."""

    def upstream_ready(self) -> None:
        """The connection is up and proven; the request may be sent."""

    def upstream_failed(self, failure: TryFailure, reason: str) -> None:
        """The connection is gone without a whole response."""

    def upstream_head(self, head: ResponseHead) -> None:
        """The response's head."""

    def upstream_body(self, payload: bytes) -> None:
        """Some of the response's body."""

    def upstream_finished(self, trailers: tuple[Field, ...]) -> None:
        """The response is whole."""

    def upstream_flush(self) -> None:
        """Nothing more is at hand for now."""

    def upstream_drained(self) -> None:
        """The request's bytes have left, after congestion."""


class UpstreamCall(Protocol):
    """One try of one request, on a connection of its own or a stream of a shared one."""

    ready: bool

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint that it goes to, once one is known."""

    @property
    def address(self) -> str:
        """Where it goes, for the log; empty while no address is known."""

    def send_request(self, request: OutgoingRequest, payload: bytes, trailers: tuple[Field, ...] | None) -> bool:
        """Send a request and what there is of its body; with `trailers` (or none: empty) it is whole.

        False when the peer is slow and `upstream_drained` will follow.
        """

    def send_body(self, payload: bytes) -> bool:
        """Send more of the body; false as above."""

    def send_end(self, trailers: tuple[Field, ...]) -> None:
        """The request is whole."""

    def pause(self) -> None:
        """Read no more of the response for now."""

    def resume(self) -> None:
        """Read the response again."""

    def abort(self) -> None:
        """The user no longer wants an answer."""

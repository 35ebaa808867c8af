"""Clusters: endpoints that can answer for each other, the choice among them, and the connections to them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection

from meshc_runtime.balancer import Balancer
from meshc_runtime.circuit_breaker import CircuitBreaker
from meshc_runtime.endpoint import Endpoint
from meshc_runtime.loop import Loop
from meshc_runtime.outlier import Ejector
from meshc_runtime.resolve import Resolver, is_literal
from meshc_runtime.retry import RetryBudget, TryFailure
from meshc_runtime.snapshot import Cluster
from meshc_runtime.upstream_call import UpstreamCall, UpstreamUser
from meshc_runtime.upstream_http1 import Http1Upstream
from meshc_runtime.upstream_http2 import Http2Upstream
from meshc_runtime.upstream_link import UpstreamLink
from meshc_runtime.watched_call import WatchedCall


class UpstreamCluster:
    """The endpoints that answer for one cluster.

    `verify` checks the peer of a finished handshake and raises IdentityError; null context means bare TCP. `random`
    gives numbers in [0, 1) to the choice among endpoints.
    """

    def __init__(
        self,
        loop: Loop,
        cluster: Cluster,
        *,
        context: ssl.SSLContext | None,
        server_name: str | None,
        verify: Callable[[ssl.SSLObject], None],
        resolver: Resolver,
        random: Callable[[], float],
    ) -> None:
        self.loop = loop
        self.name = cluster.name
        self.budget = RetryBudget()
        self.context = context
        self.server_name = server_name
        self.verify = verify
        self.connect_timeout = cluster.connect_timeout_ms / 1000
        self.open = 0
        self.http2 = cluster.speaks == "h2"
        self.waiting: list[UpstreamLink] = []
        self._unplaced: Http2Upstream | None = None
        self.breaker = None if cluster.breaker is None else CircuitBreaker(cluster.breaker)
        self.ejector = None if cluster.ejection is None else Ejector(cluster.ejection, loop.clock)
        self._balancer = Balancer(cluster.balance, random, loop.clock)
        self._watches = self.breaker is not None or self.ejector is not None or cluster.balance == "peak-ewma"
        self._idle_timeout = None if cluster.idle_timeout_ms is None else cluster.idle_timeout_ms / 1000
        self._found: dict[tuple[str, int], list[str]] = {}
        self._unanswered = 0
        self.endpoints: list[Endpoint] = []
        for endpoint in cluster.endpoints:
            place = (endpoint.host, endpoint.port)
            if is_literal(endpoint.host):
                self._found[place] = [endpoint.host]
            else:
                self._found[place] = []
                self._unanswered += 1
        self._rebuild()
        for host, port in self._found:
            if not is_literal(host):
                resolver.watch(host, self._answer_for(host, port))

    @property
    def searching(self) -> bool:
        """Whether there may yet be endpoints that are not known."""
        return not self.endpoints and self._unanswered > 0

    def acquire(
        self, user: UpstreamUser, method: str, avoid: Collection[str] = (), key: bytes | None = None
    ) -> UpstreamCall:
        """A call for one request: ready at once, or one that will tell its user when it is.

        Endpoints to `avoid` (as `host:port`) are passed over while there is another. Calls of one `key` go to one
        endpoint where that is what balancing goes by.
        """
        endpoint = self._choose(avoid, key)
        if self._watches:
            watched = WatchedCall(self, user, method)
            watched.begin(endpoint)
            return watched
        return self.connect(user, method, endpoint)

    def connect(self, user: UpstreamUser, method: str, endpoint: Endpoint | None) -> UpstreamCall:
        """A call on a connection to this endpoint, or to one that is still to be found."""
        if self.http2:
            return self._shared(endpoint).call(user, method)
        if endpoint is not None and endpoint.idle:
            connection = endpoint.idle.pop()
            connection.begin(user, method)
            return connection
        connection = Http1Upstream(self, user, method)
        self._place(connection, endpoint)
        return connection

    def has_ready(self, endpoint: Endpoint | None) -> bool:
        """Whether a call to this endpoint could be sent at once."""
        if endpoint is None:
            return False
        return any(link.ready and link.room > 0 for link in endpoint.shared) if self.http2 else bool(endpoint.idle)

    def may_connect(self, endpoint: Endpoint) -> bool:
        """Whether a call to this endpoint may have a connection made, or can share one."""
        return self.http2 or not endpoint.links or not self._connected_enough

    @property
    def _connected_enough(self) -> bool:
        return self.breaker is not None and self.open >= self.breaker.max_connections

    def released(self, endpoint: Endpoint) -> None:
        """A connection to an endpoint is free, or gone: somebody may wait for that."""
        if endpoint.queue:
            self.loop.call_later(0, lambda: self._serve_queue(endpoint))

    def _serve_queue(self, endpoint: Endpoint) -> None:
        while endpoint.queue and (endpoint.idle or self.may_connect(endpoint)):
            endpoint.queue.popleft().leave_queue()

    def place(self, link: UpstreamLink, key: bytes | None = None) -> None:
        """Connect for a whole connection of a client's."""
        if self._connected_enough:
            link.fail_soon(TryFailure.OVERFLOW, "too many connections")
        else:
            self._place(link, self._choose((), key))

    def stop_waiting(self, link: UpstreamLink) -> None:
        """Look for no address any more for this connection."""
        if link in self.waiting:
            self.waiting.remove(link)
        if link is self._unplaced:
            self._unplaced = None

    def close_idle(self, now: float, seconds: float) -> None:
        """Close the connections that have been idle for so long, or for as long as the cluster has stated."""
        before = now - (seconds if self._idle_timeout is None else self._idle_timeout)
        for endpoint in self.endpoints:
            _close(endpoint, before)

    def close_all(self) -> None:
        """Close the connections that carry nothing."""
        for endpoint in self.endpoints:
            _close(endpoint, float("inf"))

    def _shared(self, endpoint: Endpoint | None) -> Http2Upstream:
        """A connection of HTTP/2 that has room: one that is there, or a new one."""
        known = endpoint.shared if endpoint is not None else [self._unplaced] if self._unplaced else []
        for link in known:
            if link.room > 0:
                return link
        if endpoint is not None and self._connected_enough:
            going_on = [link for link in known if not link.going]
            if going_on:
                return min(going_on, key=lambda link: link.load)
        link = Http2Upstream(self)
        if endpoint is None:
            self._unplaced = link
        self._place(link, endpoint)
        return link

    def _place(self, link: UpstreamLink, endpoint: Endpoint | None) -> None:
        if endpoint is not None:
            link.open(endpoint)
        elif self._unanswered:
            self.waiting.append(link)
            link.limit_connecting()
        else:
            link.fail_soon(TryFailure.CONNECT_FAILURE, "no endpoints")

    def _answer_for(self, host: str, port: int) -> Callable[[list[str]], None]:
        first = True

        def answered(addresses: list[str]) -> None:
            nonlocal first
            if first:
                first = False
                self._unanswered -= 1
            if addresses and addresses != self._found[(host, port)]:
                self._found[(host, port)] = addresses
                self._rebuild()
            if self.endpoints or not self._unanswered:
                waiting, self.waiting = self.waiting, []
                self._unplaced = None
                for connection in waiting:
                    endpoint = self._choose()
                    if endpoint is not None:
                        connection.open(endpoint)
                    else:
                        connection.fail_soon(TryFailure.CONNECT_FAILURE, "name does not resolve")

        return answered

    def _choose(self, avoid: Collection[str] = (), key: bytes | None = None) -> Endpoint | None:
        """The endpoint for a call; null where none is known, or none is well."""
        usable = self.endpoints
        if self.ejector is not None:
            self.ejector.look()
            usable = [known for known in usable if not known.outlier.out]
        if not usable:
            return None
        if avoid:
            others = [known for known in usable if known.text not in avoid]
            if others and key is None:
                return min(others, key=lambda known: known.active)
            usable = others or usable
        return usable[self._balancer.choose(self.endpoints, usable, key)]

    def _rebuild(self) -> None:
        known = {endpoint.address: endpoint for endpoint in self.endpoints}
        wanted = [(address, place[1]) for place, addresses in self._found.items() for address in addresses]
        self.endpoints = [
            known.pop(address) if address in known else Endpoint(address) for address in dict.fromkeys(wanted)
        ]
        if self.ejector is not None:
            self.ejector.members = [endpoint.outlier for endpoint in self.endpoints]
        for endpoint in known.values():
            endpoint.present = False
            _close(endpoint, float("inf"))


def _close(endpoint: Endpoint, before: float) -> None:
    """Close the connections that have carried nothing since before this time."""
    links: list[UpstreamLink] = [*endpoint.idle, *(link for link in endpoint.shared if link.idle)]
    for link in links:
        if link.idle_since < before:
            link.discard()

"""Clusters: endpoints that can answer for each other, the choice among them, and the connections to them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection

from meshc_runtime.balance import Rotation
from meshc_runtime.endpoint import Endpoint
from meshc_runtime.loop import Loop
from meshc_runtime.resolve import Resolver, is_literal
from meshc_runtime.retry import RetryBudget, TryFailure
from meshc_runtime.snapshot import Cluster
from meshc_runtime.upstream_call import UpstreamCall, UpstreamUser
from meshc_runtime.upstream_http1 import Http1Upstream
from meshc_runtime.upstream_http2 import Http2Upstream
from meshc_runtime.upstream_link import UpstreamLink


class UpstreamCluster:
    """The endpoints that answer for one cluster.

    `verify` checks the peer of a finished handshake and raises IdentityError; null context means bare TCP.
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
        self._rotation = Rotation()
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

    def acquire(self, user: UpstreamUser, method: str, avoid: Collection[str] = ()) -> UpstreamCall:
        """A call for one request: ready at once, or one that will tell its user when it is.

        Endpoints to `avoid` (as `host:port`) are passed over while there is another.
        """
        endpoint = self._choose(avoid) if self.endpoints else None
        if self.http2:
            return self._shared(endpoint).call(user, method)
        if endpoint is not None and endpoint.idle:
            connection = endpoint.idle.pop()
            connection.begin(user, method)
            return connection
        connection = Http1Upstream(self, user, method)
        self._place(connection, endpoint)
        return connection

    def place(self, link: UpstreamLink) -> None:
        """Connect for a whole connection of a client's."""
        self._place(link, self._choose() if self.endpoints else None)

    def stop_waiting(self, link: UpstreamLink) -> None:
        """Look for no address any more for this connection."""
        if link in self.waiting:
            self.waiting.remove(link)
        if link is self._unplaced:
            self._unplaced = None

    def close_idle(self, before: float) -> None:
        """Close the connections that have been idle since before this time."""
        for endpoint in self.endpoints:
            links: list[UpstreamLink] = [*endpoint.idle, *(link for link in endpoint.shared if link.idle)]
            for link in links:
                if link.idle_since < before:
                    link.discard()

    def _shared(self, endpoint: Endpoint | None) -> Http2Upstream:
        """A connection of HTTP/2 that has room: one that is there, or a new one."""
        known = endpoint.shared if endpoint is not None else [self._unplaced] if self._unplaced else []
        for link in known:
            if link.room > 0:
                return link
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
                    if self.endpoints:
                        connection.open(self._choose())
                    else:
                        connection.fail_soon(TryFailure.CONNECT_FAILURE, "name does not resolve")

        return answered

    def _choose(self, avoid: Collection[str] = ()) -> Endpoint:
        endpoints = self.endpoints
        others = [known for known in endpoints if known.text not in avoid] if avoid else []
        if others:
            return min(others, key=lambda known: known.active)
        loads = [known.active for known in endpoints]
        busiest = max(loads)
        if busiest:
            # What cannot be reached runs nothing, and must not for that get the turns of the others.
            loads = [busiest if known.failing else known.active for known in endpoints]
        return endpoints[self._rotation.choose(loads)]

    def _rebuild(self) -> None:
        known = {endpoint.address: endpoint for endpoint in self.endpoints}
        wanted = [(address, place[1]) for place, addresses in self._found.items() for address in addresses]
        self.endpoints = [
            known.pop(address) if address in known else Endpoint(address) for address in dict.fromkeys(wanted)
        ]
        for endpoint in known.values():
            endpoint.present = False
            links: list[UpstreamLink] = [*endpoint.idle, *(link for link in endpoint.shared if link.idle)]
            for link in links:
                link.discard()

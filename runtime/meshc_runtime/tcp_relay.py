"""A connection whose bytes nobody looks into: judged once, by who connects, then carried both ways.

Each half ends by itself, as the peers end it. A connection that carries nothing for long is closed.
"""

from __future__ import annotations

import time

from meshc_runtime.call import ClientRegistry, Side
from meshc_runtime.endpoint import Endpoint
from meshc_runtime.judge import DeniedError
from meshc_runtime.retry import TryFailure
from meshc_runtime.stream import Stream
from meshc_runtime.upstream_link import LinkCluster, UpstreamLink

_EARLY_BYTES = 65_536


class TcpRelay:
    """One client's connection and the one that is made for it."""

    def __init__(self, registry: ClientRegistry, side: Side, stream: Stream) -> None:
        self.side = side
        self._idle_seconds = side.idle_seconds
        self.deadline: float | None = registry.loop.now + self._idle_seconds
        self._registry = registry
        self._client: Stream | None = stream
        self._record = side.new_record()
        self._began = time.monotonic()
        self._used = registry.loop.now
        self._early: list[bytes] = []
        self._early_bytes = 0
        self._client_ended = False
        self._service_ended = False
        self._service: _TcpUpstream | None = None

    def begin(self) -> None:
        """Judge the connection, and make the other one."""
        try:
            cluster = self.side.admit(self._record)
        except DeniedError as denied:
            record = self._record
            self._registry.metrics.of(record).denied.add((record.direction, record.service, record.rule))
            self._end(denied.reason)
            return
        self._record.attempts = 1
        self._service = _TcpUpstream(cluster, self)
        cluster.place(self._service, self.side.hash)

    def connected(self) -> None:
        """The client's stream was up before."""

    def received(self, data: bytes) -> None:
        """Bytes of the client."""
        service = self._service
        if service is None or self._client is None:
            return
        self._used = self._registry.loop.now
        self._record.request_bytes += len(data)
        if not service.ready:
            self._early.append(data)
            self._early_bytes += len(data)
            if self._early_bytes > _EARLY_BYTES:
                self._client.pause()
        elif not service.write(data):
            self._client.pause()

    def ended(self, clean: bool, /) -> None:
        """The client sends no more: the service is told, and may go on."""
        del clean
        self._client_ended = True
        if self._service is not None and self._service.ready:
            self._service.end_writing()
        self._finish_if_done()

    def drained(self) -> None:
        """The client takes more."""
        if self._service is not None:
            self._service.resume()
        self._finish_if_done()

    def lost(self, reason: str) -> None:
        """The client is gone."""
        self._end(f"client: {reason}")

    def timed_out(self) -> None:
        """See whether anything was carried since."""
        left = self._used + self._idle_seconds - self._registry.loop.now
        if left <= 0:
            self._end("idle")
        else:
            self.deadline = self._registry.loop.now + left

    def drain(self) -> None:
        """Nobody knows where in a protocol the two are: they end it themselves, or are cut in the end."""

    def close(self) -> None:
        """Close both."""
        self._end("")

    def give_up(self, reason: str) -> None:
        """Close both, and say why."""
        self._end(reason)

    # What the service's connection tells.

    def service_ready(self, service: _TcpUpstream) -> None:
        """Carry what the client has said so far."""
        self._record.upstream = service.address
        early, self._early = b"".join(self._early), []
        flowing = service.write(early) if early else True
        if self._client_ended:
            service.end_writing()
        elif self._client is not None and flowing:
            self._client.resume()

    def service_received(self, data: bytes) -> bool:
        """Bytes of the service; false when the client is slow."""
        client = self._client
        if client is None:
            return True
        self._used = self._registry.loop.now
        self._record.response_bytes += len(data)
        client.write(data)
        return not client.congested

    def service_ended(self) -> None:
        """The service sends no more: the client is told, and may go on."""
        self._service_ended = True
        if self._client is not None:
            self._client.end_writing()
        self._finish_if_done()

    def service_drained(self) -> None:
        """The service takes more."""
        if self._client is not None:
            self._client.resume()
        self._finish_if_done()

    def service_failed(self, failure: TryFailure, reason: str) -> None:
        """The service cannot be reached, or is gone."""
        self._service = None
        self._registry.metrics.of(self._record).upstream_failures.add((self._record.cluster, failure.value))
        self._end(f"{failure.value}: {reason}")

    def _finish_if_done(self) -> None:
        client, service = self._client, self._service
        both_sent = client is not None and client.sent and (service is None or service.sent)
        if self._client_ended and self._service_ended and both_sent:
            self._end("")

    def _end(self, reason: str) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        record, registry = self._record, self._registry
        service, self._service = self._service, None
        if service is not None:
            service.abandon()
        record.reason = reason
        outcome = "failed" if reason and not record.request_bytes + record.response_bytes else "carried"
        if record.attempts == 0:
            outcome = "denied"
        registry.metrics.of(record).tcp_connections.add((record.direction, record.service, record.rule, outcome))
        registry.log(record, time.time(), time.monotonic() - self._began)
        client.close()
        registry.closed(self)


class _TcpUpstream(UpstreamLink):
    """The connection to the service."""

    def __init__(self, cluster: LinkCluster, relay: TcpRelay) -> None:
        super().__init__(cluster)
        self._relay: TcpRelay | None = relay
        self._counted = False

    @property
    def sent(self) -> bool:
        """Whether everything written has left."""
        return self._stream is None or self._stream.sent

    def write(self, data: bytes) -> bool:
        """Send; false when the service is slow."""
        if self._stream is None:
            return True
        self._stream.write(data)
        return not self._stream.congested

    def end_writing(self) -> None:
        """The client sends no more."""
        if self._stream is not None:
            self._stream.end_writing()

    def resume(self) -> None:
        """The client takes more."""
        if self._stream is not None:
            self._stream.resume()

    def abandon(self) -> None:
        """Nobody is there any more."""
        self._relay = None
        self.discard()

    def placed(self, endpoint: Endpoint) -> None:
        """The endpoint has one connection more."""
        self._counted = True
        endpoint.active += 1

    def withdrawn(self) -> None:
        """The endpoint has one less."""
        if self._counted and self._endpoint is not None:
            self._endpoint.active -= 1
        self._counted = False

    def up(self, stream: Stream) -> None:
        """The service can be talked to."""
        del stream
        if self._relay is not None:
            self._relay.service_ready(self)

    def failed(self, failure: TryFailure, reason: str) -> None:
        """It cannot, or no longer."""
        relay, self._relay = self._relay, None
        self.discard()
        if relay is not None:
            relay.service_failed(failure, reason)

    def received(self, data: bytes) -> None:
        """Bytes of the service."""
        if self._relay is not None and not self._relay.service_received(data) and self._stream is not None:
            self._stream.pause()

    def ended(self, clean: bool, /) -> None:
        """The service sends no more."""
        del clean
        if self._relay is not None:
            self._relay.service_ended()

    def drained(self) -> None:
        """Written bytes have left."""
        if self._relay is not None:
            self._relay.service_drained()

"""The two halves of a proxy as its client connections meet them: who connects, and what judges their requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.judge import (
    Admitted,
    DeniedError,
    RefusedConnectionError,
    RefusedRequestError,
    identity_value,
    judge_connection,
    judge_inbound,
    judge_outbound,
)
from meshc_runtime.message import RequestHead
from meshc_runtime.policy import CARRIED, InboundPolicy, Policy
from meshc_runtime.snapshot import OutboundConnection
from meshc_runtime.stream import Stream
from meshc_runtime.tls import IdentityError, PeerIdentities, asked_server_name
from meshc_runtime.upstream import UpstreamCluster

INBOUND = "inbound"
OUTBOUND = "outbound"

_CONNECTION_IDLE_SECONDS = 3600.0


class InboundSide:
    """One connection from the mesh: its peer is authenticated once, its port chosen once."""

    direction = INBOUND
    opaque = False
    idle_seconds = _CONNECTION_IDLE_SECONDS
    hash: bytes | None = None

    def __init__(
        self,
        policy: Policy,
        apps: Mapping[str, UpstreamCluster],
        identities: PeerIdentities,
        random: Callable[[], float],
    ) -> None:
        self._random = random
        self._policy = policy
        self._apps = apps
        self._identities = identities
        self._caller = ""
        self._identity = b""
        self._port: InboundPolicy | None = None

    def greet(self, stream: Stream) -> None:
        """Read the peer's identity and the port it asked for.

        Raises:
            RefusedConnectionError: no identity, or no such port.
        """
        session = None if stream.tls is None else stream.tls.session
        try:
            identity = self._identities.read(session)
        except IdentityError as error:
            raise RefusedConnectionError("identity", str(error)) from None
        self._caller = identity.spiffe_id
        port = self._policy.inbound_port(asked_server_name(session))
        if port is None:
            raise RefusedConnectionError("port", "no port for this server name")
        self._port = port
        self.opaque = port.port.protocol not in CARRIED
        if port.port.connection_idle_ms is not None:
            self.idle_seconds = port.port.connection_idle_ms / 1000
        own = self._policy.snapshot.workload.spiffe_id
        self._identity = identity_value(own, identity.spiffe_id, identity.fingerprint)

    def new_record(self) -> AccessRecord:
        """A record of a request of this peer."""
        record = AccessRecord(direction=INBOUND, caller=self._caller)
        if self._port is not None:
            port = self._port.port
            record.service = port.service
            record.port = port.number
            record.logged = port.access_log
            record.measured = port.metrics
            record.sampling = port.trace_sampling
        return record

    def admit(self, record: AccessRecord) -> UpstreamCluster:
        """Judge the connection by the rules of its port.

        Raises:
            DeniedError: the caller may not connect.
        """
        if self._port is None:
            raise DeniedError(403, "no port")
        return self._apps[judge_connection(self._port, self._caller, record)]

    def judge(self, head: RequestHead, record: AccessRecord) -> tuple[Admitted, UpstreamCluster]:
        """Judge a request by the rules of the connection's port.

        Raises:
            RefusedRequestError: it is answered by the proxy itself.
        """
        if self._port is None:
            raise RefusedRequestError(503, "no port")
        admitted = judge_inbound(self._port, self._caller, self._identity, head, record, self._random)
        return admitted, self._apps[admitted.cluster]


class OutboundSide:
    """Every connection from the workload's own app."""

    direction = OUTBOUND
    opaque = False
    idle_seconds = _CONNECTION_IDLE_SECONDS
    hash: bytes | None = None

    def __init__(self, policy: Policy, clusters: Mapping[str, UpstreamCluster], random: Callable[[], float]) -> None:
        self._policy = policy
        self._clusters = clusters
        self._random = random
        self._source = b""

    def greet(self, stream: Stream) -> None:
        """Whoever reaches the loopback listener is the workload."""
        self._source = stream.peer

    def new_record(self) -> AccessRecord:
        """A record of a request of the workload."""
        return AccessRecord(direction=OUTBOUND, caller=self._policy.snapshot.workload.spiffe_id)

    def admit(self, record: AccessRecord) -> UpstreamCluster:
        """Whole connections have listeners of their own.

        Raises:
            DeniedError: always.
        """
        del record
        raise DeniedError(403, "no connection")

    def judge(self, head: RequestHead, record: AccessRecord) -> tuple[Admitted, UpstreamCluster]:
        """Judge a request by its Host.

        Raises:
            RefusedRequestError: it is answered by the proxy itself.
        """
        admitted = judge_outbound(self._policy, head, self._random, record, self._source)
        return admitted, self._clusters[admitted.cluster]


class ConnectionSide:
    """Every connection of the workload's own app to one port that is not HTTP; the callee judges it."""

    direction = OUTBOUND
    opaque = True
    hash: bytes | None = None

    def __init__(self, caller: str, connection: OutboundConnection, cluster: UpstreamCluster) -> None:
        self._caller = caller
        self._connection = connection
        self._cluster = cluster
        self.idle_seconds = connection.idle_timeout_ms / 1000

    def greet(self, stream: Stream) -> None:
        """Whoever reaches the loopback listener is the workload."""
        if self._connection.hash_key is not None:
            self.hash = stream.peer

    def new_record(self) -> AccessRecord:
        """A record of a connection of the workload."""
        record = AccessRecord(direction=OUTBOUND, caller=self._caller)
        record.service = self._connection.service
        record.port = self._connection.port
        record.logged = self._connection.access_log
        record.measured = self._connection.metrics
        return record

    def admit(self, record: AccessRecord) -> UpstreamCluster:
        """The callee's proxies."""
        record.cluster = self._connection.cluster
        return self._cluster

    def judge(self, head: RequestHead, record: AccessRecord) -> tuple[Admitted, UpstreamCluster]:
        """There are no requests here.

        Raises:
            RefusedRequestError: always.
        """
        del head, record
        raise RefusedRequestError(503, "no HTTP")

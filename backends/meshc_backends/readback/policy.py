"""What one workload's sidecar does, in no target's words: what the program asks for, or what a file was read as.

Values are compared as they stand, so each has one form: a time or bound of `None` is none. Fields that only help
to tell a person where something comes from take no part in that.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

from meshc_backends.readback.formula import Callers, Formula
from meshc_backends.readback.language import Language
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


@dataclass(frozen=True, slots=True)
class Named:
    """A rule's requests under the rule's name."""

    name: str = field(compare=False)
    formula: Formula
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of authorisation: refuses what some rule matches (`denies`), or what none does."""

    denies: bool
    rules: frozenset[Named]


Gate: TypeAlias = tuple[Stage, ...]
"""Steps of authorisation, all of which a request must pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A token bucket for each of the callers; with `per` (kind, name) for each value of it, and one without it."""

    callers: Callers
    per: tuple[str, str] | None
    amount: int
    seconds: int
    burst: int
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """A fault that befalls a share (millionths) of the callers' calls, delay and abort each by its own lot."""

    callers: Callers
    delay_ns: int | None
    abort_status: int | None
    share: int
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """How a peer is believed over TLS: its names (kind and text), the file of roots, and what we show and speak.

    `names` hold the kind of a name (`URI`, `DNS`, `IP`) and the exact name, or a beginning of it with `*` behind.
    `required` is whether a peer without a certificate is closed out.
    """

    names: frozenset[tuple[str, str]]
    roots: str
    own: tuple[str, str] | None
    server_name: str | None
    protocols: tuple[str, ...]
    versions: tuple[str, str]
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection:
    """When an instance is left alone: failures in a row, for how long, looked at how often, how many (millionths)."""

    in_a_row: int
    eject_ns: int
    interval_ns: int
    at_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is asked of instances: `question` is `GET path`, `grpc` or `connect`, put to `server_name` over `peer`."""

    question: str
    host: str | None
    peer: Peer | None
    interval_ns: int
    timeout_ns: int
    unhealthy: int
    healthy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Instances behind a call, and the terms on which they are called.

    `retry_budget` is the share (millionths) of calls under way that may be retries, and how many always may.
    """

    addresses: tuple[tuple[str, int], ...]
    speaks: str
    peer: Peer | None
    connect_timeout_ns: int | None
    idle_timeout_ns: int | None
    max_requests: int | None = None
    max_pending: int | None = None
    max_connections: int | None = None
    max_retries: int | None = None
    retry_budget: tuple[int, int] | None = None
    ejection: Ejection | None = None
    balance: str = "round-robin"
    health: Health | None = None
    calls_unwell: bool = False
    """Whether instances that are unwell or ejected are called where too few others are left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a call is tried again, how often, and after which pauses.

    With a `key_header` POST and PATCH are tried again only where they bear it.
    """

    on: frozenset[str]
    limit: int
    per_try_ns: int | None
    pause_ns: tuple[int, int]
    key_header: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The sidecar answers itself."""

    status: int
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """The call goes on: to instances by shares of the whole, copies by shares (millionths) of their own.

    `hashed` is what chooses the instance (kind, name). `host` is put in place of the caller's `Host`.
    """

    destinations: frozenset[tuple[Upstream, Fraction]]
    timeout_ns: int | None
    idle_timeout_ns: int | None = None
    retry: Retry | None = None
    hashed: tuple[str, str] | None = None
    copies: frozenset[tuple[Upstream, int]] = frozenset()
    host: str | None = None
    websockets: bool = False
    """Whether a request may open a WebSocket (RFC 6455)."""
    callers_deadline: bool = False
    """Whether a call is given up when the caller of gRPC has said that it waits no longer (`grpc-timeout`)."""
    origins: tuple[tuple[str, Span | None], ...] = field(default=(), compare=False, repr=False)
    """Where the program states the fields, by their names."""


Action: TypeAlias = Answer | Forward


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """What becomes of the requests of an entry: judged, limited, hit by mishaps, and answered or sent on."""

    action: Action
    gate: Gate = ()
    limits: frozenset[Limited] = frozenset()
    mishaps: frozenset[Mishap] = frozenset()
    name: str = field(default="", compare=False)
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """Requests, and what becomes of them if no earlier entry has them."""

    formula: Formula
    handling: Handling


class Spelling(StrEnum):
    """What is done to a path before anything looks at it."""

    RESOLVED = "dot segments are resolved and escapes decoded"
    MERGED = "slashes are merged"
    ESCAPED_SLASHES_REFUSED = "escaped slashes are refused"


class Habit(StrEnum):
    """What a sidecar does with every request, whoever it is from."""

    HOST_DOT_DROPPED = "a dot at the end of `Host` does not count"
    IDENTITY_FROM_CERTIFICATE = "what a peer says of its own identity is thrown away"
    CONTROL_HEADERS_DROPPED = "headers by which a peer would steer the proxy are thrown away"
    STREAMS_UNBOUNDED = "no request is ended for being idle"
    CONNECTIONS_KEPT = "connections are kept for longer than callers do"
    TRAILERS_KEPT = "trailers are passed on"
    OLD_PROTOCOL_REFUSED = "HTTP/1.0 is refused"
    SIZES_BOUNDED = "heads, headers and streams are bounded as documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What becomes of the requests to one port of one callee: the first entry that has a request decides.

    `carried` are the paths, as they look after `spelling`, that get as far as the entries: the others are answered with
    400. What no entry has is answered with 404. `refuses_underscores` is whether header names with `_` are.
    """

    entries: tuple[Entry, ...]
    carried: Language
    spelling: frozenset[Spelling] = frozenset(Spelling)
    habits: frozenset[Habit] = frozenset(Habit)
    refuses_underscores: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One port on which the workload is called. `server_names` choose the port; None: every name does.

    `peer` is who gets as far as the entries. `one_identity` is whether peers with several identities are closed out.
    `plaintext` is whether calls without TLS are heard.
    """

    name: str
    protocol: str
    server_names: frozenset[str] | None
    peer: Peer | None
    one_identity: bool
    plaintext: bool
    side: Side
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """What the workload calls by one `Host` (HTTP) or at one address of its own (connections)."""

    name: str = field(compare=False)
    side: Side
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that one sidecar does. `hosts` are by `Host` in lower case.

    `connections` are by the address at which the workload opens them; `listens` are the addresses of the sidecar's own
    listeners by name.
    """

    inbound: tuple[Inbound, ...]
    hosts: dict[str, Outbound]
    connections: dict[tuple[str, int], Outbound]
    listens: dict[str, tuple[str, int]]
    strangers: Language | None = None
    """The values of `Host` that are answered with 403; every other one that is not in `hosts` with 404."""

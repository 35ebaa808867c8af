"""Shadow traffic and injected faults."""

from __future__ import annotations

from meshc_compiler.ir.caller import Callers
from meshc_compiler.ir.match import RequestMatch
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A copy of a share of one port's requests, sent to a version of the service or to another one.

    The caller's sidecar sends the copy beside the request, as the same caller, and throws the answer away: the target
    must allow it, and nothing that it does reaches the caller. Every mirror that matches an allowed request applies.
    `target_port` is the number of a port that speaks the same; `target_version` None means all instances. `share` is in
    millionths of the requests that match. `id` is the mirror as a sentence.
    """

    id: str
    service: str
    port: int
    match: RequestMatch
    target_service: str
    target_port: int
    target_version: str | None
    share: int
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A mishap that is brought about on purpose for a share (millionths) of the calls to one port of a callee.

    It happens at the callee's sidecar to calls that are allowed, so that timeouts and retries of the caller meet it as
    they would meet a real one; for an external, which has no sidecar, at the caller's. Each delay and each abort draws
    its own lot for each call: a call waits for `delay_ns`, or is answered with `abort_status`, or first one and then
    the other. At least one of the two is there. `name` is the program's, the same for each port of its callees.
    """

    name: str
    callers: Callers
    callee: str
    port: int
    delay_ns: int | None
    abort_status: int | None
    share: int
    origin: Span | None = field(default=None, compare=False, repr=False)

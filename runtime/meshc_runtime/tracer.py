"""Traces of requests: begun or gone on with as the program says, and told to a collector if it names one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.log_level import is_error
from meshc_runtime.message import Fields, RequestHead
from meshc_runtime.otlp import CLIENT, SERVER, Span
from meshc_runtime.span_export import SpanExporter
from meshc_runtime.trace_context import TraceContext, read_context, with_context

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A request's part in a trace: the context it came with, or that was begun, and this proxy's own span."""

    context: TraceContext
    span_id: str
    began_ns: int


class Tracer:
    """What one proxy does about traces; the same for all its requests but for the share that it begins."""

    def __init__(
        self, forms: tuple[str, ...], exporter: SpanExporter | None, random_source: Callable[[], float]
    ) -> None:
        self._forms = forms
        self.exporter = exporter
        self._random = random_source

    def begin(self, head: RequestHead, record: AccessRecord) -> Trace | None:
        """The part of a request in a trace: in the one it came with, or in a new one. Null where nobody traces.

        The caller's verdict on whether a trace is kept holds; without one it is drawn by the share of the call.
        """
        context = read_context(head.fields, self._forms)
        if context is None and not record.sampling:
            return None
        known = context or TraceContext()
        sampled = known.sampled
        if sampled is None:
            sampled = self._random() * _MILLION < record.sampling
        trace_id = known.trace_id or _id(128)
        record.trace_id = trace_id
        return Trace(
            context=replace(known, trace_id=trace_id, sampled=sampled), span_id=_id(64), began_ns=time.time_ns()
        )

    def send_on(self, trace: Trace, fields: Fields) -> Fields:
        """The fields of the request as it goes on."""
        return with_context(fields, trace.context, trace.span_id, self._forms)

    def end(self, trace: Trace, record: AccessRecord) -> None:
        """Tell of a request that has ended."""
        if self.exporter is None or not trace.context.sampled:
            return
        inbound = record.direction == "inbound"
        callee = f"{record.service}:{record.port}" if record.service else "unknown"
        attributes: list[tuple[str, str | int]] = [
            ("http.request.method", record.method),
            ("url.path", record.path or record.original_path),
            ("server.address", record.service),
            ("server.port", record.port),
            ("http.response.status_code", record.status),
            ("meshc.direction", record.direction),
            ("meshc.caller", record.caller),
        ]
        optional = (
            ("meshc.rule", record.rule),
            ("meshc.route", record.route),
            ("meshc.cluster", record.cluster),
            ("network.peer.address", record.upstream),
        )
        attributes += [(name, value) for name, value in optional if value]
        if record.attempts > 1:
            attributes.append(("http.request.resend_count", record.attempts - 1))
        self.exporter.offer(
            Span(
                trace_id=trace.context.trace_id,
                span_id=trace.span_id,
                parent_id=trace.context.span_id,
                state=trace.context.state,
                name=f"{record.method} {callee}".strip(),
                kind=SERVER if inbound else CLIENT,
                began_ns=trace.began_ns,
                ended_ns=max(time.time_ns(), trace.began_ns),
                attributes=attributes,
                failed=(record.reason or f"status {record.status}") if is_error(record) else None,
            )
        )


def _id(bits: int) -> str:
    return f"{random.getrandbits(bits) or 1:0{bits // 4}x}"

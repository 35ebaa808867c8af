"""Why a request would be allowed or refused here: the real judgement, of a request that nobody has sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.http1_head import parse_request_head
from meshc_runtime.judge import AnsweredError, RefusedRequestError, judge_connection, judge_inbound, judge_outbound
from meshc_runtime.message import HttpError, RequestHead
from meshc_runtime.policy import CARRIED, InboundPolicy, Policy
from meshc_runtime.question import Question, QuestionError, parse_question
from meshc_runtime.rate_limit import RateLimiter
from meshc_runtime.snapshot import Destination


def explain(policy: Policy, text: str) -> dict[str, Any]:
    """The verdict on a request in the notation of tests, with the ids of what decided; limits are not drawn on.

    Raises:
        QuestionError: it is no request, or none that comes by this proxy.
    """
    question = parse_question(text)
    own = policy.snapshot.workload
    if question.caller in (own.name, own.spiffe_id):
        return {"version": 1, "request": text.strip(), **_outbound(policy, question)}
    ports = [port for port in policy.inbound.values() if port.port.service == question.callee]
    if not ports:
        raise QuestionError(
            f"`{question.callee}` is not behind this proxy, and `{question.caller}` does not call by it"
        )
    port = _port_of(question, {str(port.port.number): port for port in ports})
    return {"version": 1, "request": text.strip(), **_inbound(policy, port, question)}


def _inbound(policy: Policy, port: InboundPolicy, question: Question) -> dict[str, Any]:
    caller = _identity(policy, port, question.caller)
    record = AccessRecord(direction="inbound", caller=caller, service=port.port.service, port=port.port.number)
    without_limits = replace(port, limiter=RateLimiter((), policy.snapshot.workload.trust_domain, lambda: 0.0))
    refusal: RefusedRequestError | None = None
    try:
        if port.port.protocol in CARRIED:
            judge_inbound(without_limits, caller, b"", _head(question, port.port.service), record)
        else:
            judge_connection(without_limits, caller, record)
    except RefusedRequestError as error:
        refusal = error
    return _told(record, refusal) | {"limits": [limit.id for limit in port.port.limits]}


def _outbound(policy: Policy, question: Question) -> dict[str, Any]:
    own = policy.snapshot.workload.spiffe_id
    record = AccessRecord(direction="outbound", caller=own, service=question.callee)
    connections = {str(one.port): one for one in policy.snapshot.connections if one.service == question.callee}
    if question.opaque:
        connection = _port_of(question, connections)
        record.port, record.cluster = connection.port, connection.cluster
        return _told(record, None) | {"decided_by": "callee"}
    services = {str(one.port): one for one in policy.snapshot.outbound if one.name == question.callee}
    service = _port_of(question, services) if services else None
    host = question.callee if service is None else f"{service.hosts[0]}:{service.port}"
    refusal: RefusedRequestError | None = None
    try:
        judge_outbound(policy, _head(question, host), lambda: 0.0, record, faults=False)
    except RefusedRequestError as error:
        refusal = error
    told = _told(record, refusal)
    destinations: tuple[Destination, ...] = ()
    for route in () if service is None else service.routes:
        if route.id == record.route:
            destinations = route.destinations
    told["destinations"] = [{"cluster": one.cluster, "weight": one.weight} for one in destinations]
    told["decided_by"] = "callee" if refusal is None and service is not None and service.rules is None else "here"
    return told


def _told(record: AccessRecord, refusal: RefusedRequestError | None) -> dict[str, Any]:
    return {
        "direction": record.direction,
        "caller": record.caller,
        "callee": record.service,
        "port": record.port or None,
        "path": record.path or None,
        "allowed": refusal is None or isinstance(refusal, AnsweredError),
        "status": None if refusal is None else refusal.status,
        "reason": "" if refusal is None else refusal.reason,
        "rule": record.rule or None,
        "route": record.route or None,
        "cluster": record.cluster or None,
    }


def _head(question: Question, host: str) -> RequestHead:
    if question.opaque:
        raise QuestionError(f"`{question.callee}` takes requests at this port, not whole connections")
    lines = [f"{question.method} {question.target} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in question.headers if name != "host"]
    try:
        return parse_request_head("\r\n".join((*lines, "", "")).encode("latin-1", "replace"))
    except HttpError as error:
        raise QuestionError(f"no request of HTTP: {error.reason}") from None


def _identity(policy: Policy, port: InboundPolicy, name: str) -> str:
    """The SPIFFE ID that a caller's name means: one that the port's rules name, or one of the mesh that none names."""
    if name.startswith("spiffe://"):
        return name
    if name == "plaintext":
        return ""
    named = {
        caller
        for rule in port.port.rules
        for caller in (*(rule.callers or ()), *(rule.except_callers or ()))
        if caller.rpartition("/")[2] == name
    }
    if len(named) > 1:
        raise QuestionError(f"`{name}` may be any of {', '.join(sorted(named))}: say which")
    trust_domain = policy.snapshot.workload.trust_domain
    return named.pop() if named else f"spiffe://{trust_domain}/{name}"


def _port_of(question: Question, known: dict[str, Any]) -> Any:
    """The port asked about; a snapshot knows numbers, so a name will do only where there is one port."""
    if question.port in known:
        return known[question.port]
    if len(known) == 1 and (question.port is None or not question.port.isdigit()):
        return next(iter(known.values()))
    ports = ", ".join(f"`{question.callee}:{number}`" for number in known) or "no port of it is known here"
    raise QuestionError(f"which port of `{question.callee}`? {ports}")

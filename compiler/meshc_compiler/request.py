"""Requests as the user writes them: the names in them looked up, and the port they mean."""

from __future__ import annotations

from dataclasses import replace

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.mesh import INGRESS, MeshIndex
from meshc_compiler.ir.workload import Protocol, ServicePort, Workload
from meshc_compiler.resolve.peer import Landscape
from meshc_lang.codes import identities, names, units
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.request import PLAINTEXT, Request
from meshc_lang.source import SourceText, Span


def landscape_of(index: MeshIndex) -> Landscape:
    """Return the names of a mesh that is already lowered."""
    ingress = index.workloads.get(INGRESS) or Workload(
        name=INGRESS,
        namespace=INGRESS,
        service_account=INGRESS,
        spiffe_id=SpiffeId.of_workload(index.mesh.trust_domain, INGRESS, INGRESS),
    )
    return Landscape(
        trust_domain=index.mesh.trust_domain,
        workloads=index.workloads,
        services=index.services,
        externals=index.externals,
        ingress=ingress,
        token_issuers=index.mesh.token_issuers,
    )


def resolve_request(index: MeshIndex, request: Request) -> tuple[Request | None, tuple[Diagnostic, ...]]:
    """Return the request with the port it means, or None with what is wrong about it.

    The port is left None where the callee has a single one. Every request that comes back can be evaluated.
    """
    findings = Findings()
    span = request.span
    if span is None:
        text = request.text
        span = SourceText("<request>", text).span(0, len(text))
    text = span.text
    caller, callee = span, span
    # The two names stand at the beginning, around the arrow; narrow the finding to the one that is wrong.
    before, arrow, after = text.partition("->")
    if arrow:
        caller = _trimmed(span, 0, len(before))
        start = len(before) + len(arrow)
        word = len(after) - len(after.lstrip())
        callee = _trimmed(span, start + word, start + word + len(after.split(None, 1)[0]) if after.strip() else start)
    resolved = check_request(landscape_of(index), request, caller, callee, findings)
    return resolved, findings.all()


def _trimmed(span: Span, start: int, end: int) -> Span:
    text = span.text[start:end]
    start += len(text) - len(text.lstrip())
    end -= len(text) - len(text.rstrip())
    return Span(span.source, span.start + start, span.start + max(start, end))


def check_request(
    landscape: Landscape, request: Request, caller: Span, callee: Span, findings: Findings
) -> Request | None:
    """Return the request with its port, or None with a finding; a callee with a broken declaration is passed over."""
    known = _check_caller(landscape, request, caller, findings)
    if request.claims and not landscape.trusts_tokens:
        message = "no token is trusted, so no request has claims"
        help_line = "declare whose tokens are, by `jwt NAME { … }`"
        findings.add(identities.NO_TRUSTED_TOKEN, message, request.span or callee, help=help_line)
    if landscape.may_be_lost(request.callee):
        return None
    ports = landscape.ports(request.callee)
    if not ports:
        _unknown_callee(landscape, request, callee, findings)
        return None
    port = _port(request, ports, callee, findings)
    if port is None or not known:
        return None
    return replace(request, port=port.name)


def _check_caller(landscape: Landscape, request: Request, span: Span, findings: Findings) -> bool:
    name = request.caller
    if name == PLAINTEXT or landscape.workload(name) is not None:
        return True
    if landscape.may_be_lost(name):
        return False
    if "://" in name:
        if SpiffeId.parse(name) is None:
            findings.add(identities.INVALID_SPIFFE_ID, f"`{name}` is not the SPIFFE ID of a workload", span)
            return False
        return True
    if name == "any":
        findings.add(names.WRONG_KIND, "a request has one caller, and `any` stands for all", span)
    elif name in landscape.externals:
        message = f"the external `{name}` is outside the mesh and does not call into it"
        findings.add(names.WRONG_KIND, message, span)
    else:
        candidates = (*landscape.workloads, INGRESS, PLAINTEXT)
        help_line, fixes = did_you_mean(name, candidates, span)
        findings.add(
            names.UNKNOWN_NAME, f"there is no service `{name}` that could call", span, help=help_line, fixes=fixes
        )
    return False


def _unknown_callee(landscape: Landscape, request: Request, span: Span, findings: Findings) -> None:
    name = request.callee
    if landscape.workload(name) is not None:
        message = f"`{name}` has no port, so nobody can call it"
        findings.add(names.WRONG_KIND, message, span)
        return
    candidates = (*landscape.services, *landscape.externals)
    help_line, fixes = did_you_mean(name, candidates, span)
    if request.port is not None:
        fixes = ()
    message = f"there is no service or external `{name}`"
    findings.add(names.UNKNOWN_NAME, message, span, help=help_line, fixes=fixes)


def _port(request: Request, ports: tuple[ServicePort, ...], span: Span, findings: Findings) -> ServicePort | None:
    if request.port is not None:
        named = next((port for port in ports if port.name == request.port), None)
        if named is None:
            known = [port.name for port in ports if port.name is not None]
            near, _ = did_you_mean(request.port, known, span)
            help_line = near or (f"its ports are {one_of(known)}" if known else "it has a single port, without a name")
            message = f"`{request.callee}` has no port `{request.port}`"
            findings.add(names.UNKNOWN_PORT, message, span, help=help_line)
            return None
        ports = (named,)
    fitting = [port for port in ports if carries(port, request)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        choices = one_of(f"{request.callee}.{port.name}" for port in fitting)
        message = f"`{request.callee}` has several ports that this request could mean"
        findings.add(names.UNKNOWN_PORT, message, span, help=f"write {choices}")
        return None
    spoken = " and ".join(sorted({f"`{port.protocol}`" for port in ports}))
    form = {"rpc": "an rpc", "tcp": "a connection"}.get(request.protocol, "an HTTP request")
    message = f"`{request.callee}` speaks {spoken}, and this is {form}"
    findings.add(units.PROTOCOL_MISMATCH, message, span)
    return None


def carries(port: ServicePort, request: Request) -> bool:
    """Tell whether a request of this form can be made to a port; an rpc is HTTP, so a POST to a gRPC port can be."""
    match request.protocol:
        case "rpc":
            return port.protocol is Protocol.GRPC
        case "tcp":
            return not port.protocol.is_http
        case _:
            return port.protocol.is_http

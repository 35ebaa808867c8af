"""The proof of one file: that it means what the program says of one workload; and what is told where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshc_backends.placement import Placement
from meshc_backends.readback.comparison import Difference, Kind, compare
from meshc_backends.readback.decision import Example
from meshc_backends.readback.meaning import meaning_of
from meshc_backends.readback.policy import Policy
from meshc_backends.readback.terms import TargetTerms
from meshc_backends.readback.unread import UnreadError
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_lang.codes.validation import (
    FILE_BEHAVES_OTHERWISE,
    FILE_DECIDES_OTHERWISE,
    FILE_NOT_DECIDED,
    FILE_NOT_UNDERSTOOD,
    FILE_TRUSTS_OTHERWISE,
)
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass
from meshc_lang.request import PLAINTEXT, Request
from meshc_lang.source import SourceText, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of one file: how it differs from the program. Without differences the two are proved equal."""

    path: str
    workload: str
    differences: tuple[Difference, ...]


def prove(
    slice_: WorkloadSlice,
    placement: Placement,
    path: str,
    content: bytes,
    read: Callable[[bytes], Policy],
    terms: TargetTerms,
) -> Proof:
    """Read a file back and compare it with the slice: a pure function of the slice, the placement and the bytes."""
    wanted = meaning_of(slice_, placement, terms)
    try:
        differences = compare(wanted, read(content))
    except UnreadError as error:
        differences = (
            Difference(kind=Kind.UNREADABLE, where=error.place, what=error.what, before="", after="", inbound=True),
        )
    return Proof(path=path, workload=slice_.workload.name, differences=differences)


_CODES = {
    Kind.REQUEST: FILE_DECIDES_OTHERWISE,
    Kind.SETTING: FILE_BEHAVES_OTHERWISE,
    Kind.IDENTITY: FILE_TRUSTS_OTHERWISE,
    Kind.UNREADABLE: FILE_NOT_UNDERSTOOD,
    Kind.UNDECIDED: FILE_NOT_DECIDED,
}


def findings(proof: Proof, slice_: WorkloadSlice, index: MeshIndex) -> tuple[Diagnostic, ...]:
    """Return the differences of a proof as findings; the mesh names the workloads of identities."""
    if not proof.differences:
        return ()
    names = {str(spiffe_id): workload.name for spiffe_id, workload in index.workloads_by_id.items()}
    return tuple(_finding(one, proof, slice_, names) for one in proof.differences)


def _finding(one: Difference, proof: Proof, slice_: WorkloadSlice, names: Mapping[str, str]) -> Diagnostic:
    match one.kind:
        case Kind.UNREADABLE:
            message = f"`{proof.path}` cannot be proved: {one.what} at `{one.where}` is not known to its reader"
        case Kind.UNDECIDED:
            message = f"`{proof.path}` cannot be proved for `{one.where}`: there are too many classes of requests"
        case _:
            message = (
                f"`{proof.path}` does not mean what the program says of `{one.where}`: {one.what} is "
                f"{one.before or 'nothing'} in the program and {one.after or 'nothing'} in the file"
            )
    return Diagnostic(
        code=_CODES[one.kind],
        message=message,
        primary=one.origin or slice_.workload.origin or _nowhere(),
        witness=None if one.example is None else _request(one, one.example, slice_, names),
        help="this is a mistake of the compiler: please report it with the program",
        subject=f"readback {proof.path} {one.where} {one.what}",
    )


def _request(one: Difference, example: Example, slice_: WorkloadSlice, names: Mapping[str, str]) -> Request | None:
    callee, port, protocol = _called(one, slice_)
    if callee is None:
        return None
    caller = str(slice_.workload.spiffe_id)
    if one.inbound:
        caller = f"spiffe://{slice_.trust_domain}/ns/any/sa/any" if example.caller == "" else example.caller or ""
    cookies = "; ".join(f"{name}={value}" for name, value in example.cookies)
    return Request(
        caller=names.get(caller, caller) or PLAINTEXT,
        callee=callee,
        port=port,
        protocol=protocol,
        method=example.method,
        path=example.path,
        query="&".join(f"{name}={value}" for name, value in example.query),
        headers=(*example.headers, *((("cookie", cookies),) if cookies else ())),
        claims=example.claims,
    )


def _called(one: Difference, slice_: WorkloadSlice) -> tuple[str | None, str | None, str]:
    """Return whom the request of a difference calls: the callee, its port's name where it has several, the protocol."""
    if one.inbound:
        ports = [(port.service, port.port) for port in slice_.inbound]
    else:
        ports = [(callee.service, callee.port) for callee in slice_.services]
        for external in slice_.externals:
            if external.external.name == one.where:
                return one.where, None, "http"
    for service, port in ports:
        if f"{service.name}:{port.number}" == one.where:
            several = len(service.ports) > 1
            return service.name, port.name if several else None, "http" if port.protocol.is_http else "tcp"
    return None, None, "http"


def _nowhere() -> Span:
    return SourceText("", "").span(0, 0)

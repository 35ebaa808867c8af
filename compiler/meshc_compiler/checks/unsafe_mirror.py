"""Mirrors: that the copies change nothing."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject, Doubt
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.traffic import Mirror
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_compiler.space.request_space import Undecided, Witness
from meshc_lang.codes import resilience
from meshc_lang.diagnostic import Diagnostic

UNSAFE = RequestMatch(methods=("DELETE", "PATCH", "POST", "PUT"))
"""The methods that ask for a change (RFC 9110 §9.2.1); rpcs are POST."""


def check_unsafe_mirrors(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find mirrors that copy requests which may change something: the change would be made twice."""
    for mirror in subject.mesh.mirrors:
        found = _unsafe(subject, mirror)
        if found is None or mirror.origin is None:
            continue
        space, witness = found
        yield Diagnostic(
            code=resilience.UNSAFE_MIRROR,
            message=f"what changes something is copied to `{mirror.target_service}`, and so is done twice",
            primary=mirror.origin,
            witness=space.request(witness),
            help="mirror `GET|HEAD` alone, or say in a `meshc: ignore` comment why the target may take them",
            subject=f"mirror {mirror.id}",
        )


def _unsafe(subject: CheckSubject, mirror: Mirror) -> tuple[CalleeSpace, Witness] | None:
    port = subject.index.port_of(mirror.service, mirror.port)
    if port is None:
        return None
    space = CalleeSpace(subject.index, mirror.service, port, (UNSAFE, mirror.match))
    unsafe = space.shared(space.allowed, space.requests_of((UNSAFE,), space.everybody))
    answer = space.example(space.shared(unsafe, space.requests_of((mirror.match,), space.everybody)))
    if isinstance(answer, Undecided):
        subject.note_doubt(space, Doubt.COPIED, mirror.origin)
    return (space, answer) if isinstance(answer, Witness) else None

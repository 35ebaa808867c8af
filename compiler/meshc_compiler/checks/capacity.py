"""Limits against what a service says that it can carry."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_lang.codes import resilience
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.units import print_rate


def check_capacities(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find limits that let one caller alone send an instance more than the `capacity` that its service states."""
    for limit in subject.mesh.limits:
        service = subject.index.services.get(limit.callee)
        capacity = None if service is None else service.capacity
        if service is None or capacity is None or limit.origin is None:
            continue
        if limit.amount * capacity.seconds <= capacity.amount * limit.seconds:
            continue
        yield Diagnostic(
            code=resilience.LIMIT_ABOVE_CAPACITY,
            message=f"a limit of {print_rate(limit.amount, limit.seconds)} never protects `{service.name}`, whose "
            f"instances carry {print_rate(capacity.amount, capacity.seconds)}",
            primary=limit.origin,
            related=() if capacity.origin is None else (Label(capacity.origin, "what an instance carries"),),
            help="limit each caller to a share of the capacity",
            subject=f"limit {limit.id}",
        )

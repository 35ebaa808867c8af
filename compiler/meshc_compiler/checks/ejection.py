"""Ejection: that an instance which fails can be left out at all, with as many as there are."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.situation import request_in_case
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.route import RouteRule
from meshc_compiler.ir.setting import Setting, Settings
from meshc_compiler.ir.workload import Service, ServicePort
from meshc_compiler.space.request_space import Nothing
from meshc_lang.codes import resilience
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.source import Span
from meshc_lang.units import print_percent

_WHOLE = 1_000_000


def check_ejections(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find services whose stated `replicas` are so few that the share which may be ejected is less than one of them.

    Of a service that states none nothing is known, and nothing is said.
    """
    told: set[tuple[Span, str]] = set()
    for service in subject.mesh.services:
        if service.replicas_origin is None:
            continue
        for caller, port, rule, settings in _settings_of(subject, service):
            share, after = settings.outlier_max_ejected, settings.outlier_consecutive_5xx
            if share is None or after is None or service.replicas * share.value >= _WHOLE:
                continue
            if share.origin is None or (share.origin, service.name) in told:
                continue
            asked = request_in_case(subject, caller or None, service.name, port, rule, RequestMatch())
            if port.protocol.is_http and isinstance(asked[0], Nothing):
                # No call has these settings: each has others of its own, or none is allowed.
                continue
            told.add((share.origin, service.name))
            yield _finding(service, share)


def _finding(service: Service, share: Setting[int]) -> Diagnostic:
    assert share.origin is not None and service.replicas_origin is not None  # noqa: S101, PT018 - asked by the caller
    least = -(-_WHOLE // share.value)
    many = "1 instance" if service.replicas == 1 else f"{service.replicas} instances"
    return Diagnostic(
        code=resilience.EJECTION_CANNOT_ACT,
        message=f"{print_percent(share.value)} of the {many} of `{service.name}` is none, so none is ever ejected",
        primary=share.origin,
        related=(Label(service.replicas_origin, "so many are declared"),),
        help=f"run at least {least} instances, or let a greater share be ejected",
        subject=f"ejection {service.name}",
    )


def _settings_of(
    subject: CheckSubject, service: Service
) -> Iterator[tuple[str, ServicePort, RouteRule | None, Settings]]:
    """Yield the settings of each case in which calls of a service have some of their own."""
    index = subject.index
    callers = ["", *(caller for caller, callee, _ in subject.mesh.edge_settings if callee == service.name)]
    for port in service.ports:
        route = index.routes.get((service.name, port.number))
        for caller in callers:
            for rule in (None, *(route.rules if route else ())):
                yield caller, port, rule, index.settings(caller, service.name, port.number, rule)

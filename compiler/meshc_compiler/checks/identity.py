"""Identities: that workloads can be told apart, and the mesh from others."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.finding import heading
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.workload import Workload
from meshc_lang.codes import identities
from meshc_lang.diagnostic import Diagnostic, Label

_DEFAULTS = frozenset({"cluster.local", "example.com", "example.org", "example.net"})
"""Trust domains that come from documents and defaults, and are in use all over the world."""


def check_shared_identities(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find workloads with the same SPIFFE ID."""
    owners: dict[SpiffeId, Workload] = {}
    for workload in subject.mesh.workloads:
        first = owners.setdefault(workload.spiffe_id, workload)
        if first is workload or workload.origin is None or first.origin is None:
            continue
        label = Label(heading(first.origin), f"`{first.name}` has the same namespace and service account")
        yield Diagnostic(
            code=identities.SHARED_IDENTITY,
            message=f"`{workload.name}` and `{first.name}` both are `{workload.spiffe_id}`",
            primary=heading(workload.origin),
            related=(label,),
            help="give one of them a `service-account` of its own",
            subject=f"identity {workload.spiffe_id}",
        )


def check_trust_domain(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find a trust domain that other meshes are likely to have as well."""
    domain, origin = subject.mesh.trust_domain, subject.mesh.origin
    if origin is not None and ("." not in domain.strip(".") or domain in _DEFAULTS):
        start = origin.text.find(domain, origin.text.find("trust-domain"))
        span = origin.at(origin.start + start, origin.start + start + len(domain)) if start > 0 else origin
        yield Diagnostic(
            code=identities.SHORT_TRUST_DOMAIN,
            message=f"other meshes are likely to have the trust domain `{domain}` too",
            primary=span,
            help=f"use a name below a DNS domain of yours, for example `{domain.split('.')[0]}.your-company.example`",
            subject="mesh trust-domain",
        )

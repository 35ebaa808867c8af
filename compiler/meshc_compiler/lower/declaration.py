"""Declarations to what they declare: the mesh, its workloads and services, and what lies outside."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_compiler.finding import Findings, heading
from meshc_compiler.ir.certificate import CertificateTerms
from meshc_compiler.ir.identity import SpiffeId, is_trust_domain
from meshc_compiler.ir.mesh import INGRESS
from meshc_compiler.ir.workload import External, Service, Workload
from meshc_compiler.lower.certificate import lower_certificates
from meshc_compiler.lower.external import lower_external
from meshc_compiler.lower.field import Fields, as_word
from meshc_compiler.lower.mtls import MtlsSetting, lower_mtls
from meshc_compiler.lower.service import lower_service
from meshc_compiler.resolve.peer import Landscape
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import identities, names, units
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.declaration import EditionDecl, ExternalDecl, MeshDecl, ServiceDecl
from meshc_lang.tree.statement import AnyStatement

EDITION = 2026
"""The edition of the language that this compiler reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshHead:
    """What the `mesh` statement says. `trust_domain` is None where it is missing or wrong."""

    name: str
    trust_domain: str | None
    ingress_namespace: str
    ingress_account: str
    names_ingress: bool
    mtls: MtlsSetting
    certificates: CertificateTerms | None = None
    origin: Span | None


def check_editions(statements: Iterable[AnyStatement], findings: Findings) -> None:
    """Tell of editions that this compiler does not read."""
    for statement in statements:
        if isinstance(statement, EditionDecl) and statement.year.value != EDITION:
            message = f"this compiler reads edition {EDITION}, not {statement.year.value}"
            findings.add(units.UNKNOWN_EDITION, message, statement.year.span)


def lower_head(statements: Iterable[AnyStatement], findings: Findings, beginning: Span | None) -> MeshHead:
    """Return what the one `mesh` statement says; of two the first counts and the other is an error.

    That there is none is told at the program's `beginning`; None where it may have been lost to a syntax error.
    """
    declarations = [statement for statement in statements if isinstance(statement, MeshDecl)]
    if not declarations:
        if beginning is not None:
            findings.add(
                names.MISSING_MESH,
                "the program has no `mesh` statement",
                beginning,
                help='add for example `mesh shop { trust-domain: "shop.example" }`',
            )
        return MeshHead(
            name="",
            trust_domain=None,
            ingress_namespace=INGRESS,
            ingress_account=INGRESS,
            names_ingress=False,
            mtls=MtlsSetting(),
            origin=None,
        )
    first, *others = declarations
    for other in others:
        findings.add(
            names.DUPLICATE_NAME,
            "a program has one `mesh` statement, and this is another",
            other.name.span,
            related=(Label(first.name.span, "the first is here"),),
        )
    fields = Fields(first.body, f"the mesh `{first.name}`", "mesh", findings)
    gateway = fields.block_of("ingress", "ingress { namespace: edge }")
    inner = Fields(gateway, "`ingress`", "mesh.ingress", findings) if gateway else None
    certificates = fields.block_of("certificates", "certificates { life: 24h, renew-before: 8h }")
    return MeshHead(
        name=first.name.text,
        trust_domain=_trust_domain(fields, first, findings),
        ingress_namespace=(inner and inner.label("namespace")) or INGRESS,
        ingress_account=(inner and inner.label("service-account")) or INGRESS,
        names_ingress=gateway is not None,
        mtls=lower_mtls(fields, findings) or MtlsSetting(),
        certificates=None if certificates is None else lower_certificates(certificates, findings),
        origin=first.span,
    )


def _trust_domain(fields: Fields, declaration: MeshDecl, findings: Findings) -> str | None:
    value = fields.get("trust-domain")
    if value is None:
        if not any(pair.key.text == "trust-domain" for pair in declaration.body.pairs):
            fields.missing(
                "trust-domain",
                f'for example `trust-domain: "{declaration.name.text.lower()}.example"`',
                declaration.name.span,
            )
        return None
    text = as_word(value, "`trust-domain`", findings)
    if text is None:
        return None
    if not is_trust_domain(text):
        message = f"`{text}` is not a trust domain: lower-case letters, digits, dots, hyphens and underscores"
        findings.add(identities.INVALID_TRUST_DOMAIN, message, value.span)
        return None
    return text


def lower_landscape(symbols: SymbolTable, head: MeshHead, findings: Findings) -> Landscape:
    """Return what the services and externals declare. A declaration with an error in it is in `broken`."""
    domain = head.trust_domain or "unknown"
    workloads: dict[str, Workload] = {}
    services: dict[str, Service] = {}
    externals: dict[str, External] = {}
    broken: set[str] = set()
    for symbol in symbols.of_kind(SymbolKind.SERVICE, SymbolKind.EXTERNAL):
        own = Findings()
        match symbol.declaration:
            case ServiceDecl() as declaration:
                workload, service = lower_service(declaration, domain, head.mtls, own)
                workloads[symbol.name] = workload
                if service is not None:
                    services[symbol.name] = service
            case ExternalDecl() as declaration:
                external = lower_external(declaration, own)
                if external is not None:
                    externals[symbol.name] = external
            case _:
                continue
        if own.all():
            broken.add(symbol.name)
            findings.extend(own.all())
    _check_hosts_are_unique(externals, broken, findings)
    _check_service_names_are_unique(services, broken, findings)
    return Landscape(
        trust_domain=head.trust_domain,
        workloads=workloads,
        services=services,
        externals=externals,
        ingress=Workload(
            name=INGRESS,
            namespace=head.ingress_namespace,
            service_account=head.ingress_account,
            spiffe_id=SpiffeId.of_workload(domain, head.ingress_namespace, head.ingress_account),
            selector=(("app", INGRESS),),
            origin=head.origin,
        ),
        broken=frozenset(broken),
        symbols=symbols,
    )


def _check_hosts_are_unique(externals: dict[str, External], broken: set[str], findings: Findings) -> None:
    """Tell of two externals with the same host: which of them a call means could not be told."""
    owners: dict[str, External] = {}
    for name in sorted(externals):
        external = externals[name]
        for host in external.hosts:
            first = owners.setdefault(host, external)
            if first is not external and first.origin is not None and external.origin is not None:
                broken.add(name)
                message = f"the host `{host}` belongs to `{first.name}` already"
                label = Label(heading(first.origin), f"`{first.name}` is declared here")
                findings.add(names.DUPLICATE_FIELD, message, external.origin, related=(label,))


def _check_service_names_are_unique(services: dict[str, Service], broken: set[str], findings: Findings) -> None:
    """Tell of two services with the same name in the cluster: which of them a `Host` means could not be told."""
    owners: dict[str, Service] = {}
    for name in sorted(services):
        service = services[name]
        first = owners.setdefault(service.host, service)
        if first is not service and first.origin is not None and service.origin is not None:
            broken.add(name)
            message = f"callers reach `{first.name}` as `{service.host}` already"
            label = Label(heading(first.origin), f"`{first.name}` is declared here")
            findings.add(names.DUPLICATE_FIELD, message, service.origin, related=(label,))

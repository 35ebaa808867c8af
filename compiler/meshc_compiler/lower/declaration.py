"""Declarations to what they declare: the mesh, its workloads and services, and what lies outside."""

from __future__ import annotations

import re
from collections.abc import Iterable

from meshc_compiler.finding import Findings
from meshc_compiler.ir.certificate import CertificateTerms
from meshc_compiler.ir.identity import SpiffeId, is_trust_domain
from meshc_compiler.ir.mesh import INGRESS
from meshc_compiler.ir.workload import External, Protocol, Service, ServicePort, TlsOrigination, TlsVersion, Workload
from meshc_compiler.lower.certificate import lower_certificates
from meshc_compiler.lower.field import Fields, as_word, check_label, duplicate, wrong_type
from meshc_compiler.resolve.peer import Landscape
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import identities, names, units
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.declaration import EditionDecl, ExternalDecl, MeshDecl, ServiceDecl
from meshc_lang.tree.node import Text
from meshc_lang.tree.statement import AnyStatement
from meshc_lang.tree.value import Integer, PortLiteral, Value

EDITION = 2026
"""The edition of the language that this compiler reads."""

DEFAULT_NAMESPACE = "default"

_ROOM_FOR_SUFFIX = len("-mesh")
_MESH_FIELDS = ("trust-domain", "mtls", "ingress", "certificates")
_SERVICE_FIELDS = (
    "port",
    "ports",
    "target-port",
    "namespace",
    "service-name",
    "service-account",
    "selector",
    "labels",
    "versions",
    "replicas",
)
_EXTERNAL_FIELDS = ("hosts", "port", "tls")
_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")
_MOST_REPLICAS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshHead:
    """What the `mesh` statement says. `trust_domain` is None where it is missing or wrong."""

    name: str
    trust_domain: str | None
    ingress_namespace: str
    ingress_account: str
    names_ingress: bool
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
    fields = Fields(first.body, f"the mesh `{first.name}`", _MESH_FIELDS, findings)
    mode = fields.get("mtls")
    if mode is not None and (word := as_word(mode, "`mtls`", findings)) not in (None, "strict"):
        if word == "permissive":
            message = "`mtls: permissive` is not part of this version: plaintext is always refused"
            findings.add(units.NOT_IN_THIS_VERSION, message, mode.span)
        else:
            findings.add(units.UNKNOWN_WORD, f"`mtls` is `strict`, not `{word}`", mode.span)
    gateway = fields.block_of("ingress", "ingress { namespace: edge }")
    inner = Fields(gateway, "`ingress`", ("namespace", "service-account"), findings) if gateway else None
    certificates = fields.block_of("certificates", "certificates { life: 24h, renew-before: 8h }")
    return MeshHead(
        name=first.name.text,
        trust_domain=_trust_domain(fields, first, findings),
        ingress_namespace=(inner and inner.label("namespace")) or INGRESS,
        ingress_account=(inner and inner.label("service-account")) or INGRESS,
        names_ingress=gateway is not None,
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
                workload, service = _lower_service(declaration, domain, own)
                workloads[symbol.name] = workload
                if service is not None:
                    services[symbol.name] = service
            case ExternalDecl() as declaration:
                external = _lower_external(declaration, own)
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


def _lower_service(declaration: ServiceDecl, domain: str, findings: Findings) -> tuple[Workload, Service | None]:
    name = declaration.name.text
    fields = Fields(declaration.body, f"the service `{name}`", _SERVICE_FIELDS, findings)
    check_label(name, "a service's name", declaration.name.span, findings, _ROOM_FOR_SUFFIX)
    namespace = fields.label("namespace") or DEFAULT_NAMESPACE
    host = fields.label("service-name", _ROOM_FOR_SUFFIX) or name
    account = fields.label("service-account") or host
    selector = fields.labels("selector")
    workload = Workload(
        name=name,
        namespace=namespace,
        service_account=account,
        spiffe_id=SpiffeId.of_workload(domain, namespace, account),
        selector=(("app", host),) if selector is None else selector,
        labels=fields.labels("labels") or (),
        origin=declaration.span,
    )
    if selector == ():
        message = f"an empty `selector` would choose every pod of the namespace `{namespace}`"
        findings.add(units.OUT_OF_RANGE, message, fields.span("selector"))
    ports = _service_ports(fields, findings)
    versions = _versions(fields, name, findings)
    replicas = fields.integer("replicas", 1, _MOST_REPLICAS)
    if not ports:
        if versions and fields.get("port") is None and fields.get("ports") is None:
            message = f"`{name}` has versions and no port: nobody could call them"
            findings.add(
                names.MISSING_FIELD, message, fields.span("versions"), help="add for example `port: 8080/http`"
            )
        return workload, None
    service = Service(
        name=name,
        host=host,
        namespace=namespace,
        workload=name,
        ports=ports,
        versions=versions,
        replicas=replicas or 1,
        doc=declaration.doc,
        origin=declaration.span,
    )
    return workload, service


def _service_ports(fields: Fields, findings: Findings) -> tuple[ServicePort, ...]:
    single, several = fields.get("port"), fields.get("ports")
    if single is not None and several is not None:
        duplicate(findings, "a service has a `port` or `ports`, not both", fields.span("ports"), fields.span("port"))
        return ()
    target = fields.integer("target-port", 1, 65535)
    if single is not None:
        port = _port(None, single, "`port`", target, findings)
        return () if port is None else (port,)
    if target is not None:
        message = "`target-port` says where a single `port` is listened on"
        findings.add(names.MISSING_FIELD, message, fields.span("target-port"), help="add for example `port: 80/http`")
    block = fields.block_of("ports", "ports { public: 8080/http, admin: 9000/http }")
    if block is None:
        return ()
    by_name: dict[str, ServicePort] = {}
    by_number: dict[int, ServicePort] = {}
    for pair in block.pairs:
        port = _port(pair.key.text, pair.value, f"the port `{pair.key}`", None, findings)
        check_label(pair.key.text, "a port's name", pair.key.span, findings)
        if port is None:
            continue
        taken = by_name.get(pair.key.text) or by_number.get(port.number)
        if taken is not None and taken.origin is not None:
            duplicate(findings, f"the port `{pair.key}` is stated twice, by name or number", pair.span, taken.origin)
            continue
        by_name[pair.key.text] = by_number[port.number] = port
    if not block.pairs:
        findings.add(names.MISSING_FIELD, "`ports` is empty", block.span, help="add for example `public: 8080/http`")
    ordered = [by_number[number] for number in sorted(by_number)]
    return tuple(ordered)


def _port(name: str | None, value: Value, what: str, target: int | None, findings: Findings) -> ServicePort | None:
    if not isinstance(value, PortLiteral):
        if isinstance(value, Integer):
            message = f"{what} needs its protocol, for example `{value.value}/http`"
            findings.add(units.WRONG_UNIT, message, value.span, label="a bare number")
        else:
            wrong_type(findings, what, "a port and its protocol, for example `8080/http`", value)
        return None
    if not 1 <= value.number <= 65535:
        findings.add(units.OUT_OF_RANGE, f"a port is from 1 to 65535, and this is {value.number}", value.span)
        return None
    return ServicePort(
        name=name,
        number=value.number,
        protocol=Protocol(value.protocol),
        target=None if target == value.number else target,
        origin=value.span,
    )


def _versions(fields: Fields, service: str, findings: Findings) -> tuple[str, ...]:
    seen: dict[str, Span] = {}
    for item in fields.items("versions", "[v1, v2]") or ():
        text = as_word(item, "a version", findings)
        if text is None or not check_label(text, "a version", item.span, findings, len(service) + 1 + _ROOM_FOR_SUFFIX):
            continue
        if text in seen:
            duplicate(findings, f"the version `{text}` is stated twice", item.span, seen[text])
        seen[text] = item.span
    return tuple(sorted(seen))


def _lower_external(declaration: ExternalDecl, findings: Findings) -> External | None:
    name = declaration.name.text
    fields = Fields(declaration.body, f"the external `{name}`", _EXTERNAL_FIELDS, findings)
    check_label(name, "an external's name", declaration.name.span, findings)
    hosts = _hosts(fields, declaration, findings)
    value = fields.get("port")
    tls = _tls(fields, findings)
    if value is None:
        fields.missing("port", "for example `port: 443/tls`", declaration.name.span)
        return None
    port = _port(None, value, "`port`", None, findings)
    if port is None:
        return None
    if port.protocol is Protocol.TLS:
        # The caller's sidecar opens the connection, so that the request inside can be judged.
        port = ServicePort(name=None, number=port.number, protocol=Protocol.HTTP, origin=port.origin)
        tls = tls or TlsOrigination()
    elif fields.get("tls") is not None:
        message = f"`tls` needs a port that speaks it: `port: {port.number}/tls`"
        findings.add(units.PROTOCOL_MISMATCH, message, fields.span("tls"))
    return External(name=name, hosts=hosts, port=port, tls=tls, doc=declaration.doc, origin=declaration.span)


def _tls(fields: Fields, findings: Findings) -> TlsOrigination | None:
    block = fields.block_of("tls", 'tls { min: "1.3" }')
    if block is None:
        return None
    inner = Fields(block, "`tls`", ("min",), findings)
    value = inner.get("min")
    if value is None:
        return None
    known = [str(version) for version in TlsVersion]
    text = value.text if isinstance(value, Text) else None
    if text not in known:
        message = "`min` is the lowest TLS version that is spoken: `1.2` or `1.3`"
        findings.add(units.UNKNOWN_WORD, message, value.span, help='write `min: "1.2"` or `min: "1.3"`')
        return None
    return TlsOrigination(minimum=TlsVersion(text), origin=block.span)


def _hosts(fields: Fields, declaration: ExternalDecl, findings: Findings) -> tuple[str, ...]:
    if fields.get("hosts") is None:
        fields.missing("hosts", 'for example `hosts: ["api.example.com"]`', declaration.name.span)
        return ()
    seen: dict[str, Span] = {}
    items = fields.items("hosts", '["api.example.com"]')
    if items == ():
        findings.add(names.MISSING_FIELD, "`hosts` is empty", fields.span("hosts"))
    for item in items or ():
        text = as_word(item, "a host", findings)
        if text is None:
            continue
        host = text.lower().removesuffix(".")
        if not _HOST.match(host):
            message = f"`{text}` is not the name of a host outside the mesh"
            help_line = "a DNS name of two labels or more, without `*`, port or scheme"
            findings.add(units.INVALID_HOST, message, item.span, help=help_line)
        elif host.endswith((".svc", ".svc.cluster.local", ".mesh.internal")):
            message = f"`{text}` is a name inside the mesh: declare a `service` instead"
            findings.add(units.INVALID_HOST, message, item.span)
        elif host in seen:
            duplicate(findings, f"the host `{host}` is stated twice", item.span, seen[host])
        else:
            seen[host] = item.span
    return tuple(sorted(seen))


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
                label = Label(first.origin, f"`{first.name}` is declared here")
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
            label = Label(first.origin, f"`{first.name}` is declared here")
            findings.add(names.DUPLICATE_FIELD, message, service.origin, related=(label,))

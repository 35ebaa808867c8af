"""Services found in manifests as statements of the program, refined by the `service` blocks that are written."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_compiler.finding import Findings, one_of
from meshc_compiler.importing.fact import FoundPort, FoundService, ImportedFacts
from meshc_compiler.ir.workload import Protocol
from meshc_compiler.resolve.symbol import RESERVED
from meshc_lang.codes import names, routing
from meshc_lang.diagnostic import Label
from meshc_lang.source import Span
from meshc_lang.tree.declaration import ServiceDecl
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.statement import AnyStatement
from meshc_lang.tree.value import Block, Integer, ListValue, Pair, PortLiteral, Value

_COMPATIBLE = {(Protocol.TCP, Protocol.TLS)}
"""What a manifest states and the program may refine: TLS is carried by a port that is called `tcp-…`."""


def declare(statements: Iterable[AnyStatement], facts: ImportedFacts, findings: Findings) -> list[AnyStatement]:
    """Return the statements of a program together with the services that its manifests declare, in order.

    A written `service` that has the name of a found one, or names it by `service-name`, refines it field by field: what
    is written wins. Ports that the two state otherwise are a contradiction.
    """
    found = {service.name: service for service in facts.services}
    written: dict[str, list[ServiceDecl]] = {}
    declared: list[AnyStatement] = []
    for statement in statements:
        service = found.get(_cluster_name(statement)) if isinstance(statement, ServiceDecl) else None
        if service is None or not isinstance(statement, ServiceDecl):
            declared.append(statement)
        else:
            written.setdefault(service.name, []).append(statement)
            declared.append(_refined(statement, service, findings))
    without_account: list[str] = []
    for service in facts.services:
        refined = written.get(service.name, [])
        if service.shares_account and not any(_field(one, "service-account") for one in refined):
            without_account.append(service.name)
        if not any(_field(one, "port") or _field(one, "ports") for one in refined):
            _tell_guesses(service, findings)
        if not refined and service.name in RESERVED:
            message = f"the service `{service.name}` is left out: the language has taken its name"
            help_line = f"declare it by another: `service NAME {{ service-name: {service.name} }}`"
            findings.add(names.NOT_CARRIED_OVER, message, service.span, help=help_line)
        elif not refined:
            declared.append(
                ServiceDecl(span=service.span, name=_name(service.name, service.span), body=_body(service, set()))
            )
    if without_account and facts.manifests:
        _tell_accounts(without_account, facts.manifests[0].path.span, findings)
    return sorted(declared, key=lambda statement: statement.span.sort_key)


def _check_versions(statement: ServiceDecl, service: FoundService, findings: Findings) -> None:
    """Tell of versions that are written and that no pod of the manifests is."""
    versions = _field(statement, "versions")
    if service.running is None or not isinstance(versions, ListValue):
        return
    for item in versions.items:
        if not isinstance(item, Name | Text) or item.text in service.running:
            continue
        running = f"its pods are {one_of(service.running).replace(' or ', ' and ')}" if service.running else ""
        findings.add(
            routing.VERSION_NOBODY_RUNS,
            f"no pod of `{statement.name}` is version `{item.text}`",
            item.span,
            related=(Label(service.span, "found in the manifests here"),),
            help=running or "its pods have no label `version`, by which versions are told apart",
            subject=f"version {statement.name}.{item.text}",
        )


def _cluster_name(statement: ServiceDecl) -> str:
    value = _field(statement, "service-name")
    return value.text if isinstance(value, Name | Text) else statement.name.text


def _field(statement: ServiceDecl, key: str) -> Value | None:
    return next((pair.value for pair in statement.body.pairs if pair.key.text == key), None)


def _refined(statement: ServiceDecl, service: FoundService, findings: Findings) -> ServiceDecl:
    """Return a written service with what the manifests say about it in the fields that it does not state."""
    stated = {pair.key.text for pair in statement.body.pairs}
    if stated & {"port", "ports"}:
        stated |= {"port", "ports"}
        _check_ports(statement, service, findings)
    _check_versions(statement, service, findings)
    pairs = [_with_labels(pair, service) if pair.key.text == "labels" else pair for pair in statement.body.pairs]
    added = _body(service, stated).pairs
    return ServiceDecl(
        span=statement.span,
        doc=statement.doc,
        name=statement.name,
        body=Block(span=statement.body.span, pairs=(*pairs, *added)),
    )


def _with_labels(pair: Pair, service: FoundService) -> Pair:
    """Return stated labels with those that the manifests add to them."""
    if not isinstance(pair.value, Block):
        return pair
    stated = {label.key.text for label in pair.value.pairs}
    added = tuple(_text_pair(key, text, service.span) for key, text in service.labels if key not in stated)
    return Pair(span=pair.span, key=pair.key, value=Block(span=pair.value.span, pairs=(*pair.value.pairs, *added)))


# ---- ports


def _stated_ports(statement: ServiceDecl) -> list[PortLiteral]:
    single, several = _field(statement, "port"), _field(statement, "ports")
    values = [pair.value for pair in several.pairs] if isinstance(several, Block) else [single]
    return [value for value in values if isinstance(value, PortLiteral)]


def _check_ports(statement: ServiceDecl, service: FoundService, findings: Findings) -> None:
    """Tell of ports that the cluster does not have, or of which it says that they speak something else."""
    known = {port.number: port for port in service.ports}
    if not known:
        # Nothing in the manifests is called by that name, so nothing contradicts.
        return
    for literal in _stated_ports(statement):
        port = known.get(literal.number)
        if port is None:
            listed = one_of(str(number) for number in sorted(known)).replace(" or ", " and ")
            message = f"the Service `{service.name}` has no port {literal.number}"
            label = Label(service.ports[0].span, f"it has {listed}")
            findings.add(names.IMPORT_CONTRADICTION, message, literal.span, related=(label,))
        elif port.stated and not _agree(port.protocol, Protocol(literal.protocol)):
            message = f"the port {port.number} of `{service.name}` speaks `{port.protocol}`, not `{literal.protocol}`"
            help_line = "write what the manifest says, or mend the port's name or `appProtocol` there"
            label = Label(port.span, "its manifest says so")
            findings.add(names.IMPORT_CONTRADICTION, message, literal.span, related=(label,), help=help_line)
    target = _field(statement, "target-port")
    literals = _stated_ports(statement)
    if isinstance(target, Integer) and len(literals) == 1 and (port := known.get(literals[0].number)) is not None:
        listened = port.target or port.number
        if target.value != listened:
            message = f"the pods of `{service.name}` listen on {listened}, not on {target.value}"
            label = Label(port.span, "this port leads there")
            findings.add(names.IMPORT_CONTRADICTION, message, target.span, related=(label,))


def _agree(manifest: Protocol, program: Protocol) -> bool:
    return manifest is program or (manifest, program) in _COMPATIBLE


def _tell_guesses(service: FoundService, findings: Findings) -> None:
    for port in service.ports:
        if port.guessed:
            message = f"nothing says what the port {port.number} of `{service.name}` speaks, so it is taken as `tcp`"
            help_line = "name it `http` or `grpc` in the manifest (or `http-…`), or give it an `appProtocol`"
            if len(service.ports) == 1:
                help_line = f"state it, for example `service {service.name} {{ port: {port.number}/http }}`"
            findings.add(names.NOT_CARRIED_OVER, message, port.span, help=help_line)


def _tell_accounts(services: list[str], span: Span, findings: Findings) -> None:
    listed = one_of(services).replace(" or ", " and ")
    if len(services) == 1:
        message = f"the pods of {listed} run under the account `default`, by which nobody can be told apart"
        help_line = "it gets an identity of its own name; give it a `serviceAccountName` in the manifest"
    else:
        message = f"the pods of {listed} run under the account `default`, by which they cannot be told apart"
        help_line = "each gets an identity of its own name; give each a `serviceAccountName` in the manifest"
    findings.add(names.NOT_CARRIED_OVER, message, span, help=help_line)


# ---- a found service as a block


def _body(service: FoundService, stated: set[str]) -> Block:
    """Return the fields that manifests give to a service, but for those that are stated."""
    span = service.span
    pairs = [
        _pair("namespace", Text(span=span, text=service.namespace), span),
        _pair("labels", _labels(service.labels, span), span),
        _pair("replicas", Integer(span=span, value=service.replicas), span),
    ]
    if service.selector:
        pairs.append(_pair("selector", _labels(service.selector, span), span))
    if service.account is not None:
        pairs.append(_pair("service-account", Text(span=span, text=service.account), span))
    if service.versions:
        versions = tuple(Text(span=span, text=version) for version in service.versions)
        pairs.append(_pair("versions", ListValue(span=span, items=versions), span))
    if len(service.ports) == 1:
        pairs.append(_pair("port", _literal(service.ports[0]), span))
    elif service.ports:
        inner = tuple(_pair(port.name or "", _literal(port), port.span) for port in service.ports)
        pairs.append(_pair("ports", Block(span=span, pairs=inner), span))
    return Block(span=span, pairs=tuple(pair for pair in pairs if pair.key.text not in stated))


def _literal(port: FoundPort) -> PortLiteral:
    return PortLiteral(span=port.span, number=port.number, protocol=port.protocol.value)


def _labels(labels: tuple[tuple[str, str], ...], span: Span) -> Block:
    return Block(span=span, pairs=tuple(_text_pair(key, text, span) for key, text in labels))


def _text_pair(key: str, text: str, span: Span) -> Pair:
    return Pair(span=span, key=Text(span=span, text=key), value=Text(span=span, text=text))


def _pair(key: str, value: Value, span: Span) -> Pair:
    return Pair(span=span, key=_name(key, span), value=value)


def _name(text: str, span: Span) -> Name:
    return Name(span=span, text=text)

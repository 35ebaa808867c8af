"""An external: what lies outside the mesh and is called by host names."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.workload import External, Protocol, ServicePort, TlsOrigination
from meshc_compiler.lower.external_tls import lower_tls
from meshc_compiler.lower.field import Fields, as_word, check_label, duplicate
from meshc_compiler.lower.port import lower_port
from meshc_lang.codes import names, units
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree.declaration import ExternalDecl

_HOST = pattern(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")


def lower_external(declaration: ExternalDecl, findings: Findings) -> External | None:
    """Return what a declaration says of something outside the mesh; None if its port is not known."""
    name = declaration.name.text
    fields = Fields(declaration.body, f"the external `{name}`", "external", findings)
    check_label(name, "an external's name", declaration.name.span, findings)
    hosts = _hosts(fields, declaration, findings)
    value = fields.get("port")
    tls = lower_tls(fields, findings)
    if value is None:
        fields.missing("port", "for example `port: 443/tls`", declaration.name.span)
        return None
    port = lower_port(None, value, "`port`", None, findings)
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

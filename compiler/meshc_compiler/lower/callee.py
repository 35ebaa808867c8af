"""The service, and perhaps its port, that stands behind `route` and `mirror`."""

from __future__ import annotations

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.workload import Service
from meshc_compiler.resolve.peer import CalleeEnd, Landscape
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import names
from meshc_lang.diagnostic import Label
from meshc_lang.tree.node import Name


def routed_service(
    name: Name, port: Name | None, symbols: SymbolTable, landscape: Landscape, findings: Findings
) -> tuple[Service, CalleeEnd] | None:
    """Return the service and the ports that are meant: all, or the one that is named."""
    symbol = symbols.resolve(name.text, name.span, (SymbolKind.SERVICE,), findings)
    if symbol is None or symbol.name in landscape.broken:
        return None
    service = landscape.services.get(symbol.name)
    if service is None:
        message = f"`{name}` has no port, so nothing is routed to it"
        label = Label(symbol.declaration.name.span, "declared here without a `port`")
        findings.add(names.WRONG_KIND, message, name.span, related=(label,))
        return None
    ports = service.ports
    if port is not None:
        ports = tuple(one for one in ports if one.name == port.text)
        if not ports:
            _no_port(service, port, findings)
            return None
    return service, CalleeEnd(((service.name, ports),), True, service.name, name.span)


def _no_port(service: Service, port: Name, findings: Findings) -> None:
    known = [own.name for own in service.ports if own.name is not None]
    help_line, fixes = did_you_mean(port.text, known, port.span)
    help_line = help_line or (f"its ports are {one_of(known)}" if known else "it has a single port, without a name")
    message = f"`{service.name}` has no port `{port}`"
    findings.add(names.UNKNOWN_PORT, message, port.span, help=help_line, fixes=fixes)

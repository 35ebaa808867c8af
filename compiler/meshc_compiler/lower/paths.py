"""`paths: [/v1/orders/**]`: what a service answers at all."""

from __future__ import annotations

from meshc_compiler.finding import Findings, replacement
from meshc_compiler.ir.match import PathTemplate
from meshc_compiler.ir.workload import Operation, Protocol, ServicePort, ServiceSchema
from meshc_compiler.lower.field import Fields, duplicate, wrong_type
from meshc_compiler.lower.template import TemplateProblem, parse_template
from meshc_lang.codes import names, units
from meshc_lang.diagnostic import Label
from meshc_lang.source import Span
from meshc_lang.tree.value import Path


def lower_paths(fields: Fields, ports: tuple[ServicePort, ...], findings: Findings) -> ServiceSchema | None:
    """Return the operations that `paths` declares, of any method, on every port of the service that shows paths."""
    items = fields.items("paths", "[/v1/orders/**, /healthz]")
    if items is None or not ports:
        return None
    shown = tuple(port for port in ports if port.protocol in {Protocol.HTTP, Protocol.HTTP2})
    if not shown:
        related = tuple(Label(port.origin, f"it speaks `{port.protocol}`") for port in ports[:1] if port.origin)
        message = "paths are seen on `http` ports, and this service has none"
        findings.add(units.PROTOCOL_MISMATCH, message, fields.span("paths"), related=related)
        return None
    if not items:
        message = "`paths` is empty: nothing could be allowed"
        findings.add(names.MISSING_FIELD, message, fields.span("paths"), help="for example `paths: [/v1/**]`")
        return None
    templates: dict[PathTemplate, Span] = {}
    for item in items:
        if not isinstance(item, Path):
            wrong_type(findings, "`paths`", "path templates, for example `/v1/orders/**`", item)
            continue
        template = parse_template(item.text)
        if isinstance(template, TemplateProblem):
            fix = (replacement(f"write `{template.proposal}`", item.span, template.proposal),)
            fixes = fix if template.proposal else ()
            findings.add(units.INVALID_PATH, template.message, item.span, help=template.help, fixes=fixes)
        elif template in templates:
            duplicate(findings, f"the path `{item.text}` is stated twice", item.span, templates[template])
        else:
            templates[template] = item.span
    return ServiceSchema(
        operations=tuple(
            Operation(port=port.number, methods=(), path=template, origin=templates[template])
            for port in shown
            for template in sorted(templates, key=str)
        )
    )

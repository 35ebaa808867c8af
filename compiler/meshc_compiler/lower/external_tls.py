"""`tls { … }` of an external: how the caller's sidecar opens the connection, and whom it believes."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.workload import TlsOrigination, TlsVersion
from meshc_compiler.lower.field import Fields, as_word, duplicate
from meshc_lang.codes import names, settings, units
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree.node import Text
from meshc_lang.tree.value import Value

_NAME = pattern(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")


def lower_tls(fields: Fields, findings: Findings) -> TlsOrigination | None:
    """Return what the block says, if it is stated."""
    block = fields.block_of("tls", 'tls { min: "1.3" }')
    if block is None:
        return None
    inner = Fields(block, "`tls`", "external.tls", findings)
    return TlsOrigination(
        minimum=_minimum(inner.get("min"), findings) or TlsVersion.TLS_1_2,
        server_name=_server_name(inner.get("server-name"), findings),
        ca_file=_ca_file(inner, findings),
        names=_names(inner, findings),
        origin=block.span,
    )


def _minimum(value: Value | None, findings: Findings) -> TlsVersion | None:
    if value is None:
        return None
    known = [str(version) for version in TlsVersion]
    text = value.text if isinstance(value, Text) else None
    if text not in known:
        message = "`min` is the lowest TLS version that is spoken: `1.2` or `1.3`"
        findings.add(units.UNKNOWN_WORD, message, value.span, help='write `min: "1.2"` or `min: "1.3"`')
        return None
    return TlsVersion(text)


def _server_name(value: Value | None, findings: Findings) -> str | None:
    text = None if value is None else as_word(value, "`server-name`", findings)
    return None if value is None or text is None else _dns_name(text, value.span, findings)


def _ca_file(fields: Fields, findings: Findings) -> str | None:
    value = fields.get("ca")
    text = fields.word("ca")
    if value is None or text is None:
        return None
    if not text.startswith("/") or "\0" in text or "\n" in text:
        message = (
            f"`ca` is the path of the roots' file as the callers' sidecars see it, and `{text}` is not a whole one"
        )
        help_line = 'for example `ca: "/etc/meshc/partner-ca.pem"`'
        findings.add(settings.INVALID_CA_FILE, message, value.span, help=help_line)
        return None
    return text


def _names(fields: Fields, findings: Findings) -> tuple[str, ...]:
    items = fields.items("names", '["alt.example.com"]')
    if items == ():
        findings.add(names.MISSING_FIELD, "`names` is empty", fields.span("names"))
    seen: dict[str, Span] = {}
    for item in items or ():
        text = as_word(item, "a name", findings)
        name = None if text is None else _dns_name(text, item.span, findings)
        if name is None:
            continue
        if name in seen:
            duplicate(findings, f"the name `{name}` is stated twice", item.span, seen[name])
        seen.setdefault(name, item.span)
    return tuple(sorted(seen))


def _dns_name(text: str, span: Span, findings: Findings) -> str | None:
    """Return a name that a certificate can prove (RFC 9525 §2); only there it may have a wildcard."""
    name = text.lower().removesuffix(".")
    if _NAME.match(name):
        return name
    message = f"`{text}` is not a name that a certificate outside the mesh could prove"
    help_line = "a DNS name of two labels or more, without `*`, port or scheme"
    findings.add(units.INVALID_HOST, message, span, help=help_line)
    return None

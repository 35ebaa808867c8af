"""TLS: who is believed on the way in, and who on the way out (`envoy.extensions.transport_sockets.tls.v3`)."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_backends.envoy.address import is_ip
from meshc_backends.envoy.message import Message, typed
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.workload import TlsOrigination, TlsVersion

_TLS = "envoy.extensions.transport_sockets.tls.v3"

HTTP_1 = "http/1.1"
HTTP_2 = "h2"
"""Names of what is spoken inside TLS (RFC 7301); whole connections (tcp) have none."""

_VERSIONS = {TlsVersion.TLS_1_2: "TLSv1_2", TlsVersion.TLS_1_3: "TLSv1_3"}


def tls_parameters(minimum: TlsVersion) -> Message:
    """Return the versions spoken: up to 1.3, which Envoy as a client would not offer by itself."""
    return {"tls_minimum_protocol_version": _VERSIONS[minimum], "tls_maximum_protocol_version": "TLSv1_3"}


def own_certificate(directory: str) -> Message:
    """Return the workload's certificate and key, by file path (`TlsCertificate`)."""
    return {
        "certificate_chain": {"filename": f"{directory}/cert-chain.pem"},
        "private_key": {"filename": f"{directory}/key.pem"},
    }


def downstream_tls(directory: str, trust_domain: str, protocols: Iterable[str] = (HTTP_2, HTTP_1)) -> Message:
    """Return the transport socket of a listener that only peers of the trust domain can talk to."""
    return {
        "name": "tls",
        "typed_config": typed(
            f"{_TLS}.DownstreamTlsContext",
            common_tls_context={
                "tls_params": tls_parameters(TlsVersion.TLS_1_2),
                "tls_certificates": [own_certificate(directory)],
                "validation_context": {
                    "trusted_ca": {"filename": f"{directory}/trust-bundle.pem"},
                    "match_typed_subject_alt_names": [
                        {"san_type": "URI", "matcher": {"prefix": f"spiffe://{trust_domain}/"}},
                    ],
                },
                **_alpn(protocols),
            },
            require_client_certificate=True,
        ),
    }


def mesh_tls(directory: str, callee: SpiffeId, server_name: str, protocols: Iterable[str]) -> Message:
    """Return the transport socket to a callee in the mesh: it must prove exactly the callee's identity."""
    return {
        "name": "tls",
        "typed_config": typed(
            f"{_TLS}.UpstreamTlsContext",
            common_tls_context={
                "tls_params": tls_parameters(TlsVersion.TLS_1_2),
                "tls_certificates": [own_certificate(directory)],
                "validation_context": {
                    "trusted_ca": {"filename": f"{directory}/trust-bundle.pem"},
                    "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": str(callee)}}],
                },
                **_alpn(protocols),
            },
            sni=server_name,
        ),
    }


def _alpn(protocols: Iterable[str]) -> Message:
    offered = list(protocols)
    return {"alpn_protocols": offered} if offered else {}


def external_tls(host: str, roots: str, tls: TlsOrigination, protocol: str) -> Message:
    """Return the transport socket to a host outside the mesh: it must prove its name to the roots (RFC 9525).

    An exact DNS matcher also accepts a certificate for a wildcard that covers the name. `roots` are those of the image,
    where the program names none.
    """
    asked = tls.server_name or host
    context: Message = {
        "common_tls_context": {
            "tls_params": tls_parameters(tls.minimum),
            "validation_context": {
                "trusted_ca": {"filename": tls.ca_file or roots},
                "match_typed_subject_alt_names": [
                    {"san_type": "IP_ADDRESS" if is_ip(name) else "DNS", "matcher": {"exact": name}}
                    for name in tls.names or (asked,)
                ],
            },
            "alpn_protocols": [protocol],
        },
    }
    if not is_ip(asked):  # RFC 6066 §3: addresses are not server names
        context = {**context, "sni": asked}
    return {"name": "tls", "typed_config": typed(f"{_TLS}.UpstreamTlsContext", **context)}

"""What a port of a Kubernetes Service speaks, by what the manifest says and by what it hints at."""

from __future__ import annotations

from meshc_compiler.ir.workload import Protocol

_WORDS = {
    "http": Protocol.HTTP,
    "http2": Protocol.HTTP2,
    "h2c": Protocol.HTTP2,
    "grpc": Protocol.GRPC,
    "grpc-web": Protocol.HTTP,
    "ws": Protocol.HTTP,
    "https": Protocol.TLS,
    "tls": Protocol.TLS,
    "wss": Protocol.TLS,
    "tcp": Protocol.TCP,
    "mongo": Protocol.TCP,
    "mysql": Protocol.TCP,
    "redis": Protocol.TCP,
}
"""Protocols by the words of `appProtocol` and of port names (Istio, "Protocol Selection"; KEP-3726)."""


def protocol_of_word(word: str) -> Protocol | None:
    """Return the protocol that an `appProtocol` names; `kubernetes.io/h2c` is `h2c`."""
    return _WORDS.get(word.lower().removeprefix("kubernetes.io/"))


def protocol_of_name(name: str) -> Protocol | None:
    """Return the protocol that a port's name states: `grpc`, or `grpc-` and more."""
    lower = name.lower()
    if lower.startswith("grpc-web"):
        return Protocol.HTTP
    return _WORDS.get(lower.partition("-")[0])

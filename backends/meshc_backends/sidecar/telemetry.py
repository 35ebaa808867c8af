"""What a sidecar tells of its calls: traces, log lines and metrics, in the snapshot's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from meshc_compiler.ir.setting import Settings
from meshc_compiler.ir.slice import WorkloadSlice
from meshc_runtime import snapshot as out

_OTLP_OVER_HTTP = 4318
"""The port of collectors that take OTLP over HTTP (OpenTelemetry's OTLP specification); at any other it is gRPC."""


def log_choice(settings: Settings) -> Literal["on", "off", "errors"]:
    """Return which calls get a line; all where nothing is stated."""
    return "on" if settings.access_log is None else settings.access_log.value.value


def is_measured(settings: Settings) -> bool:
    """Return whether calls are counted; they are where nothing is stated."""
    return settings.metrics is None or settings.metrics.value


def sampling(settings: Settings) -> int:
    """Return the share, in millionths, of the calls that begin a trace; none where nothing is stated."""
    return 0 if settings.trace_sampling is None else settings.trace_sampling.value


def tracing(slice_: WorkloadSlice) -> out.Tracing | None:
    """Return what the sidecar does about traces; None if the program says nothing of them."""
    mesh = slice_.settings
    endpoint = mesh.trace_endpoint
    stated = endpoint or mesh.trace_propagation
    if not stated and not any(sampling(settings) for settings in _settings(slice_)):
        return None
    forms = () if mesh.trace_propagation is None else mesh.trace_propagation.value
    collector: out.Address | None = None
    if endpoint is not None and endpoint.value:
        host, _, port = endpoint.value.rpartition(":")
        collector = out.Address(host=host.removeprefix("[").removesuffix("]"), port=int(port))
    return out.Tracing.model_validate(
        {
            "propagation": tuple(form.value for form in forms) or ("w3c",),
            "collector": collector,
            "speaks": "http/1.1" if collector is not None and collector.port == _OTLP_OVER_HTTP else "h2",
        }
    )


def _settings(slice_: WorkloadSlice) -> Iterator[Settings]:
    yield from (port.settings for port in slice_.inbound)
    yield from (rule.settings for service in slice_.services for rule in service.rules)
    yield from (external.settings for external in slice_.externals)

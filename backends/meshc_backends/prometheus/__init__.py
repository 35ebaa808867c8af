"""The target `prometheus`: rules that watch over objectives."""

from __future__ import annotations

from meshc_backends.prometheus.backend import PROMETHEUS, PrometheusBackend

__all__ = ["PROMETHEUS", "PrometheusBackend"]

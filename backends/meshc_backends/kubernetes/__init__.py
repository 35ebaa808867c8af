"""The target `kubernetes`: what a cluster is given, ready for `kubectl apply -k`."""

from __future__ import annotations

from meshc_backends.kubernetes.backend import KUBERNETES, KubernetesBackend

__all__ = ["KUBERNETES", "KubernetesBackend"]

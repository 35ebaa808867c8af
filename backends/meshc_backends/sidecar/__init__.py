"""The sidecar backend: a workload's slice of the mesh to the snapshot of the Python proxy."""

from __future__ import annotations

from meshc_backends.sidecar.emission import SIDECAR, emit_workload

__all__ = ["SIDECAR", "emit_workload"]

"""The sidecar backend: a workload's slice of the mesh to the snapshot of the Python proxy."""

from __future__ import annotations

from meshc_backends.sidecar.emission import CARRIED, SIDECAR, emit_workload
from meshc_runtime.snapshot import snapshot_schema

__all__ = ["CARRIED", "SIDECAR", "emit_workload", "snapshot_schema"]

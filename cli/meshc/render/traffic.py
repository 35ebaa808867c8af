"""Mirrors, faults and health checks that a call meets, as text and as JSON."""

from __future__ import annotations

from meshc.render.json import Json
from meshc.render.setting import Place, number
from meshc_compiler.ir.route import WHOLE
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.ir.workload import HealthCheck
from meshc_lang.units import print_duration, print_percent

_PERCENT = 10_000
_MILLISECOND = 1_000_000


def mirror_json(mirror: Mirror, place: Place) -> Json:
    """Return who gets copies, of which share."""
    return {
        "id": mirror.id,
        "service": mirror.target_service,
        "version": mirror.target_version,
        "percent": number(mirror.share / _PERCENT),
        "span": place(mirror.origin),
    }


def mirror_text(mirror: Mirror) -> str:
    """Return who gets copies, in words."""
    version = "" if mirror.target_version is None else f" {mirror.target_version}"
    return f"a copy of {_share(mirror.share)} goes to {mirror.target_service}{version}"


def fault_json(fault: Fault, place: Place) -> Json:
    """Return what befalls which share of such calls."""
    return {
        "name": fault.name,
        "delay_ms": None if fault.delay_ns is None else number(fault.delay_ns / _MILLISECOND),
        "abort": fault.abort_status,
        "percent": number(fault.share / _PERCENT),
        "span": place(fault.origin),
    }


def fault_text(fault: Fault) -> str:
    """Return what befalls such calls, in words."""
    mishaps = [
        *([] if fault.delay_ns is None else [f"delays by {print_duration(fault.delay_ns)}"]),
        *([] if fault.abort_status is None else [f"aborts with {fault.abort_status}"]),
    ]
    return f"fault {fault.name} {' and '.join(mishaps)}: {_share(fault.share)}"


def health_json(health: HealthCheck, place: Place) -> Json:
    """Return how instances are found that are well."""
    return {
        "path": health.path,
        "port": health.port,
        "interval_ms": number(health.interval_ns / _MILLISECOND),
        "timeout_ms": number(health.timeout_ns / _MILLISECOND),
        "unhealthy": health.unhealthy,
        "healthy": health.healthy,
        "span": place(health.origin),
    }


def health_text(health: HealthCheck) -> str:
    """Return how instances are found that are well, in words."""
    asked = f" {health.path}" if health.path is not None else ""
    counts = f"out after {health.unhealthy}, in after {health.healthy}"
    return f"health{asked} every {print_duration(health.interval_ns)}: {counts}"


def _share(millionths: int) -> str:
    return "all calls" if millionths == WHOLE else f"{print_percent(millionths)} of such calls"

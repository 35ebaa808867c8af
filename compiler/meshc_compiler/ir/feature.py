"""What a program asks of a target: a closed list, so that a target carries or refuses each, and forgets none.

A backend says which features it carries; the build refuses the others, naming the statement that asks. Who may call
whom at all, by method and path, every target carries: those are no features.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import assert_never

from meshc_compiler.ir.condition import Question, questions
from meshc_compiler.ir.match import (
    AttributeKind,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    RequestMatch,
)
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.objective import Objective
from meshc_compiler.ir.policy import LimitKeyKind
from meshc_compiler.ir.route import Redirect, Respond, Route
from meshc_compiler.ir.setting import (
    SETTING_FIELDS,
    SETTING_NAMES,
    AccessLog,
    Balance,
    BalancePolicy,
    Setting,
    Settings,
)
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.ir.workload import External, MtlsMode, Service
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


class Feature(StrEnum):
    """What can be asked of a target besides who may call whom; the value is how it is called in findings."""

    TIMEOUT = "timeouts of calls"
    CONNECT_TIMEOUT = "timeouts of connecting"
    IDLE_TIMEOUT = "timeouts of unused connections"
    RETRY = "retries"
    RETRY_KEY_HEADER = "retries by a key header"
    BREAKER = "bounds on what is under way"
    EJECTION = "ejection of failing instances"
    LEAST_REQUEST = "balancing by least requests"
    RANDOM = "balancing at random"
    PEAK_EWMA = "balancing by latency"
    RING_HASH = "balancing by hash"
    TRACING = "tracing"
    ACCESS_LOG = "a choice of what is logged"
    METRICS_OFF = "metrics switched off"
    SPLIT = "splits between versions"
    REDIRECT = "redirects"
    RESPOND = "answers without a call"
    MIRROR = "shadow traffic"
    FAULT = "injected faults"
    HEALTH_CHECK = "health checks"
    PERMISSIVE = "calls without a mesh identity"
    TLS_SERVER_NAME = "another server name for an external"
    TLS_CA = "roots of an external's own"
    TLS_NAMES = "other names in an external's certificate"
    OBJECTIVE = "objectives"
    HEADER_PATTERN = "expressions in conditions on headers"
    QUERY = "conditions on the query"
    COOKIE = "conditions on cookies"
    END_USER = "tokens of end users"
    LIMIT_KEY = "limits by what is no header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One place at which a program asks for a feature. `what` is the asking part, as the user would name it."""

    feature: Feature
    what: str
    origin: Span | None = field(default=None, compare=False, repr=False)


def features(mesh: Mesh) -> Iterator[Asked]:
    """Yield everything that a program asks of targets, each place once."""
    seen: set[tuple[Feature, str, Span | None]] = set()
    for asked in _asked(mesh):
        key = (asked.feature, "" if asked.origin is not None else asked.what, asked.origin)
        if key not in seen:
            seen.add(key)
            yield asked


def _asked(mesh: Mesh) -> Iterator[Asked]:
    for settings in _all_settings(mesh):
        yield from of_settings(settings)
    for route in mesh.routes:
        yield from _of_route(route)
    for mirror in mesh.mirrors:
        yield from _of_mirror(mirror)
        yield from _of_match(mirror.match, f"`{mirror.id}`", mirror.origin)
    for fault in mesh.faults:
        yield _of_fault(fault)
    for service in mesh.services:
        yield from _of_service(service)
    for external in mesh.externals:
        yield from _of_external(external)
    for objective in mesh.objectives:
        yield _of_objective(objective)
    for rule in mesh.rules:
        yield from _of_match(rule.match, f"`{rule.id}`", rule.origin)
    for issuer in mesh.token_issuers:
        yield Asked(feature=Feature.END_USER, what=f"`jwt {issuer.name}`", origin=issuer.origin)
    for limit in mesh.limits:
        if limit.per is not None and limit.per.kind is not LimitKeyKind.HEADER:
            yield Asked(feature=Feature.LIMIT_KEY, what=f"`{limit.id}`", origin=limit.origin)


def _all_settings(mesh: Mesh) -> Iterator[Settings]:
    yield mesh.mesh_settings
    for _, settings in mesh.service_settings:
        yield settings
    for _, _, settings in mesh.edge_settings:
        yield settings
    for _, _, _, settings in mesh.port_settings:
        yield settings
    for route in mesh.routes:
        for rule in route.rules:
            yield rule.settings


def of_settings(settings: Settings) -> Iterator[Asked]:
    """Yield what the settings of one scope ask for."""
    for name in SETTING_FIELDS:
        setting: Setting[object] | None = getattr(settings, name)
        if setting is None:
            continue
        feature = feature_of_setting(name, setting.value)
        if feature is not None:
            yield Asked(feature=feature, what=f"`{SETTING_NAMES[name]}`", origin=setting.origin)


def feature_of_setting(name: str, value: object) -> Feature | None:
    """Return what a value of a field of `Settings` asks for; None for `off` and for what holds everywhere anyway."""
    match value:
        case Balance():
            return _BALANCES[value.policy]
        case AccessLog():
            # Sidecars write their logs unless they are told otherwise.
            return None if value is AccessLog.ON else Feature.ACCESS_LOG
        case bool() if name == "metrics":
            return None if value else Feature.METRICS_OFF
        case 0 | "" | ():
            return None
    return _SETTINGS[name]


_SETTINGS = {
    "timeout_ns": Feature.TIMEOUT,
    "connect_timeout_ns": Feature.CONNECT_TIMEOUT,
    "idle_timeout_ns": Feature.IDLE_TIMEOUT,
    "retry_limit": Feature.RETRY,
    "retry_on": Feature.RETRY,
    "retry_budget": Feature.RETRY,
    "retry_backoff": Feature.RETRY,
    "per_try_timeout_ns": Feature.RETRY,
    "idempotent": Feature.RETRY,
    "retry_key_header": Feature.RETRY_KEY_HEADER,
    "breaker_max_requests": Feature.BREAKER,
    "breaker_max_pending": Feature.BREAKER,
    "breaker_max_connections": Feature.BREAKER,
    "outlier_consecutive_5xx": Feature.EJECTION,
    "outlier_eject_ns": Feature.EJECTION,
    "outlier_interval_ns": Feature.EJECTION,
    "outlier_max_ejected": Feature.EJECTION,
    "trace_sampling": Feature.TRACING,
    "trace_propagation": Feature.TRACING,
    "trace_endpoint": Feature.TRACING,
}
"""What the fields of `Settings` ask for; `balance`, `access_log` and `metrics` depend on their value."""

_BALANCES = {
    BalancePolicy.ROUND_ROBIN: None,  # what every target does where nothing is stated
    BalancePolicy.LEAST_REQUEST: Feature.LEAST_REQUEST,
    BalancePolicy.RANDOM: Feature.RANDOM,
    BalancePolicy.PEAK_EWMA: Feature.PEAK_EWMA,
    BalancePolicy.RING_HASH: Feature.RING_HASH,
}


def _of_match(match: RequestMatch, what: str, origin: Span | None) -> Iterator[Asked]:
    """Yield what a condition asks for. Who calls, every target tells: the slices name callers in place of `from`."""
    for question in questions(match.condition):
        feature = _of_question(question)
        if feature is not None:
            yield Asked(feature=feature, what=what, origin=origin)


def _of_question(question: Question) -> Feature | None:
    match question:
        case HeaderPresent() | HeaderOneOf() | CallerIn():
            return None
        case HeaderMatches():
            return Feature.HEADER_PATTERN
        case AttributePresent() | AttributeOneOf() | AttributeMatches():
            return _ATTRIBUTES[question.kind]
        case _:
            assert_never(question)


_ATTRIBUTES = {
    AttributeKind.QUERY: Feature.QUERY,
    AttributeKind.COOKIE: Feature.COOKIE,
    AttributeKind.CLAIM: Feature.END_USER,
}


def _of_route(route: Route) -> Iterator[Asked]:
    for rule in route.rules:
        what = f"the rule `{rule.id}` of `{route.service}`"
        yield from _of_match(rule.match, what, rule.origin)
        match rule.answer:
            case None:
                if any(destination.version is not None for destination in rule.destinations):
                    yield Asked(feature=Feature.SPLIT, what=what, origin=rule.origin)
            case Redirect():
                yield Asked(feature=Feature.REDIRECT, what=what, origin=rule.origin)
            case Respond():
                yield Asked(feature=Feature.RESPOND, what=what, origin=rule.origin)
            case _:
                assert_never(rule.answer)


def _of_mirror(mirror: Mirror) -> Iterator[Asked]:
    what = f"`{mirror.id}`"
    yield Asked(feature=Feature.MIRROR, what=what, origin=mirror.origin)
    yield from _of_match(mirror.match, what, mirror.origin)


def _of_fault(fault: Fault) -> Asked:
    return Asked(feature=Feature.FAULT, what=f"the fault `{fault.name}`", origin=fault.origin)


def _of_service(service: Service) -> Iterator[Asked]:
    if service.mtls is MtlsMode.PERMISSIVE:
        what = f"`mtls: permissive` of `{service.name}`"
        yield Asked(feature=Feature.PERMISSIVE, what=what, origin=service.mtls_origin)
    if service.health is not None:
        what = f"the `health` of `{service.name}`"
        yield Asked(feature=Feature.HEALTH_CHECK, what=what, origin=service.health.origin)


def _of_external(external: External) -> Iterator[Asked]:
    tls = external.tls
    if tls is None:
        return
    stated = (
        (Feature.TLS_SERVER_NAME, "server-name", tls.server_name),
        (Feature.TLS_CA, "ca", tls.ca_file),
        (Feature.TLS_NAMES, "names", tls.names),
    )
    for feature, word, value in stated:
        if value:
            yield Asked(feature=feature, what=f"`tls {word}` of `{external.name}`", origin=tls.origin)


def _of_objective(objective: Objective) -> Asked:
    return Asked(feature=Feature.OBJECTIVE, what=f"`slo {objective.service}`", origin=objective.origin)

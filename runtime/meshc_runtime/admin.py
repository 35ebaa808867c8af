"""The admin pages: what the proxy enforces, counts and holds, for whoever may reach its loopback address."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from meshc_runtime.explain import explain
from meshc_runtime.inside import Asked, Page, Pages, json_page, text_page
from meshc_runtime.log_level import LogLevel
from meshc_runtime.metrics import ProxyMetrics
from meshc_runtime.policy import Policy
from meshc_runtime.question import QuestionError
from meshc_runtime.snapshot import Snapshot
from meshc_runtime.tls import MeshTls

_SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|password|passwd|api-?key|credential|signature")
_HIDDEN = "(hidden)"

TAKE_POSTS = frozenset({"/logging"})
"""The pages that change something."""


class Enforced(Protocol):
    """What is in force."""

    @property
    def policy(self) -> Policy:
        """The policy."""

    @property
    def tls(self) -> MeshTls:
        """The identity."""


class Administered(Protocol):
    """The proxy, as its pages see it."""

    metrics: ProxyMetrics
    draining: bool
    log_level: LogLevel

    @property
    def enforced(self) -> Enforced:
        """What is in force now."""


def admin_pages(proxy: Administered) -> Pages:
    """The pages on loopback."""
    return {
        "/ready": ready_page(proxy),
        "/stats": lambda asked: _stats(proxy, asked),
        "/config": lambda _: json_page(public_config(proxy.enforced.policy.snapshot)),
        "/certs": lambda _: json_page(_certificates(proxy.enforced.tls, datetime.now(UTC))),
        "/why": lambda asked: _why(proxy, asked),
        "/logging": lambda asked: _logging(proxy, asked),
    }


def ready_page(proxy: Administered) -> Callable[[Asked], Page]:
    """The page that says whether calls are taken."""
    return lambda _: text_page(503, "draining\n") if proxy.draining else text_page(200, "ready\n")


def metrics_page(proxy: Administered) -> Callable[[Asked], Page]:
    """The page that Prometheus scrapes."""
    return lambda _: Page(
        status=200, content_type="text/plain; version=0.0.4; charset=utf-8", text=proxy.metrics.render()
    )


def public_config(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot, but for the values of headers that credentials are sent in; keys are not in it anyway."""
    document: dict[str, Any] = snapshot.model_dump(mode="json")
    _hide(document)
    return document


def _hide(value: Any) -> None:
    if isinstance(value, list):
        for one in value:
            _hide(one)
    elif isinstance(value, dict):
        name = value.get("name")
        if str(value.get("kind", "")).startswith("header-") and isinstance(name, str) and _SECRET_HEADER.search(name):
            for field in ("value", "values"):
                if field in value:
                    value[field] = _HIDDEN
        for one in value.values():
            _hide(one)


def _stats(proxy: Administered, asked: Asked) -> Page:
    match asked.query.get("format", "text"):
        case "json":
            return json_page(proxy.metrics.document())
        case "text" | "prometheus":
            return metrics_page(proxy)(asked)
    return text_page(400, "format: text or json\n")


def _certificates(tls: MeshTls, now: datetime) -> dict[str, Any]:
    own = tls.certificate
    left = datetime.fromisoformat(own.not_after) - now
    return {
        **{name: getattr(own, name) for name in own.__slots__},
        "seconds_left": int(left.total_seconds()),
        "authorities": [{name: getattr(one, name) for name in one.__slots__} for one in tls.authorities],
    }


def _why(proxy: Administered, asked: Asked) -> Page:
    text = asked.query.get("request")
    if text is None:
        return text_page(400, "ask /why?request=web+->+api+GET+/v1/orders\n")
    try:
        return json_page(explain(proxy.enforced.policy, text))
    except QuestionError as error:
        return text_page(400, f"{error}\n")


def _logging(proxy: Administered, asked: Asked) -> Page:
    level = asked.query.get("level")
    if asked.method == "POST":
        if level not in tuple(LogLevel):
            return text_page(400, f"level: one of {', '.join(LogLevel)}\n")
        proxy.log_level = LogLevel(level)
    elif level is not None:
        return text_page(405, "POST /logging?level=… sets it\n")
    return json_page({"level": proxy.log_level.value})

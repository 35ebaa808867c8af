"""Why a request fares as it does: its rules, its route, where each setting comes from, and what would change it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshc_compiler.evaluate import (
    Decision,
    Reason,
    View,
    evaluate,
    identity_of,
    matches,
    port_of,
    stated_scopes,
    stated_settings,
)
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.condition import settled_for
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.setting import SETTING_NAMES, Settings
from meshc_compiler.lower.setting_text import setting_text
from meshc_compiler.request import resolve_request
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.parser import parse_request
from meshc_lang.record import dataclass
from meshc_lang.request import Request
from meshc_lang.source import Span

if TYPE_CHECKING:
    from meshc_compiler.flip.search import Flip, FlipFinder


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The fate of one request and its reasons.

    `settings` are as stated, so that each has its scope and place, `off` included; `decision.settings` are those in
    effect. `flip` is the smallest edit that turns the decision, where one was looked for and found; else `obstacle` is
    what an edit would break, if anything. `near` are allows that miss a refused request only by what it bears: one that
    bore something else would be allowed by them.
    """

    request: Request
    decision: Decision
    settings: Settings
    flip: Flip | None = None
    obstacle: str = ""
    near: tuple[Rule, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that decide: the allows that match an allowed request, the denies that match a denied one."""
        return self.decision.rules

    @property
    def route_span(self) -> Span | None:
        """Where the winning rule of the route stands; None for the default target."""
        rule = self.decision.route_rule
        return None if rule is None else rule.origin


def explain_text(
    index: MeshIndex, text: str, finder: FlipFinder | None = None
) -> tuple[Explanation | None, tuple[Diagnostic, ...]]:
    """Explain a request in the notation of tests; None with diagnostics where it cannot be read or resolved."""
    request, diagnostics = parse_request(text)
    if request is None or diagnostics:
        return None, diagnostics
    resolved, diagnostics = resolve_request(index, request)
    return (None if resolved is None else explain(index, resolved, finder)), diagnostics


def explain(index: MeshIndex, request: Request, finder: FlipFinder | None = None, *, near: bool = True) -> Explanation:
    """Explain a request that was resolved; with a finder also what would turn the verdict.

    Without `near` no allows are looked for that are missed: for long batches.
    """
    decision = evaluate(index, request)
    settings = Settings()
    if decision.allowed and decision.settings != settings:
        settings = stated_settings(index, decision)
    missed = _near_allows(index, decision) if near and decision.reason is Reason.NO_ALLOW else ()
    if finder is None or missed or not finder.is_about(decision):
        # Where a guard is all that is missing, an allow without it would only go round it.
        return Explanation(request=request, decision=decision, settings=settings, near=missed)
    found = finder.find(request)
    return Explanation(
        request=request, decision=decision, settings=settings, near=missed, flip=found.flip, obstacle=found.obstacle
    )


def _near_allows(index: MeshIndex, decision: Decision) -> tuple[Rule, ...]:
    """Return the allows that match a refused request but for a condition that its caller could meet."""
    request, path = decision.request, decision.path
    port = port_of(index, request)
    caller = identity_of(index, request.caller)
    if port is None or path is None:
        return ()
    return tuple(
        rule
        for rule in index.rules_of(request.callee, port.number)
        if rule.effect is Effect.ALLOW
        and rule.match.condition is not None
        and includes(rule.callers, caller)
        and matches(replace(rule.match, condition=None), request.method, path, View())
        and settled_for(rule.match.condition, caller) is not False
    )


def settings_rows(settings: Settings) -> tuple[tuple[str, str, str, Span | None], ...]:
    """Return what is stated as rows: the language's name of the setting, its value in text, its scope, its place."""
    rows = []
    for field, name in SETTING_NAMES.items():
        stated = getattr(settings, field)
        if stated is not None:
            rows.append((name, setting_text(field, stated.value), stated.scope.word, stated.origin))
    return tuple(rows)


def overridden_rows(index: MeshIndex, decision: Decision) -> tuple[tuple[str, str, str, Span | None], ...]:
    """Return the values that a more specific scope overrides, as `settings_rows` does, the most specific first."""
    rows = []
    scopes = stated_scopes(index, decision)
    for field, name in SETTING_NAMES.items():
        values = [stated for scope in scopes if (stated := getattr(scope, field)) is not None]
        for stated in reversed(values[:-1]):
            rows.append((name, setting_text(field, stated.value), stated.scope.word, stated.origin))
    return tuple(rows)


def says_nothing(name: str, settings: Settings) -> bool:
    """Tell whether a setting is without meaning for a call that is tried once, or of which no instance is ejected."""
    if name.startswith("retry ") and name != "retry limit":
        return not settings.retries
    if name in {"breaker eject", "breaker interval", "breaker max-ejected"}:
        return not (settings.outlier_consecutive_5xx and settings.outlier_consecutive_5xx.value)
    return False

"""Why a request fares as it does, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from meshc.render.json import Json, edit_json, request_json, span_json
from meshc.render.patch import patch_lines
from meshc.render.setting import number, settings_json
from meshc.render.terminal import Ink, Terminal, cell_count
from meshc_compiler.evaluate import Reason
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Rule
from meshc_compiler.why import Explanation, says_nothing, settings_rows
from meshc_lang.source import Span
from meshc_lang.units import print_percent, print_rate

_PERCENT = 10_000

_REASONS = {
    Reason.NO_ALLOW: "no allow matches it",
    Reason.PLAINTEXT: "the caller has no mesh identity",
    Reason.UNKNOWN_CALLER: "the caller is not of this mesh",
    Reason.UNKNOWN_CALLEE: "there is no such callee",
    Reason.REFUSED_PATH: "the path has no canonical form, and is refused",
    Reason.REFUSED_METHOD: "the method is never forwarded",
}


class ExplanationRenderer:
    """Renders explanations of requests to one mesh; places are looked up once each."""

    def __init__(self, index: MeshIndex, terminal: Terminal) -> None:
        self._index = index
        self._terminal = terminal
        self._spans: dict[tuple[int, int, int], Json | None] = {}

    def as_json(self, explanation: Explanation) -> Json:
        """Return an explanation by the contract; weights and shares are percents, times milliseconds."""
        decision = explanation.decision
        return {
            "request": request_json(explanation.request),
            "allowed": decision.allowed,
            "reason": decision.reason.value,
            "status": decision.status,
            "path": decision.path,
            "rules": [
                {
                    "effect": rule.effect.value,
                    "id": rule.id,
                    "span": self._span(rule.origin),
                    "because": rule.because,
                }
                for rule in explanation.rules
            ],
            "route": {
                "rule": self._span(explanation.route_span),
                "id": decision.route_rule.id if decision.route_rule is not None else None,
                "destinations": [
                    {"service": one.service, "version": one.version, "weight": number(one.weight / _PERCENT)}
                    for one in decision.destinations
                ],
            },
            "settings": settings_json(explanation.settings, self._span),
            "limits": [{"id": limit.id, "span": self._span(limit.origin)} for limit in decision.limits],
            "flip": None
            if explanation.flip is None
            else {
                "title": explanation.flip.title,
                "edits": [edit_json(edit) for edit in explanation.flip.edits],
            },
        }

    def as_text(self, explanation: Explanation) -> str:
        """Return an explanation as lines: the verdict, then rows of what it rests on, each with its place."""
        terminal, decision = self._terminal, explanation.decision
        lines = [terminal.paint(terminal.safe(explanation.request.text), Ink.STRONG)]
        if decision.path is not None and decision.path != explanation.request.path:
            lines.append(f"  compared as {terminal.safe(decision.path)}")
        verdict = terminal.paint("allowed", Ink.GOOD) if decision.allowed else terminal.paint("denied", Ink.ERROR)
        told = _REASONS.get(decision.reason)
        status = f" ({decision.status})" if decision.status is not None else ""
        lines.append(f"  {verdict}{status}" + (f": {told}" if told else ""))
        rows = list(self._rows(explanation))
        wide = max((cell_count(what) for what, _ in rows), default=0)
        for what, place in rows:
            gap = " " * (wide - cell_count(what) + 3) if place else ""
            lines.append(f"    {terminal.safe(what)}{terminal.paint(gap + terminal.safe(place), Ink.FAINT)}".rstrip())
        if explanation.flip is not None:
            lines.append(f"  {terminal.paint('to allow it:', Ink.GOOD)} {terminal.safe(explanation.flip.title)}")
            lines += [f"    {line}" for line in patch_lines(explanation.flip.edits, terminal)]
        return "\n".join(lines) + "\n"

    def _rows(self, explanation: Explanation) -> Iterator[tuple[str, str]]:
        decision = explanation.decision
        for rule in explanation.rules:
            yield _sentence(rule), _place(rule.origin)
        if decision.allowed and decision.destinations:
            name = "" if decision.route_rule is None else f" by {decision.route_rule.id}"
            yield f"goes to {self._targets(explanation)}{name}", _place(explanation.route_span)
        for name, value, scope, origin in settings_rows(explanation.settings):
            if says_nothing(name, explanation.settings):
                continue
            yield f"{name} {value}", f"{_place(origin)} ({scope})"
        for limit in decision.limits:
            per = f" per header {limit.per_header}" if limit.per_header else ""
            rate = print_rate(limit.amount, limit.seconds)
            yield f"limit {rate} burst {limit.burst}{per}", _place(limit.origin)

    def _targets(self, explanation: Explanation) -> str:
        destinations = explanation.decision.destinations
        if len(destinations) == 1:
            only = destinations[0]
            return f"{only.service} {only.version}" if only.version is not None else f"all of {only.service}"
        return ", ".join(f"{one.version or one.service} {print_percent(one.weight)}" for one in destinations)

    def _span(self, span: Span | None) -> Json | None:
        if span is None:
            return None
        key = (id(span.source), span.start, span.end)
        if key not in self._spans:
            self._spans[key] = span_json(span)
        return self._spans[key]


def _sentence(rule: Rule) -> str:
    return f"{rule.id} because {rule.because}" if rule.because else rule.id


def _place(span: Span | None) -> str:
    return "" if span is None else str(span)

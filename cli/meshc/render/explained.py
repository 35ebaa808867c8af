"""Why a request fares as it does, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from meshc.render.count import counted
from meshc.render.json import Json, edit_json, request_json, span_json
from meshc.render.patch import patch_lines
from meshc.render.setting import number, settings_json
from meshc.render.terminal import Ink, Terminal, cell_count
from meshc.render.traffic import (
    fault_json,
    fault_text,
    health_json,
    health_text,
    mirror_json,
    mirror_text,
)
from meshc_compiler.evaluate import Reason
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Rule
from meshc_compiler.ir.route import Answer, Redirect
from meshc_compiler.lower.answer import answer_text
from meshc_compiler.why import Explanation, overridden_rows, says_nothing, settings_rows
from meshc_lang.source import Span
from meshc_lang.units import print_percent, print_rate

if TYPE_CHECKING:
    from meshc_compiler.flip.effect import Effects
    from meshc_compiler.flip.search import Flip

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

    def __init__(self, index: MeshIndex, terminal: Terminal, *, verbose: bool = False) -> None:
        self._index = index
        self._verbose = verbose
        self._terminal = terminal
        self._spans: dict[tuple[int, int, int, tuple[str, ...]], Json | None] = {}

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
                "answer": None if decision.answer is None else _answer_json(decision.answer),
            },
            "settings": settings_json(explanation.settings, self._span),
            **self._overridden_json(explanation),
            "near": [{"id": rule.id, "span": self._span(rule.origin)} for rule in explanation.near],
            "limits": [{"id": limit.id, "span": self._span(limit.origin)} for limit in decision.limits],
            "mirrors": [mirror_json(mirror, self._span) for mirror in decision.mirrors],
            "faults": [fault_json(fault, self._span) for fault in decision.faults],
            "health": None if decision.health is None else health_json(decision.health, self._span),
            "flip": None if explanation.flip is None else _flip_json(explanation.flip),
            **({"obstacle": explanation.obstacle} if explanation.obstacle else {}),
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
        lines += self._flip_lines(explanation)
        return "\n".join(lines) + "\n"

    def _flip_lines(self, explanation: Explanation) -> Iterator[str]:
        """Yield the smallest edit that turns the verdict, as a patch, and what else it does; or why there is none."""
        terminal, flip = self._terminal, explanation.flip
        title = terminal.paint("to deny it:" if explanation.decision.allowed else "to allow it:", Ink.GOOD)
        if flip is None:
            if explanation.obstacle:
                yield f"  {title} every small edit would break {terminal.safe(explanation.obstacle)}"
            return
        yield f"  {title} {terminal.safe(flip.fix.title)}"
        yield from (f"    {line}" for line in patch_lines(flip.fix.edits, terminal))
        for word, effects in (("opens", flip.opens), ("closes", flip.closes)):
            if effects.count != 0:
                yield f"    {terminal.safe(_effects_text(word, effects))}"

    def _rows(self, explanation: Explanation) -> Iterator[tuple[str, str]]:
        decision = explanation.decision
        for rule in explanation.rules:
            yield _sentence(rule), _place(rule.origin)
        for rule in explanation.near:
            yield f"not met: {rule.id}", _place(rule.origin)
        name = "" if decision.route_rule is None else f" by {decision.route_rule.id}"
        if decision.answer is not None:
            yield f"the caller's sidecar answers: {answer_text(decision.answer)}", _place(explanation.route_span)
        if decision.allowed and decision.destinations:
            yield f"goes to {self._targets(explanation)}{name}", _place(explanation.route_span)
        for mirror in decision.mirrors:
            yield mirror_text(mirror), _place(mirror.origin)
        for name, value, scope, origin in settings_rows(explanation.settings):
            if says_nothing(name, explanation.settings):
                continue
            yield f"{name} {value}", _place(origin, scope)
        for limit in decision.limits:
            per = f" per {limit.per.kind} {limit.per.name}" if limit.per is not None else ""
            rate = print_rate(limit.amount, limit.seconds)
            yield f"limit {rate} burst {limit.burst}{per}", _place(limit.origin)
        for fault in decision.faults:
            yield fault_text(fault), _place(fault.origin)
        if decision.health is not None:
            yield health_text(decision.health), _place(decision.health.origin)
        if self._verbose:
            for name, value, scope, origin in overridden_rows(self._index, decision):
                yield f"overridden: {name} {value}", _place(origin, scope)

    def _overridden_json(self, explanation: Explanation) -> Json:
        if not self._verbose:
            return {}
        rows = overridden_rows(self._index, explanation.decision)
        return {
            "overridden": [
                {"setting": name, "value": value, "scope": scope, "span": self._span(origin)}
                for name, value, scope, origin in rows
            ]
        }

    def _targets(self, explanation: Explanation) -> str:
        destinations = explanation.decision.destinations
        if len(destinations) == 1:
            only = destinations[0]
            return f"{only.service} {only.version}" if only.version is not None else f"all of {only.service}"
        return ", ".join(f"{one.version or one.service} {print_percent(one.weight)}" for one in destinations)

    def _span(self, span: Span | None) -> Json | None:
        if span is None:
            return None
        key = (id(span.source), span.start, span.end, span.notes)
        if key not in self._spans:
            self._spans[key] = span_json(span)
        return self._spans[key]


def _sentence(rule: Rule) -> str:
    return f"{rule.id} because {rule.because}" if rule.because else rule.id


def _answer_json(answer: Answer) -> Json:
    return {"redirect": answer.location} if isinstance(answer, Redirect) else {"respond": answer.status}


def _place(span: Span | None, scope: str = "") -> str:
    if span is None:
        return ""
    notes = (*([scope] if scope else ()), *span.notes)
    return f"{span} ({', '.join(notes)})" if notes else str(span)


def _flip_json(flip: Flip) -> Json:
    return {
        "title": flip.fix.title,
        "edits": [edit_json(edit) for edit in flip.fix.edits],
        "opens": {"count": flip.opens.count, "witness": request_json(flip.opens.witness)},
        "closes": {"count": flip.closes.count, "witness": request_json(flip.closes.witness)},
    }


def _effects_text(word: str, effects: Effects) -> str:
    count = "other requests, too many to count" if effects.count is None else counted(effects.count, "other kind")
    what = count if effects.count is None else f"{count} of request"
    return f"it {word} {what}" + (f", such as `{effects.witness.text}`" if effects.witness is not None else "")

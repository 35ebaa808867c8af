"""Authorisation: a request is allowed when some allow matches it and no deny does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from meshc_runtime.condition import Headers, compile_condition
from meshc_runtime.request_index import Entry, Matcher, RequestIndex
from meshc_runtime.snapshot import AuthorizationRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict on one request and the rule that gave it; no rule when nothing matched."""

    allowed: bool
    rule: str | None


_NOTHING_MATCHED = Decision(allowed=False, rule=None)


class Authorizer:
    """The rules of one port, ready to judge requests; without rules it refuses every request.

    Among several rules that would decide alike, the first of the document is the one that is named.
    """

    def __init__(self, rules: Iterable[AuthorizationRule], trust_domain: str) -> None:
        """Compile the rules; those for every caller hold for any identity of the trust domain.

        Raises:
            ValueError: a template or regular expression that cannot be compiled.
        """
        by_caller: dict[str | None, list[Matcher[Decision]]] = {None: []}
        listed = list(rules)
        for rule in listed:
            for caller in (*(rule.callers or ()), *(rule.except_callers or ())):
                by_caller.setdefault(caller, [])
        for order, rule in enumerate(listed):
            matcher = Matcher(
                methods=rule.methods,
                path=rule.path,
                entry=Entry(
                    order=order,
                    group=rule.effect,
                    condition=None if rule.condition is None else compile_condition(rule.condition),
                    value=Decision(allowed=rule.effect == "allow", rule=rule.id),
                ),
            )
            counted = by_caller.keys() if rule.callers is None else set(rule.callers)
            for key in counted - set(rule.except_callers or ()):
                by_caller[key].append(matcher)
        self._others = RequestIndex(by_caller.pop(None))
        self._callers = {caller: RequestIndex(matchers) for caller, matchers in by_caller.items()}
        self._prefix = f"spiffe://{trust_domain}/"

    def decide(self, caller: str, method: str, path: str, headers: Headers) -> Decision:
        """The verdict on a request: an authenticated caller, its method, canonical path and headers."""
        index = self._callers.get(caller)
        if index is None:
            if not caller.startswith(self._prefix):
                return _NOTHING_MATCHED
            index = self._others
        denied: Entry[Decision] | None = None
        allowed: Entry[Decision] | None = None
        for entry in index.candidates(method, path):
            best = allowed if entry.value.allowed else denied
            if best is not None and best.order < entry.order:
                continue
            if entry.condition is None or entry.condition(headers):
                if entry.value.allowed:
                    allowed = entry
                else:
                    denied = entry
        chosen = denied or allowed
        return _NOTHING_MATCHED if chosen is None else chosen.value

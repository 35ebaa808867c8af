"""Edits that may turn the verdict about a request: what each says, and how the text changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product

from meshc_compiler.checks.deletion import delete_grant
from meshc_compiler.evaluate import Decision, View, identity_of, matches, port_of
from meshc_compiler.flip.new_sentence import add_grants, add_sentence, grant_text, names_caller
from meshc_compiler.flip.sentence_site import SentenceSites, plain
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.loader import Program
from meshc_compiler.lower.rule import GrantSite
from meshc_compiler.lower.sentence import quoted
from meshc_lang.diagnostic import Applicability, Edit
from meshc_lang.record import dataclass
from meshc_lang.source import Span
from meshc_lang.tree.policy import AnyOf, HttpMatcher, RpcMatcher
from meshc_lang.tree.statement import DenyDecl

_MOST = 24
"""The most edits that are tried for one request."""

_MOST_TOGETHER = 4
"""The most rules that are changed by one edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An edit that may turn a verdict. `narrow` says that it is written about the request and no other."""

    title: str
    edits: tuple[Edit, ...]
    narrow: bool = False

    @property
    def characters(self) -> int:
        """How many characters the edit takes away and writes."""
        return sum(len(edit.text) + edit.span.end - edit.span.start for edit in self.edits)


class Candidates:
    """The edits for one request, in the order in which they are worth a try."""

    def __init__(self, index: MeshIndex, program: Program, decision: Decision) -> None:
        self._index = index
        self._decision = decision
        self._request = decision.request
        self._path = decision.path or "/"
        self._sites = SentenceSites(program)
        self._caller = identity_of(index, decision.request.caller)
        self._who = names_caller(index, decision.request.caller)
        port = port_of(index, decision.request)
        self._port = port
        self._rules = () if port is None else index.rules_of(decision.request.callee, port.number)

    def all(self) -> tuple[Candidate, ...]:
        """Return the edits: narrow ones first, then those that change least of the text."""
        if self._port is None or self._decision.path is None:
            return ()
        found = self._closing() if self._decision.allowed else self._opening()
        ordered = sorted(found, key=lambda one: (not one.narrow, one.characters))
        return tuple(dict.fromkeys(islice(ordered, _MOST)))

    # ---- from refused to allowed

    def _opening(self) -> Iterator[Candidate]:
        denies = [rule for rule in self._decision.rules if rule.effect is Effect.DENY]
        passes = any(rule.effect is Effect.ALLOW and self._matches(rule) for rule in self._rules)
        allowing = [None] if passes else list(self._allowing())
        if not denies:
            yield from (one for one in allowing if one is not None)
            return
        if len(denies) > _MOST_TOGETHER:
            return
        for parts in islice(product(allowing, *(tuple(self._yielding(deny)) for deny in denies)), _MOST):
            yield _together(part for part in parts if part is not None)

    def _allowing(self) -> Iterator[Candidate]:
        """Yield the edits by which some allow matches the request."""
        yield from self._new("allow")
        for rule in self._rules:
            site = self._sites.site(rule)
            if rule.effect is not Effect.ALLOW or site is None:
                continue
            if includes(rule.callers, self._caller):
                if not self._matches(rule):
                    yield from self._with_method(rule, site)
            elif self._says(rule):
                yield from self._group_edit(site, "|")

    def _with_method(self, rule: Rule, site: GrantSite) -> Iterator[Candidate]:
        """Yield the edit by which a grant that lacks the request's method has it, if nothing else is missing."""
        matcher, method = site.grant.matcher, self._request.method
        if not rule.match.methods or not matches(rule.match, rule.match.methods[0], self._path, self._view):
            return
        match matcher:
            case HttpMatcher(methods=(_, *_)):
                place = matcher.methods[-1].span
                yield self._insert(place, f"|{method}", f"add `{method}` to `{site.grant.span.text}`")
            case _:
                return

    def _yielding(self, deny: Rule) -> Iterator[Candidate]:
        """Yield the edits by which a deny does not match the request any more."""
        site = self._sites.site(deny)
        if site is None:
            return
        statement = site.statement
        if self._who is not None and not _is_all(deny, self._caller):
            if isinstance(statement, DenyDecl):
                words = f"let `{self._who}` pass the deny `{site.grant.span.text}`"
                if statement.unless is not None:
                    yield self._insert(statement.unless.span, f" or from {self._who}", words)
                elif len(statement.grants) == 1:
                    yield self._insert(_end_of_grants(statement), f" unless from {self._who}", words)
                    for name, value in self._request.headers[:1]:
                        mark = f"from {self._who} and header {quoted(name)} == {quoted(value)}"
                        words = f"let `{self._who}` pass the deny `{site.grant.span.text}` with that header"
                        yield self._insert(_end_of_grants(statement), f" unless {mark}", words)
            yield self._without_caller(site, f"take `{self._who}` out of the deny `{site.grant.span.text}`")
        yield from self._taking_away(site)

    # ---- from allowed to refused

    def _closing(self) -> Iterator[Candidate]:
        yield from self._new("deny")
        allows = [rule for rule in self._decision.rules if rule.effect is Effect.ALLOW]
        if len(allows) > _MOST_TOGETHER:
            return
        ways: list[list[Candidate]] = []
        for rule in allows:
            site = self._sites.site(rule)
            if site is None:
                return
            own = list(self._taking_away(site))
            if self._who is not None and not _is_all(rule, self._caller):
                own.append(self._without_caller(site, f"take `{self._who}` out of `{site.grant.span.text}`"))
            ways.append(own)
        for parts in islice(product(*ways), _MOST):
            yield _together(parts)

    def _taking_away(self, site: GrantSite) -> Iterator[Candidate]:
        """Yield the edits by which a grant goes, or its caller's group, or the request's method in it."""
        matcher, method = site.grant.matcher, self._request.method
        word = "deny" if isinstance(site.statement, DenyDecl) else "allow"
        fix = delete_grant(site, Applicability.UNSAFE)
        edits = tuple(Edit(plain(edit.span), edit.text) for edit in fix.edits)
        yield Candidate(title=f"delete the {word} of `{site.grant.span.text}`", edits=edits)
        if isinstance(matcher, HttpMatcher) and len(matcher.methods) > 1:
            left = [name.text for name in matcher.methods if name.text != method]
            if len(left) < len(matcher.methods) and left:
                span = plain(matcher.methods[0].span.to(matcher.methods[-1].span))
                title = f"take `{method}` out of `{site.grant.span.text}`"
                yield Candidate(title=title, edits=(Edit(span, "|".join(left)),))
        elif isinstance(matcher, RpcMatcher) and len(matcher.methods) > 1:
            service, _, rpc = self._path.removeprefix("/").partition("/")
            left = [name for name in matcher.methods if name != rpc]
            if service == matcher.service and len(left) < len(matcher.methods):
                text = f"rpc {service}/{'|'.join(left)}"
                title = f"take `{rpc}` out of `{site.grant.span.text}`"
                yield Candidate(title=title, edits=(Edit(plain(matcher.span), text),))
        yield from self._group_edit(site, "-")

    # ---- the edits

    def _new(self, effect: str) -> Iterator[Candidate]:
        """Yield the edits that write a sentence about the request: within one that is there, and by itself."""
        port = self._port
        grant = None if port is None else grant_text(self._request, self._path, port)
        if grant is None or self._who is None or port is None:
            return
        wanted = Effect(effect)
        for rule in self._rules:
            site = self._sites.site(rule)
            if rule.effect is wanted and site is not None and _is_all(rule, self._caller):
                place, text = add_grants(site.statement, grant)
                line = f"{effect} {site.statement.flow.span.text} : {grant}"
                yield Candidate(title=f"add `{line}`", edits=(Edit(plain(place), text),), narrow=True)
        place_and_line = add_sentence(self._index, self._request.callee, port, f"{effect} {self._who}", grant)
        if place_and_line is not None:
            edit, line = place_and_line
            yield Candidate(title=f"add `{line}`", edits=(edit,), narrow=True)

    def _without_caller(self, site: GrantSite, title: str) -> Candidate:
        grant = site.grant
        if grant.guard is None:
            return self._insert(grant.span, f" if not from {self._who}", title)
        guard = grant.guard.span.text
        text = f"({guard})" if isinstance(grant.guard, AnyOf) else guard
        text += f" and not from {self._who}"
        return Candidate(title=title, edits=(Edit(plain(grant.guard.span), text),))

    def _group_edit(self, site: GrantSite, sign: str) -> Iterator[Candidate]:
        group = self._sites.group_of_callers(site)
        if group is not None and self._who is not None:
            title = f"add `{self._who}` to" if sign == "|" else f"take `{self._who}` out of"
            yield self._insert(group.members.span, f" {sign} {self._who}", f"{title} the group `{group.name.text}`")

    def _insert(self, after: Span, text: str, title: str) -> Candidate:
        return Candidate(title=title, edits=(Edit(Span(after.source, after.end, after.end), text),))

    # ---- questions

    @property
    def _view(self) -> View:
        request = self._request
        claims = request.claims if self._index.mesh.token_issuers else ()
        return View(headers=request.headers, query=request.query, claims=claims, caller=self._caller)

    def _says(self, rule: Rule) -> bool:
        """Tell whether a rule speaks of the request, whoever makes it."""
        return matches(rule.match, self._request.method, self._path, self._view)

    def _matches(self, rule: Rule) -> bool:
        return includes(rule.callers, self._caller) and self._says(rule)


def _is_all(rule: Rule, caller: object) -> bool:
    """Tell whether a rule is about this caller and nobody else."""
    return getattr(rule.callers, "ids", None) == (caller,)


def _end_of_grants(statement: DenyDecl) -> Span:
    """Return the stretch behind which `unless` is written: the last grant, with the brace of its block."""
    last = statement.grants[-1].span
    tail = statement.span.text[last.end - statement.span.start :]
    brace = tail.find("}")
    return last if brace == -1 or '"' in tail[:brace] else last.at(last.start, last.end + brace + 1)


def _together(parts: Iterable[Candidate]) -> Candidate:
    chosen = tuple(parts)
    return Candidate(
        title=", and ".join(dict.fromkeys(part.title for part in chosen)),
        edits=tuple(dict.fromkeys(edit for part in chosen for edit in part.edits)),
        narrow=all(part.narrow for part in chosen),
    )

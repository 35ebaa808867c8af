"""Sentences about rpcs, paths and methods that the schema of their callee does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.finding import did_you_mean, one_of, replacement
from meshc_compiler.ir.claim import EveryEdge, MutualTls, Never, NeverChain
from meshc_compiler.ir.example import Example, ExpectDenied
from meshc_compiler.ir.match import PathTemplate, RequestMatch, Segment, SegmentKind
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.workload import External, Protocol, Service, ServicePort
from meshc_compiler.lower.sentence import callee_text
from meshc_compiler.lower.template import parse_template
from meshc_compiler.path import canonical_path, path_segments
from meshc_compiler.schema_match import PortSchema, is_of_the_library, takes_method
from meshc_lang.codes import names
from meshc_lang.diagnostic import Diagnostic, Fix, Label
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass
from meshc_lang.source import Span

_PATH = pattern(r"/[^\s,;]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    """Requests that some statement speaks of, at any of several ports; of what it `forbids` there may be none."""

    callees: tuple[tuple[str, int], ...]
    match: RequestMatch
    place: Span
    subject: str
    forbids: bool = False


def check_schemas(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find what is said about operations that nothing declares, where the callee's schema is known."""
    schemas = _Schemas(subject.index)
    if not schemas.any:
        return
    for sentence in _sentences(subject):
        found = schemas.problem(sentence)
        if found is not None:
            yield found


def _sentences(subject: CheckSubject) -> Iterator[_Sentence]:
    """Yield what the program speaks of: grants, routes, shadow traffic, claims and tests."""
    for site, rules in subject.grants:
        reached: dict[RequestMatch, list[tuple[str, int]]] = {}
        for rule in rules:
            reached.setdefault(rule.match, []).append((rule.callee, rule.port))
        for match, callees in reached.items():
            forbids = rules[0].effect is Effect.DENY
            yield _Sentence(
                callees=tuple(callees), match=match, place=site.grant.span, subject=rules[0].id, forbids=forbids
            )
    for route in subject.mesh.routes:
        for line in route.rules:
            if line.origin is not None:
                about = ((route.service, route.port),)
                yield _Sentence(
                    callees=about, match=line.match, place=line.origin, subject=f"{route.service} {line.id}"
                )
    for mirror in subject.mesh.mirrors:
        if mirror.origin is not None:
            about = ((mirror.service, mirror.port),)
            yield _Sentence(callees=about, match=mirror.match, place=mirror.origin, subject=mirror.id)
    for claim in subject.mesh.assertions:
        if isinstance(claim, EveryEdge | MutualTls) or claim.origin is None:
            continue
        for match in claim.matches:
            yield _Sentence(
                callees=claim.callees,
                match=match,
                place=claim.origin,
                subject=claim.text,
                forbids=isinstance(claim, Never | NeverChain),
            )
    for example in subject.mesh.examples:
        sentence = _example(subject.index, example)
        if sentence is not None:
            yield sentence


def _example(index: MeshIndex, example: Example) -> _Sentence | None:
    """Return what a test's request is about. That an unknown path is denied is a fair thing to test."""
    request = example.request
    canonical = canonical_path(request.path)
    denied = any(isinstance(expectation, ExpectDenied) for expectation in example.expectations)
    if request.protocol == "tcp" or canonical is None or request.span is None or (denied and request.protocol != "rpc"):
        return None
    callee = index.services.get(request.callee)
    ports: Iterable[ServicePort] = () if callee is None else callee.ports
    if (external := index.externals.get(request.callee)) is not None:
        ports = (external.port,)
    path = PathTemplate(tuple(Segment(SegmentKind.LITERAL, segment) for segment in path_segments(canonical)))
    return _Sentence(
        callees=tuple((request.callee, port.number) for port in ports if request.port in (None, port.name)),
        match=RequestMatch(methods=(request.method,), path=path),
        place=request.span,
        subject=f"{example.test}: {request.text}",
    )


class _Schemas:
    """The schemas of a mesh by port."""

    def __init__(self, index: MeshIndex) -> None:
        self._index = index
        self._known: dict[tuple[str, int], PortSchema] = {}
        callees: tuple[Service | External, ...] = (*index.mesh.services, *index.mesh.externals)
        for callee in callees:
            if callee.schema is not None:
                for number in {operation.port for operation in callee.schema.operations}:
                    self._known[callee.name, number] = PortSchema(callee.schema.operations_of(number))

    @property
    def any(self) -> bool:
        """Whether anything is declared at all."""
        return bool(self._known)

    def problem(self, sentence: _Sentence) -> Diagnostic | None:
        """Return what is wrong about a sentence: nothing, if it speaks of an operation of any of its ports."""
        if not isinstance(sentence.match.path, PathTemplate) or not sentence.callees:
            # Anything is something, and which paths an expression can match is not compared.
            return None
        first: Diagnostic | None = None
        for callee, number in sentence.callees:
            schema = self._known.get((callee, number))
            if schema is None:
                return None
            port = self._index.port_of(callee, number)
            rpc = port is not None and port.protocol is Protocol.GRPC
            find = _rpc_problem if rpc else _path_problem
            name = callee if port is None else callee_text(callee, port)
            found = find(name, schema, sentence.match.path, sentence)
            if found is None:
                return None
            first = first or found
        return first


def _rpc_problem(callee: str, schema: PortSchema, path: PathTemplate, sentence: _Sentence) -> Diagnostic | None:
    segments = path.segments
    if len(segments) != 2 or segments[0].kind is not SegmentKind.LITERAL or schema.meeting(path):
        return None
    service, method = segments[0].literal, segments[1].literal
    if is_of_the_library(service):
        return None
    rpcs = schema.rpcs_of(service)
    if not rpcs:
        word, known, message = service, schema.rpc_services, f"`{callee}` has no gRPC service `{service}`"
        place = _found(sentence.place, rf"(?<![\w.]){re.escape(service)}(?=/)")
        related = (Label(origin, "its rpcs are declared here"),) if (origin := schema.operations[0].origin) else ()
    else:
        known = tuple(rpc.path.segments[1].literal for rpc in rpcs)
        word, message = method, f"`{service}` of `{callee}` has no rpc `{method}`"
        place = _found(sentence.place, rf"(?<=[/|]){re.escape(method)}(?!\w)")
        related = (Label(origin, f"`{service}` is declared here"),) if (origin := rpcs[0].origin) else ()
    help_line, fixes = did_you_mean(word, known, place or sentence.place)
    return Diagnostic(
        code=names.UNKNOWN_RPC,
        message=message,
        primary=place or sentence.place,
        related=related,
        help=help_line or f"it has {one_of(known).replace(' or ', ' and ')}",
        fixes=fixes if place is not None else (),
        subject=sentence.subject,
    )


def _path_problem(callee: str, schema: PortSchema, path: PathTemplate, sentence: _Sentence) -> Diagnostic | None:
    meeting = schema.meeting(path)
    place = _place_of(path, sentence.place)
    if not meeting:
        return _unknown_path(callee, schema, path, place, sentence)
    lacking = [
        method for method in sentence.match.methods if not any(takes_method(operation, method) for operation in meeting)
    ]
    if not lacking or sentence.forbids:
        # That nobody may delete holds of what cannot be deleted, too.
        return None
    had = sorted({method for operation in meeting for method in operation.methods})
    written = sentence.place if place is None else place
    origin = meeting[0].origin
    return Diagnostic(
        code=names.UNKNOWN_METHOD,
        message=f"`{_text(path, place)}` of `{callee}` does not take {one_of(lacking)}",
        primary=_found(sentence.place, rf"\b{lacking[0]}\b") or written,
        related=() if origin is None else (Label(origin, f"declared with {_listed(had)}"),),
        help=f"it takes {_listed(had)}",
        subject=sentence.subject,
    )


def _unknown_path(
    callee: str, schema: PortSchema, path: PathTemplate, place: Span | None, sentence: _Sentence
) -> Diagnostic:
    near = schema.nearest(path)
    fixes: tuple[Fix, ...] = ()
    if near is not None:
        operation, mended = near
        help_line, label = f"did you mean `{mended}`?", "this one is declared"
        if place is not None:
            fixes = (replacement(f"write `{mended}`", place, str(mended)),)
    else:
        operation, label = schema.operations[0], "its paths are declared here"
        help_line = (
            f"it has {_listed(schema.paths)}; what its schema leaves out is added by `paths` in the service's block"
        )
    return Diagnostic(
        code=names.UNKNOWN_PATH,
        message=f"`{callee}` has no path `{_text(path, place)}`",
        primary=place or sentence.place,
        related=() if operation.origin is None else (Label(operation.origin, label),),
        help=help_line,
        fixes=fixes,
        subject=sentence.subject,
    )


# ---- places


def _place_of(path: PathTemplate, place: Span) -> Span | None:
    """Return where a template stands in a sentence; None where it came by a name."""
    for token in _PATH.finditer(place.text):
        text = token[0].partition("?")[0]
        if parse_template(text) == path or _as_literals(text) == path:
            return place.at(place.start + token.start(), place.start + token.start() + len(text))
    return None


def _as_literals(text: str) -> PathTemplate | None:
    canonical = canonical_path(text)
    if canonical is None:
        return None
    return PathTemplate(tuple(Segment(SegmentKind.LITERAL, segment) for segment in path_segments(canonical)))


def _found(place: Span, pattern: str) -> Span | None:
    found = re.search(pattern, place.text)
    return None if found is None else place.at(place.start + found.start(), place.start + found.end())


def _text(path: PathTemplate, place: Span | None) -> str:
    return str(path) if place is None else place.text


def _listed(words: Iterable[str]) -> str:
    return one_of(words).replace(" or ", " and ")

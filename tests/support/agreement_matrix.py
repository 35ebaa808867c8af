"""The questions to ask about a program, made from its own rules: each hit, and each missed in every way."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    CallerIn,
    Condition,
    HeaderOneOf,
    HeaderPresent,
    Not,
    PathMatch,
    PathRegex,
    PathTemplate,
    RequestMatch,
    SegmentKind,
)
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect
from meshc_lang.request import PLAINTEXT, Request
from support.agreement_certificates import FOREIGNER, STRANGER
from support.agreement_probe import Credential, Entrance, Probe
from support.agreement_spelling import spellings

Headers = tuple[tuple[str, str], ...]

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"

_WITNESSES = {
    SegmentKind.ANY: ("any-1", "a.b", "A_1"),
    SegmentKind.INT: ("42", "007", "4x2", "-1"),
    SegmentKind.UUID: (UUID, UUID.upper(), UUID[:-1], UUID.replace("-", "")),
    SegmentKind.SLUG: ("a-slug-1", "-", "A-Slug", "a_slug"),
}
"""For each kind of segment: one that is accepted, then others, of which some are not."""

METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PURGE", "TRACE", "M-SEARCH", "BREW")


@dataclass(frozen=True, slots=True)
class Callee:
    """One port that is called: a service's or an external's. `port` is the name in requests."""

    name: str
    port: str | None
    number: int
    external: bool


def callees(index: MeshIndex) -> tuple[Callee, ...]:
    """Return every HTTP port of the mesh."""
    services = (
        Callee(service.name, port.name if len(service.ports) > 1 else None, port.number, external=False)
        for service in index.mesh.services
        for port in service.ports
        if port.protocol.value == "http"
    )
    externals = (Callee(one.name, None, one.port.number, external=True) for one in index.mesh.externals)
    return (*services, *externals)


def matrix(index: MeshIndex) -> tuple[Probe, ...]:
    """Return the probes of a program: rules hit and missed, refused spellings, people without the right to enter."""
    found: dict[str, Probe] = {}
    for callee in callees(index):
        for probe in itertools.chain(
            _rules_hit_and_missed(index, callee), _spelled(index, callee), _intruders(index, callee)
        ):
            found.setdefault(probe.text, probe)
    return tuple(found.values())


def matches_of(index: MeshIndex, callee: Callee) -> tuple[RequestMatch, ...]:
    """Return what the program's rules and routes about a port look at, each once."""
    rules = [rule.match for rule in index.rules_of(callee.name, callee.number)]
    route = index.routes.get((callee.name, callee.number))
    return tuple(dict.fromkeys(rules + [rule.match for rule in (route.rules if route else ())]))


def callers_of(index: MeshIndex) -> tuple[str, ...]:
    """Return the names of all workloads, the gateway among them."""
    return tuple(workload.name for workload in index.mesh.workloads)


def granted(index: MeshIndex, callee: Callee) -> tuple[str, ...]:
    """Return the workloads that some allow about the port names."""
    allows = [rule for rule in index.rules_of(callee.name, callee.number) if rule.effect is Effect.ALLOW]
    return tuple(
        workload.name
        for workload in index.mesh.workloads
        if any(includes(rule.callers, workload.spiffe_id) for rule in allows)
    )


def caller_for(index: MeshIndex, callee: Callee, match: RequestMatch) -> str | None:
    """Return a caller by whom to ask about a match: one that its rule is about, else the one with most grants."""
    rules = index.rules_of(callee.name, callee.number)
    about = [rule for rule in rules if rule.match == match]

    def worth(name: str) -> tuple[int, int]:
        identity = index.workloads[name].spiffe_id
        mine = [rule for rule in rules if rule.effect is Effect.ALLOW and includes(rule.callers, identity)]
        return sum(includes(rule.callers, identity) for rule in about), len(mine)

    return max(granted(index, callee), key=worth, default=None)


def request_to(callee: Callee, caller: str, method: str, path: str, headers: Headers = ()) -> Request:
    """Return a request to a callee; the path may hold a query."""
    path, _, query = path.partition("?")
    return Request(
        caller=caller, callee=callee.name, port=callee.port, method=method, path=path, query=query, headers=headers
    )


def entrances(index: MeshIndex, callee: Callee, request: Request) -> Iterator[Probe]:
    """Yield the ways in which a workload of the mesh can send a request: its own sidecar, and past it."""
    yield Probe(request=request, entrance=Entrance.OUTBOUND)
    if not callee.external:
        yield Probe(request=request, entrance=Entrance.INBOUND)


# ---- rules hit and missed


def _rules_hit_and_missed(index: MeshIndex, callee: Callee) -> Iterator[Probe]:
    callers = callers_of(index)
    for match in matches_of(index, callee):
        method, path, headers = hit(match)
        for caller in callers:
            yield from entrances(index, callee, request_to(callee, caller, method, path, headers))
        caller = caller_for(index, callee, match) or callers[0]
        for other in _missed(match, method, path, headers, callee, caller):
            yield from entrances(index, callee, other)


def hit(match: RequestMatch) -> tuple[str, str, Headers]:
    """Return a method, a path and headers that the match is meant to hold for."""
    method = match.methods[0] if match.methods else "GET"
    headers = next((found for found in header_choices(match.condition) if _holds(match.condition, found)), ())
    return method, next(iter(path_choices(match.path))), headers


def _missed(
    match: RequestMatch, method: str, path: str, headers: Headers, callee: Callee, caller: str
) -> Iterator[Request]:
    for other in (*match.methods, *METHODS):
        yield request_to(callee, caller, other, path, headers)
    for elsewhere in path_choices(match.path):
        yield request_to(callee, caller, method, elsewhere, headers)
    for choice in header_choices(match.condition):
        yield request_to(callee, caller, method, path, choice)


def path_choices(match: PathMatch | None) -> tuple[str, ...]:
    """Return paths of which the first is matched, and others near it."""
    match match:
        case None:
            return ("/anything", "/")
        case PathRegex(pattern):
            return tuple(dict.fromkeys((*_REGEX_WITNESSES.get(pattern, ()), "/", "/no/such", "/x")))
        case PathTemplate():
            return _template_choices(match)


_REGEX_WITNESSES = {
    "/(a|b)[0-9]+": ("/a1", "/b22", "/c1", "/a", "/a1/", "/a1x", "/x/a1"),
    "/(alpha|beta|gamma|delta|epsilon|zeta|eta|theta)/[0-9]{1,12}/(one|two|three|four|five|six|seven|eight)": (
        "/alpha/1/eight",
        "/theta/123456789012/one",
        "/theta/1234567890123/one",
        "/iota/1/one",
    ),
    "/one|/two|/three": ("/one", "/two", "/three", "/one/two", "/x/three", "/onetwo", "/one|/two"),
    "/v[0-9]+/.*": ("/v3/", "/v3/a/b", "/v/a", "/v3", "/v3a/b", "/V3/a"),
    "/[^/]+": ("/a", "/a/", "/a/b", "/"),
    "/a{2,3}/[bB]": ("/aa/b", "/aaa/B", "/a/b", "/aaaa/b", "/AA/b", "/a{2,3}/b"),
    "/(x|y)*/z?": ("/xyyx/z", "/xx/", "/x", "/xz/z", "/x/zz"),
    r"/dots/.\..[.]+": ("/dots/a.b.", "/dots/a.b..", "/dots/aab.", "/dots/a.bb", "/dots/a.b./x"),
    r"/\d+-\w+": ("/12-ab_1", "/-a", "/12-", "/12-a-b", "/12-%C3%A9", "/%31-a"),
    ".*": ("/anything", "/a/b/c"),
    "/v1/(admin|root)(/.*)?": ("/v1/admin", "/v1/root/", "/v1/admin/x/y", "/v1/administrator", "/v1/adminx/y"),
    "/v2/a|/v2/b": ("/v2/a", "/v2/b", "/v2/a/c", "/x/v2/b", "/v2/c"),
    "/files/.*[.]txt": ("/files/x.txt", "/files/.txt", "/files/a/b.txt", "/files/xtxt", "/files/x.txt/"),
}
"""Paths for the regular expressions of the corpus: nothing here inverts expressions."""


def _template_choices(template: PathTemplate) -> tuple[str, ...]:
    segments = [_accepted(segment.kind, segment.literal) for segment in template.segments]
    exact = [text for text in segments if text is not None]
    has_rest = len(exact) < len(segments)
    path = "/" + "/".join(exact)
    found = [path + "/rest/of-it" if has_rest and exact else "/rest/of-it" if has_rest else path]
    found += [path, path.rstrip("/") + "/", path.rstrip("/") + "/more", path.rstrip("/") + "/more/and/more"]
    found.append(path.rstrip("/") + "x")
    if len(exact) > 1:
        found.append("/" + "/".join(exact[:-1]))
        found.append("/" + "/".join(exact[1:]))
    found.append("/")
    for position, segment in enumerate(template.segments):
        for other in _WITNESSES.get(segment.kind, ())[1:]:
            found.append("/" + "/".join([*exact[:position], other, *exact[position + 1 :]]))
        if segment.kind is SegmentKind.LITERAL:
            changed = [*exact[:position], exact[position].swapcase(), *exact[position + 1 :]]
            found.append("/" + "/".join(changed))
    return tuple(dict.fromkeys(found))


def _accepted(kind: SegmentKind, literal: str) -> str | None:
    """Return a segment that the kind accepts; None for `**`."""
    if kind is SegmentKind.LITERAL:
        return literal
    return _WITNESSES[kind][0] if kind in _WITNESSES else None


# ---- headers


def header_choices(condition: Condition | None, most: int = 60) -> tuple[Headers, ...]:
    """Return sets of header lines that tell a condition's operands apart: every spelling of every value, and none."""
    values: dict[str, set[str]] = {}
    _collect(condition, values)
    per_name = [tuple(_lines(name, tuple(sorted(wanted)))) for name, wanted in sorted(values.items())]
    chosen: list[Headers] = []
    for lines in _varied(per_name):
        flat = tuple(line for part in lines for line in part)
        if flat not in chosen:
            chosen.append(flat)
    return tuple(chosen[:most])


def _varied(choices: list[tuple[Headers, ...]]) -> Iterator[tuple[Headers, ...]]:
    """Yield the whole product of the first three choices of each, then each choice beside a fixed rest."""
    yield from itertools.product(*(options[:3] for options in choices))
    for position, options in enumerate(choices):
        for fixed in (0, 1):
            rest = [other[min(fixed, len(other) - 1)] for other in choices]
            for option in options:
                yield (*rest[:position], option, *rest[position + 1 :])


def _lines(name: str, values: tuple[str, ...]) -> Iterator[Headers]:
    value = values[0] if values else "v"
    yield ()
    yield ((name, value),)
    yield ((name, "other"),)
    for extra in values[1:]:
        yield ((name, extra),)
    yield ((name, ""),)
    yield ((name, value), (name, "other"))
    yield ((name, "other"), (name, value))
    yield ((name, f"{value},other"),)
    yield ((name, f"other,{value}"),)
    yield ((name, f"other, {value}"),)
    yield ((name, f"a, {value}, b"),)
    yield ((name, f"a,{value},b"),)
    yield ((name, f"other,  {value}"),)
    yield ((name, f"other ,{value} ,b"),)
    yield ((name, f"  {value}  "),)
    yield ((name, f"{value};q=1"),)
    yield ((name, f"x{value}"), (name, f"{value}x"))
    yield ((name, value.swapcase()),)
    yield ((name.upper(), value),)
    yield ((name, ""), (name, value))
    yield ((name, ","),)
    yield ((name, f'"{value}"'),)


def _collect(condition: Condition | None, values: dict[str, set[str]]) -> None:
    match condition:
        case None:
            pass
        case HeaderPresent(name):
            values.setdefault(name, set())
        case HeaderOneOf(name, wanted):
            values.setdefault(name, set()).update(wanted)
        case AllOf(operands) | AnyOf(operands):
            for operand in operands:
                _collect(operand, values)
        case Not(operand):
            _collect(operand, values)
        case CallerIn():
            pass  # every request is made by every caller


def _holds(condition: Condition | None, headers: Headers) -> bool:
    """Tell whether a condition holds of plain lines: enough to begin from a request that hits."""
    match condition:
        case None:
            return True
        case HeaderPresent(name):
            return any(key == name for key, _ in headers)
        case HeaderOneOf(name, values):
            return any(key == name and value in values for key, value in headers)
        case AllOf(operands):
            return all(_holds(operand, headers) for operand in operands)
        case AnyOf(operands):
            return any(_holds(operand, headers) for operand in operands)
        case Not(operand):
            return not _holds(operand, headers)
        case CallerIn():
            return True
        case _:
            raise AssertionError(f"the trial has no requests for {condition}")


# ---- spellings


def _spelled(index: MeshIndex, callee: Callee) -> Iterator[Probe]:
    for match in matches_of(index, callee):
        caller = caller_for(index, callee, match)
        if caller is None:
            return
        method, path, headers = hit(match)
        for spelling in spellings(path):
            request = request_to(callee, caller, method, spelling.target, headers)
            for probe in entrances(index, callee, request):
                yield replace(probe, why=spelling.oddity)


# ---- people without the right to enter


def _intruders(index: MeshIndex, callee: Callee) -> Iterator[Probe]:
    if callee.external:
        return
    matches: Iterable[RequestMatch] = matches_of(index, callee)[:2] or (RequestMatch(),)
    trust_domain = index.mesh.trust_domain
    for match in matches:
        method, path, headers = hit(match)
        straight = Probe(request=request_to(callee, PLAINTEXT, method, path, headers), entrance=Entrance.INBOUND)
        yield replace(straight, credential=Credential.PLAINTEXT)
        yield replace(
            straight,
            request=replace(straight.request, caller=(granted(index, callee) or callers_of(index))[0]),
            credential=Credential.ROGUE,
        )
        yield replace(
            straight,
            request=replace(straight.request, caller=(granted(index, callee) or callers_of(index))[0]),
            credential=Credential.EXPIRED,
        )
        yield replace(straight, credential=Credential.NONE)
        for guest in (
            f"spiffe://{trust_domain}/ns/default/sa/{STRANGER}",
            f"spiffe://elsewhere.example/ns/default/sa/{FOREIGNER}",
        ):
            yield replace(straight, request=replace(straight.request, caller=guest))

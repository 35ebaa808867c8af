"""The few differences between voices that are allowed, each with its reason. None lets anything past a rule.

An exception is not a tolerance: it says what the voice must do instead, and the comparison is as strict about that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from meshc_compiler.path import canonical_path
from support.agreement_certificates import FOREIGNER
from support.agreement_compare import Expected, compare
from support.agreement_probe import Entrance, Observation, Probe
from support.agreement_process import Voice

Expect = Callable[[Probe], Expected]


@dataclass(frozen=True, slots=True)
class AllowedDifference:
    """What one voice does with requests of some kind, and why.

    `documented` is how docs/targets.md calls those requests. `differences` is empty if the voice did with the probe
    exactly what this exception says.
    """

    voice: Voice
    reason: str
    documented: str
    differences: Callable[[Expect, Probe, Observation], list[str]]


_FOLDED_DOTS = re.compile(r"(?<=/)((?:\.|%2[Ee]){1,2});[^/]*")
_BROKEN = re.compile("%(?![0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"%(2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")
_FOLD = re.compile(r"[ \t]*\r\n[ \t]+")
_LOWER_ESCAPE = re.compile(r"%(?:[0-9A-F]?[a-f]|[a-f])")
_OUTSIDE = frozenset({"out"})
"""The external of made up programs."""
USUAL_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


def _serves_the_folded_path(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    path = _FOLDED_DOTS.sub(r"\1", probe.request.path.replace("\\", "/"))
    if path == probe.request.path:
        return ["no backslash, and no dot segment with a parameter"]
    folded = replace(probe, request=replace(probe.request, path=path))
    return compare(expect(folded), folded, seen)


def _keeps_the_case_of_escapes(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    if not _LOWER_ESCAPE.search(probe.request.path):
        return ["no escape in lower case"]
    tries = tuple(replace(one, target=_upper_escapes(one.target)) for one in seen.tries)
    return compare(expect(probe), probe, replace(seen, tries=tries))


def _refuses_escapes_in_lower_case(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    del expect
    if not _LOWER_ESCAPE.search(probe.request.path):
        return ["no escape in lower case"]
    return compare(Expected(status=400, reason="an escape in lower case"), probe, seen)


def _refuses_slashes_alone(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    del expect
    if "//" not in probe.request.path or canonical_path(probe.request.path) != "/":
        return ["not the root in slashes"]
    return compare(Expected(status=400, reason="slashes alone"), probe, seen)


def _upper_escapes(target: str) -> str:
    path, mark, query = target.partition("?")
    return re.sub(r"%[0-9A-Fa-f]{2}", lambda escape: escape[0].upper(), path) + mark + query


def _closes_on_other_trust_domains(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    expected = expect(probe)
    if not probe.request.caller.endswith(f"/{FOREIGNER}") or expected.places:
        return ["a caller of this trust domain"]
    return compare(replace(expected, status=None), probe, seen)


def _refuses_unusual_methods(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    del expect
    if probe.request.method in USUAL_METHODS:
        return ["a method that every proxy knows"]
    return compare(Expected(status=400, reason="unusual method"), probe, seen)


def _escapes_a_broken_escape(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    marked = _UNRESERVED.sub(lambda escape: chr(int(escape[1], 16)), _BROKEN.sub("\x00", probe.request.path))
    path = re.sub("\x00(?=[0-9A-Fa-f]{2})", "%25", marked)
    if path == marked:
        return ["nothing that becomes an escape"]
    escaped = replace(probe, request=replace(probe.request, path=path.replace("\x00", "%")))
    differences = compare(expect(escaped), escaped, seen)
    if differences and not _refuses_escapes_in_lower_case(expect, probe, seen):
        return []
    return differences and _keeps_the_case_of_escapes(expect, escaped, seen)


def _joins_two_hosts(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    if probe.second_host is None:
        return ["one Host"]
    one_host = replace(probe, second_host=None)
    if probe.entrance is Entrance.INBOUND:
        return compare(expect(one_host), one_host, seen)
    status = 404 if probe.request.callee in _OUTSIDE else 403
    return compare(Expected(status=status, reason="a name that nobody has"), probe, seen)


def _unfolds(expect: Expect, probe: Probe, seen: Observation) -> list[str]:
    headers = tuple((name, _FOLD.sub(" ", value)) for name, value in probe.request.headers)
    if headers == probe.request.headers:
        return ["no folded line"]
    unfolded = replace(probe, request=replace(probe.request, headers=headers))
    return compare(expect(unfolded), unfolded, seen)


REFUSED_FOR_EXPRESSIONS = AllowedDifference(
    Voice.ENVOY,
    "where a rule has a path expression, which cannot be made to match both cases, Envoy refuses escapes in lower case",
    "escapes in lower case, `%3a`",
    _refuses_escapes_in_lower_case,
)

KEEPS_CASE = AllowedDifference(
    Voice.ENVOY,
    "Envoy forwards the hexadecimal digits of escapes as they came; rules match them in either case",
    "escapes in lower case, `%3a`",
    _keeps_the_case_of_escapes,
)

ALLOWED_DIFFERENCES = (
    REFUSED_FOR_EXPRESSIONS,
    KEEPS_CASE,
    AllowedDifference(
        Voice.ENVOY,
        "Envoy reads `\\` as `/`, and `..;x` as `..`, before anything can refuse the request: it decides about the "
        "path that results, and forwards that one",
        r"`\`, `..;x`, `.;x` in the path",
        _serves_the_folded_path,
    ),
    AllowedDifference(
        Voice.ENVOY,
        "Envoy leaves two slashes of a path that is nothing but slashes, and then refuses it",
        "a path of slashes alone, `//`",
        _refuses_slashes_alone,
    ),
    AllowedDifference(
        Voice.ENVOY,
        "Envoy reads half an escape, behind which one of a plain character makes it whole, as an escaped percent sign: "
        "it decides about that path, and forwards that one",
        "half an escape made whole by one behind it, `%%33A`",
        _escapes_a_broken_escape,
    ),
    AllowedDifference(
        Voice.ENVOY,
        "Envoy joins two lines `Host` into one name, which is nobody's; past the caller's sidecar none is looked for",
        "two lines `Host`",
        _joins_two_hosts,
    ),
    AllowedDifference(
        Voice.ENVOY,
        "Envoy reads a folded line as one with a space, and decides about that",
        "a header's line that is folded",
        _unfolds,
    ),
    AllowedDifference(
        Voice.ENVOY,
        "Envoy's HTTP/1 codec knows a fixed list of methods and refuses others with 400",
        "methods that its codec does not know",
        _refuses_unusual_methods,
    ),
    AllowedDifference(
        Voice.PYTHON,
        "the Python proxy refuses methods that nobody registered with 400, as Envoy does",
        "methods that its codec does not know",
        _refuses_unusual_methods,
    ),
    AllowedDifference(
        Voice.ENVOY,
        "Envoy ends the TLS handshake with an identity of another trust domain, before there is a request to answer",
        "an identity of another trust domain",
        _closes_on_other_trust_domains,
    ),
)

OF_MADE_UP_PROGRAMS = frozenset(
    one for one in ALLOWED_DIFFERENCES if one.differences in {_escapes_a_broken_escape, _joins_two_hosts, _unfolds}
)
"""Those that only the questions about made up programs meet (`agreement_bypass`)."""


def allowed_difference(
    voices: frozenset[Voice], expect: Expect, probe: Probe, seen: Observation
) -> AllowedDifference | None:
    """Return the exception by which a difference in a mesh of these voices is no fault; None where there is none."""
    for one in ALLOWED_DIFFERENCES:
        if one.voice in voices and not one.differences(expect, probe, seen):
            return one
    return None

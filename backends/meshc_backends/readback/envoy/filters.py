"""Filters between authorisation and the router: rate limits and faults (`envoy.extensions.filters.http`)."""

from __future__ import annotations

import re
from functools import lru_cache

from meshc_backends.readback.envoy.fields import (
    Message,
    fixed,
    items,
    known,
    millionths,
    nanoseconds,
    only_field,
    text,
    typed,
    whole,
)
from meshc_backends.readback.envoy.text import finite, line_header
from meshc_backends.readback.formula import Callers, LineMatches
from meshc_backends.readback.language import following, intersection, language_of, only
from meshc_backends.readback.policy import Limited, Mishap
from meshc_backends.readback.text_match import TextMatcher, matcher_language
from meshc_backends.readback.unread import UnreadError
from meshc_compiler.regex import Characters, Choice, Regex, Repeat, Sequence
from meshc_lang.record import dataclass

_EVERYBODY = Callers(frozenset(), others=True)

# ---- rate limits

_LIMIT = frozenset(
    {
        "@type", "stat_prefix", "filter_enabled", "filter_enforced", "rate_limits", "descriptors",
        "max_dynamic_descriptors", "always_consume_default_token_bucket", "enable_x_ratelimit_headers",
        "rate_limited_as_resource_exhausted",
    }
)  # fmt: skip
BUCKETS = 10_000
"""For how many callers or values a limit keeps buckets (docs/targets.md); Envoy's own number is 20."""

_EXPRESSION = "envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor"
_HEADER_OF = re.compile(r'request\.headers\["([^"\\]+)"\]\Z')


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a request's descriptor holds besides the limit's name: keys, the one value some have, and a header."""

    keys: tuple[tuple[str, str | None], ...]
    header: str | None
    absent: bool


def limits_of(message: object, place: str) -> frozenset[Limited]:
    """Return the buckets that a request must find tokens in: those whose descriptor it makes."""
    limit = known(message, place, _LIMIT)
    fixed(
        limit,
        place,
        always_consume_default_token_bucket=False,
        enable_x_ratelimit_headers="OFF",
        rate_limited_as_resource_exhausted=True,
    )
    if limit.get("max_dynamic_descriptors") != BUCKETS:
        raise UnreadError(place, f"buckets for {limit.get('max_dynamic_descriptors', 20)} callers, not {BUCKETS}")
    # Where nothing is said of them Envoy enforces nothing.
    shares = [_share(limit.get(field), place) for field in ("filter_enabled", "filter_enforced")]
    if 0 in shares:
        return frozenset()
    if shares != [1_000_000, 1_000_000] or "rate_limited_as_resource_exhausted" not in limit:
        raise UnreadError(place, "limits for a part of the requests")
    shapes: dict[str, list[_Shape]] = {}
    for one in items(limit, "rate_limits", place):
        name, shape = _shape(known(one, place, frozenset({"actions"})), place)
        shapes.setdefault(name, []).append(shape)
    found: dict[tuple[str, tuple[int, int, int]], dict[_Shape, list[str | None]]] = {}
    for one in items(limit, "descriptors", place):
        descriptor = known(one, place, frozenset({"entries", "token_bucket"}))
        _sort_in(descriptor, shapes, found, place)
    return frozenset(_limited(name, bucket, shapes[name], of, place) for (name, bucket), of in found.items())


def _share(message: object, place: str) -> int:
    if message is None:
        return 0
    return millionths(known(message, place, frozenset({"default_value"})).get("default_value", {}), place)


def _shape(limit: Message, place: str) -> tuple[str, _Shape]:
    """Return a limit's name and what else its actions compute."""
    name: str | None = None
    keys: list[tuple[str, str | None]] = []
    header: str | None = None
    absent = False
    for action in items(limit, "actions", place):
        kind, value = only_field(known(action, place, _ACTIONS), place)
        match kind:
            case "generic_key":
                generic = known(value, place, frozenset({"descriptor_key", "descriptor_value"}))
                name = text(generic, "descriptor_value", place)
                keys.append((text(generic, "descriptor_key", place), name))
            case "extension":
                extension = known(value, place, frozenset({"name", "typed_config"}))
                computed = typed(
                    extension.get("typed_config"), _EXPRESSION, place, frozenset({"@type", "descriptor_key", "text"})
                )
                formula = text(computed, "text", place)
                keys.append((text(computed, "descriptor_key", place), None))
                if formula == "connection.uri_san_peer_certificate":
                    if keys[-1][0] != "caller":
                        raise UnreadError(place, f"the key `{keys[-1][0]}` for callers")
                elif read := _HEADER_OF.match(formula):
                    header = read[1].lower()
                else:
                    raise UnreadError(place, f"the expression `{formula}`")
            case _:
                matched = known(value, place, frozenset({"descriptor_key", "descriptor_value", "headers"}))
                (condition,) = items(matched, "headers", place) or (None,)
                asked = known(condition, place, frozenset({"name", "present_match"}))
                if asked.get("present_match") is not False:
                    raise UnreadError(place, "a limit for requests with a header")
                header, absent = text(asked, "name", place).lower(), True
                keys.append((text(matched, "descriptor_key", place), text(matched, "descriptor_value", place)))
    if name is None:
        raise UnreadError(place, "a limit without a name")
    return name, _Shape(tuple(keys), header, absent)


_ACTIONS = frozenset({"generic_key", "extension", "header_value_match"})


def _sort_in(
    descriptor: Message,
    shapes: dict[str, list[_Shape]],
    found: dict[tuple[str, tuple[int, int, int]], dict[_Shape, list[str | None]]],
    place: str,
) -> None:
    """Find which requests make a descriptor: those whose keys are the same in the same order, values where stated."""
    entries = []
    for one in items(descriptor, "entries", place):
        entry = known(one, place, frozenset({"key", "value"}))
        entries.append((text(entry, "key", place), entry.get("value")))
    bucket = known(descriptor.get("token_bucket"), place, frozenset({"max_tokens", "tokens_per_fill", "fill_interval"}))
    interval = nanoseconds(bucket, "fill_interval", place, None) or 0
    if interval % 1_000_000_000:
        raise UnreadError(place, "a part of a second")
    tokens = (
        whole(bucket, "max_tokens", place, 0),
        whole(bucket, "tokens_per_fill", place, 1),
        interval // 1_000_000_000,
    )
    for name, of_name in shapes.items():
        for shape in of_name:
            if _makes(shape, entries):
                caller = dict(entries).get("caller")
                found.setdefault((name, tokens), {}).setdefault(shape, []).append(caller)


def _makes(shape: _Shape, entries: list[tuple[str, str | None]]) -> bool:
    return len(shape.keys) == len(entries) and all(
        key == wanted and (value is None or made is None or made == value)
        for (key, made), (wanted, value) in zip(shape.keys, entries, strict=True)
    )


def _limited(
    name: str,
    tokens: tuple[int, int, int],
    shapes: list[_Shape],
    found: dict[_Shape, list[str | None]],
    place: str,
) -> Limited:
    callers = {frozenset(of) for of in found.values()}
    if len(callers) != 1 or len(found) != len(shapes):
        raise UnreadError(place, f"the limit `{name}`, which counts some requests otherwise than others")
    who = next(iter(callers))
    if None in who and len(who) > 1:
        raise UnreadError(place, f"the limit `{name}` for callers by name and for all")
    headers = {shape.header for shape in shapes}
    if len(headers) != 1 or (None not in headers and sorted(shape.absent for shape in shapes) != [False, True]):
        raise UnreadError(place, f"the limit `{name}` by several headers")
    if any(("caller", None) not in shape.keys for shape in shapes):
        raise UnreadError(place, f"the limit `{name}` for all callers together")
    header = next(iter(headers))
    return Limited(
        callers=_EVERYBODY if None in who else Callers(frozenset(caller for caller in who if caller is not None)),
        per=None if header is None else ("header", header),
        amount=tokens[1],
        seconds=tokens[2],
        burst=tokens[0],
    )


# ---- faults

_FAULT = frozenset({"@type", "delay", "abort", "headers"})
_IDENTITY = "x-forwarded-client-cert"


def mishaps_of(message: object, place: str) -> frozenset[Mishap]:
    """Return the mishaps that a filter brings about."""
    fault = known(message, place, _FAULT)
    callers = _EVERYBODY
    for header in items(fault, "headers", place):
        asked = line_header(header, place)
        if not isinstance(asked, LineMatches) or asked.name != _IDENTITY or callers is not _EVERYBODY:
            raise UnreadError(place, "a fault for requests by their headers")
        (matcher,) = asked.matchers
        callers = Callers(_identities(matcher, place))
    delay, abort = fault.get("delay"), fault.get("abort")
    waits = answers = 0
    delay_ns = status = None
    if delay is not None:
        delay = known(delay, place, frozenset({"fixed_delay", "percentage"}))
        delay_ns, waits = nanoseconds(delay, "fixed_delay", place, None), _percentage(delay, place)
    if abort is not None:
        abort = known(abort, place, frozenset({"http_status", "percentage"}))
        status, answers = whole(abort, "http_status", place, 0), _percentage(abort, place)
    if delay is not None and abort is not None and waits != answers:
        found = [
            Mishap(callers=callers, delay_ns=delay_ns, abort_status=None, share=waits),
            Mishap(callers=callers, delay_ns=None, abort_status=status, share=answers),
        ]
    elif delay is None and abort is None:
        found = []
    else:
        found = [Mishap(callers=callers, delay_ns=delay_ns, abort_status=status, share=max(waits, answers))]
    return frozenset(one for one in found if one.share)


def _percentage(message: Message, place: str) -> int:
    return millionths(message["percentage"], place) if "percentage" in message else 0


_HEXADECIMAL = Characters(frozenset("0123456789abcdef"))
_IN_ID = Characters(frozenset(map(chr, range(0x21, 0x7F))) - frozenset(',;="'))
_BEFORE: tuple[Regex, ...] = (
    only("By="),
    Repeat(_IN_ID, 1, None),
    only(";Hash="),
    Repeat(_HEXADECIMAL, 1, None),
    only(";URI="),
)


@lru_cache(maxsize=1024)
def _identities(matcher: TextMatcher, place: str) -> frozenset[str]:
    """Return the identities whose header a matcher accepts: Envoy writes `By=…;Hash=…;URI=…` of the certificate."""
    accepted = intersection(matcher_language(matcher), language_of(Sequence((*_BEFORE, Repeat(_IN_ID, 1, None)))))
    ids = finite(following(accepted, "By=x;Hash=0;URI="))
    if ids is None:
        raise UnreadError(place, "a fault for endlessly many callers")
    every = Choice(tuple(only(identity) for identity in sorted(ids)))
    if language_of(Sequence((*_BEFORE, every))) is not accepted:
        raise UnreadError(place, "a fault that looks at more than who calls")
    return ids

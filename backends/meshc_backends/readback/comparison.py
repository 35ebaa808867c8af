"""What the program asks and what a file says, compared: proved equal, or the differences, each with a request."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, TypeAlias

from meshc_backends.readback.decision import Answers, Example, UndecidedError, equivalent, requests
from meshc_backends.readback.formula import Formula, holds
from meshc_backends.readback.language import Language, difference
from meshc_backends.readback.paths import Escapes
from meshc_backends.readback.policy import (
    Action,
    Answer,
    Entry,
    Forward,
    Gate,
    Handling,
    Inbound,
    Outbound,
    Policy,
    Side,
    Spelling,
)
from meshc_backends.readback.spelling import canonical_paths
from meshc_backends.readback.wording import show, unequal_fields
from meshc_lang.record import dataclass
from meshc_lang.source import Span


class Kind(StrEnum):
    """What differs."""

    REQUEST = "request"
    """A request is decided or routed otherwise."""
    SETTING = "setting"
    """A call behaves otherwise: how long, how often, how much at once, which instances."""
    IDENTITY = "identity"
    """Another peer is believed, asked for or reached."""
    UNREADABLE = "unreadable"
    """The file says something that its reader does not know."""
    UNDECIDED = "undecided"
    """There are too many classes of requests to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference. `where` is the port or callee, `what` the field; `before` is the program's, `after` the file's.

    `inbound` tells on which side the request of the example is; `origin` is where the program states it.
    """

    kind: Kind
    where: str
    what: str
    before: str
    after: str
    inbound: bool = True
    example: Example | None = None
    origin: Span | None = None


def compare(wanted: Policy, read: Policy) -> tuple[Difference, ...]:
    """Return how what was read differs from what is wanted; nothing means that the two are proved equal."""
    # Not `wanted == read`: many hosts mean one callee, of which all that it says would be compared for each.
    return tuple(_differences(wanted, read))


def _differences(wanted: Policy, read: Policy) -> Iterator[Difference]:
    ports = {port.name: port for port in read.inbound}
    for port in wanted.inbound:
        found = ports.pop(port.name, None)
        if found is None:
            yield _missing(port.name, "served", "not served", port.origin)
        else:
            yield from _of_inbound(port, found)
    for name in ports:
        yield _missing(name, "not served", "served")
    yield from _of_outbound(wanted.hosts, read.hosts, "Host")
    yield from _of_outbound(
        {f"{host}:{port}": one for (host, port), one in wanted.connections.items()},
        {f"{host}:{port}": one for (host, port), one in read.connections.items()},
        "address",
    )
    if wanted.strangers is not read.strangers:
        yield _of_strangers(wanted.strangers, read.strangers)
    for name in sorted(wanted.listens.keys() | read.listens.keys()):
        before, after = wanted.listens.get(name), read.listens.get(name)
        if before != after:
            yield Difference(
                kind=Kind.IDENTITY, where=f"listener {name}", what="address", before=show(before), after=show(after)
            )


def _of_strangers(wanted: Language | None, read: Language | None) -> Difference:
    """Return a `Host` that nobody answers to and that is refused otherwise than the program says."""
    host = None
    if wanted is not None and read is not None:
        host = difference(wanted, read).example() or difference(read, wanted).example()
    named = wanted is not None and host is not None and wanted.holds(host)
    return Difference(
        kind=Kind.REQUEST,
        where="strangers",
        what="a `Host` that nobody answers to" if host is None else f"the `Host` `{host}`",
        before="403" if named else "404",
        after="404" if named else "403",
        inbound=False,
    )


def _missing(where: str, before: str, after: str, origin: Span | None = None) -> Difference:
    return Difference(
        kind=Kind.REQUEST,
        where=where,
        what="the port",
        before=before,
        after=after,
        example=Example(),
        origin=origin,
    )


def _of_inbound(wanted: Inbound, read: Inbound) -> Iterator[Difference]:
    for name in ("protocol", "server_names", "peer", "one_identity", "plaintext"):
        before, after = getattr(wanted, name), getattr(read, name)
        if before != after:
            for what, one, other in unequal_fields(before, after, name):
                yield Difference(
                    kind=Kind.IDENTITY, where=wanted.name, what=what, before=one, after=other, origin=wanted.origin
                )
    yield from _of_sides(wanted.side, read.side, wanted.name, wanted.origin, inbound=True)


def _of_outbound(wanted: dict[str, Outbound], read: dict[str, Outbound], what: str) -> Iterator[Difference]:
    compared: set[tuple[int, int]] = set()
    for key in sorted(wanted.keys() | read.keys()):
        one, other = wanted.get(key), read.get(key)
        if one is None and other is not None:
            yield Difference(
                kind=Kind.REQUEST,
                where=other.name,
                what=f"{what} `{key}`",
                before="not called by it",
                after="called by it",
                inbound=False,
            )
        elif one is not None and other is None:
            yield Difference(
                kind=Kind.REQUEST,
                where=one.name,
                what=f"{what} `{key}`",
                before="called by it",
                after="not called by it",
                inbound=False,
                example=Example(),
                origin=one.origin,
            )
        elif one is not None and other is not None and (id(one), id(other)) not in compared:
            compared.add((id(one), id(other)))
            if one.side != other.side:
                yield from _of_sides(one.side, other.side, one.name, one.origin, inbound=False)


# ---- requests


def _of_sides(wanted: Side, read: Side, where: str, origin: Span | None, *, inbound: bool) -> Iterator[Difference]:
    found = list(_of_paths(wanted, read, where, inbound=inbound, origin=origin))
    if found:
        yield from found
        return
    for habit in sorted(wanted.habits ^ read.habits):
        yield Difference(
            kind=Kind.SETTING,
            where=where,
            what=f"that {habit.value}",
            before="yes" if habit in wanted.habits else "no",
            after="yes" if habit in read.habits else "no",
            inbound=inbound,
            origin=origin,
        )
    if wanted.refuses_underscores != read.refuses_underscores:
        yield Difference(
            kind=Kind.SETTING,
            where=where,
            what="names of headers with `_`",
            before="refused" if wanted.refuses_underscores else "taken",
            after="refused" if read.refuses_underscores else "taken",
            inbound=inbound,
            origin=origin,
        )
    try:
        if not _same_entries(wanted.entries, read.entries, read.carried):
            yield from _of_entries(wanted.entries, read.entries, read.carried, where, origin, inbound=inbound)
    except UndecidedError:
        yield Difference(
            kind=Kind.UNDECIDED,
            where=where,
            what="the requests",
            before="as the program says",
            after="too many classes to compare",
            inbound=inbound,
            origin=origin,
        )


_SPELLED = {
    Spelling.RESOLVED: "/x/../y",
    Spelling.MERGED: "//y",
    Spelling.ESCAPED_SLASHES_REFUSED: "/x%2Fy",
}


def _of_paths(wanted: Side, read: Side, where: str, *, inbound: bool, origin: Span | None) -> Iterator[Difference]:
    """Yield paths that get through though they should not, or do not though they should."""
    for spelling in sorted(wanted.spelling - read.spelling):
        yield Difference(
            kind=Kind.REQUEST,
            where=where,
            what="spellings of a path",
            before=spelling.value,
            after="they are not",
            inbound=inbound,
            example=Example(path=_SPELLED[spelling]),
            origin=origin,
        )
    if read.carried is wanted.carried:
        return
    for before, after, paths in (
        ("answered with 400", "let through", difference(read.carried, wanted.carried)),
        ("let through", "answered with 400", difference(canonical_paths(Escapes.UPPER), read.carried)),
    ):
        if (path := paths.example()) is not None:
            yield Difference(
                kind=Kind.REQUEST,
                where=where,
                what="spellings of a path",
                before=before,
                after=after,
                inbound=inbound,
                example=Example(path=path),
                origin=origin,
            )


def _same_entries(wanted: tuple[Entry, ...], read: tuple[Entry, ...], carried: Language) -> bool:
    """Tell whether two lists are the same entry by entry; if not, they may still say the same."""
    if wanted == read:
        return True
    if len(wanted) != len(read):
        return False
    return all(
        _same_handling(one.handling, other.handling, carried) and _same(one.formula, other.formula, carried)
        for one, other in zip(wanted, read, strict=True)
    )


def _same(left: Formula, right: Formula, carried: Language) -> bool:
    try:
        return equivalent(left, right, carried)
    except UndecidedError:
        return False


def _same_handling(one: Handling, other: Handling, carried: Language) -> bool:
    if (one.action, one.limits, one.mishaps) != (other.action, other.limits, other.mishaps):
        return False
    if one.gate == other.gate:
        return True
    if [stage.denies for stage in one.gate] != [stage.denies for stage in other.gate]:
        return False
    for left, right in zip(one.gate, other.gate, strict=True):
        apart = list(right.rules - left.rules)
        for rule in left.rules - right.rules:
            same = next((it for it in apart if _same(rule.formula, it.formula, carried)), None)
            if same is None:
                return False
            apart.remove(same)
        if apart:
            return False
    return True


Outcome: TypeAlias = tuple[str, Any, Any, Any]
"""`refused` or `passed`, the action, the limits and the mishaps of one caller."""


def _of_entries(
    wanted: tuple[Entry, ...],
    read: tuple[Entry, ...],
    carried: Language,
    where: str,
    origin: Span | None,
    *,
    inbound: bool,
) -> Iterator[Difference]:
    """Yield the differences of what becomes of a request of each class; none, if the two lists say the same."""
    told: set[tuple[str, ...]] = set()
    every = [*_formulas(wanted), *_formulas(read)]
    for example, answers in requests(every, carried):
        one, other = _first(wanted, answers), _first(read, answers)
        left, right = _outcome(one, answers), _outcome(other, answers)
        if left == right:
            continue
        rule = _deciding(one, answers)
        for found in _of_outcomes(left, right):
            key = (found[0].value, found[1], found[2], found[3])
            if key not in told and len(told) < MOST_TOLD:
                told.add(key)
                action = None if one is None else one.handling.action
                stated = dict(action.origins).get(found[1]) if isinstance(action, Forward) else None
                yield Difference(
                    kind=found[0],
                    where=where,
                    what=found[1],
                    before=found[2],
                    after=found[3],
                    inbound=inbound,
                    example=example,
                    origin=stated or rule or (None if one is None else one.handling.origin) or origin,
                )


MOST_TOLD = 5
"""The most differences told of one port or callee."""


def _formulas(entries: tuple[Entry, ...]) -> Iterator[Formula]:
    for entry in entries:
        yield entry.formula
        for stage in entry.handling.gate:
            for rule in stage.rules:
                yield rule.formula
        yield from (limit.callers for limit in entry.handling.limits)
        yield from (mishap.callers for mishap in entry.handling.mishaps)


def _first(entries: tuple[Entry, ...], answers: Answers) -> Entry | None:
    return next((entry for entry in entries if holds(entry.formula, answers)), None)


def _outcome(entry: Entry | None, answers: Answers) -> Outcome:
    if entry is None:
        return ("passed", Answer(404), frozenset(), frozenset())
    handling = entry.handling
    if _is_refused(handling.gate, answers):
        return ("refused", None, frozenset(), frozenset())
    return (
        "passed",
        handling.action,
        frozenset((one.per, one.amount, one.seconds, one.burst) for one in handling.limits if answers(one.callers)),
        frozenset((one.delay_ns, one.abort_status, one.share) for one in handling.mishaps if answers(one.callers)),
    )


def _is_refused(gate: Gate, answers: Answers) -> bool:
    return any(any(holds(rule.formula, answers) for rule in stage.rules) is stage.denies for stage in gate)


def _deciding(entry: Entry | None, answers: Answers) -> Span | None:
    """Return where the rule stands that decides about a request in the program: the deny, else the allow."""
    if entry is None:
        return None
    for stage in entry.handling.gate:
        for rule in stage.rules:
            if holds(rule.formula, answers):
                return rule.origin
    return None


def _of_outcomes(left: Outcome, right: Outcome) -> Iterator[tuple[Kind, str, str, str]]:
    if left[0] != right[0]:
        yield Kind.REQUEST, "the decision", _verdict(left), _verdict(right)
        return
    if left[1] != right[1]:
        yield from _of_actions(left[1], right[1])
    if left[2] != right[2]:
        yield Kind.SETTING, "limits", show(left[2]), show(right[2])
    if left[3] != right[3]:
        yield Kind.SETTING, "faults", show(left[3]), show(right[3])


def _verdict(outcome: Outcome) -> str:
    return "refused" if outcome[0] == "refused" else "allowed"


def _of_actions(left: Action, right: Action) -> Iterator[tuple[Kind, str, str, str]]:
    if isinstance(left, Forward) and isinstance(right, Forward):
        yield from _of_forwards(left, right)
    else:
        yield Kind.REQUEST, "what becomes of it", _action_text(left), _action_text(right)


def _action_text(action: Action) -> str:
    if isinstance(action, Answer):
        return f"answered with {action.status}" + (f" to {action.location}" if action.location is not None else "")
    return "sent on to " + _destinations_text(action)


def _destinations_text(forward: Forward) -> str:
    return _shares_text(forward.destinations)


_IDENTITY = frozenset({"peer", "addresses", "server_name", "host"})


def _of_forwards(left: Forward, right: Forward) -> Iterator[tuple[Kind, str, str, str]]:
    for name in ("timeout_ns", "idle_timeout_ns", "retry", "hashed", "host", "websockets", "callers_deadline"):
        before, after = getattr(left, name), getattr(right, name)
        if before != after:
            kind = Kind.IDENTITY if name in _IDENTITY else Kind.SETTING
            for what, one, other in unequal_fields(before, after, name):
                yield kind, what, one, other
    for name in ("destinations", "copies"):
        before, after = getattr(left, name), getattr(right, name)
        if before != after:
            yield from _of_shares(before, after, "where it goes" if name == "destinations" else "copies")


def _of_shares(left: frozenset[Any], right: frozenset[Any], what: str) -> Iterator[tuple[Kind, str, str, str]]:
    shares = {one.addresses: (one, share) for one, share in left}
    others = {one.addresses: (one, share) for one, share in right}
    if {key: share for key, (_, share) in shares.items()} != {key: share for key, (_, share) in others.items()}:
        yield Kind.REQUEST, what, _shares_text(left), _shares_text(right)
        return
    found = False
    for key, (one, _) in shares.items():
        for name, before, after in unequal_fields(one, others[key][0], ""):
            found = True
            yield (Kind.IDENTITY if name.split(".")[0] in _IDENTITY else Kind.SETTING), name, before, after
    if not found:
        yield Kind.SETTING, what, _shares_text(left), _shares_text(right)


def _shares_text(shares: frozenset[Any]) -> str:
    return ", ".join(sorted(f"{show(one.addresses)} {show(share)}" for one, share in shares)) or "nowhere"

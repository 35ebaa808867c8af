"""The tests that a program lacks, as text: one case for each class that none exercises, or for several at once."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from meshc_compiler.coverage.decision_class import DecisionClass, Kind, Membership
from meshc_compiler.coverage.measure import Coverage
from meshc_compiler.evaluate import Decision, evaluate, port_of
from meshc_compiler.examples import retries_of, traffic_words
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.sentence import callee_text, quoted
from meshc_compiler.lower.setting_text import setting_text
from meshc_lang.format import format_file
from meshc_lang.parser import parse
from meshc_lang.record import dataclass
from meshc_lang.request import Request
from meshc_lang.source import SourceText


class Detail(StrEnum):
    """How much of what becomes of a request a case says."""

    VERDICT = "verdict"
    SETTINGS = "settings"
    TRAFFIC = "traffic"


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingCase:
    """A case to be written: its request, what comes of it in the words of a test, and the sentences it exercises.

    `test` is the name of the block in which it belongs.
    """

    test: str
    request: Request
    verdicts: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def line(self) -> str:
        """The case as it is written."""
        return f"{self.request.text} is {', '.join(self.verdicts)}"


def missing_cases(index: MeshIndex, coverage: Coverage) -> tuple[MissingCase, ...]:
    """Return cases that together exercise every class of which a request is known and that no test exercises."""
    cases: list[MissingCase] = []
    for port in coverage.ports:
        left = [one.member for one in port.classes if not one.covered and one.member.witness is not None]
        membership = Membership(index, port.callee, port.port.number)
        test = test_name(port.callee, port.port)
        while left:
            decision = _widest(index, membership, left)
            done = [one for one in left if membership.sharpness(one.sentence, decision) is one.sharpness]
            if not done:
                raise AssertionError(f"the algebra and the semantics differ about {left[0].sentence.text}")
            left = [one for one in left if one not in done]
            met = any(one.sentence.kind in (Kind.LIMIT, Kind.MIRROR, Kind.FAULT) for one in done)
            detail = Detail.TRAFFIC if met else Detail.VERDICT
            cases.append(case_of(index, test, decision, (one.sentence.text for one in done), detail))
    return tuple(cases)


def _widest(index: MeshIndex, membership: Membership, left: list[DecisionClass]) -> Decision:
    """Return what becomes of the first class's request, or of a later one's that is of the first class as well."""
    first = left[0]
    best, most = None, 0
    for one in left[:_MOST_LOOKED_AT]:
        if one.witness is None:
            continue
        decision = evaluate(index, one.witness)
        if best is not None and membership.sharpness(first.sentence, decision) is not first.sharpness:
            continue
        count = sum(membership.sharpness(other.sentence, decision) is other.sharpness for other in left)
        if best is None or count > most:
            best, most = decision, count
    if best is None:
        raise AssertionError("only classes with a request are looked for")
    return best


_MOST_LOOKED_AT = 24
"""How many requests are compared for each case: fewer cases are easier to read, and all would cost a square."""


def case_of(
    index: MeshIndex, test: str, decision: Decision, reasons: Iterable[str], detail: Detail = Detail.VERDICT
) -> MissingCase:
    """Return the case that expects what becomes of a request now, in such detail."""
    words = verdicts_of(index, decision, detail)
    return MissingCase(
        test=test,
        request=decision.request,
        # What a call does not meet need not be said: a case about a limit says nothing of faults.
        verdicts=tuple(word for word in words if word not in ("limit off", "mirror off", "fault off")),
        reasons=tuple(" ".join(reason.split()) for reason in reasons),
    )


def test_name(callee: str, port: ServicePort) -> str:
    """Return the name of the test to which cases about a port belong."""
    return f"what decides calls of {callee_text(callee, port)}"


def verdicts_of(index: MeshIndex, decision: Decision, detail: Detail = Detail.VERDICT) -> tuple[str, ...]:
    """Return what is to be expected: the verdict, where a route decides its versions and its rule's name, and details.

    Settings are the timeout and the tries; traffic is what limits, mirrors and faults do, besides.
    """
    if not decision.allowed:
        return ("denied",)
    words = ["allowed"]
    rule = decision.route_rule
    callee = decision.request.callee
    service = index.services.get(callee)
    port = port_of(index, decision.request)
    routed = port is not None and (callee, port.number) in index.routes
    if service is not None and routed and decision.answer is None:
        for destination in decision.destinations:
            # A version of the service's own name would be meant by the name.
            if destination.version is not None or callee not in service.versions:
                words.append(f"routed {destination.version or callee}")
    if rule is not None and rule.name is not None:
        words.append(f"by {rule.name}")
    if detail is Detail.TRAFFIC and decision.answer is None:
        words += traffic_words(decision)
    if detail is Detail.SETTINGS and decision.answer is None:
        timeout = decision.settings.timeout_ns
        value = None if timeout is None or not timeout.value else timeout.value
        words.append(f"timeout {'off' if value is None else setting_text('timeout_ns', value)}")
        words.append(f"retry {retries_of(decision)}")
    return tuple(dict.fromkeys(words))


def cases_text(cases: Iterable[MissingCase]) -> str:
    """Return the cases as `test` blocks in the canonical form, each case below the sentences that it exercises."""
    blocks: dict[str, list[MissingCase]] = {}
    for case in cases:
        blocks.setdefault(case.test, []).append(case)
    text = "\n".join(_block(name, own) for name, own in blocks.items())
    file, problems = parse(SourceText("tests", text))
    if problems:
        raise AssertionError(f"a test that was to be written cannot be read: {problems[0].message}\n{text}")
    return format_file(file)


def _block(name: str, cases: Iterable[MissingCase]) -> str:
    lines = [f"test {quoted(name)} {{"]
    for case in cases:
        lines += [f"  # {reason}" for reason in case.reasons]
        lines.append(f"  {case.line}")
    return "\n".join([*lines, "}"]) + "\n"

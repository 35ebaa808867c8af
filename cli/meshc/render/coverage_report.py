"""What the tests of a program exercise, and what they leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshc.render.json import Json, request_json, span_json
from meshc.render.terminal import Ink, Terminal
from meshc_compiler.lower.sentence import callee_text
from meshc_lang.codes import coverage as codes
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.source import SourceText

if TYPE_CHECKING:
    from meshc_compiler.coverage.decision_class import DecisionClass
    from meshc_compiler.coverage.measure import ClassCoverage, Coverage, PortCoverage
    from meshc_compiler.ir.mesh import MeshIndex


def coverage_text(coverage: Coverage, terminal: Terminal) -> str:
    """Return a line for each port with its count, the classes left out below it, and the count of all."""
    names = [callee_text(port.callee, port.port) for port in coverage.ports]
    width = max(map(len, names), default=0)
    lines: list[str] = []
    for name, port in zip(names, coverage.ports, strict=True):
        whole = port.covered == len(port.classes)
        count = terminal.paint(f"{port.covered:,}/{len(port.classes):,}", Ink.GOOD if whole else Ink.WARNING)
        lines.append(f"{terminal.safe(name):<{width}}  {count}")
        for one in port.classes:
            if not one.covered:
                lines += _left_out(one.member, terminal)
    lines.append(terminal.paint(coverage_line(coverage), Ink.STRONG))
    return "\n".join(lines) + "\n"


def coverage_line(coverage: Coverage) -> str:
    """Return the count of all classes in words."""
    told = f"coverage: {coverage.covered:,} of {len(coverage.classes):,} classes, {percent_text(coverage.percent)}"
    return told + (f"; {coverage.undecided:,} not decided" if coverage.undecided else "")


def percent_text(percent: float) -> str:
    """Return a share with one digit behind the point, never rounded up to all."""
    return f"{int(percent * 10 + 1e-9) / 10:g} %"


def _left_out(member: DecisionClass, terminal: Terminal) -> list[str]:
    origin = member.sentence.origin
    place = f"   {origin}" if origin is not None else ""
    mark = "?" if member.undecided else "✗"
    head = f"  {terminal.paint(terminal.safe(mark), Ink.ERROR)} {terminal.safe(member.sentence.text)}"
    lines = [head + terminal.paint(terminal.safe(place), Ink.FAINT)]
    if member.witness is None:
        lines.append("      it was not decided whether there is such a request")
    else:
        lines.append(f"      {terminal.safe(member.witness.text)}")
    return lines


def coverage_json(coverage: Coverage, *, listed: bool) -> Json:
    """Return the counts, and with `listed` each class."""
    counts: Json = {"classes": len(coverage.classes), "covered": coverage.covered}
    if not listed:
        return counts
    classes = [_class_json(port, one) for port in coverage.ports for one in port.classes]
    return counts | {"undecided": coverage.undecided, "percent": round(coverage.percent, 2), "list": classes}


def _class_json(port: PortCoverage, one: ClassCoverage) -> Json:
    member = one.member
    state = "covered" if one.covered else "undecided" if member.undecided else "uncovered"
    return {
        "callee": port.callee,
        "port": port.port.name,
        "kind": member.sentence.kind.value,
        "sentence": member.sentence.text,
        "span": span_json(member.sentence.origin),
        "decides": member.sharpness.value,
        "state": state,
        "witness": request_json(member.witness),
    }


def coverage_findings(index: MeshIndex, coverage: Coverage) -> tuple[Diagnostic, ...]:
    """Return the classes left out as findings, for the formats that know findings alone."""
    found: list[Diagnostic] = []
    for one in coverage.classes:
        if one.covered:
            continue
        sentence = one.member.sentence
        named = index.services.get(sentence.callee) or index.externals.get(sentence.callee)
        place = sentence.origin or (named.origin if named is not None else None)
        found.append(
            Diagnostic(
                code=codes.NOT_EXERCISED,
                message=f"no test asks for what this decides: {sentence.text}",
                primary=SourceText("", "").span(0, 0) if place is None else place,
                witness=one.member.witness,
                help="write a case about the request, or let `meshc test --fill` write it"
                if one.member.witness is not None
                else "it was not decided whether there is such a request",
                subject=f"class {sentence.kind} {sentence.callee} {sentence.text}",
            )
        )
    return tuple(found)

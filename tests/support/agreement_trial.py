"""A trial: the same questions to the evaluator and to meshes, and the record of every disagreement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from support.agreement_compare import Expected, compare
from support.agreement_exceptions import AllowedDifference, allowed_difference
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Observation, Probe

MOST_SHOWN = 12
AT_ONCE = 4
"""Requests in flight in one mesh: waiting is shared, and no limit of a proxy is near."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One question that some mesh answered otherwise than the evaluator."""

    probe: Probe
    expected: Expected
    answers: tuple[tuple[str, Observation, tuple[str, ...]], ...]
    """For each mesh: its name, what was seen, and the differences."""

    @property
    def text(self) -> str:
        """The disagreement in lines: the request, the expectation, each voice's answer."""
        lines = [f"  {self.probe.text}", f"    evaluator: {self.expected.text}"]
        for name, seen, differences in self.answers:
            lines.append(f"    {name + ':':<10} {seen.text}")
            lines += [f"               ! {difference}" for difference in differences]
        return "\n".join(lines)

    @property
    def voices(self) -> frozenset[str]:
        """The meshes that differ."""
        return frozenset(name for name, _, differences in self.answers if differences)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a trial. `excused` are the documented differences that were met."""

    program: str
    asked: int
    disagreements: tuple[Disagreement, ...]
    excused: frozenset[AllowedDifference]
    logs: str = ""

    @property
    def message(self) -> str:
        """The failure in words; it shows the first disagreements and what the proxies logged last."""
        shown = "\n".join(one.text for one in self.disagreements[:MOST_SHOWN])
        more = len(self.disagreements) - MOST_SHOWN
        shown += f"\n  … and {more} more" if more > 0 else ""
        return f"{self.program}: {len(self.disagreements)} of {self.asked} answers differ\n{shown}\n{self.logs}"

    def require_agreement(self) -> None:
        """Raise AssertionError with the message unless all agreed."""
        assert not self.disagreements, "\n" + self.message


def hold(
    program: str,
    meshes: Sequence[AgreementMesh],
    probes: Iterable[Probe],
    expect: Callable[[Probe], Expected],
    *,
    at_once: int = AT_ONCE,
) -> Verdict:
    """Ask every probe of every mesh, and compare with what is expected. One at a time keeps the order of probes."""
    probes = tuple(probes)
    expected = [expect(probe) for probe in probes]
    with ThreadPoolExecutor(max_workers=len(meshes)) as each_mesh:
        seen = list(each_mesh.map(lambda mesh: _ask(mesh, probes, at_once), meshes))
    excused: set[AllowedDifference] = set()
    disagreements = []
    for number, probe in enumerate(probes):
        answers = []
        for mesh, observations in zip(meshes, seen, strict=True):
            if copies := len(expected[number].copies):
                observations[number] = mesh.settled(observations[number], expected[number].tries[0] + copies)
            differences = compare(expected[number], probe, observations[number])
            if late := mesh.late_tries(observations[number]):
                differences.append(f"{late} more tries after the answer")
            if differences and (excuse := allowed_difference(mesh.voices, expect, probe, observations[number])):
                excused.add(excuse)
                differences = []
            answers.append((mesh.name, observations[number], tuple(differences)))
        if any(differences for _, _, differences in answers):
            disagreements.append(Disagreement(probe, expected[number], tuple(answers)))
    logs = "\n".join(_logs(mesh, disagreements) for mesh in meshes)
    return Verdict(program, len(probes), tuple(disagreements), frozenset(excused), logs)


def _logs(mesh: AgreementMesh, disagreements: Sequence[Disagreement]) -> str:
    """Return what a mesh's proxies logged about the requests that are shown."""
    concerned = [one for one in disagreements[:MOST_SHOWN] if mesh.name in one.voices]
    if not concerned:
        return ""
    return f"  log of {mesh.name}:\n" + mesh.logs({one.probe.request.path for one in concerned[:4]})


def _ask(mesh: AgreementMesh, probes: Sequence[Probe], at_once: int) -> list[Observation]:
    if at_once == 1:
        return [mesh.send(probe) for probe in probes]
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return list(pool.map(mesh.send, probes))

"""The search for the smallest edit: each candidate is applied, compiled and judged before it is offered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from meshc_compiler.evaluate import Decision, evaluate
from meshc_compiler.examples import run_example
from meshc_compiler.fixing import does_harm
from meshc_compiler.flip.candidate import Candidate, Candidates
from meshc_compiler.flip.effect import Effects, all_matches, effects
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.pipeline import CompileResult, compile_all
from meshc_compiler.source_reader import EditedReader, SourceReader
from meshc_compiler.suppression import Today
from meshc_lang.diagnostic import Applicability, Fix, Severity
from meshc_lang.record import dataclass
from meshc_lang.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """An edit that was tried out: it turns the verdict, brings no error, breaks no assert and no test.

    `opens` and `closes` are what it does to other requests.
    """

    fix: Fix
    opens: Effects
    closes: Effects


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipSearch:
    """What came of a search: a flip; or what stood in the way of the first edit that would have turned the verdict."""

    flip: Flip | None = None
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class _Tried:
    """A candidate that may be offered, and the mesh that it makes."""

    candidate: Candidate
    index: MeshIndex
    findings: int


class FlipFinder:
    """Looks for flips in one program.

    The smallest is the one that changes the fate of the fewest other requests, then the one with the fewest characters.
    One that brings new warnings comes behind those that do not. Without `of_allowed` only refused requests are meant.
    """

    def __init__(
        self,
        paths: Sequence[str],
        reader: SourceReader,
        today: Today | None = None,
        overlay: str | None = None,
        *,
        of_allowed: bool = True,
    ) -> None:
        self._paths = tuple(paths)
        self._reader = reader
        self._today = today
        self._overlay = overlay
        self._contents: dict[str, bytes] = {}
        self._of_allowed = of_allowed

    @cached_property
    def _before(self) -> CompileResult:
        """The program by itself and with all its overlays: an edit must do no harm in any of them."""
        return self._compile({})

    def is_about(self, decision: Decision) -> bool:
        """Tell whether edits are looked for that turn this verdict."""
        return self._of_allowed or not decision.allowed

    def find(self, request: Request) -> FlipSearch:
        """Return the smallest edit that turns the verdict about a request, if there is any."""
        index = _index_of(self._before, self._overlay)
        if index is None:
            return FlipSearch()
        decision = evaluate(index, request)
        tried: list[_Tried] = []
        obstacle = ""
        for candidate in Candidates(index, self._before.program, decision).all():
            if _cannot_beat(candidate, tried):
                continue
            after = self._compile(self._applied(candidate))
            changed = _index_of(after, self._overlay)
            if changed is None or evaluate(changed, request).allowed is decision.allowed:
                continue
            broken = _broken_test(self._before, after)
            if broken or does_harm(self._before, after):
                obstacle = obstacle or broken or _new_error(self._before, after)
                continue
            tried.append(_Tried(candidate, changed, _warnings(after) - _warnings(self._before)))
        if not tried:
            return FlipSearch(obstacle=obstacle)
        return FlipSearch(flip=self._smallest(index, request, tried))

    def _smallest(self, index: MeshIndex, request: Request, tried: list[_Tried]) -> Flip:
        apart = tuple(dict.fromkeys(all_matches((one.index for one in tried), request.callee)))
        judged = []
        for number, one in enumerate(tried):
            opens, closes = effects(index, one.index, request, apart)
            both = opens.plus(closes).count
            size = (one.findings > 0, both is None, both or 0, one.candidate.characters, number)
            judged.append((size, one.candidate, opens, closes))
        _, candidate, opens, closes = min(judged, key=lambda each: each[0])
        fix = Fix(title=candidate.title, applicability=Applicability.UNSAFE, edits=candidate.edits)
        return Flip(fix=fix, opens=opens, closes=closes)

    def _compile(self, texts: dict[str, str]) -> CompileResult:
        return compile_all(self._paths, EditedReader(self._reader, texts, self._contents), self._today)

    def _applied(self, candidate: Candidate) -> dict[str, str]:
        texts: dict[str, str] = {}
        for edit in sorted(candidate.edits, key=lambda edit: (edit.span.start, edit.span.end), reverse=True):
            path = edit.span.source.path
            text = texts.get(path, edit.span.source.text)
            texts[path] = text[: edit.span.start] + edit.text + text[edit.span.end :]
        return texts


def _cannot_beat(candidate: Candidate, tried: list[_Tried]) -> bool:
    """Tell whether what was found is about the request alone and no longer than a candidate."""
    return any(
        one.candidate.narrow and one.findings <= 0 and one.candidate.characters <= candidate.characters for one in tried
    )


def _index_of(result: CompileResult, overlay: str | None) -> MeshIndex | None:
    if overlay is None:
        return result.index
    return next((one.index for one in result.overlays if one.overlay == overlay), None)


def _passing(result: CompileResult) -> Iterator[tuple[str | None, str, str, str]]:
    """Yield the tests that pass, by themselves and in each overlay."""
    for one in (result, *result.overlays):
        if one.index is not None:
            for example in one.index.mesh.examples:
                case = run_example(one.index, example)
                if case.passed:
                    yield one.overlay, case.test, case.request, case.expected


def _broken_test(before: CompileResult, after: CompileResult) -> str:
    """Return the name of a test that passed and does not any more; empty if there is none."""
    passing = set(_passing(after))
    return next((f"the test `{name}: {request}`" for _, name, request, _ in _lost(before, passing)), "")


def _lost(
    before: CompileResult, passing: set[tuple[str | None, str, str, str]]
) -> Iterator[tuple[str | None, str, str, str]]:
    return (one for one in _passing(before) if one not in passing)


def _new_error(before: CompileResult, after: CompileResult) -> str:
    """Return what an edit breaks, as the finding that tells of it."""
    known = {(one.code.id, one.message) for one in before.diagnostics}
    new = [
        one for one in after.diagnostics if one.severity is Severity.ERROR and (one.code.id, one.message) not in known
    ]
    for one in new:
        if one.code.id in _ASSERTS:
            return f"`{one.primary.text}`"
    return f"the program: {new[0].message}" if new else ""


_ASSERTS = frozenset({"MSH310", "MSH311", "MSH312", "MSH313", "MSH314", "MSH315", "MSH316"})


def _warnings(result: CompileResult) -> int:
    return len(result.diagnostics)

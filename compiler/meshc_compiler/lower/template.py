"""Path templates: from text to segments, with what is wrong about a text that is none."""

from __future__ import annotations

from functools import lru_cache

from meshc_compiler.ir.match import PathTemplate, Segment, SegmentKind
from meshc_compiler.path import canonical_path
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass
from meshc_lang.suggestion import suggest

_CLASSES = {"int": SegmentKind.INT, "uuid": SegmentKind.UUID, "slug": SegmentKind.SLUG}
_VARIABLE = pattern(r"\{(?P<name>[a-z_]+)(?::[ ]?(?P<kind>[a-z0-9]+))?\}\Z")
_BRACED = pattern(r"\{[^{}/]*\}")
_PLACEHOLDER = "meshc-variable"
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """Why a text is no template, and the text that was most likely meant ("" if that is unclear)."""

    message: str
    proposal: str = ""
    help: str = ""


@lru_cache(maxsize=65536)
def parse_template(text: str) -> PathTemplate | TemplateProblem:
    """Read a template such as `/v1/carts/{id:uuid}`. A single `/` at the end says nothing."""
    if len(text) > _LONGEST:
        return TemplateProblem(f"a path template has at most {_LONGEST} characters")
    problem = _not_canonical(text)
    if problem is not None:
        return problem
    written = text.split("/")[1:]
    if written[-1] == "":
        written.pop()
    segments: list[Segment] = []
    for position, piece in enumerate(written):
        segment = _segment(piece)
        if isinstance(segment, TemplateProblem):
            return segment
        if segment.kind is SegmentKind.REST and position < len(written) - 1:
            message = "`**` stands for the rest of the path, so nothing can follow it"
            return TemplateProblem(message, "/" + "/".join(written[: position + 1]))
        segments.append(segment)
    return PathTemplate(tuple(segments))


def _segment(piece: str) -> Segment | TemplateProblem:
    if piece == "**":
        return Segment(SegmentKind.REST)
    if piece == "*":
        return Segment(SegmentKind.ANY)
    if "{" not in piece and "}" not in piece and "*" not in piece:
        return Segment(SegmentKind.LITERAL, piece)
    variable = _VARIABLE.match(piece)
    if variable is None:
        message = f"`*`, `**` and `{{…}}` stand for whole segments, and `{piece}` mixes them with other text"
        return TemplateProblem(message, help='match the whole segment, or use a regular expression: `~"…"`')
    kind = variable["kind"]
    if kind is None:
        return Segment(SegmentKind.ANY)
    if kind not in _CLASSES:
        near = suggest(kind, _CLASSES)
        help_line = f"did you mean `{near[0]}`?" if near else "known are `int`, `uuid` and `slug`"
        return TemplateProblem(f"there is no kind of segment `{kind}`", help=help_line)
    return Segment(_CLASSES[kind])


def _not_canonical(text: str) -> TemplateProblem | None:
    """Compare a template with its canonical form, its variables put aside."""
    variables = _BRACED.findall(text)
    plain = _BRACED.sub(_PLACEHOLDER, text)
    canonical = canonical_path(plain)
    if canonical is None:
        return TemplateProblem(f"no request can have the path `{text}`: every spelling of it is refused with 400")
    if canonical == plain:
        return None
    proposal = ""
    if canonical.count(_PLACEHOLDER) == len(variables):
        proposal = canonical
        for variable in variables:
            proposal = proposal.replace(_PLACEHOLDER, variable, 1)
    return TemplateProblem(f"the path `{text}` is not in its canonical form, so no request would match it", proposal)

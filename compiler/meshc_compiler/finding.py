"""Where the stages of the compiler put down what they find."""

from __future__ import annotations

from collections.abc import Iterable

from meshc_lang.codes import Code
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix, Label
from meshc_lang.pattern import pattern
from meshc_lang.request import Request
from meshc_lang.source import Span
from meshc_lang.suggestion import suggest

_MOST_LISTED = 12
_REST_OF_LINE = pattern(r"[ \t]*\r?\n?")


class Findings:
    """The diagnostics of one stage, gathered while it works and handed over with its value at the end."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []

    def add(
        self,
        code: Code,
        message: str,
        primary: Span,
        *,
        label: str = "",
        related: tuple[Label, ...] = (),
        witness: Request | None = None,
        help: str = "",  # noqa: A002 - the field's name
        fixes: tuple[Fix, ...] = (),
        subject: str = "",
    ) -> None:
        """Note a finding."""
        self._found.append(
            Diagnostic(
                code=code,
                message=message,
                primary=primary,
                label=label,
                related=related,
                witness=witness,
                help=help,
                fixes=fixes,
                subject=subject,
            )
        )

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Note what another stage found."""
        self._found.extend(diagnostics)

    def all(self) -> tuple[Diagnostic, ...]:
        """Return what was found so far."""
        return tuple(self._found)


def replacement(title: str, span: Span, text: str, applicability: Applicability = Applicability.UNSAFE) -> Fix:
    """Return the fix that writes `text` over `span`."""
    return Fix(title=title, applicability=applicability, edits=(Edit(span, text),))


def delete(title: str, span: Span, doc: int = 0, applicability: Applicability = Applicability.SAFE) -> Fix:
    """Return the fix that deletes a statement: its lines, if it has them to itself, and so many of doc above them."""
    lines = _whole_lines(span)
    for _ in range(doc):
        lines = Span(span.source, span.source.text.rfind("\n", 0, max(lines.start - 1, 0)) + 1, lines.end)
    return Fix(title=title, applicability=applicability, edits=(Edit(lines, ""),))


def _whole_lines(span: Span) -> Span:
    text = span.source.text
    start = text.rfind("\n", 0, span.start) + 1
    rest = _REST_OF_LINE.match(text, span.end)
    if text[start : span.start].strip() or rest is None or not (rest[0].endswith("\n") or rest.end() == len(text)):
        return span
    return Span(span.source, start, rest.end())


def heading(span: Span) -> Span:
    """Return where a statement says what it is about, as `service NAME`: what stands in front of its braces."""
    return span.at(span.start, span.start + len(span.text.partition("{")[0].rstrip()))


def did_you_mean(word: str, candidates: Iterable[str], span: Span) -> tuple[str, tuple[Fix, ...]]:
    """Return a help line and fixes for a misspelt word: the near candidates, or nothing if none is near."""
    near = suggest(word, candidates)
    if not near:
        return "", ()
    applicability = Applicability.UNSAFE if len(near) == 1 else Applicability.CHOOSE_ONE
    fixes = tuple(replacement(f"write `{name}`", span, name, applicability) for name in near)
    return f"did you mean {one_of(near)}?", fixes


def one_of(words: Iterable[str]) -> str:
    """Return words as a choice: `a`, `b` or `c`; long lists are cut."""
    names = [f"`{word}`" for word in words]
    if len(names) > _MOST_LISTED:
        return ", ".join(names[:_MOST_LISTED]) + f" or {len(names) - _MOST_LISTED} others"
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def labels_at(spans: Iterable[Span | None], text: str) -> tuple[Label, ...]:
    """Return a label for each place, in the order of the places."""
    places = {span for span in spans if span is not None}
    return tuple(Label(span, text) for span in sorted(places, key=lambda span: span.sort_key))

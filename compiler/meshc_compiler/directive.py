"""Comments that ask meshc to keep a finding silent: their form, what they are about, what can be wrong with them."""

from __future__ import annotations

import bisect
import re
from collections.abc import Collection
from datetime import date

from meshc_compiler.finding import Findings, did_you_mean, replacement
from meshc_compiler.suppression import Directive, NamedCode, is_firm
from meshc_lang.codes import style
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix, Label
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.suggestion import suggest
from meshc_lang.tree.file import Comment, SourceFile
from meshc_lang.tree.node import Node
from meshc_lang.tree.walk import walk

__all__ = ["read_directives", "tell_expired", "tell_firm", "tell_unused"]

LINE, FILE = "ignore", "ignore-file"

_FORM = "write `# meshc: ignore[MSH412] reason`"
_MARK = pattern(r"#(?P<doc>#)?[ \t]*meshc:[ \t]*(?P<verb>[A-Za-z][A-Za-z-]*)")
_CODES = pattern(r"[ \t]*\[(?P<codes>[^\]]*)\]")
_LAST_WORD = pattern(r"(?:^|[ \t])until[ \t]+(?P<date>\S+)[ \t]*$")
_DATE = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_WITHIN = pattern(r"\buntil[ \t]+(?P<date>[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4})")
_BETWEEN = pattern(r"(?:[\s,;\\(\[]|#[^\r\n]*)*+")
"""What may stand between a comment and the node that it is about."""
_CLOSERS = "}])"
_REST_OF_LINE = pattern(r"[ \t]*\r?\n?")
_AT_BUILD = "MSH8"
"""Findings of targets come with a build: a check cannot tell whether their suppression is used."""


def read_directives(file: SourceFile, findings: Findings) -> list[Directive]:
    """Return the comments of one file that suppress something, and put down what is wrong with them."""
    reader = _DirectiveReader(file, findings)
    return [directive for comment in file.comments if (directive := reader.read(comment)) is not None]


class _DirectiveReader:
    """Reads the comments of one file."""

    def __init__(self, file: SourceFile, findings: Findings) -> None:
        self._file = file
        self._text = file.source.text
        self._findings = findings
        self._nodes: list[Node] = []
        self._starts: list[int] = []
        self._ends: dict[int, tuple[int, ...]] = {}
        """Where the nodes begin that end at an offset, the outermost first."""

    def read(self, comment: Comment) -> Directive | None:
        """Return what a comment suppresses; None, perhaps with a finding, if it is no such comment."""
        found = _MARK.match(comment.text)
        if found is None:
            return None
        verb = found["verb"]
        verb_span = self._within(comment, found.start("verb"), found.end("verb"))
        rest = comment.text[found.end() :]
        if verb not in (LINE, FILE):
            near = suggest(verb, (LINE, FILE))
            if near or rest.lstrip().startswith("["):
                help_line, fixes = did_you_mean(verb, (LINE, FILE), verb_span)
                self._malformed(f"`{verb}` is nothing that a comment can ask of meshc", verb_span, help_line, fixes)
            return None
        if found["doc"]:
            mark = self._within(comment, 0, 2)
            fixes = (replacement("make it a plain comment", mark, "#"),)
            self._malformed("a `##` comment documents a statement, and suppresses nothing", mark, "", fixes)
            return None
        listed = _CODES.match(rest)
        if listed is None:
            what = "the bracket behind it is not closed" if "[" in rest else "no code stands behind it in brackets"
            self._malformed(f"this suppresses nothing: {what}", comment.span)
            return None
        codes = self._codes(comment, found.end() + listed.start("codes"), listed["codes"])
        return self._directive(comment, verb, verb_span, codes, found.end() + listed.end())

    def _directive(
        self, comment: Comment, verb: str, verb_span: Span, codes: tuple[NamedCode, ...] | None, tail_at: int
    ) -> Directive | None:
        tail = comment.text[tail_at:]
        until: date | None = None
        last = _LAST_WORD.search(tail)
        if last is not None:
            until = _date_of(last["date"])
            if until is None:
                place = self._within(comment, tail_at + last.start("date"), tail_at + last.end("date"))
                help_line = "write the last day as `until 2027-01-01`, or the reason in other words"
                self._malformed(f"`{last['date']}` is no date", place, help_line)
                return None
        elif (within := _DATE_WITHIN.search(tail)) is not None:
            place = self._within(comment, tail_at + within.start("date"), tail_at + within.end("date"))
            self._malformed(
                "a date counts at the very end of the comment alone", place, "put `until` and the date last"
            )
            return None
        reason = (tail if last is None else tail[: last.start()]).strip(" \t:-–—")
        if codes is None:
            return None
        if not re.search(r"\w", reason):
            self._findings.add(
                style.UNREASONED_SUPPRESSION,
                "this suppression gives no reason, and is void",
                comment.span,
                help="write why behind the bracket",
            )
            return None
        extent = self._whole_file(comment, verb_span) if verb == FILE else self._extent(comment)
        if extent is None:
            return None
        end = comment.span.start + tail_at + last.end("date") if last is not None else comment.span.end
        begin = comment.span.start + tail_at + last.start("date") if last is not None else end
        directive = Directive(
            span=comment.span,
            codes=codes,
            reason=reason,
            until=until,
            until_span=Span(self._file.source, begin, end),
            start=extent[0],
            end=extent[1],
        )
        for named in codes:
            if why := is_firm(named.code):
                tell_firm(directive, named, f"`{named.span.text}` cannot be suppressed: {why}", self._findings, ())
        return directive

    def _codes(self, comment: Comment, offset: int, listed: str) -> tuple[NamedCode, ...] | None:
        """Return the codes between the brackets; None if there are none that exist."""
        from meshc_lang.codes import CODES  # few programs suppress anything

        by_name = {code.name: code for code in CODES.values()}
        named: list[NamedCode] = []
        empty = True
        for part in re.finditer(r"[^,]+", listed):
            word = part[0].strip()
            if not word:
                continue
            empty = False
            start = offset + part.start() + part[0].index(word)
            span = self._within(comment, start, start + len(word))
            code = CODES.get(word) or by_name.get(word)
            if code is not None:
                named.append(NamedCode(code, span))
                continue
            # A wrong digit is meant for a code of the same family.
            family = word.upper()[: len("MSH4")]
            kind = [id_ for id_ in CODES if id_.startswith(family)] if family.startswith("MSH") else by_name
            help_line, fixes = did_you_mean(word, kind, span)
            message = f"there is no diagnostic `{word}`"
            help_line = help_line or "`meshc explain` lists them all"
            self._findings.add(style.UNKNOWN_SUPPRESSED_CODE, message, span, help=help_line, fixes=fixes)
        if empty:
            self._malformed("this suppresses nothing: no code stands in the brackets", comment.span)
        return tuple(named) or None

    # ---- what a comment is about

    def _whole_file(self, comment: Comment, verb: Span) -> tuple[int, int] | None:
        if any(statement.span.start < comment.span.start for statement in self._file.statements):
            help_line = "move it up, or say `ignore` to mean what follows alone"
            self._malformed(f"`{FILE}` counts above the first statement alone", verb, help_line)
            return None
        return 0, len(self._text)

    def _extent(self, comment: Comment) -> tuple[int, int]:
        """Return the offsets between which findings must begin; an empty stretch where nothing follows."""
        self._index()
        line = self._text.rfind("\n", 0, comment.span.start) + 1
        before = self._text[line : comment.span.start].strip()
        if not before:
            at = bisect.bisect_left(self._starts, comment.span.end)
            if at < len(self._nodes):
                node = self._nodes[at]
                gap = _BETWEEN.match(self._text, comment.span.end)
                if gap is not None and gap.end() >= node.span.start:
                    return node.span.start, node.span.end
            return comment.span.start, comment.span.start
        code_end = line + len(self._text[line : comment.span.start].rstrip(" \t,;"))
        ending = self._ends.get(code_end, ())
        if ending and (before[0] in _CLOSERS or (self._text[code_end - 1] in _CLOSERS and ending[-1] < line)):
            return ending[0], comment.span.start
        return line, comment.span.start

    def _index(self) -> None:
        if not self._nodes:
            self._nodes = list(walk(self._file))
            self._starts = [node.span.start for node in self._nodes]
            for node in self._nodes:
                self._ends[node.span.end] = (*self._ends.get(node.span.end, ()), node.span.start)

    def _within(self, comment: Comment, start: int, end: int) -> Span:
        return Span(self._file.source, comment.span.start + start, comment.span.start + end)

    def _malformed(self, message: str, span: Span, help_line: str = "", fixes: tuple[Fix, ...] = ()) -> None:
        self._findings.add(style.MALFORMED_SUPPRESSION, message, span, help=help_line or _FORM, fixes=fixes)


def _date_of(text: str) -> date | None:
    if _DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def tell_firm(
    directive: Directive, named: NamedCode, message: str, findings: Findings, related: tuple[Label, ...]
) -> None:
    """Put down that a comment names what cannot be suppressed."""
    fixes = (_forget(directive, named),)
    findings.add(style.UNSUPPRESSIBLE, message, named.span, related=related, fixes=fixes, subject=directive.reason)


def tell_expired(directive: Directive, first: Diagnostic, findings: Findings) -> None:
    """Put down that a comment's last day is over, with the first finding that is back for it."""
    findings.add(
        style.EXPIRED_SUPPRESSION,
        f"this suppression of `{first.code.id}` ended on {directive.until}",
        directive.until_span,
        label="the last day",
        related=(Label(first.primary, "told again"),),
        help="put it right, or give it a later date and say why",
        subject=directive.reason,
    )


def tell_unused(directive: Directive, used: Collection[Span], findings: Findings) -> None:
    """Put down the codes of a comment that no finding needs; `used` holds the places of those that some needs."""
    idle = [
        named
        for named in directive.codes
        if named.span not in used and not is_firm(named.code) and not named.code.id.startswith(_AT_BUILD)
    ]
    if idle and len(idle) == len(directive.codes):
        names = ", ".join(f"`{named.span.text}`" for named in idle)
        fix = Fix(title="delete this comment", applicability=Applicability.SAFE, edits=(_whole(directive.span),))
        message = f"there is no {names} here to suppress"
        findings.add(style.UNUSED_SUPPRESSION, message, directive.span, fixes=(fix,), subject=directive.reason)
        return
    for named in idle:
        message = f"there is no `{named.span.text}` here to suppress"
        fixes = (_forget(directive, named),)
        findings.add(style.UNUSED_SUPPRESSION, message, named.span, fixes=fixes, subject=directive.reason)


def _forget(directive: Directive, named: NamedCode) -> Fix:
    """Return the fix that takes one code out of a comment, or the comment away if it names no other."""
    if len(directive.codes) == 1:
        return Fix(title="delete this comment", applicability=Applicability.SAFE, edits=(_whole(directive.span),))
    at = directive.codes.index(named)
    source = named.span.source
    if at + 1 < len(directive.codes):
        span = Span(source, named.span.start, directive.codes[at + 1].span.start)
    else:
        span = Span(source, directive.codes[at - 1].span.end, named.span.end)
    return Fix(title=f"take `{named.span.text}` out", applicability=Applicability.SAFE, edits=(Edit(span, ""),))


def _whole(comment: Span) -> Edit:
    """Return the edit that deletes a comment: with its line if it has one of its own."""
    text = comment.source.text
    line = text.rfind("\n", 0, comment.start) + 1
    if text[line : comment.start].strip():
        return Edit(Span(comment.source, line + len(text[line : comment.start].rstrip()), comment.end), "")
    rest = _REST_OF_LINE.match(text, comment.end)
    return Edit(Span(comment.source, line, rest.end() if rest is not None else comment.end), "")

"""Explains numbers that are no quantity: unknown units, units apart from their number, too many digits."""

from __future__ import annotations

from meshc_lang.codes import syntax
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.units import DURATION_UNITS, PORT_PROTOCOLS, RATE_UNITS, SIZE_UNITS, meant_unit

__all__ = ["explain_number"]

_NUMBER = pattern(r"([0-9]+)(?:\.([0-9]+))?(/?)([A-Za-z][A-Za-z0-9]*|%)?")
_MEASURES = {
    "DURATION": tuple(DURATION_UNITS),
    "SIZE": tuple(SIZE_UNITS),
    "PERCENT": ("%",),
}
_FRACTIONS = {"RATE": tuple(RATE_UNITS), "PORT": PORT_PROTOCOLS}
_KNOWN = (
    ("DURATION", "durations are in"),
    ("SIZE", "sizes in"),
    ("RATE", "rates are per"),
    ("PORT", "a port speaks"),
)


def explain_number(word: str, span: Span, accepts: frozenset[str], before: str, gap: Span) -> Diagnostic | None:
    """Return what is wrong with a number at a place where one may stand; None if nothing is wrong with the number.

    `gap` is what stands between the token `before` and the word: a unit that follows a number after a space is
    explained with it.
    """
    if word and before.isdigit() and gap.text.strip(" \t") == "" and gap.text:
        return _apart(word, span, before, gap)
    found = _NUMBER.match(word)
    if found is None or not accepts & (_MEASURES.keys() | _FRACTIONS.keys() | {"INT"}):
        return None
    digits, fraction, slash, unit = found.groups()
    if len(digits) > 18 or len(fraction or "") > 9:
        return Diagnostic(
            code=syntax.NUMBER_TOO_LARGE,
            message=f"`{word[:12]}…` has more digits than any quantity needs",
            primary=span,
        )
    if not unit or found.end() != len(word):
        return None
    table = _FRACTIONS if slash else _MEASURES
    units = tuple(unit for terminal, names in table.items() if terminal in accepts for unit in names)
    if unit in units or not units:
        return None
    meant = meant_unit(unit, units)
    known = [f"{what} {_listed(table[kind])}" for kind, what in _KNOWN if kind in table and kind in accepts]
    return _unknown(f"{digits}{'.' + fraction if fraction else ''}{slash}", unit, meant, "; ".join(known), span)


def _apart(word: str, span: Span, before: str, gap: Span) -> Diagnostic | None:
    units = (*DURATION_UNITS, *SIZE_UNITS, "%")
    if word not in units:
        return None
    whole = Span(span.source, gap.start - len(before), span.end)
    fix = Fix(
        title=f"write `{before}{word}`", applicability=Applicability.SAFE, edits=(Edit(whole, f"{before}{word}"),)
    )
    return Diagnostic(
        code=syntax.UNKNOWN_UNIT,
        message=f"a unit follows its number without a space: `{before}{word}`",
        primary=whole,
        fixes=(fix,),
    )


def _unknown(number: str, unit: str, meant: str | None, known: str, span: Span) -> Diagnostic:
    if meant is None:
        return Diagnostic(code=syntax.UNKNOWN_UNIT, message=f"unknown unit `{unit}`", primary=span, help=known)
    fix = Fix(title=f"write `{number}{meant}`", applicability=Applicability.SAFE, edits=(Edit(span, number + meant),))
    return Diagnostic(
        code=syntax.UNKNOWN_UNIT,
        message=f"unknown unit `{unit}`; did you mean `{number}{meant}`?",
        primary=span,
        fixes=(fix,),
    )


def _listed(units: tuple[str, ...]) -> str:
    *most, last = (f"`{unit}`" for unit in units)
    return f"{', '.join(most)} or {last}"

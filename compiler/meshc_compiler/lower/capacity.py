"""What a service says of its workload, for checks to go by: how much it carries, and how it reads paths."""

from __future__ import annotations

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.workload import Capacity, Folding
from meshc_compiler.lower.field import Fields, as_word, wrong_type, wrong_unit
from meshc_lang.codes import units
from meshc_lang.tree.value import Integer, Rate


def lower_capacity(fields: Fields, findings: Findings) -> Capacity | None:
    """Return the rate that one instance carries."""
    value = fields.get("capacity")
    match value:
        case None:
            return None
        case Rate() if value.amount > 0:
            return Capacity(amount=value.amount, seconds=value.seconds, origin=fields.span("capacity"))
        case Rate():
            findings.add(units.OUT_OF_RANGE, "`capacity` is more than nothing", value.span)
        case Integer():
            wrong_unit(findings, "`capacity`", value, (f"{value.value}/s", f"{value.value}/m"))
        case _:
            wrong_type(findings, "`capacity`", "a rate, for example `200/s`", value)
    return None


def lower_folds(fields: Fields, findings: Findings) -> tuple[Folding, ...]:
    """Return which spellings of a path the workload takes for one."""
    folds: set[Folding] = set()
    for item in fields.items("folds", "[case, parameters]") or ():
        word = as_word(item, "what is folded", findings)
        if word is None:
            continue
        if word not in tuple(Folding):
            help_line, fixes = did_you_mean(word, tuple(Folding), item.span)
            help_line = help_line or f"known are {one_of(Folding).replace(' or ', ' and ')}"
            findings.add(units.UNKNOWN_WORD, f"nothing is folded by `{word}`", item.span, help=help_line, fixes=fixes)
            continue
        folds.add(Folding(word))
    return tuple(sorted(folds))

"""Parts of the IR have the same fingerprint exactly when they are equal."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import pytest

from meshc_compiler.ir.fingerprint import Fingerprints
from meshc_compiler.ir.policy import Rule
from meshc_compiler.ir.slice import WorkloadSlice, slice_of
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from support.corpus import CORPUS, case_files


def slices() -> list[WorkloadSlice]:
    found: list[WorkloadSlice] = []
    for case in sorted(CORPUS.iterdir()):
        files = case_files(case)
        result = compile_program(tuple(name for name in files if name.endswith(".mesh")), MemoryReader(files))
        if result.index is not None:
            found += [slice_of(result.index, workload) for workload in result.index.mesh.workloads]
    return found


def test_slices_share_a_fingerprint_exactly_when_they_are_equal() -> None:
    everything = slices()
    assert len(everything) > 50
    prints = [Fingerprints().of(one) for one in everything]
    for one, its in zip(everything, prints, strict=True):
        for other, others in zip(everything, prints, strict=True):
            assert (one == other) == (its == others)


def test_every_field_counts_but_where_it_was_written() -> None:
    def parts(value: object) -> list[object]:
        if isinstance(value, tuple):
            return [inner for item in value for inner in parts(item)]
        if is_dataclass(value) and not isinstance(value, type):
            return [
                value,
                *(inner for one in fields(value) for inner in parts(getattr(value, one.name)) if one.compare),
            ]
        return []

    seen: dict[type, object] = {}
    for part in (part for one in slices() for part in parts(one)):
        seen.setdefault(type(part), part)
    assert len(seen) > 30
    for part in seen.values():
        told = Fingerprints()
        for one in fields(part):  # type: ignore[arg-type]
            if not one.init or not one.compare:
                continue
            changed = replace(part, **{one.name: ("another", "value")})  # type: ignore[type-var]
            assert told.of(changed) != told.of(part), f"{type(part).__name__}.{one.name}"


def test_texts_cannot_run_into_each_other() -> None:
    told = Fingerprints()
    pairs = [("a", "b,c"), ("a,b", "c"), ("('a'", "b)"), (("a",), "b"), ("1",), (1,), (True,), (None,), ("None",), ()]
    assert len({told.of(one) for one in pairs}) == len(pairs)
    with pytest.raises(TypeError):
        told.of(object())


def test_a_rule_is_known_again() -> None:
    rule = next(rule for one in slices() for inbound in one.inbound for rule in inbound.rules)
    told = Fingerprints()
    assert isinstance(rule, Rule)
    assert told.of(rule) == told.of(replace(rule)) == Fingerprints().of(rule)

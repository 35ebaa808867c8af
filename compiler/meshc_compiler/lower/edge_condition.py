"""Conditions on the settings of edges, as `every edge has` states them: fields and values to what they mean."""

from __future__ import annotations

from dataclasses import fields as fields_of
from typing import assert_never

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.edge_condition import (
    EdgeAllOf,
    EdgeAnyOf,
    EdgeCompare,
    EdgeCondition,
    EdgeNot,
    EdgePresent,
    EdgeValue,
)
from meshc_compiler.ir.setting import SETTING_NAMES, Scope, Settings
from meshc_compiler.ir.workload import Protocol
from meshc_compiler.lower.field import as_word, wrong_type
from meshc_compiler.lower.setting import lower_settings
from meshc_lang.codes import names, units
from meshc_lang.source import Span
from meshc_lang.tree.node import Name
from meshc_lang.tree.policy import (
    AllOf,
    AnyOf,
    Attribute,
    AttributeKind,
    Compare,
    Comparison,
    Condition,
    FromPeer,
    Not,
    Present,
    Within,
)
from meshc_lang.tree.value import Block, Integer, ListValue, Pair, Switch, Value

OWNER = "edge"
"""The word before the dot of a field of an edge."""

FIELD_NAMES = {name.replace(" ", "."): field for field, name in SETTING_NAMES.items()}
"""The fields of `Settings` by the path that names each: `retry.limit`."""

SETTING_FIELDS = tuple(dict.fromkeys(name.partition(".")[0] for name in FIELD_NAMES))
"""The first words of these paths: what stands in a block of settings."""

_OWN_FIELDS = {
    "mtls": ("strict", "permissive", "off"),
    "protocol": tuple(protocol.value for protocol in Protocol),
}
"""What an edge has besides settings, with the words that each may be."""

_ATTEMPTS = "attempts"
_EQUALITIES = (Comparison.EQUAL, Comparison.NOT_EQUAL)


def lower_edge_condition(condition: Condition, findings: Findings) -> EdgeCondition | None:
    """Return what a condition asks of an edge; None, with findings, if it asks nothing that an edge has."""
    match condition:
        case AllOf() | AnyOf():
            operands = [lower_edge_condition(operand, findings) for operand in condition.operands]
            known = tuple(operand for operand in operands if operand is not None)
            if len(known) < len(operands):
                return None
            return EdgeAllOf(known) if isinstance(condition, AllOf) else EdgeAnyOf(known)
        case Not():
            inner = lower_edge_condition(condition.operand, findings)
            return None if inner is None else EdgeNot(inner)
        case Present():
            return _present(condition.attribute, findings)
        case Compare():
            return _compare(condition.attribute, condition.comparison, condition.value, findings)
        case Within():
            return _within(condition, findings)
        case FromPeer():
            message = "an assert names callers behind `every edge from`, not in the condition"
            findings.add(units.WRONG_TYPE, message, condition.span)
            return None
        case _:
            assert_never(condition)


def lower_one_setting(
    name: Name, value: Value, findings: Findings, owner: str = "the test"
) -> tuple[tuple[str, EdgeValue], ...] | None:
    """Return the fields of `Settings` that a setting with this value states, read as in a block of settings.

    `name` may have dots (`retry.limit`). None, with findings, where the setting does not exist or takes other values.
    """
    own = Findings()
    stated = lower_settings(_block_of(name, value), owner, Scope.MESH, own)
    findings.extend(own.all())
    values = tuple(
        (field.name, setting.value)
        for field in fields_of(Settings)
        if (setting := getattr(stated, field.name)) is not None
    )
    return None if own.all() or not values else values


def _block_of(name: Name, value: Value) -> Block:
    """Return the block in which a setting is written: `retry.limit` of 2 is `{ retry { limit: 2 } }`."""
    span = name.span.to(value.span)
    inner: Value = value
    for word in reversed(name.text.split(".")):
        pair = Pair(span=span, key=Name(span=name.span, text=word), value=inner)
        inner = Block(span=span, pairs=(pair,))
    assert isinstance(inner, Block)  # noqa: S101 - a name has at least one word
    return inner


def _compare(attribute: Attribute, comparison: Comparison, value: Value, findings: Findings) -> EdgeCondition | None:
    key = _key(attribute, findings)
    if key is None:
        return None
    if comparison is Comparison.MATCHES:
        message = "the settings of an edge are compared by `==`, `!=`, `<=`, `<`, `>=` and `>`"
        findings.add(units.WRONG_TYPE, message, attribute.span.to(value.span))
        return None
    if key in _OWN_FIELDS:
        is_off = isinstance(value, Switch) and not value.on
        word = "off" if is_off else as_word(value, f"`{attribute.owner}.{key}`", findings)
        if word is None or not _is_equality(comparison, key, attribute.span, findings):
            return None
        if word not in _OWN_FIELDS[key]:
            help_line, fixes = did_you_mean(word, _OWN_FIELDS[key], value.span)
            help_line = help_line or f"it is {one_of(_OWN_FIELDS[key])}"
            message = f"no edge has the {key} `{word}`"
            findings.add(units.UNKNOWN_WORD, message, value.span, help=help_line, fixes=fixes)
            return None
        return EdgeCompare(key, str(comparison), word)
    if key == _ATTEMPTS:
        if not isinstance(value, Integer):
            wrong_type(findings, "`edge.attempts`", "a number of tries, for example `2`", value)
            return None
        return EdgeCompare(key, str(comparison), value.value)
    values = lower_one_setting(Name(span=attribute.span, text=key), value, findings, "an edge")
    if values is None:
        return None
    if any(not isinstance(stated, int) or isinstance(stated, bool) for _, stated in values) and not _is_equality(
        comparison, key, attribute.span, findings
    ):
        return None
    compared = tuple(EdgeCompare(field, str(comparison), stated) for field, stated in values)
    if len(compared) == 1:
        return compared[0]
    return EdgeAnyOf(compared) if comparison is Comparison.NOT_EQUAL else EdgeAllOf(compared)


def _within(condition: Within, findings: Findings) -> EdgeCondition | None:
    if not isinstance(condition.value, ListValue) or not condition.value.items:
        findings.add(units.WRONG_TYPE, "`in` takes a list, for example `in [1s, 2s]`", condition.value.span)
        return None
    compared = [_compare(condition.attribute, Comparison.EQUAL, item, findings) for item in condition.value.items]
    known = tuple(dict.fromkeys(one for one in compared if one is not None))
    return EdgeAnyOf(known) if None not in compared else None


def _present(attribute: Attribute, findings: Findings) -> EdgeCondition | None:
    key = _key(attribute, findings)
    if key is None:
        return None
    inside = tuple(field for name, field in FIELD_NAMES.items() if name == key or name.startswith(f"{key}."))
    if not inside:
        findings.add(units.WRONG_TYPE, f"every edge has `{key}`, so it is always present", attribute.span)
        return None
    return EdgePresent(inside)


def _key(attribute: Attribute, findings: Findings) -> str | None:
    """Return the path behind `edge.`."""
    if attribute.kind is not AttributeKind.FIELD or attribute.owner != OWNER:
        written = " ".join(attribute.span.text.split())
        message = f"an edge has settings, and `{written}` is none of them"
        findings.add(units.WRONG_TYPE, message, attribute.span, help="write for example `edge.timeout <= 4s`")
        return None
    key = attribute.key
    known = (*FIELD_NAMES, *_OWN_FIELDS, _ATTEMPTS)
    if key in known or key in SETTING_FIELDS:
        return key
    help_line, fixes = did_you_mean(f"{OWNER}.{key}", [f"{OWNER}.{name}" for name in known], attribute.span)
    help_line = help_line or f"it has {one_of(known).replace(' or ', ' and ')}"
    message = f"an edge has no `{key}`"
    findings.add(names.UNKNOWN_FIELD, message, attribute.span, help=help_line, fixes=fixes)
    return None


def _is_equality(comparison: Comparison, key: str, span: Span, findings: Findings) -> bool:
    if comparison in _EQUALITIES:
        return True
    message = f"values of `{key}` have no order, so `{comparison}` means nothing of them"
    findings.add(units.WRONG_TYPE, message, span, help="compare by `==` or `!=`")
    return False

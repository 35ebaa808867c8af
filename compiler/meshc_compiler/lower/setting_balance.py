"""`balance`: how the instance that gets a call is chosen."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.setting import Balance, BalancePolicy, HashKey, HashKeyKind
from meshc_compiler.lower.condition import header_name
from meshc_compiler.lower.field import Fields, as_one_of, wrong_type
from meshc_compiler.lower.stated import Stated
from meshc_lang.codes import settings, units
from meshc_lang.diagnostic import Label
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import Block, Switch, Value

_POLICIES = tuple(policy.value for policy in BalancePolicy)
_KEYS = tuple(kind.value for kind in HashKeyKind)
_COOKIE = pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_EXAMPLE = 'for example `balance { policy: ring-hash, header: "x-user" }`'


def lower_balance(value: Value, stated: Stated, findings: Findings) -> None:
    """Note what a `balance` states; `off` is what holds where nothing is stated: each instance in turn."""
    match value:
        case Switch(on=False):
            stated.note("balance", Balance(policy=BalancePolicy.ROUND_ROBIN), "balance")
        case Block():
            stated.note("balance", _lower_block(value, findings), "balance")
        case _:
            word = as_one_of(value, "`balance`", _POLICIES, findings)
            if word is not None:
                stated.note("balance", _balance(BalancePolicy(word), None, value.span, None, findings), "balance")


def _lower_block(block: Block, findings: Findings) -> Balance | None:
    fields = Fields(block, "`balance`", "settings.balance", findings)
    value = fields.get("policy")
    if value is None:
        fields.missing("policy", _EXAMPLE, block.span)
        return None
    word = as_one_of(value, "`policy`", _POLICIES, findings)
    keys = [key for key in _KEYS if fields.get(key) is not None]
    if len(keys) > 1:
        findings.add(
            settings.BALANCE_KEY,
            f"one property of a call is hashed, and here are `{keys[0]}` and `{keys[1]}`",
            fields.span(keys[1]),
            related=(Label(fields.span(keys[0]), "one here …"),),
            help="keep one of them",
        )
        return None
    key = _hash_key(fields, keys[0], findings) if keys else None
    if word is None or (keys and key is None):
        return None
    place = fields.span(keys[0]) if keys else None
    return _balance(BalancePolicy(word), key, value.span, place, findings)


def _balance(
    policy: BalancePolicy, key: HashKey | None, span: Span, key_span: Span | None, findings: Findings
) -> Balance | None:
    if policy is BalancePolicy.RING_HASH and key is None:
        message = "`ring-hash` needs to know what is hashed: a `header`, a `cookie` or the `source`"
        findings.add(settings.BALANCE_KEY, message, span, help=_EXAMPLE)
        return None
    if policy is not BalancePolicy.RING_HASH and key is not None:
        message = f"`{policy}` hashes nothing, so `{key.kind}` would have no effect"
        help_line = f"take `policy: ring-hash`, or leave `{key.kind}` out"
        findings.add(settings.BALANCE_KEY, message, key_span or span, help=help_line)
        return None
    return Balance(policy=policy, key=key)


def _hash_key(fields: Fields, word: str, findings: Findings) -> HashKey | None:
    kind = HashKeyKind(word)
    value = fields.get(word)
    match kind, value:
        case (HashKeyKind.SOURCE, _):
            flag = fields.flag(word)
            if flag is False:
                findings.add(units.UNKNOWN_WORD, "`source` is `on`, or left out", fields.span(word))
            return HashKey(kind=kind) if flag else None
        case (HashKeyKind.HEADER, (Name() | Text()) as name):
            header = header_name(name.text, name.span, findings)
            return None if header is None else HashKey(kind=kind, name=header)
        case (HashKeyKind.COOKIE, (Name() | Text()) as name):
            cookie = _cookie_name(name.text, name.span, findings)
            return None if cookie is None else HashKey(kind=kind, name=cookie)
    if value is not None:
        wrong_type(findings, f"`{word}`", f'the name of a {word}, for example `"x-user"`', value)
    return None


def _cookie_name(name: str, span: Span, findings: Findings) -> str | None:
    """Return a cookie's name (RFC 6265 §4.1.1), or tell that no cookie can bear it; it does not fold case."""
    if _COOKIE.match(name):
        return name
    findings.add(units.INVALID_HEADER, f"`{name}` is not the name of a cookie", span)
    return None

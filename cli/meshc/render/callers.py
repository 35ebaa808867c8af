"""Who can call a service, as text, JSON and DOT."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from meshc.render.json import Json, document, request_json, span_json
from meshc.render.terminal import Ink, Terminal, cell_count
from meshc_compiler.callers.chain import Chain
from meshc_compiler.callers.direct import ANYBODY
from meshc_compiler.callers.request_class import DirectCaller, RequestClass
from meshc_compiler.ir.policy import Rule
from meshc_lang.request import PLAINTEXT, Request

_MOST_CHAINS = 10
_MOST_NAMES = 8


def as_json(service: str, requests: str, direct: tuple[DirectCaller, ...], chains: tuple[Chain, ...]) -> str:
    """Return the answer by the contract, with a line end."""
    return document(
        service=service,
        matcher=requests or None,
        direct=[
            {
                "from": one.name,
                **({"names": list(one.names)} if one.name == ANYBODY else {}),
                "requests": [_class_json(each) for each in one.classes],
            }
            for one in direct
        ],
        through=[
            {
                "chain": list(chain.names),
                "witnesses": [request_json(witness) for witness in chain.witnesses],
                "decided": chain.is_certain,
            }
            for chain in chains
        ],
    )


def _class_json(one: RequestClass) -> Json:
    return {
        "text": one.text,
        "port": one.port.name,
        **_rule_json(one.allow),
        "denied": [_rule_json(deny) for deny in one.denied],
        "witness": request_json(one.witness),
        "decided": one.witness is not None,
    }


def _rule_json(rule: Rule) -> Json:
    return {"id": rule.id, "span": span_json(rule.origin), "because": rule.because}


def as_text(
    service: str,
    requests: str,
    direct: tuple[DirectCaller, ...],
    chains: tuple[Chain, ...],
    terminal: Terminal,
    *,
    via: bool,
) -> str:
    """Return the answer as lines: callers with equal fates together, then the chains, all of them if `via`."""
    what = service + (f" {requests}" if requests else "")
    groups: dict[tuple[object, ...], list[DirectCaller]] = {}
    for one in direct:
        special = one.name if one.name in (ANYBODY, PLAINTEXT) else ""
        groups.setdefault((special, *one.fate), []).append(one)
    lines = [terminal.paint(terminal.safe(_headline(what, direct, chains)), Ink.STRONG)]
    for group in groups.values():
        lines += ["", terminal.paint(terminal.safe(_who(group)), Ink.GOOD)]
        rows = [row for one in group[0].classes for row in _rows(one, "." not in service)]
        wide = max((cell_count(text) for text, place in rows if place), default=0)
        for text, place in rows:
            gap = " " * (wide - cell_count(text) + 3) if place else ""
            lines.append(f"  {terminal.safe(text)}{terminal.paint(gap + terminal.safe(place), Ink.FAINT)}")
    if chains:
        lines += ["", terminal.paint("through others", Ink.GOOD)]
        shown = chains if via else chains[:_MOST_CHAINS]
        for chain in shown:
            doubt = "" if chain.is_certain else "   (not decided for each call)"
            lines.append(f"  {terminal.safe(' -> '.join(chain.names))}{doubt}")
            if via:
                lines += [f"    {terminal.safe(_shown(witness))}" for witness in chain.witnesses]
        if len(chains) > len(shown):
            lines.append(f"  and {len(chains) - len(shown)} more: `--via` shows all, with a request for each call")
    return "\n".join(lines) + "\n"


def _headline(what: str, direct: tuple[DirectCaller, ...], chains: tuple[Chain, ...]) -> str:
    through = f"{len(chains)} more through others" if direct else ""
    if not direct:
        return f"{what}: nobody can call it"
    names = {name for one in direct for name in (one.name, *one.names)} - {ANYBODY, PLAINTEXT}
    words = [f"{len(names)} caller{'' if len(names) == 1 else 's'}"]
    if any(one.name == ANYBODY for one in direct):
        words.append("every other identity of the mesh")
    if any(one.name == PLAINTEXT for one in direct):
        words.append("whoever calls without an identity")
    return f"{what}: {', '.join([*words, through] if chains else words)}"


def _who(group: list[DirectCaller]) -> str:
    first = group[0]
    match first.name:
        case "any":
            if not first.names:
                return "any identity of the mesh that is not listed here"
            return f"any identity of the mesh that is not listed here, such as {_listed(first.names)}"
        case "plaintext":
            return "plaintext: whoever gets to the port, without an identity"
        case _:
            return ", ".join(one.name for one in group)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _rows(one: RequestClass, with_port: bool) -> Iterator[tuple[str, str]]:
    """Yield what is open by one allow, what is taken of it, and a request that passes; with the port's name."""
    port = f"{one.port.name}: " if with_port and one.port.name is not None else ""
    yield f"{port}{one.text}", _place(one.allow)
    for deny in one.denied:
        yield f"  but not {deny.id.partition(' : ')[2]}", _place(deny)
    yield f"  {_shown(one.witness)}", ""


def _shown(witness: Request | None) -> str:
    return "it could not be decided whether any request passes" if witness is None else witness.text


def _place(rule: Rule) -> str:
    return "" if rule.origin is None else str(rule.origin)


def as_dot(callee: str, direct: tuple[DirectCaller, ...], chains: tuple[Chain, ...]) -> str:
    """Return the calls as a graph for Graphviz; calls that are not certain are dashed."""
    edges: dict[tuple[str, str], bool] = {}
    for one in direct:
        edges[one.name, callee] = any(each.witness is not None for each in one.classes)
    for chain in chains:
        # A workload among `any` calls the service itself: its edge is not drawn, unless others come through it.
        for hop, witness in zip(pairwise(chain.names), chain.witnesses, strict=True):
            edges.setdefault(hop, witness is not None)
    lines = ["digraph callers {", "  rankdir=LR;", f"  {_quoted(callee)} [shape=box];"]
    for (caller, called), certain in sorted(edges.items()):
        lines.append(f"  {_quoted(caller)} -> {_quoted(called)}{'' if certain else ' [style=dashed]'};")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

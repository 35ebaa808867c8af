"""Connectivity that others worked out of Kubernetes manifests, and the same by our reader, in one canonical form."""

from __future__ import annotations

import csv
import ipaddress
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from meshc_backends.readback.network_policy.connection import EVERYTHING, NOTHING, ConnectionSet, connections
from meshc_backends.readback.network_policy.interval import Intervals, intervals, union
from meshc_backends.readback.network_policy.manifest import cluster_of, yaml_documents
from meshc_backends.readback.network_policy.policy import Direction
from meshc_backends.readback.network_policy.reach import Reach
from meshc_lang.record import dataclass

ROOT = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "netpol-analyzer"

Row: TypeAlias = tuple[str, str, ConnectionSet]
"""Source, destination and connections; an end outside the cluster is a range of IPv4 addresses."""

Meaning: TypeAlias = dict[tuple[str, str], Any]
"""Connections by pair of workloads; by a workload and `in` or `out` the addresses outside, by what may pass."""

MISSING = "its manifests are not in the corpus"
NO_CONTROLLER = "it is about an ingress controller, which no manifest shows"
SEVERAL_NETWORKS = "pods on several networks: a NetworkPolicy speaks of the one that all pods share"
"""Why an output is not compared."""

_SEVERAL_NETWORKS = frozenset(
    {"UserDefinedNetwork", "ClusterUserDefinedNetwork", "NetworkAttachmentDefinition", "MultiNetworkPolicy"}
)
_EXTERNAL = re.compile(r"([\d.]+)-([\d.]+)\[External\]\Z")
_PROTOCOL = re.compile(r"(TCP|UDP|SCTP) (.*)\Z")
_CONTROLLER = "{ingress-controller}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One expected output: of which manifests, and what it was restricted to.

    `focus` names workloads of which one must be an end (`sides` says which, `peer` who the other is); `only` is one
    connection, of which the output then tells no more than the pairs.
    """

    path: Path
    manifests: str
    focus: tuple[str, ...] = ()
    sides: frozenset[str] = frozenset({"in", "out"})
    peer: str | None = None
    only: tuple[str, int] | None = None


def goldens() -> list[Golden]:
    """Return every expected list of connections, sorted; those with exposures begin with such a list."""
    return [_golden(path) for path in sorted((ROOT / "test_outputs" / "connlist").glob("*_output.*"))]


def left_out(golden: Golden) -> str | None:
    """Return why an output cannot be compared; None where it can."""
    if not (ROOT / "tests" / golden.manifests).is_dir():
        return MISSING
    if golden.focus == ("ingress-controller",):
        return NO_CONTROLLER
    kinds = {document.get("kind") for document in _documents(golden.manifests)}
    if kinds & _SEVERAL_NETWORKS:
        return SEVERAL_NETWORKS
    return None


def expected(golden: Golden) -> Meaning:
    """Return what the output says, but for what it says of ingress controllers and of pods that nobody has made."""
    rows = [row for row in _rows(golden) if _CONTROLLER not in row[:2]]
    return _meaning(rows)


def found(golden: Golden) -> Meaning:
    """Return what our reader makes of the manifests, restricted as the output is."""
    reach = Reach(cluster_of(_documents(golden.manifests)))
    pods = reach.cluster.pods
    names = [f"{pod.namespace}/{pod.owner}" for pod in pods]
    rows: list[Row] = []
    for source, _ in enumerate(pods):
        for target, _ in enumerate(pods):
            if names[source] != names[target]:
                rows.append((names[source], names[target], reach.between(source, target)))
        for addresses, allowed in reach.outside(source, Direction.INGRESS):
            rows += [(_text(*one), names[source], allowed) for one in addresses.v4]
        for addresses, allowed in reach.outside(source, Direction.EGRESS):
            rows += [(names[source], _text(*one), allowed) for one in addresses.v4]
    rows = [row for row in rows if row[2] and _in_focus(golden, row)]
    if golden.only is not None:
        rows = [(source, target, EVERYTHING) for source, target, allowed in rows if golden.only in allowed]
    return _meaning(rows)


def _golden(path: Path) -> Golden:
    name = path.stem.removesuffix("_connlist_output").removesuffix("_exposure_output")
    name, _, focus = name.partition("_focus_workload_")
    words = focus.split("_") if focus else []
    peer = None
    if "with" in words:
        peer = words[words.index("with") + 1]
        words = words[: words.index("with")]
    sides = {"ingress": "in", "egress": "out"}
    given = frozenset(sides[word] for word in words if word in sides)
    only = re.search(r"_(tcp|udp|sctp)-(\d+)\Z", name)
    return Golden(
        path=path,
        manifests=name if only is None else name[: only.start()],
        focus=tuple(word for word in words if word not in sides),
        sides=given or frozenset({"in", "out"}),
        peer=peer,
        only=None if only is None else (only[1].upper(), int(only[2])),
    )


@cache
def _documents(manifests: str) -> tuple[Any, ...]:
    files = sorted((ROOT / "tests" / manifests).rglob("*"))
    texts = [file.read_bytes() for file in files if file.suffix in {".yaml", ".yml", ".json"}]
    return tuple(document for text in texts for document in yaml_documents(text) if "kind" in document)


def _rows(golden: Golden) -> list[Row]:
    text = golden.path.read_text()
    match golden.path.suffix:
        case ".txt":
            pairs = [line.partition(" => ") for line in text.splitlines() if " => " in line]
            ends = [(source, *rest.partition(" : ")) for source, _, rest in pairs]
            return [(source, target, _connections(words)) for source, target, _, words in ends]
        case ".csv":
            lines = text.split("Exposure Analysis Result")[0].splitlines()
            table = list(csv.DictReader(lines))
            return [(row["src"], row["dst"], _connections(row.get("conn"))) for row in table]
        case _:
            said = json.loads(text)
            table = said if isinstance(said, list) else said["connlist_results"] or []
            return [(row["src"], row["dst"], _connections(row.get("conn"))) for row in table]


def _connections(words: str | None) -> ConnectionSet:
    if words in ("All Connections", "", None):
        return EVERYTHING
    if words == "No Connections":
        return NOTHING
    ranges: list[tuple[str, int, int]] = []
    protocol = ""
    for word in (words or "").split(","):
        if said := _PROTOCOL.match(word):
            protocol, word = said[1], said[2]
        low, _, high = word.partition("-")
        ranges.append((protocol, int(low), int(high or low)))
    return connections(ranges)


def _in_focus(golden: Golden, row: Row) -> bool:
    if not golden.focus:
        return True

    def named(end: str, names: Iterable[str]) -> bool:
        return end.partition("/")[2].partition("[")[0] in names

    peers = None if golden.peer is None else (golden.peer,)
    source, target = row[:2]
    outward = "out" in golden.sides and named(source, golden.focus) and (peers is None or named(target, peers))
    inward = "in" in golden.sides and named(target, golden.focus) and (peers is None or named(source, peers))
    return outward or inward


def _meaning(rows: Iterable[Row]) -> Meaning:
    pairs: dict[tuple[str, str], ConnectionSet] = {}
    outside: dict[tuple[str, str], dict[ConnectionSet, Intervals]] = {}
    for source, target, allowed in rows:
        if (inside := _EXTERNAL.match(source) or _EXTERNAL.match(target)) is None:
            pairs[source, target] = pairs.get((source, target), NOTHING) | allowed
            continue
        low, high = (int(ipaddress.IPv4Address(inside[number])) for number in (1, 2))
        key = (target, "in") if _EXTERNAL.match(source) else (source, "out")
        ranges = outside.setdefault(key, {})
        ranges[allowed] = union(ranges.get(allowed, ()), intervals([(low, high)]))
    return {**pairs, **outside}


def _text(low: int, high: int) -> str:
    return f"{ipaddress.IPv4Address(low)}-{ipaddress.IPv4Address(high)}[External]"

"""The emitted network policies are proved against the program, and a mistake planted in them is told with a request."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from meshc_backends.placement import KubernetesPlacement
from meshc_backends.readback.network_policy.validation import Validation, validate
from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.codes.targets import NETWORK_POLICY_CUTS, NETWORK_POLICY_OPENS, NETWORK_POLICY_UNREADABLE
from meshc_lang.diagnostic import has_errors
from support.corpus import CORPUS, case_files
from support.kubernetes_mesh import emit
from support.programs import MeshPlan, mesh_plans

FILE = "kubernetes/network-policies.yaml"
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
Document = dict[str, Any]

PROGRAM = """
mesh shop { trust-domain: "shop.example" }
service web { port: 8080/http }
service api { ports: { main: 8080/http, admin: 9000/http } }
service db { port: 5432/tcp }
service idle { port: 8080/http }
external stripe { hosts: ["api.stripe.com"], port: 443/tls, tls {} }
external vault { hosts: ["vault.corp"], port: 8200/http }
allow ingress -> web : /**
allow web -> api.main : GET /v1/**
deny any -> api.main : /v1/admin/**
allow api -> db : tcp
allow web -> stripe : POST /**
allow api -> vault : /**
"""


def index_of(text: str) -> MeshIndex:
    result = compile_program(("program.mesh",), MemoryReader({"program.mesh": text}))
    assert result.index is not None, result.diagnostics
    return result.index


def documents_of(index: MeshIndex) -> list[Document]:
    (artifact,) = (one for one in emit(index).artifacts if one.path == FILE)
    return list(yaml.safe_load_all(artifact.content))


def validated(index: MeshIndex, documents: list[Document]) -> Validation:
    text = "".join(f"---\n{json.dumps(document)}\n" for document in documents)  # JSON is YAML, and quick to write
    return validate(index, KubernetesPlacement(), FILE, text.encode())


def spoilt(change: Callable[[dict[str, Document]], None]) -> Validation:
    index = index_of(PROGRAM)
    documents = documents_of(index)
    change({one["metadata"]["name"].removesuffix("-mesh"): one["spec"] for one in documents})
    return validated(index, documents)


def test_a_file_as_it_is_emitted_is_proved_and_what_it_cannot_see_is_named() -> None:
    index = index_of(PROGRAM)
    found = validated(index, documents_of(index))
    assert found.diagnostics == ()
    assert found.proof is not None
    assert found.proof.connections == 3
    assert dict(found.proof.wider) == {
        "api": ("allow web -> api.main : GET /v1/**", "deny any -> api.main : * /v1/admin/**"),
    }


@pytest.mark.parametrize("address", ["collector:4317", "otel.example.com:4317", "10.1.2.3:4317", "[fd00::1]:443"])
def test_the_collector_of_traces_can_be_reached_by_every_sidecar_and_nothing_else_can(address: str) -> None:
    text = PROGRAM + f'defaults mesh {{ telemetry {{ sampling: 1%, otlp: "{address}" }} }}\n'
    index = index_of(text)
    documents = documents_of(index)
    assert validated(index, documents).diagnostics == ()
    for document in documents:  # as if the program said nothing of it
        plain = next(one for one in documents_of(index_of(PROGRAM)) if one["metadata"] == document["metadata"])
        document["spec"] = plain["spec"]
    found = validated(index, documents).diagnostics
    assert {one.code for one in found} == {NETWORK_POLICY_CUTS}
    assert any("connect to the collector of traces" in one.message for one in found)
    assert validated(index_of(PROGRAM), documents_of(index)).diagnostics != ()


def no_ingress(specs: dict[str, Document]) -> None:
    specs["api"]["ingress"] = []


def no_egress(specs: dict[str, Document]) -> None:
    specs["web"]["egress"] = [rule for rule in specs["web"]["egress"] if "15006" not in str(rule)]


def other_port(specs: dict[str, Document]) -> None:
    specs["api"]["ingress"][0]["ports"][0]["port"] = 8080


def other_protocol(specs: dict[str, Document]) -> None:
    specs["db"]["ingress"][0]["ports"][0]["protocol"] = "UDP"


def other_label(specs: dict[str, Document]) -> None:
    specs["db"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"] = {"app": "ap"}


def other_namespace(specs: dict[str, Document]) -> None:
    specs["db"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"] = {"kubernetes.io/metadata.name": "x"}


def other_pods(specs: dict[str, Document]) -> None:
    specs["db"]["podSelector"]["matchLabels"]["app"] = "database"


def no_names(specs: dict[str, Document]) -> None:
    specs["api"]["egress"] = [rule for rule in specs["api"]["egress"] if "kube-dns" not in str(rule)]


def names_by_udp_alone(specs: dict[str, Document]) -> None:
    for rule in specs["api"]["egress"]:
        if "kube-dns" in str(rule):
            rule["ports"] = rule["ports"][:1]


def no_external(specs: dict[str, Document]) -> None:
    specs["web"]["egress"] = [rule for rule in specs["web"]["egress"] if "ipBlock" not in str(rule)]


def too_many_exceptions(specs: dict[str, Document]) -> None:
    for rule in specs["web"]["egress"]:
        for peer in rule["to"]:
            if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                peer["ipBlock"]["except"] += ["8.0.0.0/8"]


def shut_door(specs: dict[str, Document]) -> None:
    specs["ingress"]["ingress"] = []


@pytest.mark.parametrize(
    ("change", "request_", "words"),
    [
        (no_ingress, "web -> api.main GET /v1", "on its way in"),
        (no_egress, "web -> api.main GET /v1", "on its way out"),
        (other_port, "web -> api.main GET /v1", "TCP 15006"),
        (other_protocol, "api -> db tcp", "on its way in"),
        (no_names, "api -> db tcp", "TCP 53,UDP 53 to look up its name"),
        (names_by_udp_alone, "api -> db tcp", "TCP 53 to look up its name"),
        (no_external, "web -> stripe POST /", "TCP 443"),
        (too_many_exceptions, "web -> stripe POST /", "of 8.0.0.0"),
        (shut_door, "ingress -> web GET /", "let the world connect"),
    ],
)
def test_what_is_cut_off_is_told_with_a_request_that_the_program_allows(
    change: Callable[[dict[str, Document]], None], request_: str, words: str
) -> None:
    found = spoilt(change)
    assert found.proof is None
    told = [one for one in found.diagnostics if one.code is NETWORK_POLICY_CUTS]
    (witness,) = {one.witness for one in told}
    assert witness is not None
    assert witness.text == request_
    assert any(words in one.message for one in told), [one.message for one in told]
    assert evaluate(index_of(PROGRAM), witness).allowed


def open_ingress(specs: dict[str, Document]) -> None:
    specs["db"]["ingress"] = [{}]


def no_isolation(specs: dict[str, Document]) -> None:
    specs["db"]["policyTypes"] = ["Egress"]


def one_more_caller(specs: dict[str, Document]) -> None:
    web = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
        "podSelector": {"matchLabels": {"app": "web"}},
    }
    specs["db"]["ingress"][0]["from"] = [*specs["db"]["ingress"][0]["from"], web]
    specs["web"]["egress"] += [copy.deepcopy(specs["api"]["egress"][0])]


def any_namespace(specs: dict[str, Document]) -> None:
    specs["db"]["ingress"][0]["from"][0]["namespaceSelector"] = {}


def any_pod(specs: dict[str, Document]) -> None:
    specs["db"]["ingress"][0]["from"][0].pop("podSelector")


def the_nodes_credentials(specs: dict[str, Document]) -> None:
    for rule in specs["web"]["egress"]:
        for peer in rule["to"]:
            if "ipBlock" in peer:
                peer["ipBlock"]["except"] = [x for x in peer["ipBlock"]["except"] if not x.startswith("169.254")]


def private_networks(specs: dict[str, Document]) -> None:
    for rule in specs["web"]["egress"]:
        for peer in rule["to"]:
            if "ipBlock" in peer:
                peer["ipBlock"]["except"] = [x for x in peer["ipBlock"]["except"] if x != "10.0.0.0/8"]


def every_port_outside(specs: dict[str, Document]) -> None:
    for rule in specs["api"]["egress"]:
        if "ipBlock" in str(rule):
            del rule["ports"]


def names_for_the_idle(specs: dict[str, Document]) -> None:
    specs["idle"]["egress"] = [rule for rule in specs["api"]["egress"] if "kube-dns" in str(rule)]


def the_whole_gateway(specs: dict[str, Document]) -> None:
    specs["ingress"]["ingress"][0]["ports"][0]["endPort"] = 15006


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (open_ingress, "lets everybody connect to `db` (all connections)"),
        (no_isolation, "lets everybody connect to `db` (all connections)"),
        (other_label, "with the labels `app: ap` connect to `db`"),
        (other_namespace, "lets pods of namespace `x`"),
        (other_pods, "lets everybody connect to `db`"),
        (one_more_caller, "lets `web` connect to `db` (TCP 15006)"),
        (any_namespace, "lets pods of any namespace connect to `db`"),
        (any_pod, "lets pods of namespace `default` connect to `db`"),
        (the_nodes_credentials, "lets `web` connect to the address 169.254.0.0 (TCP 443)"),
        (private_networks, "lets `web` connect to the address 10.0.0.0 (TCP 443)"),
        (every_port_outside, "lets `api` connect to the address 0.0.0.0"),
        (names_for_the_idle, "lets `idle` connect to where names are looked up"),
        (the_whole_gateway, "lets everybody connect to `ingress` (TCP 15002-15006)"),
    ],
)
def test_what_is_open_and_not_needed_is_told(change: Callable[[dict[str, Document]], None], words: str) -> None:
    found = spoilt(change)
    assert found.proof is None
    told = [one for one in found.diagnostics if one.code is NETWORK_POLICY_OPENS]
    assert any(words in one.message for one in told), [one.message for one in told]


def test_the_witness_of_an_opened_pair_is_refused_by_the_program() -> None:
    index = index_of(PROGRAM)
    (told,) = spoilt(one_more_caller).diagnostics
    assert told.witness is not None
    assert told.witness.text == "web -> db tcp"
    assert not evaluate(index, told.witness).allowed


@pytest.mark.parametrize(
    "content",
    [
        b"a: [",
        b"kind: NetworkPolicy\nspec: {podSelector: {}, rules: []}\n",
        b"kind: NetworkPolicy\nspec: {podSelector: {matchExpressions: [{key: a, operator: Exists}]}}\n",
        b"kind: NetworkPolicy\nspec: {podSelector: {}, ingress: [{ports: [{port: http}]}]}\n",
    ],
)
def test_what_cannot_be_read_back_is_not_proved(content: bytes) -> None:
    found = validate(index_of(PROGRAM), KubernetesPlacement(), FILE, content)
    assert [one.code for one in found.diagnostics] == [NETWORK_POLICY_UNREADABLE]
    assert found.proof is None


PROGRAMS = [path for path in (*sorted(EXAMPLES.iterdir()), *sorted(CORPUS.iterdir())) if path.is_dir()]


def test_nothing_is_found_in_what_is_emitted_for_our_programs() -> None:
    proved = []
    for folder in PROGRAMS:
        files = case_files(folder)
        sources = tuple(file for file in files if file.endswith(".mesh"))
        index = compile_program(sources, MemoryReader(files)).index
        emission = None if index is None else emit(index)
        if index is None or emission is None or has_errors(emission.diagnostics):
            continue
        for artifact in emission.artifacts:
            if artifact.path == FILE:
                found = validate(index, KubernetesPlacement(), FILE, artifact.content)
                assert found.diagnostics == (), folder.name
                assert found.proof is not None
                proved.append(folder.name)
    assert len(proved) > 15


@settings(max_examples=60, deadline=None)
@given(mesh_plans())
def test_nothing_is_found_in_what_is_emitted_for_any_program(plan: MeshPlan) -> None:
    index = index_of(plan.text)
    found = validated(index, documents_of(index))
    assert found.diagnostics == ()
    assert found.proof is not None
    assert found.proof.connections == len({(caller, callee) for caller, callee in plan.granted})


def mutations(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Callable[[Any], None]]]:
    """Yield every single change of a document that takes an entry away, adds one or changes a leaf."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        here = (*path, key)

        def taken_away(document: Any, key: Any = key) -> None:
            del at(document, path)[key]

        yield f"without {'.'.join(map(str, here))}", taken_away
        if isinstance(inner, str | int):
            other: Any = inner + 1 if isinstance(inner, int) else OTHERS.get(inner, f"{inner}x")

            def changed(document: Any, key: Any = key, other: Any = other) -> None:
                at(document, path)[key] = other

            yield f"{'.'.join(map(str, here))} = {other}", changed
        else:
            yield from mutations(inner, here)


OTHERS = {
    "TCP": "UDP", "UDP": "TCP", "Ingress": "Egress", "Egress": "Ingress", "0.0.0.0/0": "0.0.0.0/1", "::/0": "::/1",
}  # fmt: skip


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


SAME = (
    r"without (in|e)gress\.\d+\.ports\.\d+\.protocol",
    r"without (in|e)gress\.\d+\.(to|from)\.\d+\.namespaceSelector",
    r"without policyTypes",
    r"without egress",
    r"without ingress",
)
"""Changes that mean nothing: TCP and the policy's own namespace go without saying, so do policy types where there are
rules for both ways, and no rules are an empty list of them."""


def test_every_change_of_a_field_that_means_something_is_found() -> None:
    index = index_of(PROGRAM)
    documents = documents_of(index)
    survivors, tried = [], 0
    for number, document in enumerate(documents):
        for what, change in mutations(document["spec"]):
            other = copy.deepcopy(documents)
            change(other[number]["spec"])
            tried += 1
            if not validated(index, other).diagnostics:
                survivors.append(what)
                assert any(re.fullmatch(same, what) for same in SAME), what
    assert tried > 200
    assert len(survivors) < tried / 10

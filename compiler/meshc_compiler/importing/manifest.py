"""Kubernetes manifests to the objects in them that say what runs and how it is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from meshc_compiler.finding import Findings
from meshc_compiler.importing.yaml_tree import Mapping, Node, Scalar, YamlProblem, read_yaml
from meshc_compiler.ir.workload import Labels
from meshc_lang.codes import names
from meshc_lang.record import dataclass, field
from meshc_lang.source import SourceText, Span

DEFAULT_NAMESPACE = "default"
SUFFIXES = (".yaml", ".yml", ".json")
"""How the names of manifests end."""

_POD_TEMPLATES = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""The kinds that run pods, and where each describes them."""

_SILENT = frozenset(
    {
        "Certificate",
        "ClusterIssuer",
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "CustomResourceDefinition",
        "Issuer",
        "LimitRange",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "PodMonitor",
        "PriorityClass",
        "PrometheusRule",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "Secret",
        "ServiceAccount",
        "ServiceMonitor",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)
"""Kinds that say nothing about who calls whom, so nothing is lost without them."""

_INERT = frozenset({"apiVersion", "kind", "metadata", "resources"})
"""What a kustomization may say without changing the objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesObject:
    """A Service, or something that runs pods; `kind` is as written and `pod` where the pods are described."""

    kind: str
    name: Scalar
    namespace: str
    body: Mapping
    pod: Mapping | None = None

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells it from every other object of a cluster."""
        return (self.kind, self.namespace, self.name.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one file holds: objects, and how many of each kind that is not carried over."""

    source: SourceText
    objects: tuple[KubernetesObject, ...]
    passed_over: tuple[tuple[str, int, Span], ...] = field(default=())


def read_manifest(source: SourceText, findings: Findings) -> Manifest | None:
    """Return the objects of a file; None, with a finding, where it is no manifest at all."""
    documents = read_yaml(source)
    if isinstance(documents, YamlProblem):
        if "{{" in source.text:
            _tell_template(source, source.text.index("{{"), findings)
        else:
            message = f"`{source.path}` is neither YAML nor JSON: {documents.message}"
            findings.add(names.MALFORMED_IMPORT, message, documents.span)
        return None
    objects: list[KubernetesObject] = []
    counts: Counter[str] = Counter()
    places: dict[str, Span] = {}
    for document in documents:
        for node in _flattened(document):
            kind = node.text("kind") if isinstance(node, Mapping) else None
            if _is_kustomization(source) and isinstance(node, Mapping):
                _check_kustomization(node, findings)
            elif kind is None or not isinstance(node, Mapping):
                message = "this is no Kubernetes object (it has no `kind`), so it is left out"
                findings.add(names.NOT_CARRIED_OVER, message, _beginning(node))
            elif kind in ("Kustomization", "Component"):
                _check_kustomization(node, findings)
            elif kind == "Service" or kind in _POD_TEMPLATES:
                found = _object(node, kind, source, findings)
                objects += () if found is None else (found,)
            elif kind not in _SILENT:
                counts[kind] += 1
                places.setdefault(kind, node.key("kind").span)
    passed_over = tuple((kind, counts[kind], places[kind]) for kind in sorted(counts))
    return Manifest(source=source, objects=tuple(objects), passed_over=passed_over)


def _flattened(document: Node) -> Iterator[Node]:
    """Yield the objects of a document: itself, or the items of a list of objects."""
    if isinstance(document, Mapping) and (document.text("kind") or "").endswith("List") and "items" in document.entries:
        for item in document.items("items"):
            yield from _flattened(item)
    else:
        yield document


def _object(body: Mapping, kind: str, source: SourceText, findings: Findings) -> KubernetesObject | None:
    name = body.get("metadata", "name")
    if not isinstance(name, Scalar):
        generated = body.text("metadata", "generateName")
        why = "its name is only generated in the cluster" if generated else "it has no `metadata.name`"
        message = f"this `{kind}` is left out: {why}"
        findings.add(names.NOT_CARRIED_OVER, message, _beginning(body))
        return None
    if "{{" in name.text:
        _tell_template(source, name.span.start, findings)
        return None
    pod = None
    if kind in _POD_TEMPLATES:
        path = _POD_TEMPLATES[kind]
        pod = body.mapping(*path) if path else body
        if pod is None:
            message = f"the `{kind}` `{name.text}` is left out: it describes no pods, so it may be a patch of another"
            findings.add(names.NOT_CARRIED_OVER, message, name.span, help=f"pods stand in `{'.'.join(path)}`")
            return None
    namespace = body.text("metadata", "namespace") or DEFAULT_NAMESPACE
    return KubernetesObject(kind=kind, name=name, namespace=namespace, body=body, pod=pod)


def _is_kustomization(source: SourceText) -> bool:
    return PurePosixPath(source.path).stem == "kustomization"


def _check_kustomization(node: Mapping, findings: Findings) -> None:
    """Tell of a kustomization that changes the objects beside it: what is imported are the files as they stand."""
    changing = [key for key, _ in node.entries.values() if key.text not in _INERT]
    if changing:
        first = changing[0]
        message = f"a kustomization is not applied: `{first.text}` changes what the files beside it say"
        help_line = "import what `kubectl kustomize` prints"
        findings.add(names.NOT_CARRIED_OVER, message, first.span, help=help_line)


def _tell_template(source: SourceText, start: int, findings: Findings) -> None:
    message = f"`{source.path}` is a template, not a manifest"
    help_line = "import what it becomes, for example the output of `helm template`"
    line_end = source.text.find("\n", start)
    end = len(source.text) if line_end == -1 else line_end
    findings.add(names.MALFORMED_IMPORT, message, source.span(start, end), help=help_line)


def _beginning(node: Node) -> Span:
    """Return where a node begins: its first key, or all of a scalar."""
    if isinstance(node, Mapping) and node.entries:
        return next(iter(node.entries.values()))[0].span
    return node.span if isinstance(node, Scalar) else node.span.source.span(node.span.start, node.span.start)


def labels_of(node: Mapping | None) -> Labels:
    """Return a mapping of texts, sorted; what is no text is left out, as the API server would refuse it."""
    if node is None:
        return ()
    pairs = ((key.text, value.text) for key, value in node.entries.values() if isinstance(value, Scalar))
    return tuple(sorted(pairs))

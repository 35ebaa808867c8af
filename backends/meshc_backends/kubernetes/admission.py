"""What the API server would refuse, found before anything is written: names, labels, selectors, sizes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from meshc_backends.kubernetes.manifest import Manifest
from meshc_compiler.finding import heading
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.workload import Labels, Workload
from meshc_lang.codes import targets
from meshc_lang.diagnostic import Code, Diagnostic
from meshc_lang.source import SourceText, Span

_LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?\Z")
_LABEL_KEY = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\Z")

_MOST_DATA = 1024 * 1024
"""Bytes of data in one ConfigMap or Secret (`MaxSecretSize` of the Kubernetes API)."""

_MOST_ANNOTATIONS = 256 * 1024 - 1024
"""Bytes of annotations on one object, less a margin for what the cluster itself adds."""


def findings(mesh: Mesh, manifests: Sequence[Manifest]) -> tuple[Diagnostic, ...]:
    """Return what keeps objects from being accepted; one finding for one cause, however many objects it spoils."""
    found = list(_mesh_name(mesh))
    spoilt: set[tuple[str, ...]] = set()
    for workload in mesh.workloads:
        if diagnostic := _selector(mesh, workload):
            found.append(diagnostic)
            spoilt.add((workload.name,))
    found += _overlaps(mesh)
    seen: dict[tuple[str, str, str], Manifest] = {}
    for manifest in manifests:
        if manifest.subject[:1] in spoilt or manifest.subject in spoilt:
            continue
        if error := _name(mesh, manifest) or _twin(mesh, manifest, seen) or _too_much_data(mesh, manifest):
            found.append(error)
            spoilt.add(manifest.subject)
        elif warning := _too_much_for_annotation(mesh, manifest):
            found.append(warning)
    return tuple(found)


def _mesh_name(mesh: Mesh) -> Iterator[Diagnostic]:
    if problem := _label_value(mesh.name):
        yield _finding(
            mesh, targets.KUBERNETES_NAME, mesh.origin, f"mesh {mesh.name}",
            f"Kubernetes does not accept the mesh's name `{mesh.name}` as a label: it {problem}",
            "choose a shorter or plainer name for the mesh",
        )  # fmt: skip


def _name(mesh: Mesh, manifest: Manifest) -> Diagnostic | None:
    if problem := _dns(manifest.namespace, _LABEL_NAME, 63):
        what, name = "namespace", manifest.namespace
    elif problem := _object_name(manifest):
        what, name = f"the name of a {manifest.kind}", manifest.name
    elif problem := next(filter(None, map(_label_value, manifest.subject[1:])), None):
        what, name = "a label of pods", manifest.subject[-1]
    else:
        return None
    return _finding(
        mesh, targets.KUBERNETES_NAME, manifest.origin, manifest.about,
        f"Kubernetes does not accept `{name}` as {what} (for {manifest.about}): it {problem}",
        "use lower-case letters, digits and `-`, begin with a letter, and keep names short: "
        "some objects add to them",
    )  # fmt: skip


def _object_name(manifest: Manifest) -> str | None:
    if manifest.kind == "Service":
        return _dns(manifest.name, _SERVICE_NAME, 63)
    return _dns(manifest.name, _SUBDOMAIN, 253)


def _twin(mesh: Mesh, manifest: Manifest, seen: dict[tuple[str, str, str], Manifest]) -> Diagnostic | None:
    first = seen.setdefault(manifest.key, manifest)
    if first is manifest:
        return None
    return _finding(
        mesh, targets.KUBERNETES_NAME_TAKEN, manifest.origin, manifest.about,
        f"{manifest.about} and {first.about} both need the {manifest.kind} `{manifest.name}` "
        f"in namespace `{manifest.namespace}`",
        "rename one of them",
    )  # fmt: skip


def _too_much_data(mesh: Mesh, manifest: Manifest) -> Diagnostic | None:
    data = manifest.fields.get("data")
    texts = [value for value in data.values() if isinstance(value, str)] if isinstance(data, Mapping) else []
    decode = base64.b64decode if manifest.kind == "Secret" else str.encode
    size = sum(len(decode(text)) for text in texts)
    if size <= _MOST_DATA:
        return None
    return _finding(
        mesh, targets.KUBERNETES_TOO_LARGE, manifest.origin, manifest.about,
        f"the {manifest.kind} `{manifest.name}` would hold {size} bytes, and Kubernetes stores {_MOST_DATA} at most",
        f"let {manifest.about} call fewer services, or build with one of the targets `envoy` and `sidecar`, not both",
    )  # fmt: skip


def _too_much_for_annotation(mesh: Mesh, manifest: Manifest) -> Diagnostic | None:
    text = json.dumps(manifest.document(), separators=(",", ":"), ensure_ascii=False)
    # kubectl's JSON spells these three as six characters each.
    size = len(text.encode()) + 5 * sum(text.count(character) for character in "<>&")
    if size <= _MOST_ANNOTATIONS:
        return None
    return _finding(
        mesh, targets.KUBERNETES_SERVER_SIDE, manifest.origin, manifest.about,
        f"the {manifest.kind} `{manifest.name}` is too large for a plain `kubectl apply`, which would keep a copy "
        f"of {size} bytes in an annotation",
        "apply with `kubectl apply --server-side -k`",
    )  # fmt: skip


def _selector(mesh: Mesh, workload: Workload) -> Diagnostic | None:
    if not workload.selector:
        return _finding(
            mesh, targets.KUBERNETES_SELECTOR, workload.origin, f"workload {workload.name}",
            f"workload `{workload.name}` has no selector, so its objects would apply to every pod of "
            f"namespace `{workload.namespace}`",
            f"give `{workload.name}` a selector with the labels of its pods",
        )  # fmt: skip
    for key, value in workload.selector:
        if problem := _label_key(key) or _label_value(value):
            return _finding(
                mesh, targets.KUBERNETES_NAME, workload.origin, f"workload {workload.name}",
                f"Kubernetes does not accept `{key}: {value}` in the selector of workload `{workload.name}`: "
                f"it {problem}",
                "use the labels that the pods carry",
            )  # fmt: skip
    return None


def _overlaps(mesh: Mesh) -> Iterator[Diagnostic]:
    """Yield workloads whose pods are another's too: each label of the other's selector is in their own."""
    by_first: dict[tuple[str, tuple[str, str]], list[tuple[Labels, Workload]]] = {}
    for workload in mesh.workloads:
        if workload.selector:
            first = (workload.namespace, workload.selector[0])
            by_first.setdefault(first, []).append((workload.selector, workload))
    for workload in mesh.workloads:
        own = set(workload.selector)
        candidates = [pair for label in workload.selector for pair in by_first.get((workload.namespace, label), ())]
        for selector, other in candidates:
            same = selector == workload.selector
            if other is workload or (same and other.name > workload.name) or not own.issuperset(selector):
                continue
            whose = "has the same selector as" if same else "has pods that are also found by the selector of"
            yield _finding(
                mesh, targets.KUBERNETES_SELECTOR, workload.origin, f"workload {workload.name}",
                f"workload `{workload.name}` {whose} `{other.name}`, and a pod has one identity",
                "give each a selector that finds only its own pods",
            )  # fmt: skip
            break


def _dns(name: str, shape: re.Pattern[str], most: int) -> str | None:
    if len(name) > most:
        return f"has {len(name)} characters, and {most} is the most"
    return None if shape.match(name) else "is not made of lower-case letters, digits and inner `-` alone"


def _label_value(value: str) -> str | None:
    if len(value) > 63:
        return f"has a value of {len(value)} characters, and 63 is the most"
    return (
        None if _LABEL_VALUE.match(value) else "has a value with other characters than letters, digits and inner `-_.`"
    )


def _label_key(key: str) -> str | None:
    prefix, slash, name = key.rpartition("/")
    if slash and (problem := _dns(prefix, _SUBDOMAIN, 253)):
        return f"has a key whose prefix {problem}"
    good = len(name) <= 63 and _LABEL_KEY.match(name)
    return None if good else "has a key that is not 1 to 63 letters, digits and inner `-_.`"


def _finding(mesh: Mesh, code: Code, origin: Span | None, subject: str, message: str, help: str) -> Diagnostic:  # noqa: A002
    stated = origin or mesh.origin
    place = SourceText(f"mesh {mesh.name}", "").span(0, 0) if stated is None else heading(stated)
    return Diagnostic(code=code, message=message, primary=place, help=help, subject=subject)

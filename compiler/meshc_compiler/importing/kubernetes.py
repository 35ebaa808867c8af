"""Services of the mesh from Kubernetes objects: Services joined with the pods that they select."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshc_compiler.finding import Findings, one_of
from meshc_compiler.importing.fact import FoundPort, FoundService
from meshc_compiler.importing.manifest import KubernetesObject, Manifest, labels_of
from meshc_compiler.importing.port_protocol import protocol_of_name, protocol_of_word
from meshc_compiler.importing.yaml_tree import Mapping, Scalar
from meshc_compiler.ir.workload import Labels, Probe, ProbeKind, Protocol
from meshc_compiler.lower.field import is_label
from meshc_lang.codes import names
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass

VERSION_LABEL = "version"
"""The label of pods by which every target tells the versions of a service apart."""
_OTHER_VERSION_LABEL = "app.kubernetes.io/version"
_PROBES = (
    ("startupProbe", ProbeKind.STARTUP),
    ("readinessProbe", ProbeKind.READINESS),
    ("livenessProbe", ProbeKind.LIVENESS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runner:
    """What runs pods, with what matters about them."""

    object: KubernetesObject
    labels: Labels
    account: str | None
    replicas: int

    @property
    def containers(self) -> tuple[Mapping, ...]:
        pod = self.object.pod
        return () if pod is None else pod.mappings("spec", "containers") + pod.mappings("spec", "initContainers")


def assemble(manifests: Iterable[Manifest], findings: Findings) -> tuple[FoundService, ...]:
    """Return the services that manifests describe, by name. What is not carried over is told."""
    objects = _once(manifests, findings)
    runners = [_runner(found) for found in objects if found.pod is not None]
    by_label: dict[tuple[str, str, str], list[_Runner]] = {}
    for runner in runners:
        for key, value in runner.labels:
            by_label.setdefault((runner.object.namespace, key, value), []).append(runner)
    services: list[FoundService] = []
    served: dict[tuple[str, str, str], FoundService] = {}
    for found in sorted((one for one in objects if one.pod is None), key=lambda one: _by_likeness(one, by_label)):
        selector = labels_of(found.body.mapping("spec", "selector"))
        behind = _selected(found.namespace, selector, by_label)
        service = _service(found, selector, behind, served, findings)
        if service is not None:
            services.append(service)
            for runner in behind:
                served[runner.object.place] = service
    for runner in runners:
        if runner.object.place not in served and _can_be_named(runner.object, findings):
            services.append(_caller_only(runner))
    return _by_name(services, findings)


def _once(manifests: Iterable[Manifest], findings: Findings) -> list[KubernetesObject]:
    """Return each object once. Two that say the same are one; of two that differ nobody knows which is meant."""
    known: dict[tuple[str, str, str], KubernetesObject] = {}
    for manifest in manifests:
        for found in manifest.objects:
            first = known.setdefault(found.place, found)
            if first is not found and _said(first) != _said(found):
                message = f"the {found.kind} `{found.name.text}` is described twice, and not alike"
                label = Label(first.name.span, "and here")
                help_line = "import the directory or file of one environment"
                findings.add(names.IMPORT_CONTRADICTION, message, found.name.span, related=(label,), help=help_line)
    return list(known.values())


def _said(found: KubernetesObject) -> tuple[object, ...]:
    """Return what an object says about the mesh: images, annotations and the like may differ."""
    body = found.body
    if found.pod is None:
        outside = body.text("spec", "type") == "ExternalName"
        return (body.get("metadata", "labels"), body.get("spec", "selector"), body.get("spec", "ports"), outside)
    containers = tuple(
        tuple(container.get(key) for key in ("ports", *(field for field, _ in _PROBES)))
        for container in found.pod.mappings("spec", "containers")
    )
    accounts = (found.pod.get("spec", "serviceAccountName"), found.pod.get("spec", "serviceAccount"))
    return (found.pod.get("metadata", "labels"), *accounts, body.get("spec", "replicas"), containers)


def _runner(found: KubernetesObject) -> _Runner:
    pod = found.pod
    assert pod is not None  # noqa: S101 - chosen by this
    account = pod.text("spec", "serviceAccountName") or pod.text("spec", "serviceAccount")
    replicas = found.body.get("spec", "replicas")
    number = replicas.number if isinstance(replicas, Scalar) else None
    return _Runner(
        object=found,
        labels=labels_of(pod.mapping("metadata", "labels")),
        account=None if account in (None, "default") else account,
        replicas=1 if number is None else number,
    )


def _selected(namespace: str, selector: Labels, by_label: dict[tuple[str, str, str], list[_Runner]]) -> list[_Runner]:
    if not selector:
        return []
    candidates = [by_label.get((namespace, key, value), []) for key, value in selector]
    return [runner for runner in min(candidates, key=len) if set(selector) <= set(runner.labels)]


def _by_likeness(
    found: KubernetesObject, by_label: dict[tuple[str, str, str], list[_Runner]]
) -> tuple[int, int, bool, bool, str, str]:
    """Order Services so that of several with the same pods the most general one comes first, or the one of their name.

    `reviews` comes before `reviews-v1`, and `frontend` before `frontend-external`.
    """
    selector = labels_of(found.body.mapping("spec", "selector"))
    behind = _selected(found.namespace, selector, by_label)
    name = found.name.text
    bears_name = any(runner.object.name.text == name for runner in behind)
    in_selector = any(value == name for _, value in selector)
    return (-len(behind), len(selector), not bears_name, not in_selector, name, found.namespace)


def _service(
    found: KubernetesObject,
    selector: Labels,
    behind: list[_Runner],
    served: dict[tuple[str, str, str], FoundService],
    findings: Findings,
) -> FoundService | None:
    name = found.name.text
    if not _can_be_named(found, findings):
        return None
    if found.body.text("spec", "type") == "ExternalName":
        host = found.body.text("spec", "externalName") or ""
        help_line = f'declare `external {name} {{ hosts: ["{host}"], port: 443/tls }}`'
        _left_out(found, "it is another name for a host outside", help_line, findings)
        return None
    if not selector:
        _left_out(found, "it selects no pods", "what it stands for may be an `external`", findings)
        return None
    others = {id(other): other for runner in behind if (other := served.get(runner.object.place)) is not None}
    if others:
        other = next(iter(others.values()))
        message = f"the Service `{name}` is left out: its pods are those of `{other.name}`"
        help_line = f"callers inside the mesh use `{other.name}`"
        label = Label(other.span, f"`{other.name}` is found here")
        findings.add(names.NOT_CARRIED_OVER, message, found.name.span, related=(label,), help=help_line)
        return None
    account = _account(found, behind, findings)
    labels = dict(_shared_labels(behind))
    labels.update(labels_of(found.body.mapping("metadata", "labels")))
    return FoundService(
        name=name,
        namespace=found.namespace,
        account=account,
        shares_account=bool(behind) and account is None,
        selector=selector,
        labels=tuple(sorted(labels.items())),
        versions=_versions(found, behind, findings),
        running=_running(behind),
        replicas=max(1, sum(runner.replicas for runner in behind)),
        ports=tuple(_ports(found, behind, findings)),
        probes=tuple(_probes(behind)),
        span=found.name.span,
    )


def _caller_only(runner: _Runner) -> FoundService:
    found = runner.object
    selector = labels_of(found.body.mapping("spec", "selector", "matchLabels")) or runner.labels
    return FoundService(
        name=found.name.text,
        namespace=found.namespace,
        account=runner.account,
        shares_account=runner.account is None,
        selector=selector,
        labels=runner.labels,
        versions=(),
        replicas=max(1, runner.replicas),
        ports=(),
        probes=tuple(_probes([runner])),
        span=found.name.span,
    )


def _by_name(services: Iterable[FoundService], findings: Findings) -> tuple[FoundService, ...]:
    """Return the services by name; a name stands for one of them in all of the mesh."""
    known: dict[str, FoundService] = {}
    for service in services:
        first = known.setdefault(service.name, service)
        if first is not service:
            message = (
                f"`{service.name}` is found twice, in the namespaces `{first.namespace}` and `{service.namespace}`"
            )
            if first.namespace == service.namespace:
                message = f"`{service.name}` is both a Service and something else that runs pods"
            label = Label(first.span, "found first here")
            help_line = "names are global to a mesh: import one of them, and declare the other under a name of its own"
            findings.add(names.IMPORT_CONTRADICTION, message, service.span, related=(label,), help=help_line)
    return tuple(known[name] for name in sorted(known))


# ---- parts of a service


def _account(found: KubernetesObject, behind: list[_Runner], findings: Findings) -> str | None:
    accounts = sorted({runner.account or "default" for runner in behind})
    if len(accounts) > 1:
        message = f"the pods of `{found.name.text}` run under several accounts: {one_of(accounts)}"
        help_line = f"a service has one identity, and `{accounts[0]}` is taken; state `service-account` to choose"
        findings.add(names.NOT_CARRIED_OVER, message.replace(" or ", " and "), found.name.span, help=help_line)
    return accounts[0] if accounts and accounts[0] != "default" else None


def _versions(found: KubernetesObject, behind: list[_Runner], findings: Findings) -> tuple[str, ...]:
    """Return the values of the label `version` where several workloads serve, each by another."""
    if len(behind) < 2:
        return ()
    versions = {value for runner in behind for key, value in runner.labels if key == VERSION_LABEL}
    if not versions and any(key == _OTHER_VERSION_LABEL for runner in behind for key, _ in runner.labels):
        message = f"the versions of `{found.name.text}` cannot be told apart: its pods have no label `{VERSION_LABEL}`"
        help_line = f"routes go by `{VERSION_LABEL}`, not by `{_OTHER_VERSION_LABEL}`"
        findings.add(names.NOT_CARRIED_OVER, message, found.name.span, help=help_line)
    for version in sorted(versions):
        if not is_label(version):
            versions.discard(version)
            message = f"the version `{version}` of `{found.name.text}` is left out: it becomes part of a host name"
            findings.add(names.NOT_CARRIED_OVER, message, found.name.span)
    return tuple(sorted(versions)) if len(versions) > 1 else ()


def _running(behind: list[_Runner]) -> tuple[str, ...] | None:
    if not behind:
        return None
    return tuple(sorted({value for runner in behind for key, value in runner.labels if key == VERSION_LABEL}))


def _shared_labels(behind: list[_Runner]) -> Labels:
    if not behind:
        return ()
    shared = set(behind[0].labels).intersection(*(runner.labels for runner in behind[1:]))
    return tuple(sorted(shared))


def _ports(found: KubernetesObject, behind: list[_Runner], findings: Findings) -> Iterator[FoundPort]:
    taken: dict[int, Mapping] = {}
    usable: list[tuple[Mapping, Scalar, int]] = []
    for port in found.body.mappings("spec", "ports"):
        number = port.get("port")
        value = number.number if isinstance(number, Scalar) else None
        if not isinstance(number, Scalar) or value is None or not 1 <= value <= 65535:
            message = f"a port of `{found.name.text}` is left out: its `port` is no number from 1 to 65535"
            findings.add(names.NOT_CARRIED_OVER, message, port.span)
        elif (transport := port.text("protocol") or "TCP").upper() != "TCP":
            message = (
                f"the port {value} of `{found.name.text}` is left out: a mesh carries TCP, and this is {transport}"
            )
            findings.add(names.NOT_CARRIED_OVER, message, port.key("protocol").span)
        elif value in taken:
            message = f"the port {value} of `{found.name.text}` is described twice"
            findings.add(names.NOT_CARRIED_OVER, message, number.span)
        else:
            taken[value] = port
            usable.append((port, number, value))
    for port, number, value in usable:
        target = _target(found, port, value, behind, findings)
        protocol, stated, guessed = _protocol(found, port, target, behind, findings)
        name = port.text("name")
        if len(usable) == 1:
            name = None
        elif name is None or not is_label(name) or name[0].isdigit():
            name = f"port-{value}"
        yield FoundPort(
            name=name,
            number=value,
            protocol=protocol,
            target=None if target == value else target,
            stated=stated,
            guessed=guessed,
            span=number.span,
        )


def _target(found: KubernetesObject, port: Mapping, number: int, behind: list[_Runner], findings: Findings) -> int:
    target = port.get("targetPort")
    if not isinstance(target, Scalar):
        return number
    if target.number is not None:
        return target.number if 1 <= target.number <= 65535 else number
    for runner in behind:
        for container in runner.containers:
            listened = _container_port(container, target.text)
            if listened is not None:
                return listened
    message = f"no container behind `{found.name.text}` has a port named `{target.text}`"
    help_line = f"it is taken to be {number}; state `target-port` if it is another"
    findings.add(names.NOT_CARRIED_OVER, message, target.span, help=help_line)
    return number


def _container_port(container: Mapping, name: str) -> int | None:
    for port in container.mappings("ports"):
        number = port.get("containerPort")
        if port.text("name") == name and isinstance(number, Scalar):
            return number.number
    return None


def _protocol(
    found: KubernetesObject, port: Mapping, target: int, behind: list[_Runner], findings: Findings
) -> tuple[Protocol, bool, bool]:
    """Return what a port speaks, whether the manifest states it, and whether nothing at all hints at it."""
    word = port.text("appProtocol")
    if word is not None:
        known = protocol_of_word(word)
        if known is None:
            message = f"`appProtocol: {word}` of `{found.name.text}` is not known here, and taken as `tcp`"
            findings.add(names.NOT_CARRIED_OVER, message, port.key("appProtocol").span)
        return (Protocol.TCP, False, False) if known is None else (known, True, False)
    stated = protocol_of_name(port.text("name") or "")
    if stated is not None:
        return stated, True, False
    hinted = next(_hints(target, behind), None)
    return (Protocol.TCP, False, True) if hinted is None else (hinted, False, False)


def _hints(target: int, behind: list[_Runner]) -> Iterator[Protocol]:
    """Yield what the pods tell about a port: names of container ports, and probes that speak a protocol to it."""
    for runner in behind:
        for container in runner.containers:
            for port in container.mappings("ports"):
                number = port.get("containerPort")
                named = protocol_of_name(port.text("name") or "")
                if isinstance(number, Scalar) and number.number == target and named is not None:
                    yield named
            for field, _ in _PROBES:
                if (probe := container.mapping(field, "httpGet")) is not None and _probed(container, probe) == target:
                    yield Protocol.TLS if (probe.text("scheme") or "").upper() == "HTTPS" else Protocol.HTTP
                if (probe := container.mapping(field, "grpc")) is not None and _probed(container, probe) == target:
                    yield Protocol.GRPC


def _probes(behind: list[_Runner]) -> Iterator[Probe]:
    """Yield the HTTP probes of the pods, each once; what is asked inside of TLS no sidecar sees."""
    seen: set[Probe] = set()
    for runner in behind:
        for container in runner.containers:
            for field, kind in _PROBES:
                asked = container.mapping(field, "httpGet")
                port = None if asked is None else _probed(container, asked)
                if asked is None or port is None or (asked.text("scheme") or "HTTP").upper() != "HTTP":
                    continue
                path = "/" + (asked.text("path") or "/").lstrip("/")
                probe = Probe(kind=kind, port=port, path=path, origin=container.key(field).span)
                if probe not in seen:
                    seen.add(probe)
                    yield probe


def _probed(container: Mapping, asked: Mapping) -> int | None:
    """Return the number of the port that a probe asks, which may be named."""
    port = asked.get("port")
    if not isinstance(port, Scalar):
        return None
    return port.number if port.number is not None else _container_port(container, port.text)


# ---- what is told


def _can_be_named(found: KubernetesObject, findings: Findings) -> bool:
    if is_label(found.name.text):
        return True
    _left_out(found, f"a name in the mesh is a host's label, and `{found.name.text}` is none", "", findings)
    return False


def _left_out(found: KubernetesObject, why: str, help_line: str, findings: Findings) -> None:
    message = f"the {found.kind} `{found.name.text}` is left out: {why}"
    findings.add(names.NOT_CARRIED_OVER, message, found.name.span, help=help_line)

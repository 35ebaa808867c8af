"""What is imported: rpcs of a `.proto`, operations of an API, services of manifests; and all of it for one program."""

from __future__ import annotations

from meshc_compiler.ir.match import PathTemplate
from meshc_compiler.ir.workload import Probe, Protocol
from meshc_lang.record import dataclass, field
from meshc_lang.source import SourceText, Span
from meshc_lang.tree.declaration import ImportDecl


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """One method of a gRPC service, by its name alone."""

    name: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcService:
    """A gRPC service by its full name, for example `pay.v1.Payments`, with its methods in the order written."""

    name: str
    rpcs: tuple[Rpc, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """What may be asked of one path of an HTTP API: its methods (sorted; empty means any) and its template."""

    methods: tuple[str, ...]
    path: PathTemplate
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPort:
    """A port of a Kubernetes Service. `target` is the number on which pods listen, None where it is the same.

    `stated` tells that the manifest says the protocol (`appProtocol`, or the port's name as Istio reads it); it is
    `guessed` where nothing at all hints at it.
    """

    name: str | None
    number: int
    protocol: Protocol
    target: int | None
    stated: bool
    guessed: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundService:
    """A service of the mesh as manifests describe it; without ports, a workload that only calls.

    `account` is None where no pods are found, or where they run under the namespace's `default`, which tells nobody
    apart (`shares_account`). `running` are all values of the pods' label `version`, be it a single one; None where no
    pods are found.
    """

    name: str
    namespace: str
    account: str | None
    shares_account: bool
    selector: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    versions: tuple[str, ...]
    running: tuple[str, ...] | None = None
    replicas: int
    ports: tuple[FoundPort, ...]
    probes: tuple[Probe, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSchema:
    """What one `import proto` or `import openapi` brings: one of the two is empty."""

    declaration: ImportDecl
    services: tuple[RpcService, ...] = ()
    operations: tuple[ApiOperation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFacts:
    """What the program's imports of other languages say.

    `manifests` are the statements by which `services` came in. `libraries` are the paths of the files of the language
    that are imported, `sources` the texts of the others that were read. `incomplete` tells that some file could not be
    read: any name may be declared in it.
    """

    manifests: tuple[ImportDecl, ...]
    services: tuple[FoundService, ...]
    schemas: tuple[ImportedSchema, ...]
    libraries: frozenset[str] = frozenset()
    sources: tuple[SourceText, ...] = ()
    incomplete: bool = False

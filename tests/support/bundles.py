"""A small mesh built into bundles, for tests of what a build leaves on disk."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from meshc_backends.build import BuildInput, BuildResult, build
from meshc_compiler.ir.caller import TheseCallers
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from support.ir_mesh import DOMAIN, service, spiffe, template, workload

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def small_mesh(path: str = "/v1/**", names: tuple[str, ...] = ("api", "web")) -> MeshIndex:
    """Return a mesh in which the last of the names may call the first on a path."""
    rule = Rule(
        id=f"{names[-1]} -> {names[0]} GET {path}",
        effect=Effect.ALLOW,
        callers=TheseCallers((spiffe(names[-1]),)),
        callee=names[0],
        port=8080,
        match=RequestMatch(methods=("GET",), path=template(path)),
    )
    return MeshIndex(
        Mesh(
            name="small",
            trust_domain=DOMAIN,
            workloads=tuple(map(workload, names)),
            services=tuple(map(service, names)),
            rules=(rule,),
        )
    )


def build_small(out: Path, *targets: str, path: str = "/v1/**", names: tuple[str, ...] = ("api", "web")) -> BuildResult:
    """Build the small mesh; the authority lies beside the bundle."""
    source = BuildInput(
        program=hashlib.sha256(path.encode()).hexdigest(),
        compiler="0.0.0",
        tests=(0, 0),
        authority=out.parent / "authority",
        now=NOW,
    )
    return build(small_mesh(path, names), targets or ("sidecar", "certs"), out, source)


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def codes(result: BuildResult) -> list[str]:
    """Return the codes of a build's findings."""
    return [diagnostic.code.id for diagnostic in result.diagnostics]

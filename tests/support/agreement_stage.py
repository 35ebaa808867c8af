"""Programs compiled by the real pipeline, and the meshes that run them, started together and always ended."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.loader import DiskReader, MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.diagnostic import has_errors
from support.agreement_certificates import Certificates
from support.agreement_compare import Expected
from support.agreement_expect import expectation
from support.agreement_mesh import AgreementMesh
from support.agreement_probe import Probe
from support.agreement_process import Voice
from support.authority import Issued, TestAuthority
from support.loopback_ports import Ports

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "agreement" / "programs"
EXAMPLES = ROOT / "examples"
BOTH = (Voice.PYTHON, Voice.ENVOY)


@dataclass(frozen=True, slots=True)
class Stage:
    """A program with the meshes that run it, and what its evaluator expects of a probe."""

    program: str
    index: MeshIndex
    meshes: tuple[AgreementMesh, ...]
    expect: Callable[[Probe], Expected]

    def mesh(self, voice: Voice) -> AgreementMesh:
        """Return the mesh that one voice enforces."""
        return next(mesh for mesh in self.meshes if mesh.name == voice.value)


def compiled(program: str) -> MeshIndex:
    """Return the mesh of a program of the corpus, or of an example (`examples/shop`)."""
    path = ROOT / program if "/" in program else PROGRAMS / f"{program}.mesh"
    result = compile_program((str(path),), DiskReader())
    assert result.index is not None, f"{program} does not compile: {[one.message for one in result.diagnostics]}"
    assert not has_errors(result.diagnostics), [one.message for one in result.diagnostics]
    return result.index


def without_limits(index: MeshIndex) -> MeshIndex:
    """Return a mesh whose limits cannot get into the way of many questions."""
    return MeshIndex(replace(index.mesh, limits=()))


def compiled_text(text: str) -> MeshIndex | None:
    """Return the mesh of a program's text; None where the compiler refuses it."""
    result = compile_program(("program.mesh",), MemoryReader({"program.mesh": text}))
    return None if has_errors(result.diagnostics) else result.index


def issue_public(directory: Path, *hosts: str, rogue: bool = False) -> Issued:
    """Return the certificate of a server outside the mesh; a rogue one is of an authority that nobody trusts."""
    authority = TestAuthority(directory, "public.example", name="public roots")
    return authority.issue("-".join(hosts), "", dns_names=hosts, without_uri=True, rogue=rogue)


def server_context(issued: Issued) -> ssl.SSLContext:
    """Return the TLS context of a server outside the mesh."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.chain, issued.key)
    return context


@contextmanager
def staged(
    program: str,
    index: MeshIndex,
    directory: Path,
    ports: Ports,
    voices: tuple[Voice | Callable[[str], Voice], ...] = BOTH,
    **options: Any,
) -> Iterator[Stage]:
    """Run a program's meshes, one for each voice, all at once. `options` are those of `AgreementMesh`.

    Externals with TLS prove their names by an authority of their own, unless the options say otherwise.
    """
    certificates = Certificates(index, directory / "certificates")
    public = {
        host: issue_public(directory / "public", host) for one in index.mesh.externals if one.tls for host in one.hosts
    }
    if public and "external_tls" not in options:
        options["external_tls"] = {host: server_context(issued) for host, issued in public.items()}
        options["roots"] = next(iter(public.values())).bundle
    with ExitStack() as running:
        meshes = []
        for number, voice in enumerate(voices):
            mesh = AgreementMesh(index, voice, directory / f"{number}", ports, certificates, **options)
            running.callback(mesh.close)
            mesh.launch()
            meshes.append(mesh)
        for mesh in meshes:
            mesh.wait_until_ready()
        yield Stage(program, index, tuple(meshes), expectation(index))

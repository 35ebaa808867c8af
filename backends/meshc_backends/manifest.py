"""The manifest of a bundle: every file with its digest, what the build was made of, checked and could not say."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from meshc_backends.artifact import Artifact, Loss, Reservation
from meshc_backends.read_back import Meaning, ReadBack
from meshc_compiler.ir.mesh import Mesh

MANIFEST_NAME = "manifest.json"
"""The manifest's path inside the bundle."""

PUBLIC_MODE, SECRET_MODE = 0o644, 0o600
"""Modes of files: what anybody may read, and what only the owner may."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    """A part of the manifest. One that a later compiler wrote may say more: it is still a bundle to be replaced."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class FileEntry(_Part):
    """One file: its path inside the bundle, the digest and size of its bytes, its mode in octal."""

    path: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]
    mode: Literal["0644", "0600"]


class ProvedAssertion(_Part):
    """An assert that was proved for every request, as it stands in the program."""

    text: str
    because: str | None = None


class WiderPart(_Part):
    """A service of which a target's files let more through than its rules say: those that it does not see."""

    service: str
    rules: tuple[str, ...]


class ProvedFiles(_Part):
    """What was proved of a target's files by reading them back, by other code than wrote them."""

    target: str
    files: Annotated[int, Field(ge=0)]
    meaning: Meaning
    connections: int | None = None
    wider: tuple[WiderPart, ...] = ()


class Checked(_Part):
    """What was established before anything was written: asserts proved, how many test cases were as expected, files."""

    assertions: tuple[ProvedAssertion, ...]
    tests_passed: Annotated[int, Field(ge=0)]
    tests_failed: Annotated[int, Field(ge=0)] = 0
    read_back: tuple[ProvedFiles, ...] = ()


class ReservedPart(_Part):
    """A part of the program that a target does not carry as written."""

    target: str
    loss: Loss
    subject: str
    reason: str


class Manifest(_Part):
    """The manifest; it holds no time and no name of a machine, so the same build gives the same bytes.

    `program` is the digest of the program's meaning: comments, order and the cut into files do not change it. `overlay`
    is the name of the overlay that was applied.
    """

    version: Literal[1] = 1
    compiler: str
    mesh: str
    trust_domain: str
    overlay: str | None = None
    program: Digest
    targets: tuple[str, ...]
    files: tuple[FileEntry, ...]
    proved: Checked
    reservations: tuple[ReservedPart, ...]

    def text(self) -> str:
        """Return the manifest's JSON, the same for the same manifest."""
        return self.model_dump_json(indent=2) + "\n"


def manifest_of(
    mesh: Mesh,
    *,
    program: str,
    compiler: str,
    targets: tuple[str, ...],
    artifacts: tuple[Artifact, ...],
    reservations: tuple[Reservation, ...],
    tests: tuple[int, int],
    proofs: tuple[ReadBack, ...] = (),
) -> Manifest:
    """Return the manifest of a build.

    `program` is the digest of the mesh in hexadecimal, `tests` how many cases passed and failed.
    """
    return Manifest(
        compiler=compiler,
        mesh=mesh.name,
        trust_domain=mesh.trust_domain,
        overlay=mesh.overlay,
        program=f"sha256:{program}",
        targets=targets,
        files=tuple(_entry(artifact) for artifact in sorted(artifacts, key=lambda artifact: artifact.path)),
        proved=Checked(
            assertions=tuple(ProvedAssertion(text=one.text, because=one.because) for one in mesh.assertions),
            tests_passed=tests[0],
            tests_failed=tests[1],
            read_back=tuple(
                ProvedFiles(
                    target=one.target,
                    files=one.files,
                    meaning=one.meaning,
                    connections=one.connections,
                    wider=tuple(WiderPart(service=service, rules=rules) for service, rules in one.wider),
                )
                for one in proofs
            ),
        ),
        reservations=tuple(
            ReservedPart(target=one.target, loss=one.loss, subject=one.subject, reason=one.reason)
            for one in reservations
        ),
    )


def _entry(artifact: Artifact) -> FileEntry:
    return FileEntry(
        path=artifact.path,
        sha256=hashlib.sha256(artifact.content).hexdigest(),
        size=len(artifact.content),
        mode="0600" if artifact.secret else "0644",
    )

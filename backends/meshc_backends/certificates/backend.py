"""The target `certs` as a backend."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.backend import EmitContext
from meshc_backends.certificates.life import CertificateLife, life_of
from meshc_compiler.ir.feature import Feature
from meshc_compiler.ir.mesh import MeshIndex

if TYPE_CHECKING:
    from meshc_backends.certificates.mint import Mint


class CertificatesBackend:
    """Issues one X.509-SVID for each workload, under `certs/<workload>/`, and keeps those of the last build.

    `mint` None stands for real randomness; `wait` pauses for seconds while another build holds the authority.
    """

    name = "certs"
    carries: frozenset[Feature] = frozenset()
    leaves = frozenset(Feature)
    # A certificate says who its workload is, and nothing about calls.

    def __init__(
        self,
        life: CertificateLife | None = None,
        mint: Mint | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._life = life or CertificateLife()
        self._mint = mint
        self._wait = wait

    def emit(self, index: MeshIndex, context: EmitContext) -> Emission:
        """Return chain, key and trust bundle of every workload, and the bundle as JWKs."""
        # Imported here: the table of backends is read for every command, and most never touch a certificate.
        from meshc_backends.certificates.authority import open_authority
        from meshc_backends.certificates.mint import Mint, Svid
        from meshc_backends.certificates.renewal import Renewal
        from meshc_backends.certificates.trust_bundle import bundle_jwks, bundle_pem

        mint = self._mint or Mint(life=life_of(index.mesh.certificates, self._life))
        authority, diagnostics = open_authority(
            context.authority, index.mesh.trust_domain, context.now, mint, self._wait
        )
        if authority is None:
            return Emission(diagnostics=diagnostics)
        renewal = Renewal(authority, mint.life, context.now)
        bundle = bundle_pem((authority.root,))
        artifacts = [Artifact(path="certs/trust-bundle.json", content=bundle_jwks((authority.root,)))]
        for workload in index.mesh.workloads:
            folder = f"certs/{workload.name}"
            chain, key = context.previous(f"{folder}/cert-chain.pem"), context.previous(f"{folder}/key.pem")
            svid = Svid(chain, key) if chain is not None and key is not None else None
            if svid is None or not renewal.keeps(svid, workload.spiffe_id):
                svid = mint.svid(workload.spiffe_id, authority.intermediate, context.now)
            artifacts += (
                Artifact(path=f"{folder}/cert-chain.pem", content=svid.chain),
                Artifact(path=f"{folder}/key.pem", content=svid.key, secret=True),
                Artifact(path=f"{folder}/trust-bundle.pem", content=bundle),
            )
        return Emission(artifacts=tuple(artifacts), diagnostics=diagnostics)


CERTS = CertificatesBackend()
"""The target `certs`."""

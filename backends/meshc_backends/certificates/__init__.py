"""The target `certs`: a certificate authority outside the build, and one X.509-SVID for each workload."""

from __future__ import annotations

from meshc_backends.certificates.backend import CERTS, CertificatesBackend
from meshc_backends.certificates.life import CertificateLife

__all__ = ["CERTS", "CertificateLife", "CertificatesBackend"]

"""Who a caller is: trust domains and SPIFFE IDs (SPIFFE-ID §2)."""

from __future__ import annotations

from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass

_TRUST_DOMAIN = pattern(r"[a-z0-9._-]{1,255}\Z")
_PATH = pattern(r"(?:/[A-Za-z0-9._-]++)++\Z")
_MAXIMUM_BYTES = 2048


@dataclass(frozen=True, slots=True, order=True)
class SpiffeId:
    """A SPIFFE ID: a trust domain and a path that begins with `/`. Construct by `parse` or `of_workload`."""

    trust_domain: str
    path: str

    def __str__(self) -> str:
        return f"spiffe://{self.trust_domain}{self.path}"

    @staticmethod
    def of_workload(trust_domain: str, namespace: str, service_account: str) -> SpiffeId:
        """Return the ID of the workload that runs under a Kubernetes service account."""
        return SpiffeId(trust_domain, f"/ns/{namespace}/sa/{service_account}")

    @staticmethod
    def parse(text: str) -> SpiffeId | None:
        """Read a SPIFFE ID; None where the text is not one of a workload (SPIFFE-ID §2.1 to §2.4).

        Scheme and trust domain fold case; a path must be there, without empty, `.` or `..` segments, percent-encoding,
        query or fragment; at most 2048 bytes in all.
        """
        scheme, separator, rest = text.partition("://")
        if scheme.lower() != "spiffe" or not separator or len(text.encode()) > _MAXIMUM_BYTES:
            return None
        domain, slash, path = rest.partition("/")
        path = slash + path
        if not is_trust_domain(domain.lower()) or not _PATH.match(path):
            return None
        if any(segment in {".", ".."} for segment in path.split("/")):
            return None
        return SpiffeId(domain.lower(), path)


def is_trust_domain(text: str) -> bool:
    """Tell whether the text is a trust domain's name (SPIFFE-ID §2.1)."""
    return _TRUST_DOMAIN.match(text) is not None

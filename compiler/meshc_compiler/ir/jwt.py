"""Whose end-user tokens are trusted (RFC 7519)."""

from __future__ import annotations

from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """An issuer of JSON Web Tokens of which the signatures are verified at each service.

    A token counts if its `iss` is `issuer` (RFC 7519 §4.1.1), one of its `aud` is among `audiences` (sorted; none means
    that any is taken, RFC 7519 §4.1.3), it has not expired, and a key of `jwks` verifies it (RFC 7517). `jwks` is an
    `https` URL, or with `jwks_is_url` false the path of a file, relative to that of the declaration. The token comes as
    `Authorization: Bearer …`, or alone in the header `header` (in lower case). With `forward` the service sees it too.
    """

    name: str
    issuer: str
    audiences: tuple[str, ...]
    jwks: str
    jwks_is_url: bool
    header: str | None = None
    forward: bool = False
    origin: Span | None = field(default=None, compare=False, repr=False)

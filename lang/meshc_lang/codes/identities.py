"""Codes of family 6xx: identity and TLS."""

from __future__ import annotations

from meshc_lang.codes.code import Code, Severity

_MESH = 'mesh shop { trust-domain: "shop.example" }\n'
_GET = "service api { port: 8080/http }\nallow web -> api : GET /**\n"

SHARED_IDENTITY = Code(
    id="MSH601",
    name="shared-identity",
    severity=Severity.ERROR,
    summary="two workloads with the same SPIFFE ID",
    why=(
        "An identity is a namespace and a service account. Workloads that share one cannot be told apart by those they "
        "call, so what is allowed to one would be allowed to the other."
    ),
    bad=_MESH + "service web {}\nservice worker { service-account: web }\n" + _GET,
    good=_MESH + "service web {}\nservice worker { service-account: worker }\n" + _GET,
)

INVALID_TRUST_DOMAIN = Code(
    id="MSH602",
    name="invalid-trust-domain",
    severity=Severity.ERROR,
    summary="a trust domain that SPIFFE does not allow",
    why="A trust domain is lower-case letters, digits, dots, hyphens and underscores, at most 255 (SPIFFE-ID §2.1).",
    bad='mesh shop { trust-domain: "Shop Example" }\nservice web {}\n' + _GET,
    good=_MESH + "service web {}\n" + _GET,
)

SHORT_TRUST_DOMAIN = Code(
    id="MSH603",
    name="short-trust-domain",
    severity=Severity.WARNING,
    summary="a trust domain that others are likely to use as well",
    why=(
        "Two meshes with one trust domain cannot be told apart where they meet. A name under a DNS domain that you own "
        "is yours alone (SPIFFE-ID §2.1)."
    ),
    bad='mesh shop { trust-domain: "shop" }\nservice web {}\n' + _GET,
    good=_MESH + "service web {}\n" + _GET,
)

INVALID_SPIFFE_ID = Code(
    id="MSH604",
    name="invalid-spiffe-id",
    severity=Severity.ERROR,
    summary="a caller in quotes that is not the SPIFFE ID of a workload",
    why=(
        "A caller that the program does not declare is named by its SPIFFE ID, `spiffe://TRUST-DOMAIN/PATH`, without "
        "query, fragment, escapes or empty segments (SPIFFE-ID §2)."
    ),
    bad=_MESH + 'service api { port: 8080/http }\nallow "spiffe://shop.example" -> api : GET /**\n',
    good=_MESH + 'service api { port: 8080/http }\nallow "spiffe://shop.example/ns/old/sa/job" -> api : GET /**\n',
)

FOREIGN_TRUST_DOMAIN = Code(
    id="MSH605",
    name="foreign-trust-domain",
    severity=Severity.ERROR,
    summary="a caller of another trust domain",
    why=(
        "Certificates are verified against the bundle of the mesh's own trust domain. A caller of another one could "
        "never prove its identity; federation is not part of this version."
    ),
    bad=_MESH + 'service api { port: 8080/http }\nallow "spiffe://other.example/ns/old/sa/job" -> api : GET /**\n',
    good=_MESH + 'service api { port: 8080/http }\nallow "spiffe://shop.example/ns/old/sa/job" -> api : GET /**\n',
)

CERTIFICATE_LIFE = Code(
    id="MSH607",
    name="certificate-life",
    severity=Severity.ERROR,
    summary="a renewal window that is as long as the certificate's life",
    why=(
        "A certificate is issued anew once less than `renew-before` of its life is left. If that is always so, every "
        "build issues every certificate, and no sidecar ever has one that lasts."
    ),
    bad='mesh shop {\n  trust-domain: "shop.example"\n  certificates { life: 24h, renew-before: 48h }\n}\n',
    good='mesh shop {\n  trust-domain: "shop.example"\n  certificates { life: 24h, renew-before: 8h }\n}\n',
)

NARROW_RENEWAL = Code(
    id="MSH608",
    name="narrow-renewal-window",
    severity=Severity.WARNING,
    summary="a renewal window that leaves no time to notice a failure",
    why=(
        "When the last certificate ends, every call of its workload fails at once. The window is the time in which "
        "somebody can notice that renewals fail and mend it: less than a tenth of the life is very little."
    ),
    bad='mesh shop {\n  trust-domain: "shop.example"\n  certificates { life: 2160h, renew-before: 24h }\n}\n',
    good='mesh shop {\n  trust-domain: "shop.example"\n  certificates { life: 2160h, renew-before: 720h }\n}\n',
)

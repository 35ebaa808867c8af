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
        "never prove its identity: no other bundle is trusted. It may call by way of `ingress`."
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

_PERMISSIVE = 'mesh shop { trust-domain: "shop.example" }\nservice web { port: 8080/http, mtls: permissive }\n'

PLAINTEXT_UNDER_STRICT = Code(
    id="MSH606",
    name="plaintext-under-strict",
    severity=Severity.ERROR,
    summary="an allow of calls without an identity to a service that takes mutual TLS only",
    why=(
        "A service under `mtls: strict`, which is the default, takes no connection without a certificate, so an allow "
        "for `plaintext` opens nothing. Under `mtls: permissive` both kinds of calls get to the rules, and those "
        "without an identity are allowed only what an allow for `plaintext` grants."
    ),
    bad=_PERMISSIVE.replace("permissive", "strict") + "allow plaintext -> web : GET /healthz\n",
    good=_PERMISSIVE + "allow plaintext -> web : GET /healthz\n",
)

_JWT = 'jwt corp {{ issuer: "{issuer}", audiences: ["shop"], jwks: "{jwks}" }}\n'
_GOOD_JWT = _JWT.format(issuer="https://id.example", jwks="https://id.example/keys.json")
_ADMIN = 'service web {}\nservice api { port: 8080/http }\nallow web -> api : GET /** if claim "role" == "admin"\n'

NO_TRUSTED_TOKEN = Code(
    id="MSH610",
    name="no-trusted-token",
    severity=Severity.WARNING,
    summary="a question about claims in a program that trusts no token",
    why=(
        "A claim counts only if the token that bears it was verified. Without a `jwt` statement no issuer is trusted, "
        "so no request has claims: a guard on one never holds. Only in the `unless` of a deny a claim may be named all "
        "the same, and excepts nobody until somebody's tokens are trusted."
    ),
    bad=_MESH + _ADMIN,
    good=_MESH + _GOOD_JWT + _ADMIN,
)

_BANNED = (
    "service web {}\nservice api { port: 8080/http }\nallow web -> api : GET /**\n"
    'deny any -> api : /** if claim "status" == "banned"\n'
)

DENY_TRUSTS_NO_TOKEN = Code(
    id="MSH615",
    name="deny-trusts-no-token",
    severity=Severity.ERROR,
    summary="a deny about claims in a program that trusts no token",
    why=(
        "Without a `jwt` statement no request has claims, so a deny that asks for one holds of nobody: it looks like "
        "protection and is none. An overlay that drops the `jwt` does the same to it."
    ),
    bad=_MESH + _BANNED,
    good=_MESH + _GOOD_JWT + _BANNED,
)

INVALID_ISSUER = Code(
    id="MSH611",
    name="invalid-issuer",
    severity=Severity.ERROR,
    summary="an issuer of tokens that is not one, or is reached without TLS",
    why=(
        "`issuer` is compared letter by letter with the `iss` of each token (RFC 7519 §4.1.1). Issuers on the web are "
        "`https` URLs (OpenID Connect Discovery §3): whoever can answer for an `http` one can make any token."
    ),
    bad=_MESH + _JWT.format(issuer="http://id.example", jwks="https://id.example/keys.json") + _ADMIN,
    good=_MESH + _GOOD_JWT + _ADMIN,
)

INVALID_KEYS = Code(
    id="MSH612",
    name="invalid-keys",
    severity=Severity.ERROR,
    summary="a place of keys that cannot be used",
    why=(
        "`jwks` is the `https` URL of a set of keys (RFC 7517 §5), or a file of the program: a path relative to the "
        "file of the declaration, not outside its directory. Keys fetched without TLS could be anybody's."
    ),
    bad=_MESH + _JWT.format(issuer="https://id.example", jwks="http://id.example/keys.json") + _ADMIN,
    good=_MESH + _GOOD_JWT + _ADMIN,
)

SHARED_ISSUER = Code(
    id="MSH613",
    name="shared-issuer",
    severity=Severity.ERROR,
    summary="two `jwt` statements about the tokens of one issuer",
    why=(
        "A token says by whom it was issued, and by that its keys and audiences are found. Of two statements about one "
        "issuer it could not be told which is meant."
    ),
    bad=_MESH + _GOOD_JWT + _GOOD_JWT.replace("corp", "staff") + _ADMIN,
    good=_MESH + _GOOD_JWT + _ADMIN,
)

INVALID_TOKEN_HEADER = Code(
    id="MSH614",
    name="invalid-token-header",
    severity=Severity.ERROR,
    summary="a header that does not hold a token alone",
    why=(
        "Without `header` a token is read from `Authorization: Bearer …` (RFC 6750 §2.1). `header` names another one, "
        "whose whole value is the token."
    ),
    bad=_MESH + _GOOD_JWT.replace(" }", ', header: "authorization" }') + _ADMIN,
    good=_MESH + _GOOD_JWT.replace(" }", ', header: "x-token" }') + _ADMIN,
)

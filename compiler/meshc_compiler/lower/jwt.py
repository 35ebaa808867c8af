"""`jwt NAME { … }`: whose end-user tokens are trusted."""

from __future__ import annotations

from meshc_compiler.finding import Findings, heading, one_of
from meshc_compiler.ir.jwt import TokenIssuer
from meshc_compiler.lower.condition import header_name
from meshc_compiler.lower.field import Fields, duplicate, wrong_type
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import identities, names
from meshc_lang.diagnostic import Label
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree.declaration import JwtDecl
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import Switch

_SCHEME = pattern(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HTTPS = pattern(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?][\x21-\x7e]*)?\Z")
_VISIBLE = pattern(r"[\x21-\x7e]+\Z")
_FILE = pattern(r"[^\x00-\x1f\\:*?\"<>|]+\Z")
_ANY = "any"


def lower_issuers(symbols: SymbolTable, findings: Findings) -> tuple[tuple[TokenIssuer, ...], bool]:
    """Return the issuers by name, and whether some may be missing, because of an error that is told elsewhere."""
    issuers: list[TokenIssuer] = []
    broken = symbols.has_losses
    owners: dict[str, TokenIssuer] = {}
    written = sorted(symbols.of_kind(SymbolKind.JWT), key=lambda symbol: symbol.declaration.span.sort_key)
    for symbol in written:
        declaration = symbol.declaration
        if not isinstance(declaration, JwtDecl):
            continue
        own = Findings()
        issuer = _lower_issuer(declaration, own)
        findings.extend(own.all())
        if issuer is None or own.all():
            broken = True
            continue
        first = owners.setdefault(issuer.issuer, issuer)
        if first is not issuer and first.origin is not None:
            broken = True
            message = f"`{issuer.name}` and `{first.name}` both trust the tokens of `{issuer.issuer}`"
            findings.add(
                identities.SHARED_ISSUER,
                message,
                declaration.name.span,
                related=(Label(heading(first.origin), f"`{first.name}` is declared here"),),
                help="keep one of them, with the audiences of both",
                subject=f"jwt {issuer.name}",
            )
        issuers.append(issuer)
    return tuple(sorted(issuers, key=lambda issuer: issuer.name)), broken


def _lower_issuer(declaration: JwtDecl, findings: Findings) -> TokenIssuer | None:
    name = declaration.name.text
    fields = Fields(declaration.body, f"the jwt `{name}`", "jwt", findings)
    issuer = _issuer(fields, declaration.name.span, findings)
    audiences = _audiences(fields, declaration.name.span, findings)
    jwks = _jwks(fields, declaration.name.span, findings)
    header = _header(fields, findings)
    forward = _forward(fields, findings)
    if issuer is None or audiences is None or jwks is None:
        return None
    return TokenIssuer(
        name=name,
        issuer=issuer,
        audiences=audiences,
        jwks=jwks,
        jwks_is_url=jwks.startswith("https://"),
        header=header,
        forward=forward,
        origin=declaration.span,
    )


def _issuer(fields: Fields, place: Span, findings: Findings) -> str | None:
    value = fields.get("issuer")
    if value is None:
        fields.missing("issuer", 'the `iss` of its tokens, for example `issuer: "https://id.example"`', place)
        return None
    if not isinstance(value, Text):
        wrong_type(findings, "`issuer`", "a text, the `iss` of the tokens", value)
        return None
    scheme = _SCHEME.match(value.text)
    web = scheme is not None and scheme[1].lower() in {"http", "https"}
    if not _VISIBLE.match(value.text) or (web and not _HTTPS.match(value.text)):
        message = f"`{value.text}` is not an issuer that could be trusted"
        help_line = "an `https` URL, letter by letter as in the `iss` of its tokens"
        findings.add(identities.INVALID_ISSUER, message, value.span, help=help_line)
        return None
    return value.text


def _audiences(fields: Fields, place: Span, findings: Findings) -> tuple[str, ...] | None:
    value = fields.get("audiences")
    if value is None:
        help_line = (
            'whom its tokens are for, for example `audiences: ["shop"]`; `audiences: any` takes those for others too'
        )
        fields.missing("audiences", help_line, place)
        return None
    if isinstance(value, Name) and value.text == _ANY:
        return ()
    items = fields.items("audiences", '["shop"]')
    if items is None:
        return None
    seen: dict[str, Span] = {}
    for item in items:
        if not isinstance(item, Text) or not item.text:
            wrong_type(findings, "an audience", "a text in quotes that is not empty", item)
        elif item.text in seen:
            duplicate(findings, f"the audience `{item.text}` is stated twice", item.span, seen[item.text])
        else:
            seen[item.text] = item.span
    if not items:
        findings.add(names.MISSING_FIELD, "`audiences` is empty: no token would count", value.span)
    return tuple(sorted(seen)) or None


def _jwks(fields: Fields, place: Span, findings: Findings) -> str | None:
    value = fields.get("jwks")
    if value is None:
        fields.missing("jwks", 'where its keys are, for example `jwks: "https://id.example/keys.json"`', place)
        return None
    if not isinstance(value, Text):
        wrong_type(findings, "`jwks`", "the `https` URL of the keys, or the path of a file in quotes", value)
        return None
    text = value.text
    scheme = _SCHEME.match(text)
    if scheme is not None:
        if _HTTPS.match(text):
            return text
        problem = "keys are fetched by `https` alone" if scheme[1].lower() == "http" else "it is no `https` URL"
    elif not _FILE.match(text):
        problem = "it is neither an `https` URL nor the path of a file"
    elif text.startswith("/") or ".." in text.split("/"):
        problem = "a file of keys lies in the program's own directory, or below it"
    else:
        return text
    message = f"the keys of `{fields.owner.split('`')[1]}` cannot be taken from `{text}`: {problem}"
    help_line = 'name an `https` URL, or a file beside the program: `jwks: "keys.json"`'
    findings.add(identities.INVALID_KEYS, message, value.span, help=help_line)
    return None


def _header(fields: Fields, findings: Findings) -> str | None:
    value = fields.get("header")
    if value is None:
        return None
    if not isinstance(value, Text):
        wrong_type(findings, "`header`", 'the name of a header in quotes, for example `"x-token"`', value)
        return None
    name = header_name(value.text, value.span, findings)
    taken = {"authorization": "leave `header` out: tokens are read from `Authorization: Bearer …` then"}
    if name in (*taken, "cookie", "host"):
        message = f"a token does not stand alone in the header `{name}`"
        findings.add(identities.INVALID_TOKEN_HEADER, message, value.span, help=taken.get(str(name), ""))
        return None
    return name


def _forward(fields: Fields, findings: Findings) -> bool:
    value = fields.get("forward")
    if value is None:
        return False
    if isinstance(value, Switch):
        return value.on
    wrong_type(findings, "`forward`", one_of(("on", "off")), value)
    return False

"""TLS (`envoy.extensions.transport_sockets.tls.v3`): who is believed, what is shown, asked for and spoken."""

from __future__ import annotations

from meshc_backends.readback.envoy.fields import Message, flag, items, known, text, type_of, typed
from meshc_backends.readback.envoy.text import text_matcher
from meshc_backends.readback.policy import Peer
from meshc_backends.readback.text_match import Comparison
from meshc_backends.readback.unread import UnreadError

_TLS = "envoy.extensions.transport_sockets.tls.v3"
_SOCKET = frozenset({"name", "typed_config"})
_COMMON = frozenset({"tls_params", "tls_certificates", "validation_context", "alpn_protocols"})
_VERSIONS = {"TLSv1_0": "1.0", "TLSv1_1": "1.1", "TLSv1_2": "1.2", "TLSv1_3": "1.3"}
_KINDS = {"URI": "URI", "DNS": "DNS", "IP_ADDRESS": "IP"}


def downstream_peer(socket: object, place: str) -> Peer:
    """Return whom a listener believes."""
    config = known(socket, place, _SOCKET).get("typed_config")
    context = typed(
        config,
        f"{_TLS}.DownstreamTlsContext",
        place,
        frozenset({"@type", "common_tls_context", "require_client_certificate"}),
    )
    required = flag(context, "require_client_certificate", place)
    return _peer(context.get("common_tls_context"), place, None, most="1.3", required=required)


def upstream_peer(socket: object, place: str) -> Peer:
    """Return whom a cluster believes; as a client Envoy speaks nothing above TLS 1.2 unless it is told to."""
    config = known(socket, place, _SOCKET).get("typed_config")
    if type_of(config, place) != f"{_TLS}.UpstreamTlsContext":
        raise UnreadError(place, f"a transport of the type `{type_of(config, place)}`")
    context = known(config, place, frozenset({"@type", "common_tls_context", "sni"}))
    return _peer(context.get("common_tls_context"), place, context.get("sni"), most="1.2", required=True)


def _peer(message: object, place: str, server_name: str | None, *, most: str, required: bool) -> Peer:
    common = known(message, place, _COMMON)
    params = known(
        common.get("tls_params", {}),
        place,
        frozenset({"tls_minimum_protocol_version", "tls_maximum_protocol_version"}),
    )
    validation = known(
        common.get("validation_context", {}), place, frozenset({"trusted_ca", "match_typed_subject_alt_names"})
    )
    roots = validation.get("trusted_ca")
    return Peer(
        names=frozenset(_name(one, place) for one in items(validation, "match_typed_subject_alt_names", place)),
        # Without roots Envoy asks for no proof at all.
        roots="" if roots is None else _file(roots, place),
        own=_own(common, place),
        server_name=server_name,
        protocols=tuple(items(common, "alpn_protocols", place)),
        versions=(
            _version(params, "tls_minimum_protocol_version", place, "1.2"),
            _version(params, "tls_maximum_protocol_version", place, most),
        ),
        required=required,
    )


def _version(params: Message, field: str, place: str, default: str) -> str:
    value = params.get(field)
    if value is None or value == "TLS_AUTO":
        return default
    if value not in _VERSIONS:
        raise UnreadError(place, f"`{field}` of {value!r}")
    return _VERSIONS[value]


def _name(message: object, place: str) -> tuple[str, str]:
    matcher = known(message, place, frozenset({"san_type", "matcher"}))
    kind = matcher.get("san_type")
    if kind not in _KINDS:
        raise UnreadError(place, f"a name of the kind {kind!r}")
    compared = text_matcher(matcher.get("matcher"), place)
    match compared.comparison:
        case Comparison.EXACT:
            return _KINDS[kind], compared.text
        case Comparison.PREFIX:
            return _KINDS[kind], f"{compared.text}*"
        case _:
            raise UnreadError(place, f"names compared by `{compared.comparison}`")


def _own(common: Message, place: str) -> tuple[str, str] | None:
    certificates = items(common, "tls_certificates", place)
    if not certificates:
        return None
    if len(certificates) > 1:
        raise UnreadError(place, "several certificates")
    own = known(certificates[0], place, frozenset({"certificate_chain", "private_key"}))
    return _file(own.get("certificate_chain"), place), _file(own.get("private_key"), place)


def _file(message: object, place: str) -> str:
    source = known(message, place, frozenset({"filename"}))
    return text(source, "filename", place)

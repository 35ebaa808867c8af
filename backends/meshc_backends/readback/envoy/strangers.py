"""The virtual host of all names that nobody has: it may only refuse."""

from __future__ import annotations

from meshc_backends.readback.envoy.fields import Message, items, known
from meshc_backends.readback.envoy.text import text_matcher
from meshc_backends.readback.language import NOTHING, Language
from meshc_backends.readback.text_match import matcher_language
from meshc_backends.readback.unread import UnreadError

_EVERY_PATH = {"prefix": "/"}


def hosts_refused(host: Message, place: str) -> Language:
    """Return the values of `Host` that are answered with 403; all others are with 404."""
    # The first, of spellings that are refused whomever they are for, has been read.
    routes = [
        known(one, place, frozenset({"name", "match", "direct_response"})) for one in items(host, "routes", place)[1:]
    ]
    refused = NOTHING
    answers = [route.get("direct_response") for route in routes]
    if answers not in ([{"status": 404}], [{"status": 403}, {"status": 404}]) or routes[-1].get("match") != _EVERY_PATH:
        raise UnreadError(place, "something else than 403 and 404 for names that nobody has")
    if len(routes) > 1:
        match = known(routes[0].get("match"), place, frozenset({"prefix", "headers"}))
        asked = [known(one, place, frozenset({"name", "string_match"})) for one in items(match, "headers", place)]
        if match.get("prefix") != "/" or len(asked) != 1 or asked[0].get("name") != ":authority":
            raise UnreadError(place, "another choice between 403 and 404 than by `Host`")
        refused = matcher_language(text_matcher(asked[0].get("string_match"), place))
    return refused

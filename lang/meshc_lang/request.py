"""A request, and the one notation for it that tests, witnesses and commands share."""

from __future__ import annotations

from meshc_lang.json_string import json_text
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span

PLAINTEXT = "plaintext"
"""The caller's name of a request that bears no mesh identity."""

_BARE_KEY = pattern(r"[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call: who calls whom, on which port, and what the call says.

    `caller` is a workload's name, a SPIFFE ID, `ingress` or `plaintext`. `port` is a port's name where the callee has
    several, else None. `protocol` is one of `http`, `rpc`, `tcp`: the form in which it was written. An rpc is a POST
    on `/package.Service/Method`. `path` is as sent, without the query. `headers` keeps repeated lines, in order.
    """

    caller: str
    callee: str
    port: str | None = None
    protocol: str = "http"
    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The request in the notation of a `test` block; it can be pasted back."""
        to = self.callee if self.port is None else f"{self.callee}.{self.port}"
        caller = self.caller if _BARE_KEY.match(self.caller) else _quoted(self.caller)
        words = [caller, "->", to]
        match self.protocol:
            case "tcp":
                words.append("tcp")
            case "rpc":
                words += ["rpc", self.path.removeprefix("/")]
            case _:
                words += [self.method, self.path + (f"?{self.query}" if self.query else "")]
        if self.headers:
            words.append(_map_text(self.headers))
        if self.claims:
            words += ["claims", _map_text(self.claims)]
        return " ".join(words)

    def __str__(self) -> str:
        return self.text


def _map_text(pairs: tuple[tuple[str, str], ...]) -> str:
    def key(text: str) -> str:
        return text if _BARE_KEY.match(text) else _quoted(text)

    return "{" + ", ".join(f"{key(name)}: {_quoted(value)}" for name, value in pairs) + "}"


def _quoted(text: str) -> str:
    # JSON leaves DEL as it is, and a string of the language holds no control character.
    return json_text(text).replace("\x7f", "\\u007f")

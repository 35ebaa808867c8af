"""A question to the three voices: a request, and how it is sent. And what was seen of the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from meshc_lang.request import Request
from support.agreement_client import Answer
from support.recorder import Received


class Entrance(StrEnum):
    """Where a request enters the mesh."""

    OUTBOUND = "through the caller's sidecar"
    """As the caller's workload sends it."""
    INBOUND = "straight to the callee's sidecar"
    """As anybody with a certificate, or without one, could."""


class Credential(StrEnum):
    """What is shown to the callee's sidecar where the caller's own certificate is not."""

    OWN = "the caller's certificate"
    PLAINTEXT = "no TLS at all"
    NONE = "TLS without a certificate"
    EXPIRED = "the caller's certificate, expired"
    ROGUE = "the caller's name, signed by another authority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One request to be sent to each voice.

    `request` is what the evaluator judges. The rest is about the sending: `script` for the stand-ins (`recorder`),
    `host` where not the callee's first name, `server_name` where not the right one, `body` to be sent along,
    `http2` to send it so, `absolute` to write the whole URI on the request line, `second_host` for another line `Host`.
    """

    request: Request
    entrance: Entrance = Entrance.OUTBOUND
    credential: Credential = Credential.OWN
    script: str = "200"
    host: str | None = None
    server_name: str | None = None
    body: bytes = b""
    http2: bool = False
    absolute: bool = False
    second_host: str | None = None
    why: str = ""

    @property
    def text(self) -> str:
        """The request in the notation of a `test` block, and how it is sent."""
        manner = "" if self.entrance is Entrance.OUTBOUND else f"  [{self.entrance}"
        if manner:
            manner += f", {self.credential}]" if self.credential is not Credential.OWN else "]"
        extra = [f"Host {self.host}"] if self.host is not None else []
        extra += [f"SNI {self.server_name}"] if self.server_name is not None else []
        extra += [f"callee does: {self.script}"] if self.script != "200" else []
        extra += [self.why] if self.why else []
        text = self.request.text.encode("ascii", "backslashreplace").decode()
        text = re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text)
        return text + manner + (f"  ({'; '.join(extra)})" if extra else "")


@dataclass(frozen=True, slots=True)
class Observation:
    """What one mesh did with one request: the answer, and every try as the stand-ins saw it.

    `number` is the one under which it was recorded; `hung_up` counts connections to places that
    get no requests.
    """

    answer: Answer
    tries: tuple[Received, ...] = field(default=())
    seconds: float = 0.0
    number: str = ""
    hung_up: int = 0

    @property
    def count(self) -> int:
        """Return the number of tries, with those to which the other side hung up."""
        return len(self.tries) + self.hung_up

    @property
    def text(self) -> str:
        """The observation as a phrase."""
        got = str(self.answer.status) if self.answer.status is not None else f"no answer ({self.answer.reason})"
        if self.hung_up:
            got = f"{got}; hung up on {self.hung_up} times"
        if not self.tries:
            return f"{got}, nothing reached a workload"
        seen = ", ".join(f"{one.place} got {one.method} {one.target!r}" for one in self.tries)
        return f"{got} after {self.seconds * 1000:.0f} ms; {len(self.tries)} tries: {seen}"

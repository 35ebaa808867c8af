"""What all parts of a snapshot share: how they are read, and the words that they use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Protocol = Literal["http", "http2", "grpc", "tcp", "tls"]
Effect = Literal["allow", "deny"]

PortNumber = Annotated[int, Field(ge=1, le=65535)]
Milliseconds = Annotated[int, Field(ge=1, le=86_400_000)]
Name = Annotated[str, Field(min_length=1, max_length=320)]  # a host, a port and what tells two apart
HostName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9._-]+$|^\[[0-9a-f:.]+\]$")]
ServerName = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$")]
HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]+$", max_length=256)]
Method = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_-]*$", max_length=32)]
SpiffeUri = Annotated[str, Field(pattern=r"^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$", max_length=2048)]


class Part(BaseModel):
    """A part of the snapshot: closed, immutable, without silent type conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

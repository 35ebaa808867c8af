"""What of a call chooses its instance, where balancing goes by a hash."""

from __future__ import annotations

from meshc_runtime.condition import Headers
from meshc_runtime.cookie import cookie_values
from meshc_runtime.snapshot import HashKey


def hashed_value(key: HashKey, headers: Headers, source: bytes) -> bytes | None:
    """The value to hash; null where the call has none, and any instance will do."""
    match key.kind:
        case "source":
            return source or None
        case "header":
            lines = headers.get(key.name)
            return None if lines is None else b",".join(sorted(lines))
        case "cookie":
            values = cookie_values(headers, key.name.encode())
            return values[0] if values else None

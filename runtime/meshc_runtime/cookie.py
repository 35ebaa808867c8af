"""Cookies of a request (RFC 6265 section 4.2.1), as conditions, limits and balancing see them."""

from __future__ import annotations

from meshc_runtime.condition import Headers


def cookie_values(headers: Headers, name: bytes) -> list[bytes]:
    """The values of all cookies of this name, without white space and the quotes around them."""
    values: list[bytes] = []
    for line in headers.get("cookie", ()):
        for pair in line.split(b";"):
            found, equals, value = pair.strip(b" \t").partition(b"=")
            if equals and found == name:
                values.append(value[1:-1] if len(value) >= 2 and value[:1] == value[-1:] == b'"' else value)
    return values

"""Other spellings of a path: those by which proxies and applications have been led to read one request differently."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spelling:
    """A request target, and what is odd about it. The text is bytes read as Latin-1."""

    target: str
    oddity: str


def spellings(path: str) -> Iterator[Spelling]:
    """Yield spellings of a canonical path: some mean the same, some another path, some are to be refused."""
    bare = path.rstrip("/") or "/x"
    parent, _, last = bare.rpartition("/")
    first = bare.split("/")[1]
    letters = next((i for i, c in enumerate(last) if c.isalnum()), None)

    # the root
    yield Spelling("//", "slashes alone")
    yield Spelling("/.", "the root, by a dot")
    yield Spelling("/../..", "the root, from above")
    yield Spelling("//..//", "the root, by slashes and dots")

    # slashes
    yield Spelling(bare + "/", "slash at the end")
    yield Spelling(bare + "//", "two slashes at the end")
    yield Spelling("/" + bare, "two slashes at the front")
    yield Spelling(f"{parent}///{last}", "three slashes inside")

    # dots
    yield Spelling(f"{parent}/./{last}", "segment of one dot")
    yield Spelling(f"{parent}/%2e/{last}", "segment of one escaped dot")
    yield Spelling(bare + "/.", "dot at the end")
    yield Spelling(f"/elsewhere/..{bare}", "there and back")
    yield Spelling(f"{bare}/../{last}", "back and there")
    yield Spelling(f"{bare}/..", "the parent")
    yield Spelling(f"{bare}/x/..", "the child's parent")
    yield Spelling(f"/../..{bare}", "above the root")
    yield Spelling(f"/elsewhere/%2e%2e{bare}", "escaped dots")
    yield Spelling(f"/elsewhere/.%2E{bare}", "one escaped dot of two")
    yield Spelling(f"/elsewhere//..{bare}", "empty segment before dots")
    yield Spelling(f"{parent}//../{last}", "dots after an empty segment")
    yield Spelling(f"/...{bare}", "three dots")

    # parameters
    yield Spelling(bare + ";x", "parameter")
    yield Spelling(bare + ";", "empty parameter")
    yield Spelling(f"/{first};v=1{bare[len(first) + 1 :]}", "parameter on the first segment")
    yield Spelling(f"/elsewhere/..;{bare}", "dots with parameter")
    yield Spelling(f"/elsewhere/..;a=b{bare}", "dots with named parameter")
    yield Spelling(f"{parent}/.;x/{last}", "dot with parameter")
    yield Spelling(f"/elsewhere/%2e%2e;{bare}", "escaped dots with parameter")
    yield Spelling(f"/elsewhere/..%3B{bare}", "dots with escaped parameter")

    # escapes
    yield Spelling(f"{parent}%2F{last}", "escaped slash")
    yield Spelling(f"{parent}%2f{last}", "escaped slash, lower case")
    yield Spelling(f"{parent}%5C{last}", "escaped backslash")
    yield Spelling(f"{parent}%5c{last}", "escaped backslash, lower case")
    yield Spelling(f"{parent}/..%2F{last}", "dots and escaped slash")
    yield Spelling(f"{parent}/%252e%252e/{last}", "dots escaped twice")
    yield Spelling(f"{parent}%252F{last}", "slash escaped twice")
    if letters is not None:
        code = f"%{ord(last[letters]):02x}"
        escaped = last[:letters] + code + last[letters + 1 :]
        yield Spelling(f"{parent}/{escaped}", "escaped letter")
        yield Spelling(f"{parent}/{escaped.replace(code, code.upper())}", "escaped letter, upper case")
        swapped = last[:letters] + last[letters].swapcase() + last[letters + 1 :]
        yield Spelling(f"{parent}/{swapped}", "letter of the other case")
    yield Spelling("/" + "".join(f"%{ord(c):02X}" for c in first) + bare[len(first) + 1 :], "a segment all escaped")
    yield Spelling(bare + "%7Ex%5f", "escaped unreserved marks")
    yield Spelling(bare + "%3a%c3%a9", "escapes in lower case")
    yield Spelling(bare + "%3A%C3%A9", "escapes in upper case")
    yield Spelling(bare + "%20%22%23%3F%25", "escapes that stay")
    yield Spelling(bare + "%00", "escaped NUL")
    yield Spelling(bare + "%", "percent at the end")
    yield Spelling(bare + "%4", "half an escape")
    yield Spelling(bare + "%zz", "escape that is none")

    if "%" in bare:
        lower = re.sub("%..", lambda escape: escape[0].lower(), bare)
        yield Spelling(lower, "the path's own escapes in lower case")
        yield Spelling(bare.replace("%", "%25"), "the path's own escapes escaped")
        yield Spelling(
            re.sub("%..", lambda escape: chr(int(escape[0][1:], 16)), bare), "the path's own escapes decoded"
        )
    marks = "".join(f"%{ord(c):02X}" if c in "@+()=&$!*,:;" else c for c in bare)
    if marks != bare:
        yield Spelling(marks, "the path's own marks escaped")
        yield Spelling(marks.lower(), "the path's own marks escaped, lower case")

    # other characters
    yield Spelling(f"{parent}\\{last}", "backslash")
    yield Spelling(f"{parent}\\..\\{last}", "backslashes and dots")
    yield Spelling(bare + "#top", "fragment")
    yield Spelling(bare + "#/../x", "fragment with dots")
    yield Spelling(bare + "\xc3\xa9", "raw UTF-8")
    yield Spelling(bare + "\xff", "raw byte that is not UTF-8")
    yield Spelling(bare + "\x00", "raw NUL")
    yield Spelling(bare + "\x7f", "raw DEL")
    yield Spelling(bare + "\x09x", "raw tab")
    yield Spelling(bare + "!$&'()*+,=:@-._~", "all marks that need no escape")
    yield Spelling(bare + '"<>^`{|}', "visible marks that RFC 3986 does not allow")
    yield Spelling(bare.lstrip("/"), "no slash at the front")

    # queries
    yield Spelling(bare + "?x=/admin", "query with a path")
    yield Spelling(bare + "?", "empty query")
    yield Spelling(bare + "?a=%2F..%5c%00&b=//../%zz?", "query to be kept verbatim")
    yield Spelling("/elsewhere?" + bare, "the path in the query")
    yield Spelling(f"/elsewhere?/..{bare}", "dots in the query")

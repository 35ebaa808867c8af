r"""Spellings of a path: what Envoy's normalisation leaves over and nobody should forward is answered with 400.

Envoy decodes escapes of unreserved characters, resolves dot segments (with parameters too), takes `\` for `/`, merges
slashes, escapes `"<>^`{|}` and refuses escaped slashes, NUL, controls and bytes above 0x7E by itself, all before any
rule is asked. What passes: malformed escapes, dot segments whose dots were escaped and that have parameters, and a path
of slashes alone, which is merged into two. The spellings below are refused on the path as it would be forwarded; the
third stands guard over the normalisation itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshc_compiler.ir.match import PathRegex, RequestMatch

# The escapes of unreserved characters (RFC 3986 §2.3): `-`, `.`, digits, letters, `_`, `~`.
_UNRESERVED = "2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee]"

_REFUSED = (
    ".*//.*",  # an empty segment
    ".*%[0-9A-Fa-f]?(?:[^0-9A-Fa-f].*)?",  # a malformed escape
    f".*%(?:{_UNRESERVED}|2[Ff]|5[Cc]|00).*",  # an escape that should not be there any more
    "(?:.*/)?\\.{1,2};.*",  # a dot segment with parameters
)

_LOWER_CASE_ESCAPE = ".*%(?:[a-f].|.[a-f]).*"
"""Refused where a rule has a path expression: it is about canonical paths, whose escapes are in upper case."""


def refused_spellings(matches: Iterable[RequestMatch]) -> str:
    """Return the expression (RE2, on the whole path without its query) of what is refused before these matches.

    Templates know the escapes of either case; the program's own expressions cannot be made to.
    """
    expressions = any(isinstance(match.path, PathRegex) for match in matches)
    return "|".join((*_REFUSED, _LOWER_CASE_ESCAPE) if expressions else _REFUSED)

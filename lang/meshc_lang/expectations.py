"""What a statement needs at the place where reading it failed, in words: from the terminals that could follow."""

from __future__ import annotations

__all__ = ["CLAIMS", "VALUES", "can_end", "needed"]

VALUES = frozenset({"DURATION", "PERCENT", "SIZE", "SWITCH", "DECIMAL", "PATH", "PORT", "RATE", "INT", "STRING"})
"""Terminals of which several are expected only where a value may stand."""

CLAIMS = "`never`, `always`, `only`, `every edge`, `mtls`, or a bound such as `attempts(web -> api) <= 8`"
"""What an assert may say."""

_CONDITIONS = {"assert": "edge.timeout <= 4s", "group": 'service.pci == "true"'}

_PEER = "a service, external or group"


def can_end(accepts: frozenset[str]) -> bool:
    """Tell whether what was read so far is whole."""
    return bool(accepts & {"_NL", "$END"})


def needed(accepts: frozenset[str], before: str, before_type: str, keyword: str) -> str:
    """Say what must come next.

    Args:
        accepts: The terminals that may follow.
        before: The text of the last token read; empty where a line begins.
        before_type: The terminal of the last token; empty where a line begins.
        keyword: The word the statement begins with; empty for a request on the command line.
    """
    return _needed(accepts, before, before_type, keyword).replace(" after ``", "")


def _needed(accepts: frozenset[str], before: str, before_type: str, keyword: str) -> str:
    if len(accepts & VALUES) > 4:
        if keyword == "use" and before_type in ("LPAR", "COMMA", ""):
            return "what a parameter stands for, or a closing `)`"
        return "a value after the colon" if before_type == "COLON" else f"a value after `{before}`"
    if "METHOD" in accepts:
        return _matcher(before, before_type)
    if {"PATH", "TILDE"} <= accepts:
        return f"a path after the method `{before}`"
    if "REQUEST_METHOD" in accepts or "TARGET" in accepts:
        return _request_words(accepts, before)
    if "ALLOWED" in accepts:
        return f"`allowed`, `denied`, `routed`, `by` or a setting after `{before}`"
    if before_type == "PER":
        return 'an attribute after `per`, such as `header "x-user"`'
    if "HEADER" in accepts:
        example = _CONDITIONS.get(keyword, 'header "x-beta" == "1"')
        return f"a condition after `{before}`, such as `{example}`"
    if "WHERE" in accepts:
        return f"{_PEER} after `{before}`"
    if "ANY" in accepts:
        return _peer(before, before_type, keyword)
    for terminal in accepts:
        special = _SPECIAL.get((keyword, before_type, terminal))
        if special is not None:
            return special.format(before=before)
    for terminal, words in _SINGLE:
        if terminal in accepts:
            return words.format(before=before)
    if "STRING" in accepts and "NAME" not in accepts:
        return _string(before, before_type)
    if "NAME" in accepts:
        return _name(accepts, before, before_type, keyword)
    return f"something else after `{before}`"


_SPECIAL = {
    ("assert", "RPAR", "EQUAL"): "a comparison and its bound after `)`, as in `<= 8`",
    ("assert", "EVERY", "EDGE"): "`edge` after `every`",
    ("import", "IMPORT", "STRING"): 'a file in quotes after `import`, as in `"lib.mesh"`',
    ("import", "NAME", "STRING"): "a file or folder in quotes after `{before}`",
    ("import", "FOR", "NAME"): "a service after `for`",
    ("let", "NAME", "ASSIGN"): "`=` and its value after the name `{before}`",
    ("fault", "NAME", "ON"): "`on` and an edge after the name `{before}`",
    ("set", "NAME", "COLON"): "`:` and a value after `{before}`",
    ("set", "SET", "NAME"): "the path of what changes after `set`, such as `stripe.hosts`",
    ("drop", "DROP", "NAME"): "the path of what goes after `drop`, such as `api.route.canary`",
    ("template", "LPAR", "NAME"): "the name of a parameter, or a closing `)`",
    ("template", "NAME", "RPAR"): "another parameter, or a closing `)`",
    ("use", "USE", "NAME"): "the name of a template after `use`",
    ("route", "RESPOND", "INT"): "a status after `respond`, such as `404`",
    ("route", "REDIRECT", "STRING"): "an address in quotes after `redirect`",
    ("test", "BY", "NAME"): "the name of a rule after `by`",
    ("mirror", "MIRROR", "NAME"): "a service after `mirror`",
    ("mirror", "DOUBLE_ARROW", "NAME"): "a target after `=>`, such as `api.v2`",
}
"""What is needed in a kind of statement, behind a terminal, where another may stand."""

_SINGLE = (
    ("NEVER", f"one of {CLAIMS} after `assert`"),
    ("EQUAL", "a comparison after the attribute: `==`, `!=`, `present` or `in […]`"),
    ("DOUBLE_ARROW", "`=>` and a target after `{before}`"),
    ("ARROW", "`->` and a callee after the caller `{before}`"),
    ("IS", "`is` and what is expected after `{before}`"),
    ("RATE", "a rate after the callee, such as `500/s`"),
    ("REGEX", "a regular expression in quotes after `~`"),
    ("RPC_NAME", "a method after `rpc`, such as `pay.v1.Payments/Charge`"),
    ("HAS", "`has` and a condition after `{before}`, as in `has edge.timeout <= 4s`"),
    ("LPAR", "what stands in parentheses after `{before}`"),
    ("COLON", "`:` and what it says, or a block, after `{before}`"),
    ("ASSIGN", "`=` and its members after the name `{before}`"),
    ("INT", "a whole number after `{before}`"),
    ("LBRACE", "a block `{{ … }}` after `{before}`"),
    ("METHOD", "another method after `|`"),
    ("DOT", "`.` after `{before}`"),
    ("RPAR", "a closing `)` after `{before}`"),
    ("RSQB", "a closing `]` after `{before}`"),
    ("DURATION", "another duration after `..`, as in `25ms..250ms`"),
)
"""Terminals that alone tell the place, the most telling first."""


def _matcher(before: str, before_type: str) -> str:
    if before_type == "COLON":
        return "a method and a path after the colon, such as `GET /v1/orders`"
    if before_type == "BAR":
        return "another method after `|`"
    if before_type == "COMMA":
        return "another grant after the comma"
    if before_type == "LBRACE":
        return "a method and a path, such as `GET /v1/orders`"
    return f"a method and a path after `{before}`, such as `GET /v1/orders`"


def _request_words(accepts: frozenset[str], before: str) -> str:
    if "REQUEST_METHOD" in accepts:
        return f"what is asked of `{before}`: a method and a path, an `rpc` or `tcp`"
    return f"a path after the method `{before}`"


def _peer(before: str, before_type: str, keyword: str) -> str:
    if before_type == "ARROW":
        return "a callee after `->`"
    if before.lower() == keyword or before_type in ("NEVER", "ALWAYS", "ONLY", "LPAR", "ON", "LBRACE", ""):
        return f"a caller and a callee after `{before}`, as in `web -> api`"
    return f"{_PEER} after `{before}`"


def _string(before: str, before_type: str) -> str:
    match before_type:
        case "BECAUSE":
            return "a reason in quotes after `because`"
        case "TEST":
            return "a name in quotes after `test`"
        case "HEADER" | "QUERY" | "CLAIM" | "COOKIE":
            return f"a name in quotes after `{before}`"
        case _:
            return f"a text in quotes after `{before}`"


def _name(accepts: frozenset[str], before: str, before_type: str, keyword: str) -> str:
    match before_type:
        case "DOUBLE_ARROW":
            return "a target after `=>`, such as a version"
        case "AS":
            return "a name after `as`"
        case "OVER":
            return "the name of another rule after `over`"
        case "DOT":
            return "a name after the dot"
        case "ROUTED":
            return "a target after `routed`"
        case "COMMA" if "STRING" not in accepts:
            return "another name after the comma"
    if "STRING" in accepts:
        return "a key and a value, such as `timeout: 5s`"
    return f"a name after `{before}`" if before else f"a name for the `{keyword}`"

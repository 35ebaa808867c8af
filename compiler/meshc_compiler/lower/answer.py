"""What a route answers itself: `=> redirect "https://…"` and `=> respond 404`."""

from __future__ import annotations

from typing import assert_never

from meshc_compiler.finding import Findings
from meshc_compiler.ir import route as ir
from meshc_lang.codes import routing
from meshc_lang.json_string import json_ascii
from meshc_lang.pattern import pattern
from meshc_lang.tree import target as tree

_LEAST, _MOST = 200, 599
"""Final statuses (RFC 9110 §15): those below 200 are no answers, and above 599 there are none."""

_LOCATION = pattern(r"(?:https?://[^/?#\s]+|/(?!/))[\x21-\x7e]*\Z")
"""A whole URL, or a path on the same host (RFC 9110 §10.2.2)."""


def lower_answer(answer: tree.Answer, findings: Findings) -> ir.Answer | None:
    """Return what is answered, or tell that nobody could be answered so."""
    match answer:
        case tree.Redirect():
            location = answer.location.text
            if _LOCATION.match(location):
                return ir.Redirect(location=location)
            message = f"`{location}` is not where a caller can be sent"
            help_line = "a whole URL in visible ASCII, for example `https://shop.example/`, or a path"
            findings.add(routing.INVALID_ANSWER, message, answer.location.span, help=help_line)
            return None
        case tree.Respond():
            status = answer.status.value
            if _LEAST <= status <= _MOST:
                return ir.Respond(status=status)
            message = f"an answer has a status from {_LEAST} to {_MOST}, and this is {status}"
            findings.add(routing.INVALID_ANSWER, message, answer.status.span)
            return None
        case _:
            assert_never(answer)


def answer_text(answer: ir.Answer) -> str:
    """Return an answer as it is written."""
    match answer:
        case ir.Redirect():
            return f"redirect {json_ascii(answer.location)}"
        case ir.Respond():
            return f"respond {answer.status}"
        case _:
            assert_never(answer)

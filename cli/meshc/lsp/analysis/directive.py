"""Comments that suppress findings, as an editor meets them: the codes that they name."""

from __future__ import annotations

import re

from meshc.lsp.analysis.document import Cursor
from meshc_lang.codes import CODES, Code
from meshc_lang.source import Span

_DIRECTIVE = re.compile(r"#\s*meshc:\s*ignore(?:-file)?\[(?P<codes>[^\]\r\n]*)")
_CODE = re.compile(r"[A-Za-z0-9-]+")


def code_named(text: str) -> Code | None:
    """Return a code by its number or its name."""
    return CODES.get(text.upper()) or next((code for code in CODES.values() if code.name == text.lower()), None)


def directive_code_at(cursor: Cursor) -> tuple[Code, Span] | None:
    """Return the code that a suppressing comment names at a place, and where."""
    relative = cursor.offset - cursor.base
    for comment in cursor.stretch.reading.comments:
        if not comment.span.start <= relative <= comment.span.end:
            continue
        directive = _DIRECTIVE.match(comment.text)
        if directive is None:
            return None
        for found in _CODE.finditer(comment.text, directive.start("codes"), directive.end("codes")):
            start, end = comment.span.start + found.start(), comment.span.start + found.end()
            code = code_named(found[0])
            if start <= relative <= end and code is not None:
                return code, cursor.stretch.source.span(start, end)
    return None


def is_naming_codes(comment: str) -> bool:
    """Tell whether a comment, up to the cursor, is about to name the codes that it suppresses."""
    directive = _DIRECTIVE.match(comment)
    return directive is not None and directive.end() == len(comment)

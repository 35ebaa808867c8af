"""Findings, spans and requests as JSON, by the contract that scripts rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meshc_lang.diagnostic import Diagnostic, Edit, fingerprints
from meshc_lang.request import Request
from meshc_lang.source import Span

if TYPE_CHECKING:
    from meshc.render.report import Report

VERSION = 1

Json = dict[str, Any]


def document(*, one_line: bool = False, **members: Any) -> str:
    """Return a JSON object that says its version first, as text with a line end."""
    return json.dumps({"version": VERSION, **members}, indent=None if one_line else 2) + "\n"


def span_json(span: Span | None) -> Json | None:
    """Return a place: file, line, column and where it ends, all from 1; columns are characters."""
    if span is None:
        return None
    first, last = span.first, span.last
    return {
        "file": span.source.path,
        "line": first.line,
        "column": first.column,
        "end_line": last.line,
        "end_column": last.column,
        **({"notes": list(span.notes)} if span.notes else {}),
    }


def request_json(request: Request | None) -> Json | None:
    """Return a request by its parts; a header or claim that is repeated has its values in a list."""
    if request is None:
        return None
    return {
        "text": request.text,
        "from": request.caller,
        "to": request.callee,
        "port": request.port,
        "protocol": request.protocol,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": _grouped(request.headers),
        "claims": _grouped(request.claims),
    }


def edit_json(edit: Edit) -> Json:
    """Return a replacement: what it replaces, and by what."""
    return {"span": span_json(edit.span), "text": edit.text}


def finding_json(diagnostic: Diagnostic, fingerprint: str = "") -> Json:
    """Return a finding with everything that the text shows; `fingerprint` is the one that it has in its run."""
    return {
        "code": diagnostic.code.id,
        "name": diagnostic.code.name,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "label": diagnostic.label,
        "help": diagnostic.help,
        "primary": span_json(diagnostic.primary),
        "related": [{"span": span_json(label.span), "label": label.text} for label in diagnostic.related],
        "witness": request_json(diagnostic.witness),
        "fixes": [
            {
                "title": fix.title,
                "applicability": fix.applicability.value,
                "edits": [edit_json(edit) for edit in fix.edits],
            }
            for fix in diagnostic.fixes
        ],
        "fingerprint": fingerprint or diagnostic.fingerprint,
    }


def findings_document(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Return all findings as one JSON document."""
    told = zip(diagnostics, fingerprints(diagnostics), strict=True)
    return document(findings=[finding_json(diagnostic, fingerprint) for diagnostic, fingerprint in told])


def report_document(report: Report, *, one_line: bool) -> str:
    """Return a run's findings as one JSON document; those that are kept silent, if there are, under a key of theirs."""
    findings = [finding_json(entry.diagnostic, entry.fingerprint) for entry in report.told]
    silent = [
        finding_json(entry.diagnostic, entry.fingerprint)
        | {
            "suppression": {
                "reason": entry.suppressed.directive.reason,
                "until": entry.suppressed.directive.until and entry.suppressed.directive.until.isoformat(),
                "span": span_json(entry.suppressed.directive.span),
            }
        }
        for entry in report.entries
        if entry.suppressed is not None
    ]
    return document(one_line=one_line, findings=findings, **({"suppressed": silent} if silent else {}))


def _grouped(pairs: tuple[tuple[str, str], ...]) -> dict[str, str | list[str]]:
    grouped: dict[str, str | list[str]] = {}
    for name, value in pairs:
        match grouped.get(name):
            case None:
                grouped[name] = value
            case str(one):
                grouped[name] = [one, value]
            case several:
                several.append(value)
    return grouped

"""Findings as a code quality report, which GitLab shows beside the lines of a merge request."""

from __future__ import annotations

import json

from meshc.render.json import Json
from meshc.render.report import Entry, Report
from meshc_lang.diagnostic import Severity

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def gitlab_document(report: Report) -> str:
    """Return the findings as one array, empty where there are none."""
    return json.dumps([_issue(entry) for entry in report.told], indent=2) + "\n"


def _issue(entry: Entry) -> Json:
    diagnostic = entry.diagnostic
    first, last = diagnostic.primary.first, diagnostic.primary.last
    shown = "" if diagnostic.witness is None else f" (witness: {diagnostic.witness.text})"
    return {
        "description": f"{diagnostic.code}: {diagnostic.message}{shown}",
        "check_name": diagnostic.code.id,
        "fingerprint": entry.fingerprint,
        "severity": _SEVERITIES[diagnostic.severity],
        "location": {
            "path": diagnostic.primary.source.path,
            "positions": {
                "begin": {"line": first.line, "column": first.column},
                "end": {"line": last.line, "column": last.column},
            },
        },
    }

"""Findings as SARIF 2.1.0 (OASIS standard, errata 01), as code scanning takes them."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from meshc.render.json import Json, request_json
from meshc.render.report import Entry, Report
from meshc.version import compiler_version
from meshc_lang.codes import FAMILIES, Code, Severity
from meshc_lang.diagnostic import Diagnostic, Fix
from meshc_lang.source import SourceText, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "%SRCROOT%"
"""The base of all relative paths: the directory in which meshc runs."""

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SECURITY = ("MSH3", "MSH6")


def sarif_document(report: Report) -> str:
    """Return a log of one run, with a rule for each code that occurs; the same findings give the same bytes."""
    rules = sorted({entry.diagnostic.code.id: entry.diagnostic.code for entry in report.entries}.items())
    numbers = {id_: number for number, (id_, _) in enumerate(rules)}
    suppressing = any(entry.suppressed is not None for entry in report.entries)
    run: Json = {
        "tool": {
            "driver": {
                "name": "meshc",
                "version": compiler_version(),
                "rules": [_rule(code) for _, code in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The directory in which meshc was run."}}},
        "results": [_result(entry, numbers, suppressing) for entry in report.entries],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: Code) -> Json:
    families = [title for module, title in FAMILIES if code in vars(module).values()]
    tags = [*families[:1], *(["security"] if code.id.startswith(_SECURITY) else [])]
    return {
        "id": code.id,
        "name": code.name,
        "shortDescription": {"text": _sentence(code.summary)},
        "fullDescription": {"text": code.why},
        "help": {"text": _help_text(code), "markdown": _help_markdown(code)},
        "defaultConfiguration": {"level": _LEVELS[code.severity]},
        "properties": {"tags": tags, "precision": "very-high", "problem.severity": _problem(code.severity)},
    }


def _problem(severity: Severity) -> str:
    return "recommendation" if severity is Severity.INFO else severity.value


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _help_text(code: Code) -> str:
    parts = [_sentence(code.summary), code.why]
    if code.bad:
        parts += ["Yields it:", code.bad.strip(), "Put right:", code.good.strip()]
    return "\n\n".join(parts)


def _help_markdown(code: Code) -> str:
    parts = [f"# {code.id} {code.name}", _sentence(code.summary), code.why]
    if code.bad:
        parts += ["Yields it:", f"```\n{code.bad.strip()}\n```", "Put right:", f"```\n{code.good.strip()}\n```"]
    return "\n\n".join(parts)


def _result(entry: Entry, numbers: dict[str, int], suppressing: bool) -> Json:
    diagnostic = entry.diagnostic
    place = _location(diagnostic.primary, diagnostic.label)
    result: Json = {
        "ruleId": diagnostic.code.id,
        "ruleIndex": numbers[diagnostic.code.id],
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": _message(diagnostic)},
        "locations": [place],
        "partialFingerprints": {"meshcFinding/v1": entry.fingerprint},
    }
    if diagnostic.related:
        result["relatedLocations"] = [
            {"id": number, **_location(label.span, label.text)} for number, label in enumerate(diagnostic.related)
        ]
    if diagnostic.fixes:
        result["fixes"] = [_fix(fix) for fix in diagnostic.fixes]
    if diagnostic.witness is not None:
        result["properties"] = {"witness": request_json(diagnostic.witness)}
    if entry.suppressed is not None:
        directive = entry.suppressed.directive
        result["suppressions"] = [
            {
                "kind": "inSource",
                "status": "accepted",
                "justification": directive.reason,
                "location": _location(directive.span),
            }
        ]
    elif suppressing:  # §3.27.23: where some results say it, all do
        result["suppressions"] = []
    return result


def _message(diagnostic: Diagnostic) -> str:
    parts = [diagnostic.message]
    if diagnostic.witness is not None:
        parts.append(f"witness: {diagnostic.witness.text}")
    if diagnostic.help:
        parts.append(f"help: {diagnostic.help}")
    return "\n".join(parts)


def _location(span: Span, message: str = "") -> Json:
    physical: Json = {"artifactLocation": _artifact(span.source)}
    if span.source.text:
        physical["region"] = _region(span)
    return {"physicalLocation": physical} | ({"message": {"text": message}} if message else {})


def _artifact(source: SourceText) -> Json:
    path = PurePosixPath(source.path)
    if path.is_absolute() or ".." in path.parts:  # §3.4.4: a relative reference stays below its base
        return {"uri": Path(source.path).resolve().as_uri()}
    return {"uri": quote(source.path), "uriBaseId": ROOT}


def _region(span: Span) -> Json:
    first, last = span.first, span.last
    return {
        "startLine": first.line,
        "startColumn": first.column,
        "endLine": last.line,
        "endColumn": last.column,
    }


def _fix(fix: Fix) -> Json:
    by_source: dict[str, tuple[SourceText, list[Json]]] = {}
    for edit in fix.edits:
        _, replacements = by_source.setdefault(edit.span.source.path, (edit.span.source, []))
        replacements.append({"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}})
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {"artifactLocation": _artifact(source), "replacements": replacements}
            for source, replacements in by_source.values()
        ],
        "properties": {"applicability": fix.applicability.value},
    }

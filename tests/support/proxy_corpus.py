"""Raw HTTP cases collected by others, read from the folder beside the repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
PROBE = CORPUS / "http11probe" / "docs" / "content" / "docs"
DESYNC = CORPUS / "http-desync-guardian" / "tests"

_EXPECTED = re.compile(r"^\| \*\*Expected\*\* \|(.*)\|$", re.MULTILINE)
_BLOCK = re.compile(r"```http\n(.*?)```", re.DOTALL)
_SPELLED = re.compile(r"\\x([0-9A-Fa-f]{2})|\\([rnt0])|\[(TAB|NUL|SP)\]")
_CHARACTERS = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "TAB": "\t", "NUL": "\0", "SP": " "}


@dataclass(frozen=True)
class RawCase:
    """Bytes to send, and whether they must be refused (true), accepted (false) or either (null).

    An unfinished one waits for more, and gets nothing sent behind it.
    """

    name: str
    data: bytes
    refused: bool | None
    unfinished: bool = False


def probe_cases() -> list[RawCase]:
    cases = []
    for path in sorted(PROBE.glob("*/*.md")):
        text = path.read_text()
        expected, block = _EXPECTED.search(text), _BLOCK.search(text)
        if expected is None or block is None or "..." in block[1]:
            continue
        data = block[1].replace("\n", "").replace("localhost:8080", "api").replace("localhost", "api")
        raw = _SPELLED.sub(_spelled, data).encode("latin-1")
        wanted = expected[1]
        must = re.search(r"`?400`?", wanted) is not None and re.search(r"2xx|200", wanted) is None
        cases.append(
            RawCase(
                name=f"{path.parent.name}/{path.stem}",
                data=raw,
                refused=True if must else None,
                unfinished="timeout" in wanted,
            )
        )
    return cases


def _spelled(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _CHARACTERS[found[2] or found[3]]


def desync_cases() -> list[RawCase]:
    cases = []
    for path in sorted(DESYNC.glob("*.yaml")):
        for number, case in enumerate(yaml.safe_load(path.read_text()) or []):
            tier = case["expected"]["tier"]
            refused = {"Severe": True, "Compliant": False}.get(tier)
            if refused is False and _beyond_our_strictness(case):
                refused = None
            cases.append(RawCase(name=f"{path.stem}/{number}: {case['name']}", data=_request(case), refused=refused))
    return cases


def _beyond_our_strictness(case: dict[str, Any]) -> bool:
    """What the corpus calls compliant and the proxy refuses: codings, odd targets, `_` in names, as Envoy."""
    if any("_" in str(header["name"]) for header in case["headers"] or []):
        return True
    codings = [header["value"] for header in case["headers"] or [] if header["name"] == "Transfer-Encoding"]
    return codings not in ([], ["chunked"]) or re.fullmatch(r"/[!-~]*", str(case["uri"])) is None or "#" in case["uri"]


def _request(case: dict[str, Any]) -> bytes:
    lines = [f"{case['method']} {case['uri']} {case['version']}"]
    headers = case["headers"] or []
    if not any(str(header["name"]).strip().lower() == "host" for header in headers):
        lines.append("Host: api")
    lines += [f"{header['name']}: {header['value']}" for header in headers]
    body = ""
    for header in headers:
        if header["name"] == "Content-Length" and str(header["value"]).strip().isdigit():
            body = "x" * min(int(header["value"]), 5_000_000)
        if header["name"] == "Transfer-Encoding":
            body = "0\r\n\r\n"
    return ("\r\n".join([*lines, "", ""]) + body).encode("utf-8", "surrogateescape")

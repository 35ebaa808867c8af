"""Claim: in a program of 20,000 lines a hover right after an edit takes less than 50 ms, and a mistake is told in 100.

A real server process is spoken to over its standard input and output, as an editor does. Times are by the wall clock,
from the first byte of the edit to the last byte of the answer.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from benchmarks.program import generate
from benchmarks.timing import print_table

SERVICES = 1_000
"""A program of 31,000 lines, 780 KB."""

SMALL = 20
ROUNDS = 60
PATIENCE = 120.0


class Editor:
    """The least that an editor says: messages out, answers and findings in, each with the time of its arrival."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "meshc", "lsp"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
        self.answers: Queue[tuple[float, dict[str, Any]]] = Queue()
        self.findings: Queue[tuple[float, dict[str, Any]]] = Queue()
        self.number = 0
        threading.Thread(target=self._read, daemon=True).start()
        capabilities = {"textDocument": {"publishDiagnostics": {"relatedInformation": True}}}
        folders = [{"uri": folder.as_uri(), "name": "bench"}]
        self.ask(
            "initialize",
            {"processId": None, "capabilities": capabilities, "workspaceFolders": folders, "rootUri": None},
        )
        self.tell("initialized", {})

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := stream.readline():
            length = int(line.split(b":")[1]) if line.lower().startswith(b"content-length") else 0
            if not length:
                continue
            while stream.readline().strip():
                pass
            message = json.loads(stream.read(length))
            now = time.perf_counter()
            if message.get("method") == "textDocument/publishDiagnostics":
                self.findings.put((now, message["params"]))
            elif "id" in message and "method" not in message:
                self.answers.put((now, message))

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream = self.process.stdin
        assert stream is not None
        stream.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        stream.flush()

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Any) -> tuple[float, Any]:
        """Return when the answer was there, and the answer."""
        self.number += 1
        self._send({"id": self.number, "method": method, "params": params})
        while True:
            at, message = self.answers.get(timeout=PATIENCE)
            if message["id"] == self.number:
                return at, message.get("result")

    def await_findings(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE) -> float:
        """Wait for findings that fulfil a condition; return when they were there."""
        until = time.perf_counter() + seconds
        while True:
            at, params = self.findings.get(timeout=max(0.001, until - time.perf_counter()))
            if wanted(params):
                return at

    def close(self) -> None:
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.process.wait(30)


class File:
    """An open file whose lines are known."""

    def __init__(self, editor: Editor, path: Path, text: str) -> None:
        self.editor = editor
        self.uri = path.as_uri()
        self.lines = text.split("\n")
        self.version = 1
        item = {"uri": self.uri, "languageId": "mesh", "version": 1, "text": text}
        editor.tell("textDocument/didOpen", {"textDocument": item})

    def change(self, line: int, start: int, end: int, new: str) -> float:
        """Replace a stretch of a line; return when that was said."""
        text = self.lines[line]
        self.lines[line] = text[:start] + new + text[end:]
        self.version += 1
        places = {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}
        document = {"uri": self.uri, "version": self.version}
        now = time.perf_counter()
        self.editor.tell(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [{"range": places, "text": new}]}
        )
        return now

    def hover(self, line: int, character: int) -> tuple[float, Any]:
        position = {"line": line, "character": character}
        return self.editor.ask("textDocument/hover", {"textDocument": {"uri": self.uri}, "position": position})

    def settled(self) -> float:
        """Wait until the program is compiled: until a hover tells an identity."""
        line = next(number for number, line in enumerate(self.lines) if line.startswith("service "))
        while True:
            at, told = self.hover(line, len("service s"))
            if told and "spiffe://" in told["contents"]["value"]:
                return at
            time.sleep(0.01)


def hovers(file: File, pause: float, dice: random.Random) -> list[float]:
    """Type a digit into a timeout, then ask at once about a service somewhere else; return the seconds of each."""
    edges = [number for number, line in enumerate(file.lines) if line.startswith("edge ") and "timeout: " in line]
    names = [number for number, line in enumerate(file.lines) if line.startswith("allow ")]
    seconds = []
    for _ in range(ROUNDS):
        line, asked = dice.choice(edges), dice.choice(names)
        at = file.lines[line].index("timeout: ") + len("timeout: ")
        begin = file.change(line, at, at + 1, str(dice.randrange(1, 10)))
        end, told = file.hover(asked, len("allow s"))
        if not told or "service s" not in told["contents"]["value"]:
            raise SystemExit(f"no answer about line {asked}: {told}")
        seconds.append(end - begin)
        time.sleep(pause)
    return seconds


def mistakes(file: File, code: str, wrong: str, dice: random.Random) -> list[float]:
    """Make a mistake and wait until it is told, then mend it and wait until it is not; return the seconds of both."""
    edges = [number for number, line in enumerate(file.lines) if line.startswith("edge ") and "timeout: " in line]
    seconds = []
    for _ in range(10):
        line = dice.choice(edges)
        start = file.lines[line].index("timeout")
        for new, there in ((wrong, True), ("timeout", False)):
            old = "timeout" if there else wrong
            begin = file.change(line, start, start + len(old), new)
            end = file.editor.await_findings(
                lambda params, there=there: (code in [one["code"] for one in params["diagnostics"]]) is there  # type: ignore[misc]
            )
            seconds.append(end - begin)
        time.sleep(0.2)
    return seconds


def row(name: str, seconds: list[float]) -> tuple[str, str, str, str]:
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    median, p95, most = (f"{value * 1000:.1f}" for value in (statistics.median(ordered), late, ordered[-1]))
    return name, median, p95, most


def main() -> None:
    """Print the figures."""
    dice = random.Random(2026)
    rows = []
    for services in (SMALL, SERVICES):
        text = generate(services)
        lines, kilobytes = text.count("\n"), len(text) // 1000
        with tempfile.TemporaryDirectory() as name:
            path = Path(name).resolve() / "bench.mesh"
            path.write_text(text, encoding="utf-8")
            editor = Editor(path.parent)
            begin = time.perf_counter()
            file = File(editor, path, text)
            first = file.settled() - begin
            what = f"{lines:,} lines, {kilobytes} KB"
            rows.append((f"{what}: opened and compiled", f"{first * 1000:.0f}", "", ""))
            rows.append(row(f"{what}: hover after an edit, one after the other", hovers(file, 0.0, dice)))
            rows.append(row(f"{what}: hover after an edit, at typing speed", hovers(file, 0.15, dice)))
            time.sleep(3)
            rows.append(row(f"{what}: a syntax error told, and untold", mistakes(file, "MSH003", "time out", dice)))
            if services == SMALL:
                rows.append(
                    row(f"{what}: an unknown field told, and untold", mistakes(file, "MSH103", "timeuot", dice))
                )
            try:
                editor.close()
            except (Empty, subprocess.TimeoutExpired):
                editor.process.kill()
    print_table("milliseconds by the wall clock", ("what", "median", "p95", "most"), rows)


if __name__ == "__main__":
    main()

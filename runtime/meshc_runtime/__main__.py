"""`meshc-proxy SNAPSHOT`: run one proxy until it is told to stop."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshc_runtime.proxy import Proxy


_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns 0 after a graceful stop, 1 when the snapshot or its files cannot be used, 2 on misuse, and 130 when it is
    interrupted before it has started.
    """
    try:
        return _main(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _main(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="meshc-proxy",
        description="The sidecar proxy of meshc: enforces one snapshot until SIGTERM or SIGINT.",
    )
    parser.add_argument("snapshot", nargs="?", help="the snapshot file, or - for standard input")
    parser.add_argument("--check", action="store_true", help="load everything, listen on nothing, and exit")
    parser.add_argument("--print-schema", action="store_true", help="print the snapshot's JSON schema and exit")
    parser.add_argument(
        "--drain-seconds",
        type=_seconds,
        default=30.0,
        metavar="S",
        help="how long running requests may take after a stop signal (default 30)",
    )
    parser.add_argument(
        "--tell-callers-why",
        action="store_true",
        help="for looking for faults: refusals name the reason and the rule, which otherwise only the log does",
    )
    options = parser.parse_args(arguments)
    # Imported late, so that Ctrl-C while they load is an ordinary end.
    from meshc_runtime.proxy import StartError
    from meshc_runtime.snapshot import SnapshotError, snapshot_schema
    from meshc_runtime.tls import IdentityError

    if options.print_schema:
        sys.stdout.write(json.dumps(snapshot_schema(), indent=2) + "\n")
        return 0
    if options.snapshot is None:
        parser.error("a snapshot is needed")
    try:
        proxy = _load(options)
    except (SnapshotError, IdentityError, StartError) as error:
        sys.stderr.write(f"meshc-proxy: {options.snapshot}: {error}\n")
        return 1
    if proxy is not None:
        _run(proxy)
    return 0


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 86_400:
        raise argparse.ArgumentTypeError("between 0 and 86400 seconds")
    return value


def _load(options: argparse.Namespace) -> Proxy | None:
    from meshc_runtime.proxy import Proxy, check_snapshot
    from meshc_runtime.snapshot import SnapshotError, parse_snapshot

    path: str = options.snapshot
    try:
        text = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise SnapshotError(error.strerror or str(error)) from None
    snapshot = parse_snapshot(text)
    if options.check:
        for warning in check_snapshot(snapshot):
            sys.stderr.write(f"meshc-proxy: warning: {warning}\n")
        return None
    return Proxy(snapshot, drain_seconds=options.drain_seconds, tells_why=options.tell_callers_why)


def _allow_many_descriptors() -> None:
    """Take as many descriptors as the system grants: a request needs two, and the usual limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run(proxy: Proxy) -> None:
    for warning in proxy.warnings:
        sys.stderr.write(f"meshc-proxy: warning: {warning}\n")
    _allow_many_descriptors()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: proxy.stop())
    sys.stderr.write(json.dumps({"event": "ready", **proxy.addresses}) + "\n")
    sys.stderr.flush()
    gc.collect()
    gc.freeze()
    proxy.run()


if __name__ == "__main__":
    sys.exit(main())

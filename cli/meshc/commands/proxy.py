"""`meshc proxy`."""

from __future__ import annotations

import click


@click.command("proxy")
@click.argument("snapshot", required=False, type=click.Path())
@click.option("--print-schema", is_flag=True, help="Print the JSON schema of snapshots, and stop.")
@click.option("--check", is_flag=True, help="Load all that the snapshot needs, listen on nothing, and stop.")
def command(snapshot: str | None, print_schema: bool, check: bool) -> None:
    """Run one sidecar from its SNAPSHOT, until it is told to stop (SIGTERM drains)."""
    import json
    import os
    import sys

    if print_schema:
        from meshc_backends.sidecar import snapshot_schema

        click.echo(json.dumps(snapshot_schema(), indent=2))
        return
    if snapshot is None:
        raise click.UsageError("give the path of a snapshot, such as build/sidecar/web.json")
    # The proxy takes this process over: signals and the exit status are its own.
    options = ["--check"] if check else []
    os.execv(sys.executable, [sys.executable, "-m", "meshc_runtime", *options, snapshot])  # noqa: S606 - no shell

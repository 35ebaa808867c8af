"""`meshc version`."""

from __future__ import annotations

import click


@click.command("version")
def command() -> None:
    """Print the versions of meshc and of the Python it runs on."""
    import platform

    from meshc.version import compiler_version

    click.echo(f"meshc {compiler_version()} (Python {platform.python_version()})")

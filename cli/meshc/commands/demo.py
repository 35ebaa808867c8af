"""`meshc demo`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo", hidden=True)
@click.argument("examples", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("examples"))
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".meshc/demo"), show_default=True)
def command(examples: Path, folder: Path) -> None:
    """Build EXAMPLES/boutique, run EXAMPLES/shop on this machine, and show its calls one by one.

    Exit status 1 if any of them is not as the program says.
    """
    from meshc.demo.show import show

    raise click.exceptions.Exit(show(examples, folder))

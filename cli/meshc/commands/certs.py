"""`meshc certs`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from meshc.options import format_option


@click.group("certs")
def command() -> None:
    """Look at certificates: of a bundle, of an authority, of a running pod."""


@command.command("inspect")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@format_option
def inspect(paths: tuple[Path, ...], format_: str) -> None:
    """Print whom the certificates in PATHS (PEM files, or directories of them) name, and until when they hold.

    Nothing of a private key is ever shown. Exit status 1 if one breaks the rules of X.509-SVIDs, is not valid now, or
    cannot be read.
    """
    from datetime import UTC, datetime

    from meshc.certificates import read_certificates
    from meshc.render.certificate_list import certificates_document, certificates_text
    from meshc.render.terminal import terminal_of

    files = read_certificates(paths)
    now = datetime.now(UTC)
    if format_ == "json":
        click.echo(certificates_document(files, now), nl=False)
    else:
        click.echo(certificates_text(files, now, terminal_of(sys.stdout)), nl=False)
    raise click.exceptions.Exit(0 if files and all(file.is_sound(now) for file in files) else 1)

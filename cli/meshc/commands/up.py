"""`meshc up`."""

from __future__ import annotations

from pathlib import Path

import click

from meshc.options import overlay_option, program_argument


@click.command("up")
@program_argument
@overlay_option
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Ports, commands and addresses of your own.  [default: up.toml in the program's directory, if there]",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    default=Path(".meshc/up"),
    show_default=True,
    help="Logs, and while the mesh runs its keys.",
)
@click.option("--logs", is_flag=True, help="Show the logs as they are written.")
def command(program: tuple[str, ...], overlay: str | None, config: Path | None, run_dir: Path, logs: bool) -> None:
    """Run the whole mesh on this machine, until Ctrl-C.

    Every workload gets a sidecar with mutual TLS; where you name no workload of your own in up.toml, a small stand-in
    answers. Services that the Python proxy cannot carry yet are listed and do not run.

    \b
    up.toml, all of it optional:
      [workload.web]
      outbound = 8001                       # the port that its calls go out by
      command = ["python", "web.py"]        # gets PORT and MESHC_OUTBOUND
      [workload.api.version.v2]
      address = "127.0.0.1:3000"            # something that runs already
      [external."api.stripe.com"]
      address = "127.0.0.1:9000"            # verified by this machine's roots,
                                            # or, at the top of the file: roots = "ca.pem"
    """  # noqa: D301 - click looks for the control character itself
    from meshc.compiling import mesh_or_exit
    from meshc.local_mesh.session import run_until_stopped
    from meshc.reporting import Reporting

    index = mesh_or_exit(program, Reporting(), overlay=overlay)
    first = Path(program[0])
    file = config or (first if first.is_dir() else first.parent) / "up.toml"
    if config is not None and not config.exists():
        raise click.BadParameter(f"there is no file `{config}`", param_hint="--config")
    raise click.exceptions.Exit(run_until_stopped(index, file, run_dir, follow_logs=logs))

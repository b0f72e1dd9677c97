"""`fraisier daemon`."""

from __future__ import annotations

import sys

import click

from .options import Options, pass_options


@click.command()
@click.option("--log-format", type=click.Choice(["auto", "human", "json"]), default="auto", show_default=True)
@pass_options
def daemon(options: Options, log_format: str) -> None:
    """Run the reconciler in the foreground, until TERM or INT.

    One daemon per store; `contrib/systemd/fraisier.service` runs it as a systemd unit. SIGHUP reads
    the configuration again; edits are noticed by themselves.
    """
    from ..daemon.assembly import assemble, held_lock
    from ..daemon.daemon import run_daemon
    from ..host.logs import configure_logging

    configure_logging(verbose=options.verbose, json_lines={"auto": None, "human": False, "json": True}[log_format])
    with held_lock(config=options.config, state=options.state):
        assembly = assemble(config=options.config, state=options.state, mode="write")
        code = run_daemon(assembly)
    sys.exit(code)

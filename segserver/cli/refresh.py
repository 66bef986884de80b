"""``segserver refresh``: evaluates again, at once, whose memberships can have changed."""

from __future__ import annotations

import click

from segserver.cli._output import json_option, write_json
from segserver.cli._server import Server, server_options


@click.command("refresh")
@server_options
@json_option
def command(server: Server, as_json: bool) -> None:
    """Evaluates again, at once, everybody whose memberships can have changed.

    The server does so every few seconds by itself (memberships.refresh_interval_s).

    \b
    Example:
      segserver refresh
    """
    with server.connect() as client:
        done = client.refresh_memberships()
    if as_json:
        write_json(done)
        return
    click.echo(
        f"{done.subjects} subjects evaluated again, {done.failed} could not be: "
        f"{done.entered} times one entered a segment, {done.left} times one left"
    )

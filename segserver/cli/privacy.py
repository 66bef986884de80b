"""``segserver privacy``: what the law asks an operator to keep."""

from __future__ import annotations

import click

from segserver.cli._server import Server, server_options


@click.group("privacy")
def command() -> None:
    """Documents for data-protection officers.

    \b
    Example:
      segserver privacy record
    """


@command.command("record")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of Markdown.")
@server_options
def record(as_json: bool, server: Server) -> None:
    """Write the record of processing activities (GDPR art. 30) of the serving catalog.

    \b
    Example:
      segserver privacy record > record.md
    """
    with server.connect() as client:
        found = client.processing_record()
    click.echo(found["json"] if as_json else found["markdown"])

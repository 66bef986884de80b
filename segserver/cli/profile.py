"""``segserver profile``: what is known about subjects."""

from __future__ import annotations

import click

from segserver.cli._import_options import Request, import_options
from segserver.cli._output import console, json_option, table, time_text, value_text, write_json
from segserver.cli._server import Server, server_options


@click.group("profile")
def command() -> None:
    """What is stored about subjects: import it, set it, show it.

    \b
    Example:
      segserver profile show customer:1042
    """


@command.command("show")
@click.argument("subject")
@server_options
@json_option
def show(subject: str, server: Server, as_json: bool) -> None:
    """Shows what is stored about a subject. This is personal data, and the read is audited.

    \b
    Example:
      segserver profile show customer:1042
    """
    with server.connect() as client:
        profile = client.get_profile(subject)
    if as_json:
        write_json(profile)
        return
    made = table("attribute", "value")
    for name, value in sorted(profile.attributes.items()):
        made.add_row(name, value_text(value))
    out = console()
    out.print(made)
    out.print(f"revision {profile.revision} of {time_text(profile.update_time)}")


@command.command("set")
@click.argument("subject")
@click.argument("pairs", nargs=-1, metavar="NAME=VALUE...")
@click.option("--remove", "removed", multiple=True, metavar="NAME", help="Remove this attribute; repeatable.")
@server_options
@json_option
def set_attributes(
    subject: str, pairs: tuple[str, ...], removed: tuple[str, ...], server: Server, as_json: bool
) -> None:
    """Sets and removes attributes of a subject; the others stay.

    Values are typed as the catalog declares them; a list's items are separated by commas.

    \b
    Example:
      segserver profile set customer:1042 birth_date=1990-05-17 --remove city
    """
    from segserver.cli._request import brought_attributes

    if not pairs and not removed:
        raise click.UsageError("nothing to write; give NAME=VALUE or --remove NAME")
    with server.connect() as client:
        written = client.upsert_profile(subject, brought_attributes(client, pairs), removed)
    if as_json:
        write_json(written)
    else:
        click.echo(f"written: revision {written.revision}")


@command.command("import")
@import_options
@server_options
@json_option
def import_file(request: Request, server: Server, as_json: bool) -> None:
    """Imports CSV, TSV, JSON Lines or Parquet as profiles.

    Good rows land; rejected ones are reported with line and reason, never with their values, and make the
    exit code 1. An interrupted import is simply run again: a row that is written twice is written once.

    \b
    Example:
      segserver profile import customers.csv --mapping mapping.yaml
    """
    from segserver.cli._import_command import import_profiles

    import_profiles(server, request, as_json=as_json)

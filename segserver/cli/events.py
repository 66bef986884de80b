"""``segserver events``: what subjects did, and what is computed of it."""

from __future__ import annotations

import json

import click

from segserver.cli._import_options import Request, import_options
from segserver.cli._output import console, joined, json_option, table, write_json
from segserver.cli._server import Server, server_options


@click.group("events")
def command() -> None:
    """What subjects did: import it, and show which events there are and what is computed of them.

    \b
    Example:
      segserver events list
    """


@command.command("import")
@import_options
@server_options
@json_option
def import_file(request: Request, server: Server, as_json: bool) -> None:
    """Imports CSV, TSV, JSON Lines or Parquet as events.

    Good rows land; rejected ones are reported with line and reason, never with their values, and make the
    exit code 1. An interrupted import is simply run again: an event's id, which the mapping makes of its row,
    is recorded once.

    \b
    Example:
      segserver events import orders.csv --mapping mapping.yaml
    """
    from segserver.cli._import_command import import_events

    import_events(server, request, as_json=as_json)


@command.command("list")
@server_options
@json_option
def list_events(server: Server, as_json: bool) -> None:
    """Lists the events that the catalog declares, with their properties.

    \b
    Example:
      segserver events list
    """
    with server.connect() as client:
        definitions = list(client.event_definitions())
    if as_json:
        write_json({"events": definitions})
        return
    made = table("event", "property", "type", "category", "title")
    for event in definitions:
        made.add_row(event.name, "", "", event.category, event.title)
        for each in event.properties:
            made.add_row("", each.name, each.type, each.category, each.title)
    console().print(made)


@command.command("computed")
@server_options
@json_option
def list_computed(server: Server, as_json: bool) -> None:
    """Lists the attributes that the catalog computes of events, and how.

    \b
    Example:
      segserver events computed
    """
    with server.connect() as client:
        attributes = list(client.computed_attributes())
    if as_json:
        write_json({"attributes": attributes})
        return
    made = table("attribute", "type", "computed", "by", whole="attribute")
    for attribute in attributes:
        said = _said(json.loads(attribute.definition_json))
        made.add_row(attribute.name, attribute.type, said, joined(attribute.owners))
    console().print(made)


def _said(definition: dict[str, object]) -> str:
    """``sum of amount, order, 30d, where event.channel == "web"``"""
    aggregate, event, window = (definition.pop(key) for key in ("aggregate", "event", "window"))
    of = f" of {definition.pop('of')}" if "of" in definition else ""
    more = [f"{key} {value}" for key, value in definition.items()]
    return ", ".join([f"{aggregate}{of}", str(event), str(window), *more])

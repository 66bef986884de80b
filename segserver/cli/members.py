"""``segserver members``: who is in a segment, and who enters and leaves."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from segserver.cli._output import console, json_option, table, write_json
from segserver.cli._server import Server, server_options

if TYPE_CHECKING:
    from segserver.client import MembershipChange


@click.group("members")
def command() -> None:
    """Who is in a segment, for a purpose whose definition says ``memberships: true``.

    \b
    Example:
      segserver members list journey/loyal --purpose marketing
    """


@command.command("list")
@click.argument("segment")
@click.option("--purpose", "-p", required=True, metavar="NAME", help="What the list is for.")
@server_options
@json_option
def list_members(segment: str, purpose: str, server: Server, as_json: bool) -> None:
    """Lists the members by the tokens under which the caller knows them. Consent is looked at again.

    \b
    Example:
      segserver members list journey/loyal --purpose marketing
    """
    with server.connect() as client:
        members = list(client.members(segment, purpose))
    if as_json:
        write_json({"members": members})
        return
    made = table("token", "since", "because of")
    for member in members:
        made.add_row(member.subject_token, member.enter_time.isoformat(timespec="seconds"), member.reason)
    console().print(made)


@command.command("watch")
@click.argument("segments", nargs=-1)
@click.option("--purpose", "-p", required=True, metavar="NAME", help="What the changes are for.")
@click.option("--cursor", default="", help="Where to go on; from now on without it.")
@click.option("--count", type=click.IntRange(1), help="End after so many changes; without it, go on.")
@server_options
@json_option
def watch(
    segments: tuple[str, ...], purpose: str, cursor: str, count: int | None, server: Server, as_json: bool
) -> None:
    """Prints who enters and who leaves, a line each, until it is interrupted.

    \b
    Example:
      segserver members watch journey/at-risk --purpose marketing
    """
    left = count
    with server.connect() as client:
        for changes in client.watch_memberships(purpose, segments, cursor):
            for change in changes[:left]:
                click.echo(_line(change, as_json=as_json))
            if left is not None:
                left -= len(changes)
                if left <= 0:
                    return


def _line(change: MembershipChange, *, as_json: bool) -> str:
    time = change.change_time.isoformat(timespec="seconds")
    if as_json:
        return json.dumps({**dataclasses.asdict(change), "change_time": time})
    moved = "entered" if change.entered else "left"
    return f"{change.cursor}  {time}  {change.subject_token}  {moved} {change.segment}  {change.reason}"

"""``segserver lists``: lists of ids for rules to ask about."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import click

from segserver.cli._failure import Exit
from segserver.cli._output import console, json_option, table, write_json
from segserver.cli._request import Time
from segserver.cli._server import Server, server_options
from segserver.errors import InvalidInput, SegserverError

SHOWN_MAX = 20


@click.group("lists")
def command() -> None:
    """Lists of ids that are uploaded, for rules to ask about: ``in_list("vip-2026")``.

    \b
    Example:
      segserver lists upload vip-2026 vips.csv --owner crm --expires 2027-01-01
    """


@command.command("upload")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--column", default="", help="The column with the ids; without it, the first one.")
@click.option("--id-type", default="customer", show_default=True, help="What the ids are: customer, email, …")
@click.option("--owner", default="", help="Who answers for the list.")
@click.option("--expires", type=Time(), help="From when on it counts no more; UTC unless it says otherwise.")
@server_options
@json_option
def upload(
    name: str,
    file: Path,
    column: str,
    id_type: str,
    owner: str,
    expires: dt.datetime | None,
    server: Server,
    as_json: bool,
) -> None:
    """Uploads a CSV file in place of what the list was. The catalog declares the list under ``lists``.

    The first line is a header. Until all ids have arrived, the list stays as it was.

    \b
    Example:
      segserver lists upload vip-2026 vips.csv --column customer_id --owner crm
    """
    with server.connect() as client:
        done = None
        for done in client.upload_list(name, _ids(file, column), owner, expires, id_type):  # noqa: B007
            pass
    if done is None or done.list is None:
        raise SegserverError("the server ended the upload without saying why", reason="UPLOAD_CUT_OFF")
    if as_json:
        write_json(
            {
                "taken": done.taken,
                "rejected": done.rejected,
                "rejections": {place: error.message for place, error in done.rejections.items()},
                "list": done.list,
            }
        )
    else:
        for place, error in list(done.rejections.items())[:SHOWN_MAX]:
            click.echo(f"id {place + 1}: {error.message}", err=True)
        click.echo(f"{name}: {done.list.size} subjects of {done.taken} ids, {done.rejected} rejected")
    if done.rejected:
        raise SystemExit(Exit.PROBLEM)


@command.command("list")
@server_options
@json_option
def list_lists(server: Server, as_json: bool) -> None:
    """Shows which lists there are.

    \b
    Example:
      segserver lists list
    """
    with server.connect() as client:
        found = client.lists()
    if as_json:
        write_json({"lists": found})
        return
    made = table("list", "owner", "subjects", "uploaded", "expires")
    for one in found:
        expires = "" if one.expire_time is None else one.expire_time.isoformat(timespec="seconds")
        made.add_row(
            one.name, one.owner, str(one.size), one.upload_time.isoformat(timespec="seconds"), expires
        )
    console().print(made)


@command.command("delete")
@click.argument("name")
@server_options
def delete(name: str, server: Server) -> None:
    """Lets a list serve no more: for rules it is unknown then.

    \b
    Example:
      segserver lists delete vip-2025
    """
    with server.connect() as client:
        client.delete_list(name)
    click.echo(f"{name}: deleted")


def _ids(file: Path, column: str) -> Iterator[str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            if column and column not in header:
                raise InvalidInput.of("column", f"{file} has no column {column}; it has {', '.join(header)}")
            position = header.index(column) if column else 0
            for row in rows:
                if row:
                    yield row[position] if position < len(row) else ""
    except OSError as error:
        raise SegserverError(f"{file}: {error.strerror}", reason="NOT_READABLE") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{file} is not a CSV file in UTF-8", reason="FILE_MALFORMED") from error

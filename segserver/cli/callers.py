"""``segserver callers``: who may call, and what for. Works on the data directory, with or without a running
server.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segserver.cli._output import console, json_option, table, write_json
from segserver.cli._server import data_dir_option
from segserver.model import Role

if TYPE_CHECKING:
    from segserver.engine.store import Store
    from segserver.storage.callers import CallerRow


@click.group("callers")
def command() -> None:
    """Add, list and revoke the callers of a server.

    \b
    Example:
      segserver callers add shop --role evaluator --purpose personalization
    """


@command.command("add")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="What it may do; repeatable.",
)
@click.option("--purpose", "purposes", multiple=True, help="A purpose that it may name, or *; repeatable.")
@click.option(
    "--days", type=click.IntRange(min=1), help="How long the key holds; without it, until it is revoked."
)
@data_dir_option
@json_option
def add(
    name: str,
    roles: tuple[str, ...],
    purposes: tuple[str, ...],
    days: int | None,
    data_dir: Path,
    as_json: bool,
) -> None:
    """Add a caller and show its API key, once. Before the first start of the server, make the keys.

    \b
    Example:
      segserver callers add shop --role evaluator --purpose personalization --days 90
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import CallerDesk

    with _store(data_dir) as store:
        key = CallerDesk(store.writer, system_clock_us).add(name, roles, purposes, days=days)
    if as_json:
        write_json({"name": name, "key": key})
        return
    click.echo(key)
    click.echo("This key is shown once and kept nowhere. Hand it over safely.", err=True)


@command.command("list")
@data_dir_option
@json_option
def listing(data_dir: Path, as_json: bool) -> None:
    """List the callers.

    \b
    Example:
      segserver callers list --json
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import Callers

    with _store(data_dir) as store:
        rows = Callers(store.reader, system_clock_us).listing()
        now_us = system_clock_us()
    if as_json:
        write_json(
            [
                {
                    "name": row.name,
                    "roles": row.roles.split(),
                    "purposes": row.purposes.split(),
                    "created": _time(row.created_us),
                    "expires": _time(row.expires_us),
                    "state": _state(row, now_us),
                }
                for row in rows
            ]
        )
        return
    made = table("caller", "state", "roles", "purposes", "key expires", whole="caller")
    for row in rows:
        expires = _time(row.expires_us)
        made.add_row(row.name, _state(row, now_us), row.roles, row.purposes, expires[:10] if expires else "")
    console().print(made)


@command.command("revoke")
@click.argument("name")
@data_dir_option
@json_option
def revoke(name: str, data_dir: Path, as_json: bool) -> None:
    """End a caller's access. A running server refuses its calls within a second.

    \b
    Example:
      segserver callers revoke shop
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import CallerDesk

    with _store(data_dir) as store:
        CallerDesk(store.writer, system_clock_us).revoke(name)
    if as_json:
        write_json({"name": name, "state": "revoked"})
        return
    click.echo(f"{name} is revoked")


@contextmanager
def _store(data_dir: Path) -> Iterator[Store]:
    """The store of a data directory. Where there are keys and no database yet, it makes one."""
    from segserver.config import Config
    from segserver.engine.store import open_store
    from segserver.errors import FailedPrecondition

    config = Config(data_dir=data_dir)
    if not config.database_path.exists() and not config.keyring_path.exists():
        raise FailedPrecondition(
            f"{data_dir} holds neither keys nor a database; "
            "run 'segserver keys init' first, or start the server",
            reason="STORE_MISSING",
        )
    store = open_store(config)
    try:
        yield store
    finally:
        store.close()


def _state(row: CallerRow, now_us: int) -> str:
    if row.revoked_us is not None:
        return "revoked"
    return "expired" if row.expires_us is not None and row.expires_us <= now_us else "active"


def _time(us: int | None) -> str | None:
    return (
        None
        if us is None
        else dt.datetime.fromtimestamp(us / 1_000_000, dt.UTC).isoformat(timespec="seconds")
    )

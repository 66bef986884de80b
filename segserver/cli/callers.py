"""``segserver callers``: who may call, and what for. Works on the data directory, with or without a running
server.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from segserver.engine.store import Store


@click.group("callers")
def command() -> None:
    """Add, list and revoke the callers of a server.

    \b
    Example:
      segserver callers add shop --role evaluator --purpose personalization
    """


_DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SEGSERVER_DATA_DIR",
    default=Path(".data"),
    show_default=True,
    help="The server's data directory.",
)


@command.command("add")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    help="evaluator, writer, analyst, officer or admin; repeatable.",
)
@click.option("--purpose", "purposes", multiple=True, help="A purpose that it may name, or *; repeatable.")
@click.option(
    "--days", type=click.IntRange(min=1), help="How long the key holds; without it, until it is revoked."
)
@_DATA_DIR
def add(
    name: str, roles: tuple[str, ...], purposes: tuple[str, ...], days: int | None, data_dir: Path
) -> None:
    """Add a caller and show its API key, once.

    \b
    Example:
      segserver callers add shop --role evaluator --purpose personalization --days 90
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import CallerDesk

    with _store(data_dir) as store:
        key = CallerDesk(store.writer, system_clock_us).add(name, roles, purposes, days=days)
    click.echo(key)
    click.echo("This key is shown once and kept nowhere. Hand it over safely.", err=True)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@_DATA_DIR
def listing(as_json: bool, data_dir: Path) -> None:
    """List the callers.

    \b
    Example:
      segserver callers list --json
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import Callers

    with _store(data_dir) as store:
        rows = Callers(store.reader, system_clock_us).listing()
        now = system_clock_us()
    items = [
        {
            "name": row.name,
            "roles": row.roles.split(),
            "purposes": row.purposes.split(),
            "created": _time(row.created_us),
            "expires": _time(row.expires_us),
            "state": "revoked"
            if row.revoked_us is not None
            else "expired"
            if row.expires_us is not None and row.expires_us <= now
            else "active",
        }
        for row in rows
    ]
    if as_json:
        click.echo(json.dumps(items, indent=2))
        return
    for row, item in zip(rows, items, strict=True):
        click.echo(f"{row.name}  {item['state']}  roles: {row.roles}  purposes: {row.purposes}")


@command.command("revoke")
@click.argument("name")
@_DATA_DIR
def revoke(name: str, data_dir: Path) -> None:
    """End a caller's access at once, on running servers too.

    \b
    Example:
      segserver callers revoke shop
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import CallerDesk

    with _store(data_dir) as store:
        CallerDesk(store.writer, system_clock_us).revoke(name)
    click.echo(f"{name} is revoked")


@contextmanager
def _store(data_dir: Path) -> Iterator[Store]:
    """The store of a data directory that a server has been started on."""
    from segserver.config import Config
    from segserver.engine.store import open_store

    config = Config(data_dir=data_dir)
    if not config.database_path.exists():
        raise click.ClickException(f"{data_dir} holds no database; start 'segserver serve' on it first")
    store = open_store(config)
    try:
        yield store
    finally:
        store.close()


def _time(us: int | None) -> str | None:
    return (
        None
        if us is None
        else dt.datetime.fromtimestamp(us / 1_000_000, dt.UTC).isoformat(timespec="seconds")
    )

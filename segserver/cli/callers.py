"""``segserver callers``: who may call, and what for. Works on the data directory, with or without a running
server.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from segserver.cli._installation import installation_options
from segserver.cli._output import console, json_option, table, write_json
from segserver.model import Role

if TYPE_CHECKING:
    from segserver.config import Config
    from segserver.engine.callers import CallerInfo
    from segserver.engine.store import Store


@click.group("callers")
def command() -> None:
    """Add, list and revoke the callers of a server, and give them new keys.

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
@click.option(
    "--certificate",
    "certificates",
    multiple=True,
    metavar="IDENTITY",
    help="Comes with a client certificate for spiffe://…, dns:NAME or subject:CN=NAME,…, and without a key; "
    "repeatable.",
)
@installation_options
@json_option
def add(
    name: str,
    roles: tuple[str, ...],
    purposes: tuple[str, ...],
    days: int | None,
    certificates: tuple[str, ...],
    config: Config,
    as_json: bool,
) -> None:
    """Add a caller and show its API key, once. Before the first start of the server, make the keys.

    \b
    Example:
      segserver callers add shop --role evaluator --purpose personalization --days 90
      segserver callers add till --role evaluator --certificate spiffe://shop.example/till
    """
    if certificates and days is not None:
        raise click.UsageError("--days is about a key; a caller with --certificate gets none")
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import CallerDesk

    with _store(config) as store:
        desk = CallerDesk(store.writer, system_clock_us)
        key = desk.add(name, roles, purposes, days=days, certificates=certificates)
    if certificates and not as_json:
        click.echo(f"{name} is added")
        return
    _show_key(name, key, as_json=as_json)


@command.command("list")
@installation_options
@json_option
def listing(config: Config, as_json: bool) -> None:
    """List the callers.

    \b
    Example:
      segserver callers list --json
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import list_callers

    with _store(config) as store:
        found = list_callers(store.reader, system_clock_us())
    if as_json:
        write_json(
            [
                {
                    "name": info.row.name,
                    "roles": info.row.roles.split(),
                    "purposes": info.row.purposes.split(),
                    "created": _time(info.row.created_us),
                    "keys": [{"expires": _time(expires_us)} for expires_us in info.key_expiries_us],
                    "certificates": info.certificates,
                    "state": info.state,
                }
                for info in found
            ]
        )
        return
    made = table("caller", "state", "roles", "purposes", "comes with", whole="caller")
    for info in found:
        made.add_row(info.row.name, info.state, info.row.roles, info.row.purposes, _credentials(info))
    console().print(made)


@command.command("rotate")
@click.argument("name")
@click.option(
    "--grace-hours",
    type=click.IntRange(0, 24 * 90),
    default=24,
    show_default=True,
    help="How long the key before it still holds.",
)
@click.option(
    "--days", type=click.IntRange(min=1), help="How long the new key holds; without it, until it is revoked."
)
@installation_options
@json_option
def rotate(name: str, grace_hours: int, days: int | None, config: Config, as_json: bool) -> None:
    """Give a caller a new API key, shown once. The one before it holds for a while, older ones no longer.

    \b
    Example:
      segserver callers rotate shop --grace-hours 48 --days 90
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import CallerDesk

    with _store(config) as store:
        key = CallerDesk(store.writer, system_clock_us).rotate(name, grace_hours=grace_hours, days=days)
    _show_key(name, key, as_json=as_json)


@command.command("revoke")
@click.argument("name")
@installation_options
@json_option
def revoke(name: str, config: Config, as_json: bool) -> None:
    """End a caller's access. A running server refuses its calls within a second.

    \b
    Example:
      segserver callers revoke shop
    """
    from segserver.engine.build import system_clock_us
    from segserver.engine.callers import CallerDesk

    with _store(config) as store:
        CallerDesk(store.writer, system_clock_us).revoke(name)
    if as_json:
        write_json({"name": name, "state": "revoked"})
        return
    click.echo(f"{name} is revoked")


@contextmanager
def _store(config: Config) -> Iterator[Store]:
    """The store of an installation. Where there are keys and no store yet, it makes one."""
    from segserver.engine.store import has_store, open_store
    from segserver.errors import FailedPrecondition

    if not config.keyring_path.exists() and not has_store(config):
        raise FailedPrecondition(
            f"{config.data_dir} holds neither keys nor a database; "
            "run 'segserver keys init' first, or start the server",
            reason="STORE_MISSING",
        )
    store = open_store(config)
    try:
        yield store
    finally:
        store.close()


def _show_key(name: str, key: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"name": name, "key": key})
        return
    click.echo(key)
    click.echo("This key is shown once and kept nowhere. Hand it over safely.", err=True)


def _credentials(info: CallerInfo) -> str:
    """Certificates, and keys with the day on which each ends."""
    days = [_time(expires_us) for expires_us in info.key_expiries_us]
    keys = [f"key until {day[:10]}" if day else "key" for day in days]
    return "\n".join([*info.certificates, *keys])


def _time(us: int | None) -> str | None:
    return (
        None
        if us is None
        else dt.datetime.fromtimestamp(us / 1_000_000, dt.UTC).isoformat(timespec="seconds")
    )

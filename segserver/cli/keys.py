"""``segserver keys``: the keyring. Works on the data directory, with or without a running server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segserver.cli._output import console, json_option, table, write_json
from segserver.cli._server import data_dir_option

if TYPE_CHECKING:
    from segserver.engine.keys import KeyDesk


@click.group("keys")
def command() -> None:
    """Make, look after and renew the keys under which subjects are stored.

    \b
    Example:
      segserver keys status
    """


@command.command("init")
@data_dir_option
def init(data_dir: Path) -> None:
    """Make the keyring of a new installation. Back it up: without it, nothing that is stored can be read.

    \b
    Example:
      segserver keys init --data-dir /var/lib/segserver
    """
    from segserver.config import Config
    from segserver.engine.keys import create_keyring

    config = Config(data_dir=data_dir)
    create_keyring(config)
    click.echo(f"made {config.keyring_path}; keep a copy of it in a safe place")


@command.command("status")
@data_dir_option
@json_option
def status(data_dir: Path, as_json: bool) -> None:
    """Show every version of the key-encryption key, and how many data keys are wrapped under it.

    \b
    Example:
      segserver keys status --json
    """
    with _desk(data_dir) as desk:
        versions = desk.status()
    if as_json:
        write_json([dataclasses.asdict(version) for version in versions])
        return
    made = table("version", "state", "data keys")
    for version in versions:
        made.add_row(str(version.version), "current" if version.current else "old", f"{version.data_keys:,}")
    console().print(made)


@command.command("rotate")
@data_dir_option
def rotate(data_dir: Path) -> None:
    """Make a new current version, and wrap every data key again. May be stopped: 'keys rewrap' goes on.

    \b
    Example:
      segserver keys rotate
    """
    with _desk(data_dir) as desk:
        version = desk.rotate()
        click.echo(f"version {version} is the current one")
        _rewrap(desk)


@command.command("rewrap")
@data_dir_option
def rewrap(data_dir: Path) -> None:
    """Wrap the data keys again that are not under the current version yet.

    \b
    Example:
      segserver keys rewrap
    """
    with _desk(data_dir) as desk:
        _rewrap(desk)


@command.command("retire")
@click.argument("version", type=click.IntRange(min=1))
@data_dir_option
def retire(version: int, data_dir: Path) -> None:
    """Remove an old version that no data key is wrapped under. Backups that need it can't be read any more.

    \b
    Example:
      segserver keys retire 1
    """
    with _desk(data_dir) as desk:
        desk.retire(version)
    click.echo(f"version {version} is retired")


def _rewrap(desk: KeyDesk) -> None:
    remaining = sum(version.data_keys for version in desk.status() if not version.current)
    with click.progressbar(length=remaining, label="wrapping data keys again") as bar:
        while count := desk.rewrap():
            bar.update(count)


@contextmanager
def _desk(data_dir: Path) -> Iterator[KeyDesk]:
    from segserver.config import Config
    from segserver.engine.build import system_clock_us
    from segserver.engine.keys import KeyDesk
    from segserver.engine.store import open_store

    config = Config(data_dir=data_dir)
    if not config.database_path.exists():
        raise click.ClickException(f"{data_dir} holds no database; start 'segserver serve' on it first")
    store = open_store(config)
    try:
        yield KeyDesk(config, store, system_clock_us)
    finally:
        store.close()

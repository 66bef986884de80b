"""``segserver keys``: the keyring. Works on the data directory, with or without a running server."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from segserver.cli._installation import installation, store_option
from segserver.cli._output import console, json_option, table, write_json
from segserver.cli._server import data_dir_option, trust_option

if TYPE_CHECKING:
    from segserver.config import Config
    from segserver.engine.keys import KeyDesk
    from segserver.privacy.keys import KeyStatus
    from segserver.strategies.manager import Installed

F = TypeVar("F", bound=Callable[..., Any])


def _installation(command: F) -> F:
    """Adds ``--data-dir``, ``--store``, ``--key-provider`` and ``--trust``; the command gets ``config``."""

    @functools.wraps(command)
    def wrapper(
        *args: Any,
        data_dir: Path,
        store: str | None,
        key_provider: str,
        trusted_plugins: tuple[str, ...] | None,
        **rest: Any,
    ) -> Any:
        config = installation(
            data_dir, store, key_provider=key_provider, trusted_plugins=trusted_plugins or ()
        )
        return command(*args, config=config, **rest)

    provider = click.option(
        "--key-provider",
        envvar="SEGSERVER_KEY_PROVIDER",
        default="file",
        show_default=True,
        help="Who keeps the keyring: the file, or what a plugin brings.",
    )
    return data_dir_option(store_option(provider(trust_option(wrapper))))  # type: ignore[return-value]  # the same command, with other parameters


@click.group("keys")
def command() -> None:
    """Make, look after and renew the keys under which subjects are stored.

    \b
    Example:
      segserver keys status
    """


@command.command("init")
@_installation
def init(config: Config) -> None:
    """Make the keyring of a new installation. Back it up: without it, nothing that is stored can be read.

    \b
    Example:
      segserver keys init --data-dir /var/lib/segserver
    """
    from segserver.engine.keys import create_keyring

    with _plugins(config) as installed:
        create_keyring(config, installed)
    click.echo("made the keyring; keep a copy of it in a safe place")


@command.command("status")
@_installation
@json_option
def status(config: Config, as_json: bool) -> None:
    """Show every version of the key-encryption key, and how many data keys are wrapped under it.

    \b
    Example:
      segserver keys status --json
    """
    with _desk(config) as desk:
        versions = desk.status()
    if as_json:
        write_json([dataclasses.asdict(version) for version in versions])
        return
    made = table("version", "state", "data keys")
    for version in versions:
        made.add_row(str(version.version), "current" if version.current else "old", f"{version.data_keys:,}")
    console().print(made)
    if remaining := _remaining(versions):
        click.echo(f"data keys that remain to be wrapped again: {remaining:,}; a running server does it")


@command.command("rotate")
@click.option("--no-wait", is_flag=True, help="Leave the wrapping to a running server.")
@_installation
def rotate(no_wait: bool, config: Config) -> None:
    """Make a new current version, and wrap every data key again.

    It may be stopped: a running server goes on, or 'keys rewrap'.

    \b
    Example:
      segserver keys rotate
    """
    with _desk(config) as desk:
        version = desk.rotate()
        click.echo(f"version {version} is the current one")
        if not no_wait:
            _rewrap(desk)


@command.command("rewrap")
@_installation
def rewrap(config: Config) -> None:
    """Wrap the data keys again that are not under the current version yet.

    \b
    Example:
      segserver keys rewrap
    """
    with _desk(config) as desk:
        _rewrap(desk)


@command.command("retire")
@click.argument("version", type=click.IntRange(min=1))
@_installation
def retire(version: int, config: Config) -> None:
    """Remove an old version that no data key is wrapped under. Backups that need it can't be read any more.

    \b
    Example:
      segserver keys retire 1
    """
    with _desk(config) as desk:
        desk.retire(version)
    click.echo(f"version {version} is retired")


def _rewrap(desk: KeyDesk) -> None:
    with click.progressbar(length=_remaining(desk.status()), label="wrapping data keys again") as bar:
        while count := desk.rewrap():
            bar.update(count)


def _remaining(versions: Sequence[KeyStatus]) -> int:
    return sum(version.data_keys for version in versions if not version.current)


@contextmanager
def _desk(config: Config) -> Iterator[KeyDesk]:
    from segserver.engine.build import system_clock_us
    from segserver.engine.keys import KeyDesk
    from segserver.engine.store import has_store, open_store

    if not has_store(config):
        raise click.ClickException(
            f"{config.data_dir} holds no database; start 'segserver serve' on it first"
        )
    with _plugins(config) as installed:
        store = open_store(config)
        try:
            yield KeyDesk(config, installed, store, system_clock_us)
        finally:
            store.close()


@contextmanager
def _plugins(config: Config) -> Iterator[Installed]:
    """The plugins, where one keeps the keys; otherwise none of their code runs here."""
    from segserver.engine.plugins import load_plugins
    from segserver.privacy.keys import FILE_PROVIDER
    from segserver.strategies.manager import Installed

    installed = Installed() if config.key_provider == FILE_PROVIDER else load_plugins(config)
    try:
        yield installed
    finally:
        installed.close()

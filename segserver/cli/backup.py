"""``segserver backup``: copies of the store, made while it serves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segserver.cli._installation import installation_options, key_option, log_key, progress_bar
from segserver.cli._output import json_option, write_json
from segserver.errors import FailedPrecondition

if TYPE_CHECKING:
    from segserver.config import Config
    from segserver.engine.backups import Verified

_FILE = click.Path(path_type=Path, dir_okay=False)
_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
_WITNESS = click.option(
    "--witness", "state", type=_EXISTING, help="The file of an audit witness: was anything logged since?"
)


@click.group("backup")
def command() -> None:
    """Back a store up while it serves, verify backups, and restore them.

    The keyring is not in a backup. Keep its copy elsewhere: without it, a backup can't be read, and who has
    both can read everything.

    \b
    Example:
      segserver backup create /backups/monday.db
    """


@command.command("create")
@click.argument("file", type=_FILE)
@installation_options
def create(file: Path, config: Config) -> None:
    """Write a backup: one file, as the store is at one moment, whichever kind of store it is.

    \b
    Example:
      segserver backup create /backups/monday.db --data-dir data
    """
    from segserver.engine.backups import create as write
    from segserver.engine.store import has_store, open_database

    if not has_store(config):
        raise FailedPrecondition(f"{config.data_dir} holds no database", reason="STORE_MISSING")
    write(open_database(config), file)
    click.echo(f"wrote {file}: {file.stat().st_size:,} bytes")
    click.echo("The keyring is not in it. Keep a copy of that elsewhere.", err=True)


@command.command("verify")
@click.argument("file", type=_EXISTING)
@key_option
@_WITNESS
@installation_options
@json_option
def verify(file: Path, key_file: Path | None, state: Path | None, config: Config, as_json: bool) -> None:
    """Read a backup: its structure, the whole log with its signatures, and the seals of some subjects.

    The seals need the keyring in --data-dir; without one, they are left out.

    \b
    Example:
      segserver backup verify /backups/monday.db --key log.key --witness shop.witness
    """
    found = _verified(file, config, key_file, state)
    if as_json:
        log = dataclasses.asdict(found.log) | {"root": found.log.root.hex()}
        write_json({"log": log, "rows": found.rows, "opened": found.opened, "missing": found.missing})
        return
    click.echo(f"the log verifies: {found.log.size:,} entries, signed up to {found.log.signed:,}")
    opened = "not opened: there is no keyring" if found.opened is None else f"{found.opened:,} of them opened"
    click.echo(f"{found.rows['subjects']:,} subjects, {opened}")
    if found.missing:
        click.echo(f"{found.missing:,} entries that the witness saw are not in it: it is older")


@command.command("restore")
@click.argument("file", type=_EXISTING)
@key_option
@_WITNESS
@click.option("--older", is_flag=True, help="Also when the witness has seen more: those entries are lost.")
@installation_options
def restore(file: Path, key_file: Path | None, state: Path | None, older: bool, config: Config) -> None:
    """Verify a backup, and put it where there is no store: in --data-dir, or in the database of --store.

    Restore the keyring first. People who were erased since the backup come back, sealed: erase them again
    before the server answers.

    \b
    Example:
      segserver backup restore /backups/monday.db --data-dir data --witness shop.witness
    """
    from segserver.engine.backups import restore as put
    from segserver.engine.store import open_database

    found = _verified(file, config, key_file, state)
    if found.missing and not older:
        raise FailedPrecondition(
            f"the backup is older than what the witness saw: {found.missing:,} entries would be lost; "
            "find a newer backup, or restore with --older",
            reason="BACKUP_OLDER",
            metadata={"missing": str(found.missing)},
        )
    target = open_database(config) if config.store.get_secret_value() else None
    put(file, config, target, [log_key(config, key_file)])
    click.echo(f"restored {sum(found.rows.values()):,} rows; the log ends at entry {found.log.size:,}")
    click.echo("Erase again who was erased since, before the server answers.", err=True)


def _verified(file: Path, config: Config, key_file: Path | None, state: Path | None) -> Verified:
    from segserver.audit.witness import Witness
    from segserver.engine.backups import verify_backup
    from segserver.privacy.keyring import load_file

    keys = [log_key(config, key_file)]
    keyring = load_file(config.keyring_path) if config.keyring_path.exists() else None
    seen = None if state is None else Witness(state, keys).remembered()
    with progress_bar("verifying") as progress:
        return verify_backup(file, keys, keyring, seen=seen, progress=progress)

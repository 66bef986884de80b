"""``segserver store``: where the data are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from segserver.cli._installation import installation, key_option, log_key, without_password
from segserver.cli._output import json_option, write_json
from segserver.cli._server import data_dir_option
from segserver.errors import InvalidInput

if TYPE_CHECKING:
    from segserver.storage.contract import Database

FILE_SCHEME = "sqlite:"


@click.group("store")
def command() -> None:
    """Move what is kept from one store to another.

    \b
    Example:
      segserver store migrate --from sqlite:data/segserver.db --to postgresql://segserver@db/segserver
    """


@command.command("migrate")
@click.option(
    "--from",
    "source",
    required=True,
    metavar="URL",
    callback=without_password,
    help="sqlite:FILE or postgresql://USER@HOST/DATABASE.",
)
@click.option(
    "--to", "target", required=True, metavar="URL", callback=without_password, help="The same, without rows."
)
@key_option
@data_dir_option
@json_option
def migrate(source: str, target: str, key_file: Path | None, data_dir: Path, as_json: bool) -> None:
    """Copy everything to a new store, and verify it. Stop the servers first.

    Nobody can write to either store meanwhile. Nothing is copied by half: cut off, run it again. The old
    store is left as it is. Proofs that were given out verify as before.

    \b
    Example:
      segserver store migrate --from sqlite:data/segserver.db --to postgresql://segserver@db/segserver
    """
    from segserver.engine.backups import migrate as move

    rows: dict[str, int] = {}

    def progress(table: str, count: int) -> None:
        if table not in rows and not as_json:
            click.echo(f"copying {table}", err=True)
        rows[table] = rows.get(table, 0) + count

    old, new = _opened(source, made=True), _opened(target, made=False)
    report = move(old, new, [log_key(installation(data_dir, None), key_file)], progress)
    if as_json:
        write_json({"rows": rows, "entries": report.size, "root": report.root.hex(), "signed": report.signed})
        return
    click.echo(f"copied {sum(rows.values()):,} rows of {len(rows)} tables")
    click.echo(f"the log verifies: {report.size:,} entries, signed up to {report.signed:,}")


def _opened(url: str, *, made: bool) -> Database:
    """The store that a URL names. Raises :class:`InvalidInput` for a file that should be there and is not."""
    from segserver.config import load
    from segserver.engine.store import open_database
    from segserver.storage.sqlite import Database as File

    if not url.startswith(FILE_SCHEME):
        return open_database(load(store=url))
    path = Path(url.removeprefix(FILE_SCHEME))
    if made and not path.is_file():
        raise InvalidInput(f"{path}: there is no such file", reason="STORE_MISSING")
    return File(path)

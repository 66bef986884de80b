"""The options of commands that work on an installation itself, with or without a running server."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from segserver.cli._server import data_dir_option

if TYPE_CHECKING:
    from segserver.audit.note import NoteKey
    from segserver.config import Config

F = TypeVar("F", bound=Callable[..., Any])


def installation_options(command: F) -> F:
    """Adds ``--data-dir`` and ``--store``; the command gets ``config``."""

    @functools.wraps(command)
    def wrapper(*args: Any, data_dir: Path, store: str | None, **rest: Any) -> Any:
        return command(*args, config=installation(data_dir, store), **rest)

    return data_dir_option(store_option(wrapper))  # type: ignore[return-value]  # the same command, with other parameters


def installation(data_dir: Path, store: str | None, **settings: Any) -> Config:
    """The settings of an installation, as its options name it. Raises :class:`InvalidInput`."""
    from segserver.config import load

    return load(data_dir=data_dir, store=store or "", **settings)


def store_option(command: F) -> F:
    """Adds ``--store``."""
    return click.option(
        "--store",
        envvar="SEGSERVER_STORE",
        metavar="URL",
        callback=without_password,
        help="A PostgreSQL database, postgresql://USER@HOST/DATABASE; else a file in --data-dir.",
    )(command)


def key_option(command: F) -> F:
    """Adds ``--key``, the log's public key; the command gets ``key_file``."""
    return click.option(
        "--key",
        "key_file",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="The log's public key; without it, the one of the keyring.",
    )(command)


def log_key(config: Config, key_file: Path | None) -> NoteKey:
    """The log's public key, from a file or of the keyring. Raises :class:`FailedPrecondition` without any."""
    from segserver.cli._proofs import key_of
    from segserver.engine.audit import log_signer
    from segserver.privacy.keyring import load_file

    return key_of(key_file) if key_file else log_signer(load_file(config.keyring_path)).key


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr; what it gives is called with what is done and what is to do."""
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield progress


def without_password(context: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """The URL, unless it is an argument with a password: every user of a machine can list those."""
    given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    if url and given and _password(url):
        raise click.UsageError(
            f"a password in {parameter.opts[0]} can be read by every user of this machine: "
            "put it into the file that PGPASSFILE names, or into PGPASSWORD",
            context,
        )
    return url


def _password(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "@" in url
    return bool(parts.password) or "password=" in parts.query

"""The options that say which server to ask, and as whom."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from segserver.errors import Unauthenticated

if TYPE_CHECKING:
    from segserver.client import Client

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_ADDRESS = "127.0.0.1:50051"
KEY_VARIABLE = "SEGSERVER_API_KEY"
DEVELOPMENT_KEY = "dev.key"

_FILE = click.Path(path_type=Path, dir_okay=False)

LASTING_S = 60.0
"""The deadline of a call about many subjects or a whole catalog, where --timeout is not longer."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server and the caller's key, as the options name them."""

    address: str
    api_key_file: Path | None
    data_dir: Path
    timeout_s: float
    tls: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False

    def connect(self) -> Client:
        """A client; use it in a ``with``."""
        from segserver.client import Client, tls

        wanted = self.tls or self.tls_ca or self.tls_cert or self.tls_key
        return Client(
            self.address,
            credentials=tls(self.tls_ca, self.tls_cert, self.tls_key) if wanted else None,
            insecure=self.insecure,
            api_key=self.api_key(),
            timeout_s=self.timeout_s,
            lasting_timeout_s=max(self.timeout_s, LASTING_S),
        )

    def api_key(self) -> str | None:
        """The caller's key.

        It is never an argument, because every user of a machine can list its processes' arguments. The
        development key goes to this machine's own server only.

        Raises:
            Unauthenticated: when the key file can't be read.
        """
        from segserver.client.connection import is_loopback

        if self.api_key_file is not None:
            return read_key(self.api_key_file)
        if key := os.environ.get(KEY_VARIABLE, "").strip():
            return key
        file = self.data_dir / DEVELOPMENT_KEY
        return read_key(file) if is_loopback(self.address) and file.is_file() else None


def read_key(file: Path) -> str:
    """The key in a file."""
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Unauthenticated(f"{file}: the API key can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unauthenticated(f"{file}: this is no API key") from None


def server_options(command: F) -> F:
    """Adds ``--address``, ``--api-key-file``, ``--data-dir``, ``--timeout`` and those of TLS; the command
    gets ``server``.
    """

    @functools.wraps(command)
    def wrapper(
        *args: Any,
        address: str,
        api_key_file: Path | None,
        data_dir: Path,
        timeout_s: float,
        tls: bool,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        insecure: bool,
        **rest: Any,
    ) -> Any:
        server = Server(
            address, api_key_file, data_dir, timeout_s, tls, tls_ca, tls_cert, tls_key, insecure=insecure
        )
        return command(*args, server=server, **rest)

    options = [
        click.option(
            "--address",
            envvar="SEGSERVER_ADDRESS",
            default=DEFAULT_ADDRESS,
            show_default=True,
            metavar="HOST:PORT",
        ),
        click.option(
            "--api-key-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"A file with the API key; without it, {KEY_VARIABLE}.",
        ),
        data_dir_option,
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=0.001),
            default=5.0,
            show_default=True,
            metavar="SECONDS",
            help="How long a call may take.",
        ),
        click.option("--tls", is_flag=True, envvar="SEGSERVER_TLS", help="Speak TLS to this machine, too."),
        click.option(
            "--tls-ca", envvar="SEGSERVER_TLS_CA", type=_FILE, help="Authorities to trust; else the system's."
        ),
        click.option(
            "--tls-cert",
            envvar="SEGSERVER_TLS_CERT",
            type=_FILE,
            help="Your certificate, where one is asked for.",
        ),
        click.option("--tls-key", envvar="SEGSERVER_TLS_KEY", type=_FILE, help="Its private key."),
        click.option("--insecure", is_flag=True, help="Speak to another machine without TLS."),
    ]
    for option in reversed(options):
        wrapper = option(wrapper)
    return wrapper  # type: ignore[return-value]  # the same command, with other parameters


def data_dir_option(command: F) -> F:
    """Adds ``--data-dir``."""
    return click.option(
        "--data-dir",
        envvar="SEGSERVER_DATA_DIR",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(".data"),
        show_default=True,
        help="Where a server on this machine keeps its data.",
    )(command)


def trust_option(command: F) -> F:
    """Adds ``--trust``; the command gets ``trusted_plugins``, ``None`` where it is not given."""
    return click.option(
        "--trust",
        "trusted_plugins",
        multiple=True,
        envvar="SEGSERVER_TRUST",
        metavar="DISTRIBUTION",
        callback=lambda _context, _option, given: given or None,
        help="Run this plugin's code in this process, not in one of its own; '*' for all. May be repeated.",
    )(command)

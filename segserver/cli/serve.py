"""``segserver serve``: the server itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segserver.cli._installation import store_option
from segserver.cli._server import trust_option
from segserver.errors import FailedPrecondition

if TYPE_CHECKING:
    from segserver.config import Config


@click.command("serve")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="Settings in TOML."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SEGSERVER_DATA_DIR",
    help="Where things are kept.",
)
@store_option
@click.option("--listen", help="HOST:PORT; port 0 takes a free one.")
@click.option(
    "--catalog",
    "catalog_dir",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Publish this directory's catalog at the start, where it differs from the one that serves.",
)
@click.option(
    "--dev", is_flag=True, default=None, help="Make keys and a caller with all roles where there are none."
)
@click.option(
    "--insecure",
    is_flag=True,
    default=None,
    help="Listen in the clear where other machines can reach the server.",
)
@click.option(
    "--tls-cert", type=click.Path(dir_okay=False), help="Listen with TLS: the certificate's file (PEM)."
)
@click.option("--tls-key", type=click.Path(dir_okay=False), help="Its private key.")
@click.option(
    "--tls-client-ca",
    type=click.Path(dir_okay=False),
    help="Ask each client for a certificate of these authorities.",
)
@click.option("--strict", is_flag=True, default=None, help="Refuse to start when a plugin is quarantined.")
@trust_option
@click.option("--reflection", is_flag=True, default=None, help="Serve gRPC reflection.")
@click.option(
    "--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the address here when ready."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), help="So many processes on one port, supervised; 1 by default."
)
def command(
    config_file: Path | None,
    ready_file: Path | None,
    tls_cert: str | None,
    tls_key: str | None,
    tls_client_ca: str | None,
    **overrides: object,
) -> None:
    """Serve evaluations over gRPC until interrupted. SIGHUP reads the catalog's directory again.

    \b
    Example:
      segserver serve --dev --data-dir .data --catalog examples/catalog
      segserver serve --listen 0.0.0.0:50051 --tls-cert server.pem --tls-key server.key
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # our log is JSON, and says it already

    import asyncio

    from segserver.config import load
    from segserver.observe.link import Place

    files = {"cert_file": tls_cert, "key_file": tls_key, "client_ca_file": tls_client_ca}
    tls = {name: file for name, file in files.items() if file is not None}
    config = load(config_file, **overrides, tls=tls or None)
    place = Place.of(os.environ)

    from segserver.observe import logs  # structlog brings Rich: not before the usage is known to be right

    logs.configure(0 if place is None else place.worker)
    check_reach(config)
    if config.workers > 1 and place is None:
        from segserver.cli._workers import Supervisor

        async def supervise() -> int:
            return await Supervisor(sys.argv[1:], config, ready_file).run()

        sys.exit(asyncio.run(supervise()))

    import uvloop

    from segserver.engine import build
    from segserver.rpc.process import serve
    from segserver.strategies.isolation.walls import conceal

    conceal()  # before there are keys in memory
    engine = build(config, publish=place is None or place.publishes)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(engine, ready_file, place))
    finally:
        engine.close()


def check_reach(config: Config) -> None:
    """Raises :class:`FailedPrecondition` for metrics that other machines could read, unless the settings say
    ``insecure``.
    """
    from segserver.config import is_loopback

    listen = config.observe.metrics_listen
    if listen and not is_loopback(listen) and not config.insecure:
        raise FailedPrecondition(
            f"observe.metrics_listen: {listen} can be reached from other machines, and everybody there could "
            "read the numbers; listen on 127.0.0.1, or say --insecure",
            reason="PLAINTEXT_OUTSIDE_LOOPBACK",
        )

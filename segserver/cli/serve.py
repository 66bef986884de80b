"""``segserver serve``: the server itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


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
@click.option("--reflection", is_flag=True, default=None, help="Serve gRPC reflection.")
@click.option(
    "--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the address here when ready."
)
def command(
    config_file: Path | None,
    ready_file: Path | None,
    tls_cert: str | None,
    tls_key: str | None,
    tls_client_ca: str | None,
    **overrides: object,
) -> None:
    """Serve evaluations over gRPC until interrupted.

    \b
    Examples:
      segserver serve --dev --data-dir .data --catalog examples/catalog
      segserver serve --listen 0.0.0.0:50051 --tls-cert server.pem --tls-key server.key
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # our log is JSON, and says it already

    from segserver.config import load

    files = {"cert_file": tls_cert, "key_file": tls_key, "client_ca_file": tls_client_ca}
    tls = {name: file for name, file in files.items() if file is not None}
    config = load(config_file, **overrides, tls=tls or None)

    import asyncio

    import structlog
    import uvloop

    from segserver.engine import build
    from segserver.rpc.server import serve

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    engine = build(config)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(engine, ready_file))
    finally:
        engine.close()

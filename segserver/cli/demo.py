"""``segserver demo``: a server with a population of made-up customers, to look at."""

from __future__ import annotations

from pathlib import Path

import click

from segserver.cli._output import json_option
from segserver.cli._server import data_dir_option

DEFAULT_PORT = 50051


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the answers, instead of serving on.")
@data_dir_option
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Where to listen, on this machine only; 0 takes a free port.",
)
@click.option(
    "--catalog",
    "catalog_dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A catalog's directory; without it, examples/catalog of the source tree.",
)
@click.option("--customers", type=click.IntRange(1, 100_000), default=500, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Another number makes other customers.")
@json_option
def command(
    once: bool, data_dir: Path, port: int, catalog_dir: Path | None, customers: int, seed: int, as_json: bool
) -> None:
    """Starts a server with sample customers, evaluates some of them, and goes on serving until interrupted.

    The customers are made up. Their answers show what consent does: analytics rests on another legal basis
    than consent, marketing does not. Of the first customers one granted it, one refused, one's consent has
    expired, one objected, one is a child, and one withdrew.

    \b
    Example:
      segserver demo --once
    """
    from segserver.cli._demonstration import run

    run(data_dir, port, catalog_dir, customers, seed, once=once, as_json=as_json)

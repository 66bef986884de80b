"""``segserver strategies``: what the plugins bring."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segserver.cli._output import console, joined, json_option, table, visible, write_json
from segserver.cli._request import Time
from segserver.cli._server import Server, server_options
from segserver.errors import NotFound, SegserverError

if TYPE_CHECKING:
    from segserver.client import Strategy


@click.group("strategies")
def command() -> None:
    """The strategies that plugins bring: ways of looking at customers.

    \b
    Example:
      segserver strategies list
    """


@command.command("list")
@server_options
@json_option
def list_strategies(server: Server, as_json: bool) -> None:
    """Lists the installed strategies, and those that could not be loaded.

    \b
    Example:
      segserver strategies list
    """
    with server.connect() as client:
        strategies = list(client.strategies())
    if as_json:
        write_json({"strategies": strategies})
        return
    made = table("strategy", "version", "state", "traits", "segments", "from")
    for strategy in strategies:
        made.add_row(
            strategy.name,
            strategy.version,
            _state(strategy),
            str(len(strategy.traits)),
            str(len(strategy.segments)),
            strategy.distribution,
        )
    out = console()
    out.print(made)
    for strategy in strategies:
        if strategy.quarantine_reason:
            out.print(f"{strategy.name or strategy.distribution}: {strategy.quarantine_reason}")
        if strategy.process_failure_count:
            out.print(f"{strategy.name}: {_process(strategy)}")


@command.command("show")
@click.argument("name")
@server_options
@json_option
def show_strategy(name: str, server: Server, as_json: bool) -> None:
    """Shows a strategy's traits, segments, attributes and settings.

    \b
    Example:
      segserver strategies show demographic
    """
    from segserver.catalog.names import close_to

    with server.connect() as client:
        strategies = {strategy.name: strategy for strategy in client.strategies()}
    if name not in strategies:
        raise NotFound(f"no strategy {name!r}", reason="STRATEGY_NOT_FOUND", near=close_to(name, strategies))
    if as_json:
        write_json(strategies[name])
    else:
        _print(strategies[name])


@command.command("fit")
@click.argument("name")
@click.option("--purpose", "-p", required=True, metavar="NAME", help="Who may be seen for it counts.")
@click.option("--at", type=Time(), help="As of when; UTC unless it says otherwise.")
@click.option("--seed", type=int, default=0, help="Of what the strategy draws, where it draws a sample.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the catalog file; without it, to standard output.",
)
@server_options
@json_option
def fit_strategy(
    name: str,
    purpose: str,
    at: dt.datetime | None,
    seed: int,
    output: Path | None,
    server: Server,
    as_json: bool,
) -> None:
    """Fits a strategy to the stored customers, and writes what it learned as a catalog file.

    Put the file beside the others of the catalog and publish it: the fit is in the catalog's digest.

    \b
    Example:
      segserver strategies fit value --purpose analytics --output catalog/fit-value.yaml
    """
    with server.connect() as client:
        fit = client.fit_strategy(name, purpose, at, seed)
    if output is not None:
        try:
            output.write_text(fit.document.text, encoding="utf-8")
        except OSError as error:
            raise SegserverError(f"{output}: {error.strerror}", reason="NOT_WRITABLE") from error
    if as_json:
        write_json(fit)
    elif output is None:
        click.echo(fit.document.text, nl=False)
    else:
        click.echo(f"{output}: learned of {fit.customers} customers, digest {fit.digest[:12]}")


def _state(strategy: Strategy) -> str:
    if strategy.quarantine_reason:
        return "quarantined"
    failures = f", {strategy.failure_count} failures" if strategy.failure_count else ""
    process = ", isolated" if strategy.process_state else ""
    if strategy.process_state in ("open", "half-open"):
        process = ", left alone after failures"
    return ("used" if strategy.enabled else "not used") + process + failures


def _process(strategy: Strategy) -> str:
    """What is to know of the plugin host process."""
    found = f"its plugin host process is {strategy.process_state}"
    if strategy.process_walls:
        found += f", behind {' and '.join(strategy.process_walls)}"
    if not strategy.process_failure_count:
        return found
    return (
        f"{found}; it failed {strategy.process_failure_count} times, the last time it {strategy.last_failure}"
    )


def _print(strategy: Strategy) -> None:
    out = console()
    out.print(f"{strategy.name} {strategy.version}: {strategy.title or 'no title'}")
    out.print(f"from {strategy.distribution}, {_state(strategy)}")
    if strategy.quarantine_reason:
        out.print(strategy.quarantine_reason)
    if strategy.process_state:
        out.print(_process(strategy))
    if not strategy.enabled and not strategy.quarantine_reason:
        out.print("The catalog does not use it. It would bring, with its default settings:")
    traits = table("trait", "type", "reads", "title", title="Traits", whole="trait")
    for trait in strategy.traits:
        traits.add_row(trait.name, trait.type, joined(trait.reads), trait.title)
    if strategy.traits:
        out.print(traits)
    for title, names in (("Segments", strategy.segments), ("Attributes", strategy.attributes)):
        if names:
            out.print(f"{title}:")
            for name in names:
                out.print(f"  {name}", soft_wrap=True)
    settings = json.loads(strategy.settings_json or "{}")
    if settings:
        out.print("Settings, as a catalog writes them:")
        out.print(visible(_yaml(strategy.name, settings)), soft_wrap=True)


def _yaml(name: str, settings: dict[str, Any]) -> str:
    import yaml

    written: str = yaml.safe_dump(
        {"strategies": {name: settings}},
        allow_unicode=True,
        default_flow_style=None,
        sort_keys=False,
        width=76,
    )
    return written.rstrip()

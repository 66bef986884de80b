"""``segserver status``: how a running server is."""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from segserver.cli._failure import Exit
from segserver.cli._output import console, json_option, short_digest, table, visible, write_json
from segserver.cli._server import Server, server_options

if TYPE_CHECKING:
    from rich.table import Table

    from segserver.client.status_calls import WorkerStatus

CALLS, DURATION = "segserver_calls", "segserver_call_duration_seconds"


@click.command("status")
@json_option
@server_options
def command(as_json: bool, server: Server) -> None:
    """Show how a running server is: its workers, what serves, what it counts, and what does not work.

    It takes the role officer or admin. The exit code is 1 while something does not work.

    \b
    Example:
      segserver status
    """
    with server.connect() as client:
        workers = client.status()
    troubles = sorted({(t.component, t.reason, t.message) for worker in workers for t in worker.troubles})
    if as_json:
        write_json({"works": not troubles, "workers": workers})
    else:
        _show(workers)
        for component, reason, message in troubles:
            click.echo(visible(f"{component} does not work: {message} ({reason})"))
        if not troubles:
            click.echo("everything works")
    if troubles:
        sys.exit(Exit.PROBLEM)


def _show(workers: Sequence[WorkerStatus]) -> None:
    made = table("worker", "pid", "up for", "restarts", "catalog", "memory", "calls")
    for worker in workers:
        made.add_row(
            str(worker.worker or "alone"),
            str(worker.pid),
            span(worker.report_time - worker.start_time),
            str(worker.restarts),
            f"{worker.catalog_version} ({short_digest(worker.catalog_digest)})",
            f"{worker.value('segserver_memory_bytes') / 1e6:.0f} MB",
            f"{worker.value(CALLS):,.0f}",
        )
    console().print(made)
    calls = _calls(workers)
    if calls.row_count:
        console().print(calls)
    newest = max(workers, key=lambda worker: worker.report_time)
    queued = sum(worker.value("segserver_write_queue_units") for worker in workers)
    active = sum(worker.value("segserver_calls_in_progress") for worker in workers)
    click.echo(f"version {newest.version}; {active:.0f} calls in progress")
    click.echo(
        f"audit log: {newest.value('segserver_log_entries'):,.0f} entries, "
        f"{newest.value('segserver_log_unsigned_entries'):.0f} not signed yet; {queued:.0f} writes wait"
    )
    if age_s := newest.value("segserver_key_age_seconds"):
        click.echo(f"key-encryption key: {span(dt.timedelta(seconds=age_s))} old")


def _calls(workers: Sequence[WorkerStatus]) -> Table:
    """Calls by method, and how long they took."""
    from segserver.client.status_calls import quantile

    made = table("method", "calls", "not OK", "median", "p99", whole="method")
    measures = [measure for worker in workers for measure in worker.measures]
    for method in sorted({m.labels["method"] for m in measures if m.name == CALLS}):
        timings = tuple(m for m in measures if m.name == DURATION and m.labels["method"] == method)
        calls = sum(worker.value(CALLS, method=method) for worker in workers)
        good = sum(worker.value(CALLS, method=method, status="OK") for worker in workers)
        made.add_row(
            method,
            f"{calls:,.0f}",
            f"{calls - good:,.0f}",
            _bound(quantile(timings, 0.5)),
            _bound(quantile(timings, 0.99)),
        )
    return made


def _bound(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "over 10 s" if math.isinf(seconds) else f"≤ {1_000 * seconds:g} ms"


def span(length: dt.timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = max(0, round(length.total_seconds()))
    for name, size, small, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            return f"{seconds // size} {name} {seconds % size // part} {small}"
    return f"{seconds} s"

"""``profile import`` and ``events import``: the file, the server, the progress bar and the report."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from segserver.cli._event_import import EventImporter, EventReport
from segserver.cli._event_mapping import EventMapping
from segserver.cli._failure import Exit
from segserver.cli._import_options import Request
from segserver.cli._importing import RejectedRow, Report
from segserver.cli._mapping import RowMapping
from segserver.cli._mapping_spec import EventsSpec, MappingSpec, RowSpec, SpecFile
from segserver.cli._output import console, table, write_json
from segserver.cli._profile_import import ProfileImporter
from segserver.cli._rows import Rows, open_rows
from segserver.cli._server import Server
from segserver.errors import SegserverError

SHOWN_MAX = 20

ImporterT = TypeVar("ImporterT", ProfileImporter, EventImporter)


def import_profiles(server: Server, request: Request, *, as_json: bool) -> None:
    """Imports a file as profiles and reports; ends with exit code 1 when a row was rejected."""
    file = SpecFile(request.mapping, MappingSpec)
    with server.connect() as client:
        declared = {attribute.name: attribute.type for attribute in client.attributes()}
        mapping = RowMapping(file, declared)
        report = _run(
            request,
            file.spec,
            lambda *listeners: ProfileImporter(client, mapping, *listeners, dry_run=request.dry_run),
        )
    _tell(report, dry_run=request.dry_run, as_json=as_json)


def import_events(server: Server, request: Request, *, as_json: bool) -> None:
    """Imports a file as events and reports; ends with exit code 1 when a row was rejected."""
    file = SpecFile(request.mapping, EventsSpec)
    with server.connect() as client:
        mapping = EventMapping(file, {event.name: event for event in client.event_definitions()})
        report = _run(
            request,
            file.spec,
            lambda *listeners: EventImporter(client, mapping, *listeners, dry_run=request.dry_run),
        )
    _tell(report, dry_run=request.dry_run, as_json=as_json)


def _run(
    request: Request,
    spec: RowSpec,
    make: Callable[[Callable[[], None], Callable[[RejectedRow], None]], ImporterT],
) -> Report:
    with (
        open_rows(request.file, request.kind, spec.format, tuple(spec.columns)) as rows,
        _rejects(request.rejects_file) as on_rejected,
        _progress(rows) as progress,
    ):
        importer = make(progress, on_rejected)
        try:
            importer.run(rows)
        except SegserverError as error:
            landed = f"{importer.report.written} rows had landed; run the import again after the repair"
            raise type(error)(f"{error.message} ({landed})", reason=error.reason) from error
    return importer.report


def _tell(report: Report, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        write_json({**asdict(report), "dry_run": dry_run})
    else:
        _print(report, dry_run=dry_run)
    if report.rejected_count:
        raise SystemExit(Exit.PROBLEM)


@contextlib.contextmanager
def _rejects(file: Path | None) -> Iterator[Callable[[RejectedRow], None]]:
    if file is None:
        yield lambda _: None
        return
    try:
        stream = file.open("w", encoding="utf-8")
    except OSError as error:
        raise SegserverError(f"{file}: {error.strerror}", reason="NOT_WRITABLE") from None
    with stream:
        yield lambda row: print(json.dumps(asdict(row), ensure_ascii=False), file=stream)  # into a file


@contextlib.contextmanager
def _progress(rows: Rows) -> Iterator[Callable[[], None]]:
    """A bar on stderr, when that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (
        TextColumn("importing"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=rows.total)
        yield lambda: bar.update(task, completed=rows.done())


def _print(report: Report, *, dry_run: bool) -> None:
    if report.rejected:
        made = table("line", "why it was rejected")
        for row in report.rejected[:SHOWN_MAX]:
            made.add_row(str(row.line), row.reason)
        console().print(made)
        more = report.rejected_count - min(len(report.rejected), SHOWN_MAX)
        if more:
            click.echo(f"… and {more} more; --rejects FILE gets them all")
    if isinstance(report, EventReport):
        _print_events(report)
    for reason, count in report.skipped.items():
        click.echo(f"skipped {count} rows: {reason}")
    verb = "would be written" if dry_run else "written"
    skipped = f"{sum(report.skipped.values())} skipped, " if report.skipped else ""
    click.echo(f"{report.rows} rows: {report.written} {verb}, {skipped}{report.rejected_count} rejected")


def _print_events(report: EventReport) -> None:
    for name, made in sorted(report.events.items()):
        click.echo(f"{name}: {made.events} events of {made.rows} rows")
    if report.repeated:
        click.echo(f"{report.repeated} of these events had been recorded before")

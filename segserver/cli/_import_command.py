"""``segserver profile import``: the file, the mapping, the server, the progress bar and the report."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from segserver.cli._failure import Exit
from segserver.cli._importing import Importer, RejectedRow, Report
from segserver.cli._mapping import RowMapping
from segserver.cli._mapping_spec import SpecFile
from segserver.cli._output import console, table, write_json
from segserver.cli._rows import Rows, open_rows
from segserver.cli._server import Server
from segserver.errors import SegserverError

SHOWN_MAX = 20


def run(
    server: Server,
    file: Path,
    mapping: Path,
    kind: str | None,
    rejects_file: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Imports a file and reports; ends with exit code 1 when a row was rejected."""
    mapping_file = SpecFile(mapping)
    spec = mapping_file.spec
    with server.connect() as client:
        declared = {attribute.name: attribute.type for attribute in client.attributes()}
        row_mapping = RowMapping(mapping_file, declared)
        with (
            open_rows(file, kind, spec.format, tuple(spec.columns)) as rows,
            _rejects(rejects_file) as on_rejected,
            _progress(rows) as progress,
        ):
            importer = Importer(client, row_mapping, progress, on_rejected, dry_run=dry_run)
            try:
                report = importer.run(rows)
            except SegserverError as error:
                landed = f"{importer.report.written} rows had landed; run the import again after the repair"
                raise type(error)(f"{error.message} ({landed})", reason=error.reason) from error
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
    verb = "would be written" if dry_run else "written"
    click.echo(f"{report.rows} rows: {report.written} {verb}, {report.rejected_count} rejected")

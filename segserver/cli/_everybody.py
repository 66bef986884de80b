"""``segserver evaluate --all``: everybody's answers, written into a file as they come."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from segserver.cli._failure import Exit
from segserver.cli._output import console, short_digest, time_text, write_json
from segserver.cli._request import reason_of
from segserver.cli._server import Server
from segserver.errors import Conflict, InvalidInput, SegserverError

if TYPE_CHECKING:
    from segserver.client import EvaluatedPart, SegmentResult

TOKEN, REASONS, ERROR = "subject_token", "reasons", "error"
"""The columns beside those of the segments."""

Row = tuple[str, Sequence[str], Mapping[str, str], str]
"""Token, outcome of each segment, why a segment is not settled, why there is no answer."""
Write = Callable[[Sequence[Row]], None]


def run(
    server: Server,
    purpose: str,
    segments: Sequence[str],
    at: dt.datetime | None,
    file: Path,
    kind: str | None,
    *,
    as_json: bool,
) -> None:
    """Writes the file, whole or not at all, and reports; exit code 1 when a subject has no answer."""
    from segserver.storage.files import whole_file

    kind = kind or file.suffix.removeprefix(".").lower()
    if kind not in _FORMS:
        raise InvalidInput(
            f"{file}: what kind of file is this? Name it like one of "
            f"{', '.join('.' + known for known in sorted(_FORMS))}, or say --format",
            reason="FILE_KIND",
        )
    with server.connect() as client:
        names = sorted(set(segments)) or sorted(item.id for item in client.segments(purpose=purpose))
        parts = client.evaluate_all(purpose, segments, at)
        try:
            with whole_file(file) as output, _FORMS[kind](output, names) as write, _progress() as progress:
                report = _written(parts, names, write, progress)
        except OSError as error:
            raise SegserverError(f"{file}: {error.strerror}", reason="NOT_WRITABLE") from None
    if as_json:
        write_json(report)
    else:
        failed = f", {report['errors']} without an answer" if report["errors"] else ""
        click.echo(f"wrote {report['subjects']} subjects to {file}{failed}")
        click.echo(
            f"as of {time_text(report['evaluate_time'])}, catalog {short_digest(report['catalog_digest'])}, "
            f"evaluation {report['evaluation_id']}"
        )
    if report["errors"]:
        raise SystemExit(Exit.PROBLEM)


def _written(
    parts: Iterable[EvaluatedPart], names: Sequence[str], write: Write, progress: Callable[[int], None]
) -> dict[str, Any]:
    report: dict[str, Any] = {"subjects": 0, "errors": 0}
    entries: dict[int, None] = {}
    for part in parts:
        rows = list(_rows(part, names))
        write(rows)
        progress(len(rows))
        report["subjects"] += len(rows)
        report["errors"] += sum(bool(row[3]) for row in rows)
        entries[part.log_index] = None
        report |= {
            "evaluation_id": part.evaluation_id,
            "evaluate_time": part.evaluate_time,
            "catalog_digest": part.catalog_digest,
        }
    return report | {"entries": list(entries)}


def _rows(part: EvaluatedPart, names: Sequence[str]) -> Iterator[Row]:
    reasons: dict[int, str] = {}

    def reason(result: SegmentResult) -> str:
        """Results are shared within a part, so that each is put into words once."""
        found = reasons.get(id(result))
        if found is None:
            found = reasons[id(result)] = reason_of(result)
        return found

    for one in part.evaluations:
        if one.error is not None:
            yield one.subject_token, [""] * len(names), {}, one.error.reason
            continue
        if [result.segment for result in one.results] != names:
            raise Conflict(
                "another catalog was published in this moment: evaluate again", reason="CATALOG_CHANGED"
            )
        told = {result.segment: text for result in one.results if (text := reason(result))}
        yield one.subject_token, [result.outcome.name for result in one.results], told, ""


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A count on stderr, when that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import Progress, TextColumn

    with Progress(
        TextColumn("{task.completed} subjects"), console=console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.advance(task, count)


@contextlib.contextmanager
def _json_lines(output: IO[bytes], names: Sequence[str]) -> Iterator[Write]:
    def write(rows: Sequence[Row]) -> None:
        for token, outcomes, reasons, error in rows:
            row = {TOKEN: token, "outcomes": dict(zip(names, outcomes, strict=True)), REASONS: reasons}
            answer = {TOKEN: token, ERROR: error} if error else row
            output.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")

    yield write


@contextlib.contextmanager
def _csv(output: IO[bytes], names: Sequence[str]) -> Iterator[Write]:
    text = io.TextIOWrapper(output, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([TOKEN, *names, REASONS, ERROR])
    yield lambda rows: writer.writerows(
        [token, *outcomes, _text(reasons), error] for token, outcomes, reasons, error in rows
    )
    text.flush()
    text.detach()


@contextlib.contextmanager
def _parquet(output: IO[bytes], names: Sequence[str]) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    word = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [(TOKEN, pa.string()), *((name, word) for name in names), (REASONS, pa.string()), (ERROR, word)]
    )

    def write(rows: Sequence[Row]) -> None:
        columns = [[row[0] for row in rows], *(list(c) for c in zip(*(row[1] for row in rows), strict=True))]
        columns += [[]] * (len(names) + 1 - len(columns))
        columns += [[_text(row[2]) for row in rows], [row[3] for row in rows]]
        arrays = [
            pa.array([cell or None for cell in cells], pa.string()).cast(field.type)
            for cells, field in zip(columns, schema, strict=True)
        ]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    with pq.ParquetWriter(output, schema, compression="zstd") as writer:
        yield write


def _text(reasons: Mapping[str, str]) -> str:
    return json.dumps(reasons, ensure_ascii=False) if reasons else ""


_FORMS: Mapping[str, Callable[[IO[bytes], Sequence[str]], contextlib.AbstractContextManager[Write]]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "parquet": _parquet,
}
FORMATS = tuple(sorted(_FORMS))

"""Rows of CSV, TSV, JSON Lines and Parquet files, one after the other, in bounded memory."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from segserver.cli._cells import text_cell, typed_cell
from segserver.cli._mapping_spec import ColumnSpec, FormatSpec
from segserver.errors import InvalidInput
from segserver.model import Value

LINE_CHARACTERS_MAX = 16 * 1024 * 1024
"""A longer line or cell ends the import: most likely a quote was left open, or the file is no table."""

KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the line where it begins (in Parquet its number), and its cells or what is wrong with it."""

    line: int
    cells: Sequence[Any] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's rows with the cells of the wanted columns, and how far they are read.

    ``done`` counts up to ``total``, in bytes or rows; it is there for a progress bar.
    """

    rows: Iterator[Row]
    done: Callable[[], int]
    total: int
    read_cell: Callable[[Any, ColumnSpec], Value | None]


@contextlib.contextmanager
def open_rows(file: Path, kind: str | None, form: FormatSpec, columns: Sequence[str]) -> Iterator[Rows]:
    """Opens a file and finds its columns; ``kind`` is a value of :data:`KINDS`; without it the name
    tells, or a delimiter in the mapping.

    Raises:
        InvalidInput: for a file that can't be read, is empty, is of no known kind or lacks a column.
    """
    kind = kind or KINDS.get(file.suffix.lower()) or ("csv" if form.delimiter else None)
    if kind is None:
        raise InvalidInput(
            f"{file}: what kind of file is this? Name it like one of {', '.join(KINDS)}, or say --format",
            reason="FILE_KIND",
        )
    try:
        binary = file.open("rb")
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}", reason="FILE_UNREADABLE") from None
    with binary:
        size = file.stat().st_size
        if size == 0:
            raise InvalidInput(f"{file}: the file is empty", reason="FILE_EMPTY")
        if kind == "parquet":
            yield _parquet(binary, file, columns)
            return
        with _decoded(binary, file, form.encoding) as text:
            if kind == "jsonl":
                yield Rows(_json_lines(text, file, columns), binary.tell, size, typed_cell)
            else:
                delimiter = form.delimiter or {"csv": ",", "tsv": "\t"}[kind]
                yield Rows(_table(text, file, form, delimiter, columns), binary.tell, size, text_cell)


def _decoded(binary: IO[bytes], file: Path, encoding: str) -> IO[str]:
    """The file as text. Bytes that are none become lone surrogates, so that they cost their own row only."""
    head = binary.read(4)
    binary.seek(0)
    if encoding == "utf-8":
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise InvalidInput(
                f"{file}: this is UTF-16; say so in the mapping: format: {{encoding: utf-16}}",
                reason="FILE_ENCODING",
            )
        encoding = "utf-8-sig"
    return io.TextIOWrapper(binary, encoding, errors="surrogateescape", newline="")


def _lines(text: IO[str], file: Path) -> Iterator[str]:
    number = 0
    while line := text.readline(LINE_CHARACTERS_MAX):
        number += 1
        if len(line) == LINE_CHARACTERS_MAX:
            raise InvalidInput(
                f"{file}: line {number} has more than {LINE_CHARACTERS_MAX} characters",
                reason="FILE_LINE_TOO_LONG",
            )
        yield line


def _table(
    text: IO[str], file: Path, form: FormatSpec, delimiter: str, columns: Sequence[str]
) -> Iterator[Row]:
    """CSV or TSV. The header is read at once, the rows as they are asked for."""
    csv.field_size_limit(LINE_CHARACTERS_MAX)
    lines = _lines(text, file)
    if form.comment:
        # Blank lines in their place, which are no rows, keep the count of lines right.
        lines = ("\n" if line.startswith(form.comment) else line for line in lines)
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE,
        strict=True,
    )
    try:
        header = form.header or [name.strip() for name in next(filter(None, reader), [])]
    except csv.Error as error:
        raise InvalidInput(f"{file}: line 1: {error}", reason="FILE_MALFORMED") from None
    places = _places(header, file, columns)
    return _table_rows(reader, file, len(header), places)


def _table_rows(reader: Any, file: Path, width: int, places: Sequence[int]) -> Iterator[Row]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if reader.line_num > line:
                raise InvalidInput(
                    f"{file}: line {line}: {error}; is a quote left open? Nothing after this line was read",
                    reason="FILE_MALFORMED",
                ) from None
            yield Row(line, None, f"malformed: {error}")
            continue
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != width:
            yield Row(line, None, f"{len(cells)} cells under a header of {width}")
            continue
        yield Row(line, [cells[place] for place in places])


def _places(header: Sequence[str], file: Path, columns: Sequence[str]) -> list[int]:
    missing = [name for name in columns if name not in header]
    twice = [name for name in columns if header.count(name) > 1]
    if missing:
        raise InvalidInput(
            f"{file}: no column {', '.join(missing)}; check the mapping's columns and delimiter",
            reason="COLUMN_MISSING",
        )
    if twice:
        raise InvalidInput(f"{file}: the header has {', '.join(twice)} more than once", reason="COLUMN_TWICE")
    return [header.index(name) for name in columns]


def _json_lines(text: IO[str], file: Path, columns: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(_lines(text, file), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            yield Row(number, None, "not JSON")
            continue
        if isinstance(data, dict):
            yield Row(number, [data.get(name) for name in columns])
        else:
            yield Row(number, None, "not a JSON object")


def _parquet(binary: IO[bytes], file: Path, columns: Sequence[str]) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(binary)
    except pa.ArrowException as error:
        raise InvalidInput(f"{file}: not a Parquet file: {error}", reason="FILE_MALFORMED") from None
    names = source.schema_arrow.names
    _places(names, file, columns)
    done = 0

    def rows() -> Iterator[Row]:
        nonlocal done
        try:
            for batch in source.iter_batches(batch_size=1_000, columns=list(columns)):
                lists = [_values(batch.column(name)) for name in columns]
                for cells in zip(*lists, strict=True):
                    done += 1
                    yield Row(done, cells)
        except (pa.ArrowException, OSError) as error:
            raise InvalidInput(f"{file}: row {done + 1}: {error}", reason="FILE_MALFORMED") from None

    return Rows(rows(), lambda: done, source.metadata.num_rows, typed_cell)


def _values(column: Any) -> list[Any]:
    """A column's values; times finer than a microsecond, which Python can't hold, are cut to one."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values

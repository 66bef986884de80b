"""Copying everything from one store to another, whichever kind each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from segserver.errors import FailedPrecondition, IntegrityError
from segserver.storage.contract import Connection, Table

PAGE_ROWS = 500
"""A row of the log can be tens of kilobytes."""

Progress = Callable[[str, int], None]
"""Called with a table and how many of its rows were copied since the last call."""


def check_alike(source: Sequence[Table], target: Sequence[Table]) -> None:
    """Raises :class:`FailedPrecondition` unless both stores have the same tables and columns."""
    if {(table.name, table.columns) for table in source} != {(table.name, table.columns) for table in target}:
        raise FailedPrecondition(
            "the two stores have different tables: open each once with the same version of segserver",
            reason="SCHEMAS_DIFFER",
        )


def check_empty(connection: Connection, tables: Sequence[Table]) -> None:
    """Raises :class:`FailedPrecondition` when a table holds any row."""
    for table in tables:
        if connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone():
            raise FailedPrecondition(
                f"the target is not empty: its table {table.name} has rows; copy into a new store",
                reason="TARGET_NOT_EMPTY",
            )


def count_rows(connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
    """Table → how many rows it has."""
    return {
        table.name: int(connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])
        for table in tables
    }


def copy(
    source: Connection, target: Connection, tables: Sequence[Table], progress: Progress | None = None
) -> dict[str, int]:
    """Copies every row, table by table, in the order of the keys; how many rows each table has.

    ``source`` must not change meanwhile (a snapshot, or a transaction that keeps writers away), and
    ``target`` be in a transaction. Raises :class:`IntegrityError` when the target does not count what was
    read."""
    copied: dict[str, int] = {}
    for table in tables:
        places = ", ".join("?" * len(table.columns))
        insert = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({places})"
        copied[table.name] = 0
        for page in _pages(source, table):
            target.executemany(insert, page)
            copied[table.name] += len(page)
            if progress is not None:
                progress(table.name, len(page))
    if count_rows(target, tables) != copied:
        raise IntegrityError("the copy does not have the rows that were read", reason="COPY_INCOMPLETE")
    return copied


def _pages(source: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """All rows in the order of the key; each page is one read."""
    columns, key = ", ".join(table.columns), ", ".join(table.key)
    place = [table.columns.index(column) for column in table.key]
    after = f" WHERE ({key}) > ({', '.join('?' * len(place))})"
    page = source.execute(f"SELECT {columns} FROM {table.name} ORDER BY {key} LIMIT {PAGE_ROWS}").fetchall()
    while page:
        yield page
        page = source.execute(
            f"SELECT {columns} FROM {table.name}{after} ORDER BY {key} LIMIT {PAGE_ROWS}",
            [page[-1][index] for index in place],
        ).fetchall()

"""Output: tables for people, JSON for programs. Colour is only added to what the words say, and only on a
terminal.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

import click

from segserver.errors import SegserverError
from segserver.model import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])

OUTCOME_STYLES = {
    Outcome.MEMBER: "green",
    Outcome.NOT_MEMBER: "dim",
    Outcome.UNKNOWN: "yellow",
    Outcome.WITHHELD: "magenta",
}


def json_option(command: F) -> F:
    """Adds ``--json``; the command gets ``as_json``."""

    def remember(context: click.Context, _: click.Parameter, value: bool) -> bool:
        context.meta["segserver.json"] = value
        return value

    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=remember,
        help="Write JSON instead of a table.",
    )(command)


def console(*, stderr: bool = False) -> Console:
    """Where tables go. Without a terminal: no colour, and 80 columns unless COLUMNS says otherwise."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


_HIDDEN = {
    code: f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}


def visible(text: str) -> str:
    """``text`` without power over a terminal: characters that control it or reorder text are spelled out."""
    return text.translate(_HIDDEN)


def table(*columns: str, title: str = "", whole: str = "", **options: Any) -> Table:
    """An empty table whose cells wrap, so that it fits any width and loses nothing.

    The column ``whole``, one of ids, is the last to be narrowed.
    """
    from rich import box

    from segserver.cli._table import VisibleTable

    made = VisibleTable(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, **options
    )
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column == whole)
    return made


def outcome_text(outcome: Outcome) -> Text:
    """An outcome in its colour."""
    from rich.text import Text

    return Text(outcome.name.replace("_", " ").lower(), style=OUTCOME_STYLES[outcome])


def write_json(data: Any) -> None:
    """Writes one JSON document to stdout: dataclasses as objects, enums by name, times in RFC 3339."""
    click.echo(json.dumps(plain(data), ensure_ascii=False, indent=2))


def plain(data: Any) -> Any:
    """``data`` as JSON's types."""
    if isinstance(data, Enum):
        return data.name
    if isinstance(data, dt.datetime):
        return time_text(data)
    if isinstance(data, SegserverError):
        from segserver.cli._failure import as_data

        return as_data(data)
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {field.name: plain(getattr(data, field.name)) for field in dataclasses.fields(data)}
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    return data


def time_text(time: dt.datetime) -> str:
    """A moment as RFC 3339 in UTC."""
    return time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def value_text(value: Any) -> str:
    """An attribute's value for a table."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return time_text(value)
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value)


def short_digest(digest: str) -> str:
    """Enough of a catalog's digest to tell it from others."""
    return digest.removeprefix("sha256:")[:12]


def joined(items: Iterable[str]) -> str:
    """Names in one cell."""
    return ", ".join(items)

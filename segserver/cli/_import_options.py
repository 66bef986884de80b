"""The options of every import."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for: a file, how to read it, and where to tell of rejected rows."""

    file: Path
    mapping: Path
    kind: str | None
    rejects_file: Path | None
    dry_run: bool


_OPTIONS = (
    click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False)),
    click.option(
        "--mapping",
        required=True,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="What a row becomes, in YAML; examples/README.md describes it.",
    ),
    click.option(
        "--format",
        "kind",
        type=click.Choice(["csv", "tsv", "jsonl", "parquet"]),
        help="The kind of file, where its name does not tell.",
    ),
    click.option(
        "--rejects",
        "rejects_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write every rejected row's line and reason here, as JSON Lines.",
    ),
    click.option("--dry-run", is_flag=True, help="Check every row, and write nothing to the server."),
)


def import_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds what every import takes; the command gets it as ``request``."""

    @functools.wraps(command)
    def asked(
        file: Path, mapping: Path, kind: str | None, rejects_file: Path | None, dry_run: bool, **others: Any
    ) -> None:
        command(request=Request(file, mapping, kind, rejects_file, dry_run), **others)

    for option in reversed(_OPTIONS):
        asked = option(asked)
    return asked

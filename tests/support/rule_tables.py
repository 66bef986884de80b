"""Tables of edge cases, and the Python program's answers over them, row by row."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from segserver.rules.check import Environment
from segserver.rules.polars import WITHHELD
from segserver.rules.polars_column import dtype
from segserver.rules.program import Computed, Step
from segserver.rules.python import compile_python
from segserver.rules.times import from_datetime
from segserver.rules.values import from_rule

NOW = dt.datetime(2025, 3, 1, 10, 30, tzinfo=dt.UTC)

VARIABLES = {
    "a": "int",
    "b": "int",
    "x": "double",
    "y": "double",
    "s": "string",
    "r": "string",
    "l": "list(string)",
    "t": "timestamp",
    "u": "timestamp",
    "p": "bool",
    "q": "bool",
}
"""Two of each type, so that every pair of edge cases meets."""

_LARGEST = 2**63 - 1


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


EDGES: dict[str, list[Any]] = {
    "bool": [True, False],
    "int": [0, 1, -1, 2, 7, -7, 12, 10**9, 2**53 + 1, _LARGEST, -_LARGEST - 1, _LARGEST - 1, -_LARGEST],
    "double": [0.0, -0.0, 1.5, -2.5, 3.0, 0.1, 1e-300, 1e308, -1e308, 9e18, 2.0**63, -(2.0**63), 1e15],
    "string": [
        *(
            "",
            "a",
            "ab",
            "A.b",
            "ÀÉé",
            "k K",
            "x y-z",
            "12",
            "-7",
            "true",
            "ß",
            "日本",
            "a,b,,c",
            "\n",
            "\u212a",
            "İ",
        ),
        *("2024-02-29T12:30:15Z", "90m", "1.10.0", "Europe/Paris", "^a", " \u00a0a\t", "1e3", "0x1p3", "a\n"),
    ],
    "list(string)": [(), ("a",), ("a", "b"), ("a", "a", "K"), ("", "é"), ("b", "ab", "A.b")],
    "timestamp": [
        _moment(text)
        for text in (
            *(
                "0001-01-01",
                "1700-05-04T03:02:01",
                "1899-12-31T23:59:59",
                "1955-06-01",
                "1969-12-31T23:59:59.5",
            ),
            *(
                "1970-01-01",
                "2023-07-02T01:00",
                "2024-02-29T12:30:15.123456",
                "2024-03-31T01:00",
                "2150-07-01",
            ),
            *("2260-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"),
        )
    ],
}


def edge_rows(count: int, seed: int, variables: Mapping[str, str] = VARIABLES) -> list[dict[str, Any]]:
    """Rows drawn from the edge cases; one value in seven is unknown."""
    draw = random.Random(seed)
    return [
        {
            name: None if draw.random() < 1 / 7 else draw.choice(EDGES[type_name])
            for name, type_name in variables.items()
        }
        for _ in range(count)
    ]


def table(
    rows: Sequence[Mapping[str, Any]],
    variables: Mapping[str, str] = VARIABLES,
    withheld: Sequence[frozenset[str]] = (),
) -> pl.DataFrame:
    """The rows as a frame, with a subject key each; ``withheld`` names each row's withheld inputs."""
    columns: dict[str, pl.Series] = {
        "subject": pl.Series([f"s{i}" for i in range(len(rows))], dtype=pl.String())
    }
    for name, type_name in variables.items():
        columns[name] = pl.Series([row[name] for row in rows], dtype=dtype(type_name))
        if withheld:
            columns[name + WITHHELD] = pl.Series([name in names for names in withheld])
    return pl.DataFrame(columns)


def computed(rules: Mapping[str, str], environment: Environment) -> list[Computed]:
    """The rules, checked, as steps by name."""
    return [Computed(name, environment.check(rule)) for name, rule in rules.items()]


def by_row(
    steps: Sequence[Step],
    outputs: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    variables: Mapping[str, str] = VARIABLES,
    withheld: Sequence[frozenset[str]] = (),
    origins: Mapping[str, frozenset[str]] | None = None,
    failures: list[str] | None = None,
) -> list[tuple[Any, ...]]:
    """What the Python program answers for each row, as public values."""
    program = compile_python(steps, list(variables), outputs, origins)
    types = {**variables, **{step.name: step.type for step in steps}}
    answers = []
    for index, row in enumerate(rows):
        values = [from_datetime(v) if isinstance(v, dt.datetime) else v for v in row.values()]
        hidden = withheld[index] if withheld else frozenset()
        found = program.run(
            values, from_datetime(NOW), f"s{index}", hidden, [] if failures is None else failures
        )
        answers.append(
            tuple(from_rule(value, types[name]) for name, value in zip(outputs, found, strict=True))
        )
    return answers


def same(left: Any, right: Any) -> bool:
    """Whether two answers are the same: NaN is NaN, zeros differ by sign, an int is no double."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(same(x, y) for x, y in zip(left, right, strict=True))
    if isinstance(left, float) and isinstance(right, float):
        return repr(left) == repr(right)
    return type(left) is type(right) and bool(left == right)


def to_table(
    people: Sequence[Mapping[str, Any]],
    variables: Mapping[str, str],
    subject: str = "subject-1",
    withheld: Sequence[frozenset[str]] | None = None,
) -> pl.DataFrame:
    """Values in rule form as a frame, one row for each of ``people``, all with one subject key.

    ``withheld`` names each row's withheld inputs.
    """
    columns = {"subject": pl.Series([subject] * len(people), dtype=pl.String())}
    for name, type_name in variables.items():
        values = [from_rule(person[name], type_name) for person in people]
        columns[name] = pl.Series(values, dtype=dtype(type_name))
        if withheld is not None:
            columns[name + WITHHELD] = pl.Series([name in names for names in withheld])
    return pl.DataFrame(columns)


def from_table(column: pl.Series, type_name: str) -> list[Any]:
    """A column's values in rule form."""
    assert column.dtype == dtype(type_name)
    if type_name in ("timestamp", "duration"):
        return column.to_physical().to_list()
    values = column.to_list()
    return [tuple(value) if isinstance(value, list) else value for value in values]

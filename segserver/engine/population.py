"""The stored population as a table, behind the gate: one row a subject, null where a value is missing or
withheld.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from segserver.engine.serving import Serving
from segserver.model import Caller
from segserver.privacy.vault import Subject
from segserver.rules.polars import WITHHELD
from segserver.rules.polars_column import dtype

SUBJECT = "subject"
"""The column of subject keys, in hexadecimal."""
STOPPED = "@stopped"
"""The column that says where a subject may not be evaluated at all for the purpose."""


def frame(
    subjects: Iterable[Subject], serving: Serving, caller: Caller, purpose: str, now_us: int
) -> pl.DataFrame:
    """What may be seen of each subject, in order, for the inputs of the purpose's program.

    Every subject passes the same gate as one at a time. A column ``<attribute>@withheld`` says where an
    attribute is withheld rather than missing; it is there where any is."""
    inputs = serving.plan(purpose).program.inputs
    keys: list[str] = []
    rows: list[Sequence[Any]] = []
    hidden: list[frozenset[str]] = []
    stopped: list[bool] = []
    for subject in subjects:
        current = serving.gate.current(subject.profile, now_us)
        mask = serving.gate.mask(purpose, subject.state, caller, now_us, current)
        values, withheld = mask.apply(current, inputs)
        keys.append(subject.subject_key.hex())
        rows.append(values)
        hidden.append(withheld)
        stopped.append(mask.stopped is not None)
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(inputs)
    series = [pl.Series(SUBJECT, keys, dtype=pl.String), pl.Series(STOPPED, stopped, dtype=pl.Boolean)]
    attributes = serving.catalog.attributes
    series += [
        _column(name, column, attributes[name].type) for name, column in zip(inputs, columns, strict=True)
    ]
    series += [
        pl.Series(name + WITHHELD, [name in withheld for withheld in hidden], dtype=pl.Boolean)
        for name in sorted(frozenset[str]().union(*hidden))
    ]
    return pl.DataFrame(series)


def _column(name: str, values: Sequence[Any], type_name: str) -> pl.Series:
    """Values in rule form as a column. A value of another type than the catalog's, from before it changed, is
    null.
    """
    physical = pl.Int64 if type_name == "timestamp" else dtype(type_name)
    return pl.Series(name, values, dtype=physical, strict=False).cast(dtype(type_name))

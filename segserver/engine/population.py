"""The stored population as a table, behind the gate: one row a subject, null where a value is missing or
withheld.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

import polars as pl

from segserver.engine.serving import Serving
from segserver.model import Caller
from segserver.privacy import tables
from segserver.privacy.gate import Gate
from segserver.privacy.vault import Subject
from segserver.rules.polars import WITHHELD
from segserver.rules.polars_column import dtype

SUBJECT = "subject"
"""The column of subject keys, in hexadecimal."""
STOPPED = "@stopped"
"""The column that says where a subject may not be evaluated at all for the purpose."""


def frame(
    subjects: Sequence[Subject],
    serving: Serving,
    caller: Caller,
    purpose: str,
    now_us: int,
    also: Gate | None = None,
) -> pl.DataFrame:
    """What may be seen of each subject, in order, for the inputs of the purpose's program.

    The gate decides for all of them at once, and as for one at a time. A column ``<attribute>@withheld`` says
    where an attribute is withheld rather than missing; it is there where any is. ``also`` is a gate that
    every value has to pass besides the catalog's own."""
    policy = serving.catalog.policy
    inputs = serving.plan(purpose).program.inputs
    profiles = [serving.gate.current(subject.profile, now_us) for subject in subjects]
    attributes = serving.catalog.attributes
    needed = {*inputs, *({policy.birth_date_attribute, policy.age_attribute} & attributes.keys())}
    values = pl.DataFrame(
        [
            _column(name, [profile.get(name) for profile in profiles], attributes[name].type)
            for name in sorted(needed)
        ]
    )
    masks = [
        _mask(gate, subjects, caller, purpose, now_us, values)
        for gate in (serving.gate, also)
        if gate is not None
    ]
    stopped = masks[0].stopped()
    seen = values
    for masked in masks:
        stopped = stopped | masked.stopped()
        seen = masked.apply(seen, inputs)
    keys = pl.Series(SUBJECT, [subject.subject_key.hex() for subject in subjects], dtype=pl.String)
    hidden = {
        name: [masked.withheld(name) for masked in masks]
        for name in inputs
        if any(name not in mask.visible for masked in masks for mask in masked.masks.values())
    }
    return pl.DataFrame(
        [
            keys,
            stopped.alias(STOPPED),
            *seen,
            *(reduce(or_, columns).alias(name + WITHHELD) for name, columns in hidden.items()),
        ]
    )


def _mask(
    gate: Gate, subjects: Sequence[Subject], caller: Caller, purpose: str, now_us: int, values: pl.DataFrame
) -> tables.TableMask:
    defined = gate.policy.purposes.get(purpose)
    states = tables.state_table(
        [subject.state for subject in subjects],
        purpose,
        direct_marketing=defined is not None and defined.direct_marketing,
    )
    return tables.mask_table(gate, purpose, caller, now_us, states, values)


def _column(name: str, values: Sequence[Any], type_name: str) -> pl.Series:
    """Values in rule form as a column. A value of another type than the catalog's, from before it changed, is
    null.
    """
    physical = pl.Int64 if type_name == "timestamp" else dtype(type_name)
    return pl.Series(name, values, dtype=physical, strict=False).cast(dtype(type_name))

"""The stored population as a table, behind the gate: one row a subject, null where a value is missing or
withheld.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

import polars as pl

from segserver.catalog import Catalog
from segserver.engine.behavior import Behavior, Needs
from segserver.engine.serving import VALUE_CLASSES, Serving
from segserver.errors import IntegrityError
from segserver.model import Caller
from segserver.privacy import tables
from segserver.privacy.gate import Gate
from segserver.privacy.policy import Policy
from segserver.privacy.subject import RuleValue
from segserver.privacy.vault import Subject
from segserver.rules.polars import WITHHELD
from segserver.rules.polars_column import dtype
from segserver.storage.contract import Connection

SUBJECT = "subject"
"""The column of subject keys, in hexadecimal."""
STOPPED = "@stopped"
"""The column that says where a subject may not be evaluated at all for the purpose."""

Current = Mapping[str, RuleValue]
"""What a profile holds that has not expired."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What may be seen of each subject, in order.

    ``frame`` has the columns :data:`SUBJECT` and :data:`STOPPED`, one for each input of the purpose's
    program, and ``<input>@withheld`` where an input is withheld from anybody: it says where it is withheld
    rather than missing. ``mask`` tells the reasons of the catalog's own gate."""

    frame: pl.DataFrame
    mask: tables.TableMask


@dataclass(frozen=True, slots=True)
class Done:
    """What subjects did: where to read it, and as of when it counts. ``unreadable`` gathers, by subject key,
    why that of some can't be read: nothing is known of what they did, and their answers are to be left out.
    """

    behavior: Behavior
    connection: Connection
    at_us: int
    unreadable: dict[bytes, IntegrityError] = field(default_factory=dict)


def see(
    subjects: Sequence[Subject],
    serving: Serving,
    caller: Caller,
    purpose: str,
    now_us: int,
    done: Done | None,
    also: Gate | None = None,
) -> Seen:
    """What may be seen of each subject for the purpose: the gate decides for all of them at once, and as for
    one at a time. ``done`` may be missing where the purpose computes nothing of events. ``also`` is a gate
    that every value has to pass besides the catalog's own.
    """
    plan = serving.plan(purpose)
    inputs = plan.program.inputs
    profiles = [serving.gate.current(subject.profile, now_us) for subject in subjects]
    masks = [
        _mask(gate, subjects, profiles, caller, purpose, now_us)
        for gate in (serving.gate, also)
        if gate is not None
    ]
    stopped = reduce(or_, [masked.stopped() for masked in masks])
    seen = columns(profiles, serving.catalog, inputs)
    for masked in masks:
        seen = masked.apply(seen, inputs)
    if (plan.needs.names or plan.needs.lists) and done is not None:
        seen = seen.with_columns(_computed(subjects, profiles, serving, plan.needs, masks, now_us, done))
    hidden = {
        name: [masked.withheld(name) for masked in masks]
        for name in inputs
        if any(name not in mask.visible for masked in masks for mask in masked.masks.values())
    }
    keys = pl.Series(SUBJECT, [subject.subject_key.hex() for subject in subjects], dtype=pl.String)
    frame = pl.DataFrame(
        [
            keys,
            stopped.alias(STOPPED),
            *seen,
            *(reduce(or_, each).alias(name + WITHHELD) for name, each in hidden.items()),
        ]
    )
    return Seen(frame, masks[0])


def columns(profiles: Sequence[Current], catalog: Catalog, inputs: Sequence[str]) -> pl.DataFrame:
    """The inputs of a page of subjects as columns, before the gate. An input without a column has no value in
    any row.

    A value of another type than the catalog's is null: it was stored before the catalog changed."""
    return pl.DataFrame(
        [
            column(name, [profile.get(name) for profile in profiles], catalog.attributes[name].type)
            for name in inputs
            if name in catalog.attributes
        ]
    )


def _computed(
    subjects: Sequence[Subject],
    profiles: Sequence[Current],
    serving: Serving,
    needs: Needs,
    masks: Sequence[tables.TableMask],
    now_us: int,
    done: Done,
) -> list[pl.Series]:
    """The computed attributes, and who is in which list, as columns: looked up only where every gate lets
    them be seen.
    """
    rows: list[Mapping[str, Any]] = []
    codes = [masked.codes.to_list() for masked in masks]
    for position, (subject, profile) in enumerate(zip(subjects, profiles, strict=True)):
        own = [masked.masks[code[position]] for masked, code in zip(masks, codes, strict=True)]
        if any(mask.stopped is not None for mask in own):
            rows.append({})
            continue
        names, lists = (
            [name for name in of if all(name in mask.visible for mask in own)]
            for of in (needs.names, needs.lists)
        )
        zone, key = needs.zone(profile, own[0]), subject.subject_key
        try:
            computed = done.behavior.values(done.connection, subject, needs, names, now_us, done.at_us, zone)
        except IntegrityError as error:
            done.unreadable[key] = error
            rows.append({})
            continue
        rows.append({**computed, **done.behavior.listed(done.connection, needs, lists, (key, key), now_us)})
    types = serving.catalog.input_types
    return [
        column(name, [row.get(name) for row in rows], types[name]) for name in (*needs.names, *needs.lists)
    ]


def column(name: str, values: Sequence[Any], type_name: str) -> pl.Series:
    """Values in rule form as a column of a type; one of another type is null."""
    expected = VALUE_CLASSES[type_name]
    kept = [value if value.__class__ is expected else None for value in values]
    physical = pl.Int64 if type_name == "timestamp" else dtype(type_name)
    return pl.Series(name, kept, dtype=physical).cast(dtype(type_name))


def _mask(
    gate: Gate,
    subjects: Sequence[Subject],
    profiles: Sequence[Current],
    caller: Caller,
    purpose: str,
    now_us: int,
) -> tables.TableMask:
    defined = gate.policy.purposes.get(purpose)
    states = tables.state_table(
        [subject.state for subject in subjects],
        purpose,
        direct_marketing=defined is not None and defined.direct_marketing,
    )
    return tables.mask_table(gate, purpose, caller, now_us, states, _ages(profiles, gate.policy))


def _ages(profiles: Sequence[Current], policy: Policy) -> pl.DataFrame:
    """What tells the age, as the gate reads it one at a time: whatever the catalog declares."""
    born = [profile.get(policy.birth_date_attribute) for profile in profiles]
    years = [profile.get(policy.age_attribute) for profile in profiles]
    return pl.DataFrame(
        {
            policy.birth_date_attribute: pl.Series(
                [int(value) if isinstance(value, int) else None for value in born], dtype=pl.Int64
            ),
            policy.age_attribute: pl.Series(
                [float(value) if isinstance(value, int | float) else None for value in years],
                dtype=pl.Float64,
            ),
        }
    )

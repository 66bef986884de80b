"""From the catalog's ``policy:`` to what the gate goes by: retention, regimes, and the attributes that tell
an age.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from segserver.catalog.catalog import Attribute, Behavior, SubjectList
from segserver.catalog.definitions import PolicyDefinition, RegimeDefinition, duration_us
from segserver.catalog.names import near
from segserver.catalog.source import Source
from segserver.errors import Problem
from segserver.model import TypeName
from segserver.privacy.policy import GDPR, REGIMES, Label, Policy, Purpose, Regime

_NO_POLICY = PolicyDefinition()
_AGE_TYPES: Mapping[str, Sequence[TypeName]] = {"birth_date": ("timestamp",), "age": ("int", "double")}
"""What tells an age, and the types in which the gate reads it."""


def policy(
    source: Source,
    purposes: Mapping[str, Purpose],
    attributes: Mapping[str, Attribute],
    behavior: Behavior,
    lists: Mapping[str, SubjectList],
    problems: list[Problem],
) -> Policy:
    """The policy of a catalog, with its purposes and the labels of everything that a program can read."""
    problems.extend(_age_problems(source, attributes))
    given = _NO_POLICY if source.policy is None else source.policy.value
    return Policy(
        purposes=dict(sorted(purposes.items())),
        labels={
            **{name: Label(a.category, a.purposes) for name, a in sorted(attributes.items())},
            **{name: Label(c.category, c.purposes, c.sources) for name, c in behavior.computed.items()},
            **{one.variable: Label(one.category, one.purposes) for one in lists.values()},
        },
        regimes={**REGIMES, **{key: regime(key, changes) for key, changes in sorted(given.regimes.items())}},
        deny_unknown_age=given.deny_unknown_age,
        birth_date_attribute=given.birth_date,
        age_attribute=given.age,
        retention_us={
            category: duration_us(duration) for category, duration in sorted(given.retention.items())
        },
    )


def regime(jurisdiction: str, changes: RegimeDefinition) -> Regime:
    """The regime of a jurisdiction: what the catalog does not say stays as the server has it, which for most
    is the GDPR's.
    """
    known = REGIMES.get(jurisdiction) or REGIMES.get(jurisdiction.partition("-")[0], GDPR)
    said = {name: value for name, value in changes if value is not None}
    if changes.sensitive is not None:
        said["sensitive"] = frozenset(changes.sensitive)
    return replace(known, **said)


def _age_problems(source: Source, attributes: Mapping[str, Attribute]) -> Iterator[Problem]:
    """An attribute that tells the age and can't be read would make every child an adult of unknown age."""
    definition = _NO_POLICY if source.policy is None else source.policy.value
    for key, types in _AGE_TYPES.items():
        name = getattr(definition, key)
        attribute = attributes.get(name)
        place = source.policy if key in definition.model_fields_set else source.attributes.get(name)
        if attribute is None:
            if place is not None and name not in source.broken:
                yield place.problem(f"unknown attribute {name}{near(name, attributes)}", key)
        elif attribute.type not in types:
            message = (
                f"{name} is {attribute.type}, and what tells the age ({key}) must be {' or '.join(types)}; "
                f"name the attribute that does under policy: {{{key}: …}}"
            )
            yield Problem(message, field=f"policy.{key}") if place is None else place.problem(message)

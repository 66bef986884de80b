"""What a catalog takes from the strategies it uses: settings and attributes, merged with its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segserver.catalog.catalog import Attribute, SubjectList
from segserver.catalog.definitions import AttributeDefinition
from segserver.catalog.labels import permits
from segserver.catalog.names import near
from segserver.catalog.source import Defined, Source
from segserver.errors import InvalidInput, Problem
from segserver.model import Category
from segserver.privacy.policy import Purpose
from segserver.rules.tree import list_variable
from segserver.strategies import api, fits
from segserver.strategies.contract import ResolvedStrategy
from segserver.strategies.manager import Installed, InstalledStrategy

CATALOG = "catalog"
"""The owner of what the YAML files define themselves."""


@dataclass(frozen=True, slots=True)
class Used:
    """A strategy that the catalog uses, with the place where it says so."""

    installed: InstalledStrategy
    resolved: ResolvedStrategy
    place: Defined[dict[str, Any]]

    def __str__(self) -> str:
        return f"strategy {self.installed.name} ({self.installed.origin})"


def strategies(source: Source, installed: Installed, problems: list[Problem]) -> dict[str, Used]:
    """The strategies that the source names, under its settings."""
    used: dict[str, Used] = {}
    for name, place in sorted(source.fits.items()):
        if name not in source.strategies:
            problems.append(place.problem(f"the strategy {name} is not in use: add it under strategies"))
    names = [strategy.name for strategy in installed.strategies]
    for name, place in sorted(source.strategies.items()):
        found = installed.strategy(name)
        if found is None:
            source.broken.add(name)
            problems.append(place.problem(_not_installed(name, names, installed)))
            continue
        try:
            settings = _with_fit(source, name, place, found, problems)
            used[name] = Used(found, found.resolve(settings), place)
        except InvalidInput as error:
            source.broken |= {name, *(attribute.name for attribute in found.strategy.attributes)}
            for violation in error.violations:
                steps = violation.field.split(".") if violation.field else []
                path = [int(step) if step.isascii() and step.isdigit() else step for step in steps]
                problems.append(place.problem(violation.description, *path))
    return used


def _with_fit(
    source: Source,
    name: str,
    place: Defined[dict[str, Any]],
    found: InstalledStrategy,
    problems: list[Problem],
) -> dict[str, Any]:
    """The settings that the catalog gives, with the strategy's fit among them where it has one."""
    fit = source.fits.get(name)
    if fits.FIT in place.value and found.strategy.fit is not None:
        problems.append(
            place.problem("a fit stands under fits, as segserver strategies fit writes it", "fit")
        )
        return {key: value for key, value in place.value.items() if key != fits.FIT}
    if fit is None:
        return place.value
    if found.strategy.fit is None:
        problems.append(fit.problem(f"the strategy {name} learns nothing; remove this"))
    elif not fits.is_sealed(fit.value):
        problems.append(
            fit.problem(
                "this is not as it was fitted: a fit is not edited; run segserver strategies fit again",
                fits.DIGEST,
            )
        )
    else:
        return {**place.value, fits.FIT: fit.value}
    return place.value


def _not_installed(name: str, names: Sequence[str], installed: Installed) -> str:
    reasons = [
        str(q) for q in installed.quarantined if name in q.origin.plugin or f"strategy {name} " in q.reason
    ]
    if reasons:
        return f"the strategy can't be used, its plugin is in quarantine: {'; '.join(reasons)}"
    known = ", ".join(names) or "none"
    return f"no plugin offers this strategy{near(name, names)}; installed: {known}"


def purposes(source: Source) -> dict[str, Purpose]:
    """The purposes, all of which the source defines."""
    return {
        name: Purpose(
            name=name, **(defined.value.model_dump() | {"categories": frozenset(defined.value.categories)})
        )
        for name, defined in sorted(source.purposes.items())
    }


def attributes(
    source: Source, used: Mapping[str, Used], known: Mapping[str, Purpose], problems: list[Problem]
) -> dict[str, Attribute]:
    """The attributes of the source and of the strategies; one that several declare is one, if they agree."""
    merged: dict[str, tuple[api.Attribute, tuple[str, ...]]] = {}
    for name, user in sorted(used.items()):
        for declared in user.installed.strategy.attributes:
            if declared.name in used or declared.name in source.strategies:
                problems.append(user.place.problem(f"attribute {declared.name} has the name of a strategy"))
                continue
            before, owners = merged.get(declared.name, (declared, ()))
            if (before.type, before.category) != (declared.type, declared.category):
                problems.append(
                    user.place.problem(
                        f"attribute {declared.name} is {_kind(declared)} in {user}, and {_kind(before)} in "
                        f"{used[owners[0]]}; use one of the two"
                    )
                )
                continue
            merged[declared.name] = _merge(before, declared), (*owners, name)
    categories = {name: purpose.categories for name, purpose in known.items()}
    allowed = {category: permits(categories, category) for category in Category}
    found = {
        name: _attribute(declared, owners, allowed[Category(declared.category)])
        for name, (declared, owners) in merged.items()
    }
    for name, defined in sorted(source.attributes.items()):
        problems.extend(_own_problems(name, defined, merged, used, known, source))
        found[name] = _own(name, defined.value, found.get(name), allowed[defined.value.category])
    return dict(sorted(found.items()))


def lists(source: Source, known: Mapping[str, Purpose], problems: list[Problem]) -> dict[str, SubjectList]:
    """The lists, all of which the source defines."""
    categories = {name: purpose.categories for name, purpose in known.items()}
    found: dict[str, SubjectList] = {}
    variables: dict[str, str] = {}
    for name, defined in sorted(source.lists.items()):
        own, variable = defined.value, list_variable(name)
        if variables.setdefault(variable, name) != name:
            problems.append(
                defined.problem(f"rules can't tell it from {variables[variable]}; rename one of them")
            )
        allowed = permits(categories, own.category)
        for position, purpose in enumerate(own.purposes or ()):
            if purpose not in known and purpose not in source.broken:
                message = f"unknown purpose {purpose}{near(purpose, known)}"
                problems.append(defined.problem(message, "purposes", position))
        purposes = allowed if own.purposes is None else allowed & set(own.purposes)
        found[name] = SubjectList(name, variable, own.category, own.title, purposes, own.owner)
    return found


def _kind(attribute: api.Attribute | AttributeDefinition) -> str:
    return f"{attribute.type} ({attribute.category})"


def _merge(first: api.Attribute, second: api.Attribute) -> api.Attribute:
    """One attribute of two that agree: only the purposes of both, the values of either."""
    lists = [set(a.purposes) for a in (first, second) if a.purposes is not None]
    values = {*first.values, *second.values} if first.values and second.values else ()
    purposes = sorted(set.intersection(*lists)) if lists else None
    return api.Attribute(
        first.name, first.type, first.category, first.title or second.title, purposes, tuple(sorted(values))
    )


def _attribute(declared: api.Attribute, owners: tuple[str, ...], allowed: frozenset[str]) -> Attribute:
    purposes = allowed if declared.purposes is None else allowed & set(declared.purposes)
    return Attribute(
        declared.name,
        declared.type,
        Category(declared.category),
        declared.title,
        purposes,
        tuple(sorted(declared.values)),
        owners,
    )


def _own(name: str, own: AttributeDefinition, before: Attribute | None, allowed: frozenset[str]) -> Attribute:
    if before is not None and (before.type, before.category) != (own.type, own.category):
        return before
    purposes = allowed if before is None else before.purposes
    return Attribute(
        name,
        own.type,
        own.category,
        own.title or (before.title if before else ""),
        purposes if own.purposes is None else purposes & set(own.purposes),
        tuple(sorted(own.values)) or (before.values if before else ()),
        (CATALOG, *(before.owners if before else ())),
    )


def _own_problems(
    name: str,
    defined: Defined[AttributeDefinition],
    merged: Mapping[str, tuple[api.Attribute, tuple[str, ...]]],
    used: Mapping[str, Used],
    known: Mapping[str, Purpose],
    source: Source,
) -> Iterator[Problem]:
    own = defined.value
    if name in source.strategies:
        yield defined.problem("a strategy has this name; choose another")
    if own.values and own.type not in ("string", "list(string)"):
        yield defined.problem("only a string or a list of string can have values", "values")
    if name in merged:
        declared, owners = merged[name]
        for field in ("type", "category"):
            if getattr(own, field) != getattr(declared, field):
                yield defined.problem(
                    f"the catalog says {getattr(own, field)}, and {used[owners[0]]} says "
                    f"{getattr(declared, field)}; use the strategy's {field}, or another name",
                    field,
                )
    for position, purpose in enumerate(own.purposes or ()):
        if purpose in known and own.category not in known[purpose].categories:
            yield defined.problem(
                f"purpose {purpose} may not use the category {own.category}; add it to the purpose's "
                "categories, or remove the purpose here",
                "purposes",
                position,
            )
        elif purpose not in known and purpose not in source.broken:
            yield defined.problem(f"unknown purpose {purpose}{near(purpose, known)}", "purposes", position)

"""Gives every trait and segment its label, and refuses what a label does not permit, with the path to the
reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from segserver.catalog import labels
from segserver.catalog.catalog import Attribute, Computed, SubjectList
from segserver.catalog.drafts import Draft
from segserver.catalog.graph import Reads, path
from segserver.catalog.labels import Label
from segserver.catalog.names import near
from segserver.errors import Problem
from segserver.model import Category
from segserver.privacy.policy import Purpose
from segserver.strategies import api, groups

Claims = Mapping[str, Draft | api.Trait]
"""Step → what the segment or the trait says of itself."""


class Labelling:
    """One run over all steps in dependency order. Linear in what the labels hold."""

    def __init__(
        self,
        attributes: Mapping[str, Attribute | Computed | SubjectList],
        purposes: Mapping[str, Purpose],
        broken: Iterable[str],
        problems: list[Problem],
    ) -> None:
        self._purposes = purposes
        self._broken = frozenset(broken)
        self._problems = problems
        self._all = frozenset(purposes)
        categories = {name: purpose.categories for name, purpose in purposes.items()}
        self._special = labels.permits(categories, Category.SPECIAL)
        self._labels = {
            name: labels.attribute(name, a.categories, a.purposes) for name, a in attributes.items()
        }
        self._attributes = frozenset(attributes)
        self._adds: set[str] = set()
        self._reads: Reads = {}
        self._claims: Claims = {}

    def run(
        self,
        ordered: Iterable[str],
        reads: Mapping[str, frozenset[str]],
        trait_problem: Mapping[str, Callable[[str], Problem]],
        claims: Claims,
    ) -> Mapping[str, Label]:
        """The labels of all attributes and steps; problems go to the list."""
        self._reads, self._claims = reads, claims
        for name in ordered:
            if any(below not in self._labels for below in reads[name]):
                continue
            label = labels.join([self._labels[below] for below in reads[name]], self._all)
            claim = claims.get(groups.segment_of(name))
            if claim is None:
                self._labels[name] = label
            elif isinstance(claim, Draft):
                self._labels[name] = self._segment(name, claim, label)
            else:
                self._labels[name] = self._trait(name, claim, label, trait_problem[name])
        return self._labels

    def _trait(self, name: str, trait: api.Trait, label: Label, problem: Callable[[str], Problem]) -> Label:
        if not trait.rule:
            label = replace(label, code=label.code | {name})
        if trait.derives_special:
            return self._with_special(name, label)
        if Category.SPECIAL in label.categories:
            self._problems.append(problem(self._undeclared_special(name)))
        return label

    def _segment(self, name: str, draft: Draft, label: Label) -> Label:
        """A member of a group comes here with each of its steps; what its rule derives travels from the
        first."""
        definition = draft.definition
        if definition.derives_special:
            label = self._with_special(name, label)
        if name != draft.variable:
            return label
        if Category.SPECIAL in label.categories and not definition.derives_special:
            self._problems.append(draft.problem(self._undeclared_special(name), "derives_special"))
        if draft.used is not None:
            declared = self._all if definition.purposes is None else frozenset(definition.purposes)
            return replace(label, purposes=label.purposes & declared)
        return replace(label, purposes=self._own_purposes(name, draft, label))

    def _own_purposes(self, name: str, draft: Draft, label: Label) -> frozenset[str]:
        declared = draft.definition.purposes
        if declared is None:
            if not label.purposes and not self._broken and label.reads:
                ways = "; ".join(f"not {p}, because of {self._refusal(name, p)}" for p in sorted(self._all))
                ways = ways or "the catalog has no purposes"
                message = f"no purpose permits everything that it depends on: {ways}"
                self._problems.append(draft.problem(message))
            return label.purposes
        if not declared:
            self._problems.append(
                draft.problem("name a purpose, or leave the key out for all permitted", "purposes")
            )
        for purpose in declared:
            if purpose in label.purposes or purpose in self._broken:
                continue
            if purpose not in self._all:
                message = f"unknown purpose {purpose}{near(purpose, self._all)}"
            else:
                message = f"purpose {purpose} is not permitted by {self._refusal(name, purpose)}"
            self._problems.append(draft.problem(message, "purposes"))
        return label.purposes & frozenset(declared)

    def _with_special(self, name: str, label: Label) -> Label:
        if Category.SPECIAL not in label.categories:
            self._adds.add(name)
        return labels.special(label, self._special)

    def _undeclared_special(self, name: str) -> str:
        def source(below: str) -> bool:
            if below in self._attributes:
                return Category.SPECIAL in self._labels[below].categories
            return below in self._adds

        return (
            f"derives a special category without saying so: {self._way(path(self._reads, name, source))}; "
            "add derives_special: true if that is meant"
        )

    def _refusal(self, name: str, purpose: str) -> str:
        """What does not permit the purpose, and the way there."""

        def source(below: str) -> bool:
            if below in self._attributes:
                return purpose not in self._labels[below].purposes
            if below in self._adds and purpose not in self._special:
                return True
            claim = self._claims.get(below)
            if below == name or not isinstance(claim, Draft) or claim.definition.purposes is None:
                return False
            return purpose not in claim.definition.purposes

        way = path(self._reads, name, source)
        end = way[-1]
        if end in self._attributes:
            what = f"attribute {end} ({', '.join(sorted(self._labels[end].categories))})"
        else:
            what = self._shown(end) + (" (special)" if end in self._adds else "")
        return f"{what}: {self._way(way)}"

    def _way(self, names: list[str]) -> str:
        shown = [self._shown(name) for name in names]
        return " → ".join(name for i, name in enumerate(shown) if i == 0 or name != shown[i - 1])

    def _shown(self, name: str) -> str:
        claim = self._claims.get(groups.segment_of(name))
        return claim.definition.id if isinstance(claim, Draft) else name

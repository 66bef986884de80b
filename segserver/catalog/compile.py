"""Definitions and strategies in, catalog out: names, types, cycles, labels and groups, with all problems at
once."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from segserver.catalog import used
from segserver.catalog.behavior import behavior
from segserver.catalog.catalog import (
    Attribute,
    Catalog,
    Computed,
    Segment,
    Steps,
    Strategy,
    SubjectList,
    Trait,
)
from segserver.catalog.digest import digest
from segserver.catalog.documents import documents
from segserver.catalog.drafts import Draft, drafts
from segserver.catalog.graph import order
from segserver.catalog.labelling import Labelling
from segserver.catalog.labels import Label
from segserver.catalog.names import near
from segserver.catalog.policies import policy
from segserver.catalog.source import Source, from_texts
from segserver.catalog.used import Used
from segserver.errors import CatalogError, Conflict, InvalidInput, Problem, RuleError
from segserver.model import TypeName
from segserver.rules import Checked, Environment
from segserver.rules.cost import Size, measure
from segserver.rules.program import Computed as ComputedStep
from segserver.rules.program import Step
from segserver.strategies import api, groups
from segserver.strategies.contract import variable_of
from segserver.strategies.host import Host
from segserver.strategies.manager import Installed

PROBLEMS_MAX = 500
"""So many problems are listed; nobody reads more, and a caller can't ask for megabytes of them."""

HINTS_MAX = 50
"""So many unknown names are compared with all known ones, which is the slowest part of a wrong catalog."""

_CEL_ERROR = re.compile(r"^(\d+):(\d+): (.*)$", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '([^']+)'")


def resolve(source: Source | Mapping[str, str], installed: Installed, host: Host | None = None) -> Catalog:
    """The catalog of these definitions (or files, name → YAML text) and the installed strategies.

    ``host`` runs the strategies' code and counts its failures; the default is one of the catalog's own.
    Raises :class:`CatalogError` with everything that is wrong.
    """
    given = source if isinstance(source, Source) else from_texts(source)
    if not given.readable:
        raise _error(given.problems)
    return _Resolver(given, installed, host or Host()).catalog()


@dataclass(frozen=True, slots=True)
class _Code:
    """A trait on its way into the catalog."""

    name: str
    trait: api.Trait
    user: Used

    def problem(self, message: str) -> Problem:
        """A problem with it, where an analyst can do something about it."""
        return self.user.place.problem(f"trait {self.name}: {message}")

    def rule_problem(self, message: str, place: tuple[int, int]) -> Problem:
        """A problem at a place (line, column) of its rule, which stands in no file of the catalog."""
        return self.problem(f"{place[0]}:{place[1]}: {message}")


class _Resolver:
    def __init__(self, source: Source, installed: Installed, host: Host) -> None:
        source = replace(source, broken=set(source.broken))
        self._source = source
        self._installed = installed
        self._host = host
        self._problems = list(source.problems)
        self._used = used.strategies(source, installed, self._problems)
        self._purposes = used.purposes(source)
        self._attributes = used.attributes(source, self._used, self._purposes, self._problems)
        functions = tuple(host.function(f.function) for f in installed.functions)
        self._behavior = behavior(
            source, self._used, self._purposes, self._attributes, functions, self._problems
        )
        self._lists = used.lists(source, self._purposes, self._problems)
        self._policy = policy(
            source, self._purposes, self._attributes, self._behavior, self._lists, self._problems
        )
        self._drafts = drafts(source, self._used, self._problems)
        self._traits = {
            f"{name}.{trait.name}": _Code(f"{name}.{trait.name}", trait, user)
            for name, user in self._used.items()
            for trait in user.resolved.traits
        }
        self._variables = self._all_variables()
        self._broken = source.broken | {variable_of(name) for name in source.broken}
        self._checked: dict[str, Checked] = {}
        self._members: dict[str, list[Draft]] = defaultdict(list)
        self._hints = 0

    def catalog(self) -> Catalog:
        """The catalog, or every problem."""
        self._check_rules()
        self._sort_groups()
        steps = self._steps()
        reads = {name: frozenset(step.reads) for name, step in steps.items()}
        ordered, cycles = order(reads)
        self._problems.extend(self._cycle(cycle) for cycle in cycles)
        self._measure(ordered)
        inputs: dict[str, Attribute | Computed | SubjectList] = {
            **self._attributes,
            **self._behavior.computed,
            **{one.variable: one for one in self._lists.values()},
        }
        labelling = Labelling(inputs, self._purposes, self._source.broken, self._problems)
        labels = labelling.run(
            ordered, reads, {n: c.problem for n, c in self._traits.items()}, self._claims()
        )
        if self._problems:
            raise _error(self._problems)
        strategies = {name: _strategy(user) for name, user in self._used.items()}
        traits = {name: self._trait(code, labels[name]) for name, code in self._traits.items()}
        segments = {
            name: self._segment(draft, labels[draft.variable]) for name, draft in self._drafts.items()
        }
        functions = {f.name: f"{f.function.signature} of {f.origin}" for f in self._installed.functions}
        return Catalog(
            digest=digest(
                self._attributes,
                self._behavior,
                self._lists,
                self._purposes,
                self._policy,
                strategies,
                traits,
                segments,
                functions,
            ),
            documents=documents(self._source, segments),
            attributes=self._attributes,
            behavior=self._behavior,
            lists=self._lists,
            purposes=self._purposes,
            strategies=strategies,
            traits=traits,
            segments=segments,
            policy=self._policy,
            steps=Steps(
                tuple(steps[name] for name in ordered),
                reads,
                {name: labels[name].reads for name in ordered},
            ),
        )

    def _all_variables(self) -> dict[str, TypeName]:
        variables: dict[str, TypeName] = {name: a.type for name, a in self._attributes.items()}
        variables |= {name: computed.type for name, computed in self._behavior.computed.items()}
        variables |= {one.variable: "bool" for one in self._lists.values()}
        variables |= {name: code.trait.type for name, code in self._traits.items()}
        return variables | {draft.variable: "bool" for draft in self._drafts.values()}

    def _check_rules(self) -> None:
        functions = [self._host.function(f.function) for f in self._installed.functions]
        try:
            environment = Environment(self._variables, functions)
        except (Conflict, InvalidInput) as error:
            self._problems.append(Problem(error.message))
            return
        for name, code in sorted(self._traits.items()):
            if code.trait.rule:
                self._check(environment, name, code.trait.rule, code.trait.type, code.rule_problem)
        for draft in self._drafts.values():
            at = functools.partial(self._rule_problem, draft)
            self._check(environment, draft.variable, draft.definition.rule, "bool", at)

    def _rule_problem(self, draft: Draft, message: str, place: tuple[int, int]) -> Problem:
        if draft.used is not None:
            return draft.problem(message)
        return draft.problem(message, "rule", line=self._source.rule_line(draft.place, *place))

    def _check(
        self,
        environment: Environment,
        name: str,
        rule: str,
        expected: str,
        at: Callable[[str, tuple[int, int]], Problem],
    ) -> None:
        try:
            self._checked[name] = environment.check(rule, expected)
        except RuleError as error:
            self._problems += self._rule_problems(error, at)

    def _measure(self, ordered: Sequence[str]) -> None:
        """Refuses what could become too large or take too long, through all the traits that it reads."""
        places: dict[str, Callable[[str, tuple[int, int]], Problem]] = {
            draft.variable: functools.partial(self._rule_problem, draft) for draft in self._drafts.values()
        }
        places |= {name: code.rule_problem for name, code in self._traits.items()}
        sizes: dict[str, Size] = {}
        for name in dict.fromkeys(map(groups.segment_of, ordered)):
            checked = self._checked.get(name)
            if checked is None:
                continue
            try:
                size = measure(checked, sizes)
            except RuleError as error:
                self._problems += self._rule_problems(error, places[name])
            else:
                if name in self._traits:
                    sizes[name] = size

    def _rule_problems(
        self, error: RuleError, at: Callable[[str, tuple[int, int]], Problem]
    ) -> Iterator[Problem]:
        found = [(int(line), int(column), text) for line, column, text in _CEL_ERROR.findall(error.message)]
        for line, column, text in found or [(error.line, error.column, error.message)]:
            message = self._explained(text)
            if message is not None:
                yield at(message, (line, column))

    def _explained(self, text: str) -> str | None:
        """CEL's message with a hint; ``None`` when it only follows from another problem."""
        match = _UNDECLARED.search(text)
        if match is None:
            return text
        name = match[1]
        strategy = name.partition(".")[0]
        of = name.removeprefix("segments.").partition(".")
        if name in self._broken or (of[1] and of[0] in self._source.broken):
            return None
        offered = {
            variable_of(segment.id): (segment.id, user)
            for user in self._used.values()
            for segment in user.resolved.segments
        }
        if name in offered:
            segment_id, user = offered[name]
            return f"{text}; {user} offers it ready-made: add {segment_id} to include"
        installed = self._installed.strategy(strategy)
        if installed is not None and strategy not in self._used:
            return f"{text}; the strategy {strategy} is installed and not in use: add it under strategies"
        if text[match.end() :]:  # the checker has a hint of its own
            return text
        self._hints += 1
        alike = near(name, self._variables) if self._hints <= HINTS_MAX else ""
        if not alike and any(self._installed.strategy(name) is None for name in self._source.strategies):
            return None  # a strategy that is not installed, or in quarantine, may bring it
        return text + alike

    def _sort_groups(self) -> None:
        """The exclusive groups, each in the order of priority; equal priorities are a problem that names
        both."""
        for draft in self._drafts.values():
            if draft.definition.exclusive_group:
                self._members[draft.definition.exclusive_group].append(draft)
        for group, members in self._members.items():
            members.sort(key=lambda draft: (draft.definition.priority, draft.definition.id))
            for first, second in pairwise(members):
                if first.definition.priority == second.definition.priority:
                    self._problems.append(
                        second.problem(
                            f"segments {first.definition.id} and {second.definition.id} of group {group} "
                            f"both have priority {second.definition.priority}; give one of them another",
                            "priority",
                        )
                    )

    def _steps(self) -> dict[str, Step]:
        """Every trait and segment that has a meaning, groups compiled in."""
        types = {name: attribute.type for name, attribute in self._attributes.items()}
        types |= {name: computed.type for name, computed in self._behavior.computed.items()}
        steps: dict[str, Step] = {}
        for name, code in self._traits.items():
            if not code.trait.rule and all(read in types for read in code.trait.reads):
                steps[name] = self._host.coded(name, code.trait, types)
        grouped = {draft.variable for members in self._members.values() for draft in members}
        for name, checked in self._checked.items():
            if name not in grouped:
                steps[name] = ComputedStep(name, checked)
        for members in self._members.values():
            rules = [(d.variable, self._checked[d.variable]) for d in members if d.variable in self._checked]
            steps |= {name: ComputedStep(name, checked) for name, checked in groups.steps(rules)}
        return steps

    def _cycle(self, cycle: list[str]) -> Problem:
        names = [self._shown(name) for name in cycle]
        distinct = [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
        path = " → ".join(distinct if len(distinct) > 1 else distinct * 2)
        message = f"the rules go in a circle: {path}; take one of the references out"
        by_variable = {draft.variable: draft for draft in self._drafts.values()}
        for name in cycle:
            draft = by_variable.get(groups.segment_of(name))
            if draft is not None:
                return draft.problem(message, "rule")
        return self._traits[cycle[0]].problem(message)

    def _shown(self, name: str) -> str:
        variable = groups.segment_of(name)
        return next((d.definition.id for d in self._drafts.values() if d.variable == variable), variable)

    def _claims(self) -> Mapping[str, Draft | api.Trait]:
        """What segments and traits say of themselves, by the step."""
        claims: dict[str, Draft | api.Trait] = {name: code.trait for name, code in self._traits.items()}
        return claims | {draft.variable: draft for draft in self._drafts.values()}

    def _trait(self, code: _Code, label: Label) -> Trait:
        checked = self._checked.get(code.name)
        return Trait(
            name=code.name,
            strategy=code.user.installed.name,
            type=code.trait.type,
            title=code.trait.title,
            values=tuple(code.trait.values),
            rule=code.trait.rule,
            checked=checked,
            derives_special=code.trait.derives_special,
            inputs=tuple(sorted(checked.reads)) if checked else tuple(code.trait.reads),
            categories=label.categories,
            purposes=label.purposes,
            reads=label.reads,
            code=label.code,
        )

    def _segment(self, draft: Draft, label: Label) -> Segment:
        definition, checked = draft.definition, self._checked[draft.variable]
        members = [member.definition.id for member in self._members.get(definition.exclusive_group, [])]
        return Segment(
            id=definition.id,
            variable=draft.variable,
            rule=definition.rule,
            checked=checked,
            title=definition.title,
            owner=definition.owner,
            tags=tuple(sorted(set(definition.tags))),
            purposes=label.purposes,
            exclusive_group=definition.exclusive_group,
            priority=definition.priority,
            ahead=tuple(members[: members.index(definition.id)]) if members else (),
            minimum_audience=definition.minimum_audience,
            derives_special=definition.derives_special,
            legal_or_similar_effect=definition.legal_or_similar_effect,
            strategy=draft.used.installed.name if draft.used else "",
            inputs=tuple(sorted(checked.reads)),
            categories=label.categories,
            reads=label.reads,
            code=label.code,
        )


def _error(problems: Sequence[Problem]) -> CatalogError:
    ordered = sorted(problems, key=lambda p: (p.file, p.line, p.field, p.message))
    more = len(ordered) - PROBLEMS_MAX
    rest = [Problem(f"{more} more problems are not listed")] if more > 0 else []
    return CatalogError([*ordered[:PROBLEMS_MAX], *rest])


def _strategy(user: Used) -> Strategy:
    strategy, origin = user.installed.strategy, user.installed.origin
    return Strategy(
        name=strategy.name,
        version=strategy.version,
        title=strategy.title,
        distribution=f"{origin.distribution} {origin.version}".strip(),
        settings=user.resolved.settings.model_dump(mode="json"),
        given=user.place.value,
    )

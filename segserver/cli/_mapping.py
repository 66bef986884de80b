"""A mapping, compiled: what makes a profile's attributes of a row."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from segserver.catalog.names import near
from segserver.cli._mapping_spec import AttributeSpec, ColumnSpec, SpecFile
from segserver.client import ProfileChange
from segserver.errors import InvalidInput, Problem, RuleError
from segserver.model import SubjectId, Value
from segserver.rules import Checked, Computed, Environment, PythonProgram, compile_python
from segserver.rules.check import RESERVED
from segserver.rules.values import from_rule, to_rule

ROW = "row"
"""The variable that holds the row's number."""

ReadCell: TypeAlias = Callable[[Any, ColumnSpec], Value | None]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CEL_ERROR = re.compile(r"^(\d+):(\d+): (.*)$", re.MULTILINE)


class Rejected(Exception):  # a verdict about a row, and no failure
    """A row that is not imported, with the reason, which never shows a value."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How one attribute follows from a row: a column, or rules (one, or one for each label)."""

    attribute: str
    type: str
    column: str | None
    rules: tuple[str, ...]
    labels: tuple[str, ...] | None


class RowMapping:
    """What a mapping file says, checked against the catalog. :meth:`change` turns a row into a write.

    Args:
        file: the mapping file.
        declared: the catalog's attributes, name to type.

    Raises:
        InvalidInput: with everything that is wrong with the file, each with its line.
    """

    def __init__(self, file: SpecFile, declared: Mapping[str, str]) -> None:
        compiled = _Compiler(file, declared)
        spec = file.spec
        self._now = to_rule(dt.datetime.now(dt.UTC), "timestamp")
        self._specs = tuple(spec.columns.items())
        self._subject_type = spec.subject.type
        self._subject_column = spec.subject.column
        self._rejects = tuple((f"reject.{index}", reject.reason) for index, reject in enumerate(spec.reject))
        self._forms = tuple(compiled.forms)
        self._checked = compiled.checked
        self._program: PythonProgram = compile_python(
            [Computed(name, checked) for name, checked in self._checked.items()],
            compiled.inputs,
            list(self._checked),
        )

    def change(self, number: int, cells: Sequence[object], read_cell: ReadCell) -> ProfileChange:
        """What to write for a row: ``number`` counts rows from 1, ``cells`` are those of the mapping's
        columns.

        Raises:
            Rejected: for a cell of another type, a row without a subject, one that a rule rejects, and one on
                which a rule fails.
        """
        values: dict[str, Value | None] = {}
        for (name, spec), cell in zip(self._specs, cells, strict=True):
            try:
                values[name] = read_cell(cell, spec)
            except InvalidInput as error:
                raise Rejected(f"column {name}: {error.violations[0].description}") from None
        results = self._evaluate(number, values)
        for name, reason in self._rejects:
            if results[name] is True:
                raise Rejected(reason)
        subject = self._subject(values, results)
        attributes: dict[str, Value] = {}
        for form in self._forms:
            value = values[form.column] if form.column is not None else _from_rules(form, results)
            if value is not None:
                attributes[form.attribute] = value
        return ProfileChange(subject, attributes)

    def _subject(self, values: Mapping[str, Value | None], results: Mapping[str, Any]) -> SubjectId:
        column = self._subject_column
        raw = values[column] if column is not None else results["subject"]
        identifier = "" if raw is None else str(raw)
        if not identifier:
            raise Rejected("the subject's id is missing")
        return SubjectId(self._subject_type, identifier)

    def _evaluate(self, number: int, values: Mapping[str, Value | None]) -> dict[str, Any]:
        """All rules' results in rule form. One that is unknown, while all that it reads is known, failed."""
        if not self._checked:
            return {}
        known: dict[str, Any] = {ROW: number}
        for name, spec in self._specs:
            value = values[name]
            known[name] = None if value is None else to_rule(value, spec.type)
        row = [known[name] for name in self._program.inputs]
        results = dict(zip(self._checked, self._program(row, self._now, "", frozenset(), []), strict=True))
        for name, result in results.items():
            if result is None and all(known[read] is not None for read in self._checked[name].reads):
                raise Rejected(f"the rule of {name} fails on this row")
        return results


def _from_rules(form: _Form, results: Mapping[str, Any]) -> Value | None:
    if form.labels is None:
        return cast("Value | None", from_rule(results[form.rules[0]], form.type))
    held = [results[rule] for rule in form.rules]
    if any(value is None for value in held):
        return None
    return tuple(label for label, value in zip(form.labels, held, strict=True) if value)


class _Compiler:
    """Checks a mapping against the catalog and compiles its rules; collects every problem first."""

    def __init__(self, file: SpecFile, declared: Mapping[str, str]) -> None:
        self.file = file
        self._declared = declared
        self._problems: list[Problem] = []
        self.checked: dict[str, Checked] = {}
        self.forms: list[_Form] = []
        spec = file.spec
        readable = {name: column.type for name, column in spec.columns.items() if _is_variable(name)}
        if ROW in readable:
            self._problem("this name means the row's number; rename the column", "columns", ROW)
        self._environment = Environment({**readable, ROW: "int"})
        self.inputs = [*readable, ROW]
        self._subject()
        for index, reject in enumerate(spec.reject):
            self._rule(f"reject.{index}", reject.rule, "bool", "reject", index, "rule")
        for name, attribute in spec.attributes.items():
            self._attribute(name, attribute)
        if self._problems:
            raise file.refusal(self._problems)

    def _subject(self) -> None:
        subject = self.file.spec.subject
        if subject.rule is not None:
            self._rule("subject", subject.rule, "string", "subject", "rule")
        elif subject.column is not None and self._column(subject.column, "subject", "column"):
            type_name = self.file.spec.columns[subject.column].type
            if type_name not in {"string", "int"}:
                self._problem(
                    f"an id is a string or an int, and this column is {type_name}", "subject", "column"
                )

    def _attribute(self, name: str, spec: AttributeSpec) -> None:
        if name not in self._declared:
            hint = near(name, self._declared)
            self._problem(f"the catalog has no such attribute{hint}", "attributes", name)
            return
        type_name = self._declared[name]
        place = ("attributes", name)
        if spec.column is not None:
            if self._column(spec.column, *place, "column"):
                found = self.file.spec.columns[spec.column].type
                if found != type_name and (found, type_name) != ("int", "double"):
                    self._problem(f"the column is {found}, and the attribute {type_name}", *place, "column")
            self.forms.append(_Form(name, type_name, spec.column, (), None))
        elif spec.rule is not None:
            self._rule(name, spec.rule, type_name, *place, "rule")
            self.forms.append(_Form(name, type_name, None, (name,), None))
        elif spec.labels is not None:
            if type_name != "list(string)":
                self._problem(
                    f"labels make a list(string), and the attribute is {type_name}", *place, "labels"
                )
            rules = tuple(f"{name}.{label}" for label in spec.labels)
            for rule, (label, expression) in zip(rules, spec.labels.items(), strict=True):
                self._rule(rule, expression, "bool", *place, "labels", label)
            self.forms.append(_Form(name, type_name, None, rules, tuple(spec.labels)))

    def _column(self, column: str, *path: str | int) -> bool:
        if column in self.file.spec.columns:
            return True
        self._problem(f"no such column{near(column, self.file.spec.columns)}; name it under columns", *path)
        return False

    def _rule(self, name: str, expression: str, expected: str, *path: str | int) -> None:
        try:
            checked = self._environment.check(expression, expected)
        except RuleError as error:
            found = _CEL_ERROR.findall(error.message) or [(str(error.line), str(error.column), error.message)]
            for line, column, text in found:
                self._problems.append(
                    self.file.rule_problem(f"{text} (column {column} of the rule)", int(line), *path)
                )
            return
        self.checked[name] = checked

    def _problem(self, message: str, *path: str | int) -> None:
        self._problems.append(self.file.problem(message, *path))


def _is_variable(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in RESERVED

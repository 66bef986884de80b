"""What every mapping does with a row: reads it, runs its rules, finds its subject, or leaves it out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, cast

from segserver.catalog.names import near
from segserver.cli._mapping_spec import ColumnSpec, ReasonSpec, SpecFile, SpecT
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


class Skipped(Exception):  # a verdict, too
    """A row that the mapping leaves out on purpose, with the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as its mapping sees it: the columns' values, and the rules' results in rule form."""

    values: Mapping[str, Value | None]
    results: Mapping[str, Any]
    subject: SubjectId

    def of(self, source: Source) -> Value | None:
        """What a source gives for this row; ``None`` for unknown."""
        if source.column is not None:
            return self.values[source.column]
        return cast("Value | None", from_rule(self.results[source.rule], source.type))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value of a type comes from: a column, or the rule of this name."""

    type: str
    column: str | None
    rule: str = ""


class RowRules(Generic[SpecT]):
    """Checks what all mappings have, and everything that one adds; collects every problem first.

    Add rules and sources, then :meth:`seal`, then :meth:`read` rows.
    """

    def __init__(self, file: SpecFile[SpecT]) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._checked: dict[str, Checked] = {}
        spec = file.spec
        self._columns = spec.columns
        self._specs = tuple(spec.columns.items())
        readable = {name: column.type for name, column in spec.columns.items() if _is_variable(name)}
        if ROW in readable:
            self.problem("this name means the row's number; rename the column", "columns", ROW)
        self._environment = Environment({**readable, ROW: "int"})
        self._inputs = [*readable, ROW]
        self._subject_type = spec.subject.type
        self._subject = self._subject_source()
        self._skips = self._reasons("skip", spec.skip)
        self._rejects = self._reasons("reject", spec.reject)
        self._now = to_rule(dt.datetime.now(dt.UTC), "timestamp")

    def seal(self) -> None:
        """Compiles the rules.

        Raises:
            InvalidInput: with everything that is wrong with the file, each with its line.
        """
        if self._problems:
            raise self._file.refusal(self._problems)
        self._program: PythonProgram = compile_python(
            [Computed(name, checked) for name, checked in self._checked.items()],
            self._inputs,
            list(self._checked),
        )

    def read(self, number: int, cells: Sequence[object], read_cell: ReadCell) -> Row:
        """A row: ``number`` counts them from 1, ``cells`` are those of the mapping's columns.

        Raises:
            Skipped: for a row that a rule leaves out.
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
        column = self._subject.column
        raw = results[self._subject.rule] if column is None else values[column]
        if raw is None or raw == "":
            raise Rejected("the subject's id is missing")
        return Row(values, results, SubjectId(self._subject_type, str(raw)))

    def source(
        self, name: str, column: str | None, rule: str | None, type_name: str, *path: str | int
    ) -> Source:
        """A value that is a column of this type, or a rule that gives it and is called ``name``."""
        if rule is not None:
            self.rule(name, rule, type_name, *path, "rule")
            return Source(type_name, None, name)
        if column is not None and self.column(column, *path, "column"):
            found = self._columns[column].type
            if found != type_name and (found, type_name) != ("int", "double"):
                self.problem(f"the column is {found}, and {type_name} is wanted", *path, "column")
        return Source(type_name, column)

    def column(self, column: str, *path: str | int) -> bool:
        """Whether there is such a column; it is a problem if not."""
        if column in self._columns:
            return True
        self.problem(f"no such column{near(column, self._columns)}; name it under columns", *path)
        return False

    def rule(self, name: str, expression: str, expected: str, *path: str | int) -> None:
        """Adds a rule; one that does not compile is a problem."""
        try:
            checked = self._environment.check(expression, expected)
        except RuleError as error:
            found = _CEL_ERROR.findall(error.message) or [(str(error.line), str(error.column), error.message)]
            for line, column, text in found:
                self._problems.append(
                    self._file.rule_problem(f"{text} (column {column} of the rule)", int(line), *path)
                )
            return
        self._checked[name] = checked

    def problem(self, message: str, *path: str | int) -> None:
        """Something is wrong with a part of the file."""
        self._problems.append(self._file.problem(message, *path))

    def _subject_source(self) -> Source:
        subject = self._file.spec.subject
        if subject.rule is not None:
            self.rule("subject", subject.rule, "string", "subject", "rule")
        elif subject.column is not None and self.column(subject.column, "subject", "column"):
            type_name = self._columns[subject.column].type
            if type_name not in {"string", "int"}:
                self.problem(
                    f"an id is a string or an int, and this column is {type_name}", "subject", "column"
                )
        return Source("string", subject.column, "subject")

    def _reasons(self, kind: str, specs: Sequence[ReasonSpec]) -> list[tuple[str, str]]:
        for index, spec in enumerate(specs):
            self.rule(f"{kind}.{index}", spec.rule, "bool", kind, index, "rule")
        return [(f"{kind}.{index}", spec.reason) for index, spec in enumerate(specs)]

    def _evaluate(self, number: int, values: Mapping[str, Value | None]) -> dict[str, Any]:
        """All rules' results in rule form. One that is unknown, while all that it reads is known, failed: it
        rejects the row, unless the row is skipped.
        """
        if not self._checked:
            return {}
        known: dict[str, Any] = {ROW: number}
        for name, spec in self._specs:
            value = values[name]
            known[name] = None if value is None else to_rule(value, spec.type)
        row = [known[name] for name in self._inputs]
        results = dict(zip(self._checked, self._program(row, self._now, "", frozenset(), []), strict=True))
        for name, reason in self._skips:
            if results[name] is True:
                raise Skipped(reason)
        for name, result in results.items():
            if result is None and all(known[read] is not None for read in self._checked[name].reads):
                raise Rejected(f"the rule of {name} fails on this row")
        return results


def _is_variable(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in RESERVED

"""A mapping of profiles, compiled: what makes a subject's attributes of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segserver.catalog.names import near
from segserver.cli._mapping_spec import AttributeSpec, MappingSpec, SpecFile
from segserver.cli._row_rules import ReadCell, Row, RowRules, Source
from segserver.client import ProfileChange
from segserver.model import Value


@dataclass(frozen=True, slots=True)
class _Form:
    """How one attribute follows from a row: from one source, or from a rule for each label."""

    attribute: str
    source: Source | None
    labels: Mapping[str, str]
    """Label to the name of its rule."""

    def value(self, row: Row) -> Value | None:
        if self.source is not None:
            return row.of(self.source)
        held = {label: row.results[rule] for label, rule in self.labels.items()}
        if any(value is None for value in held.values()):
            return None
        return tuple(label for label, value in held.items() if value)


class RowMapping:
    """What a mapping file says, checked against the catalog. :meth:`change` turns a row into a write.

    Args:
        file: the mapping file.
        declared: the catalog's attributes, name to type.

    Raises:
        InvalidInput: with everything that is wrong with the file, each with its line.
    """

    def __init__(self, file: SpecFile[MappingSpec], declared: Mapping[str, str]) -> None:
        self._rules = RowRules(file)
        self._forms: list[_Form] = []
        for name, spec in file.spec.attributes.items():
            if name in declared:
                self._forms.append(self._form(name, spec, declared[name]))
            else:
                hint = near(name, declared)
                self._rules.problem(f"the catalog has no such attribute{hint}", "attributes", name)
        self._rules.seal()

    def change(self, number: int, cells: Sequence[object], read_cell: ReadCell) -> ProfileChange:
        """What to write for a row.

        Raises:
            Skipped, Rejected: as :meth:`~segserver.cli._row_rules.RowRules.read`.
        """
        row = self._rules.read(number, cells, read_cell)
        values = {form.attribute: form.value(row) for form in self._forms}
        return ProfileChange(
            row.subject, {name: value for name, value in values.items() if value is not None}
        )

    def _form(self, name: str, spec: AttributeSpec, type_name: str) -> _Form:
        if spec.labels is None:
            source = self._rules.source(name, spec.column, spec.rule, type_name, "attributes", name)
            return _Form(name, source, {})
        place = ("attributes", name, "labels")
        if type_name != "list(string)":
            self._rules.problem(f"labels make a list(string), and the attribute is {type_name}", *place)
        for label, expression in spec.labels.items():
            self._rules.rule(f"{name}.{label}", expression, "bool", *place, label)
        return _Form(name, None, {label: f"{name}.{label}" for label in spec.labels})

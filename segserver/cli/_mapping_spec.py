"""The form of a mapping file, and everything that is wrong with one, each with its line."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from segserver.catalog.document import Node, parse
from segserver.errors import CatalogError, InvalidInput, Problem, Violation
from segserver.model import NAME

ColumnType = Literal["bool", "int", "double", "string", "timestamp", "list(string)"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SubjectSpec(_Part):
    """Whom a row is about: the type of the id, and the column or the rule that gives it."""

    type: str = "customer"
    column: str | None = None
    rule: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.column is None) == (self.rule is None):
            raise ValueError("give either column or rule")
        if not NAME.fullmatch(self.type):
            raise ValueError("the type is lower-case letters, digits and _, beginning with a letter")
        return self


class FormatSpec(_Part):
    """How a file of text is written."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    header: list[str] = []
    """The columns' names, for a file whose first line is a row already."""
    comment: str = ""
    """Lines that begin with this text are skipped; empty skips none."""
    quoted: bool = True
    """Whether a cell can stand in quotes; if not, a quote is a character like any other."""
    encoding: str = "utf-8"

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            name = codecs.lookup(encoding).name
            "".encode(encoding)
        except LookupError:
            raise ValueError("no encoding of text has this name; most files are utf-8 or cp1252") from None
        return name


class ColumnSpec(_Part):
    """A column's type, and the texts that stand for unknown."""

    type: ColumnType
    unknown: list[str] = [""]


class ReasonSpec(_Part):
    """A rule that holds for rows that are not taken, and the reason to report."""

    rule: str
    reason: str = Field(min_length=1)


class AttributeSpec(_Part):
    """An attribute in one of three forms."""

    column: str | None = None
    rule: str | None = None
    labels: dict[str, str] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(form is not None for form in (self.column, self.rule, self.labels)) != 1:
            raise ValueError("give one of column, rule and labels")
        return self


def _spelled_out(column: Any) -> Any:
    return {"type": column} if isinstance(column, str) else column


class RowSpec(_Part):
    """What every mapping file says about its rows; see examples/README.md."""

    subject: SubjectSpec
    format: FormatSpec = FormatSpec()
    columns: dict[str, Annotated[ColumnSpec, BeforeValidator(_spelled_out)]] = Field(min_length=1)
    skip: list[ReasonSpec] = []
    """Rows that are in order and not wanted: they are counted by reason."""
    reject: list[ReasonSpec] = []


class MappingSpec(RowSpec):
    """A mapping file whose rows become profiles."""

    attributes: dict[str, AttributeSpec] = Field(min_length=1)


class SourceSpec(_Part):
    """A value of an event: a column or a rule."""

    column: str | None = None
    rule: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.column is None) == (self.rule is None):
            raise ValueError("give either column or rule")
        return self


class PropertySpec(SourceSpec):
    """A property of an event. Of a group of rows, ``take`` says what to make of their values."""

    take: Literal["first", "last", "sum", "minimum", "maximum"] = "first"


class EventSpec(_Part):
    """One kind of event that a row can be."""

    name: str
    when: str = ""
    """A rule that holds for such rows; empty takes every row that is none of those before."""
    properties: dict[str, PropertySpec] = {}


class EventsSpec(RowSpec):
    """A mapping file whose rows become events: one each, or all rows with one value of ``group_by`` one
    together.
    """

    id: SourceSpec
    time: SourceSpec
    group_by: str | None = None
    events: list[EventSpec] = Field(min_length=1)

    @model_validator(mode="after")
    def _takes_of_groups(self) -> Self:
        if self.group_by is None and any(
            "take" in each.model_fields_set for event in self.events for each in event.properties.values()
        ):
            raise ValueError("take is for groups of rows; say group_by, too")
        return self


SpecT = TypeVar("SpecT", bound=RowSpec)


class SpecFile(Generic[SpecT]):
    """A mapping file of one form with the places of its parts.

    Raises:
        InvalidInput: when it can't be read or its form is wrong, with every problem and its line.
    """

    def __init__(self, path: Path, form: type[SpecT]) -> None:
        self.name = str(path)
        self._node = self._read(path)
        try:
            self.spec: SpecT = form.model_validate(self._node.data())
        except ValidationError as error:
            raise self.refusal(
                self.problem(_message(detail), *detail["loc"]) for detail in error.errors(include_url=False)
            ) from None

    def problem(self, message: str, *path: str | int) -> Problem:
        """A problem with the part at ``path``."""
        field = ".".join(str(step) for step in path)
        return Problem(message, self.name, self._node.line_of(path), field)

    def rule_problem(self, message: str, line: int, *path: str | int) -> Problem:
        """A problem on a line, counted from 1, of the rule at ``path``."""
        node = self._node.at(path)
        block = node is not None and node.style in ("|", ">")
        first = self._node.line_of(path) + (1 if block else 0)
        return Problem(message, self.name, first + line - 1, ".".join(str(step) for step in path))

    def refusal(self, problems: Iterable[Problem]) -> InvalidInput:
        """The error about these problems."""
        found = sorted(problems, key=lambda problem: problem.line)
        count = f"{len(found)} problem{'' if len(found) == 1 else 's'}"
        return InvalidInput(
            "\n".join([f"the mapping has {count}", *(f"  {problem}" for problem in found)]),
            reason="MAPPING_INVALID",
            violations=[Violation(problem.field or "mapping", str(problem)) for problem in found],
        )

    def _read(self, path: Path) -> Node:
        try:
            node, twice = parse(path.read_text(encoding="utf-8-sig"), self.name)
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror}", reason="MAPPING_INVALID") from None
        except UnicodeDecodeError:
            raise InvalidInput(f"{path}: not UTF-8 text", reason="MAPPING_INVALID") from None
        except CatalogError as error:
            raise self.refusal(error.problems) from None
        if twice:
            raise self.refusal(twice)
        return node


def _message(detail: Any) -> str:
    kind: str = detail["type"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    messages = {
        "missing": "this key is missing; add it",
        "extra_forbidden": "unknown key",
        "string_type": "this must be text; put it in quotes if it looks like a number",
        "too_short": "this must not be empty",
        "literal_error": f"use one of {detail.get('ctx', {}).get('expected', '')}",
        "model_type": "this must be a mapping of keys to values",
        "model_attributes_type": "this must be a mapping of keys to values",
        "dict_type": "this must be a mapping of keys to values",
        "list_type": "this must be a list",
    }
    return messages.get(kind, str(detail["msg"]))

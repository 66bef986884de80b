"""Reads a catalog's YAML files: everything that is wrong with their form, at once, each with its file and
line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from segserver.catalog.definitions import (
    AttributeDefinition,
    ComputedDefinition,
    EventDefinition,
    ListDefinition,
    ListName,
    Name,
    PolicyDefinition,
    PropertyDefinition,
    PurposeDefinition,
    RegimeDefinition,
    SegmentDefinition,
)
from segserver.catalog.document import SIZE_MAX, Node, parse
from segserver.catalog.names import near
from segserver.errors import CatalogError, InvalidInput, NotFound, Problem

FILES_MAX = 1_000

T = TypeVar("T")
_Model = TypeVar("_Model", bound=BaseModel)
_Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Defined(Generic[T]):
    """A definition and where it stands."""

    value: T
    field: str
    file: str
    line: int
    node: Node

    def problem(self, message: str, *path: str | int, line: int | None = None) -> Problem:
        """A problem at ``path`` inside the definition, or on the given line."""
        place = ".".join((self.field, *map(str, path)))
        return Problem(message, self.file, line or (self.node.line_of(path) if path else self.line), place)


@dataclass(slots=True)
class Source:
    """The definitions of all files, each with its place; ``problems`` holds what was wrong with the others.

    ``broken`` names what was defined but is not usable, so that no second problem is made of it.
    ``readable`` is false when a file is not YAML at all: what is missing then is not known.
    """

    texts: Mapping[str, str]
    attributes: dict[str, Defined[AttributeDefinition]] = field(default_factory=dict)
    events: dict[str, Defined[EventDefinition]] = field(default_factory=dict)
    computed: dict[str, Defined[ComputedDefinition]] = field(default_factory=dict)
    lists: dict[str, Defined[ListDefinition]] = field(default_factory=dict)
    purposes: dict[str, Defined[PurposeDefinition]] = field(default_factory=dict)
    strategies: dict[str, Defined[dict[str, Any]]] = field(default_factory=dict)
    fits: dict[str, Defined[dict[str, Any]]] = field(default_factory=dict)
    include: list[Defined[str]] = field(default_factory=list)
    exclude: list[Defined[str]] = field(default_factory=list)
    segments: dict[str, Defined[SegmentDefinition]] = field(default_factory=dict)
    policy: Defined[PolicyDefinition] | None = None
    broken: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    readable: bool = True

    def rule_line(self, segment: Defined[SegmentDefinition], line: int, column: int) -> int:
        """The line of the file for a place (1-based) in the segment's rule, however YAML folds the text.

        YAML moves only white space, so the place has the same number of other characters before it in the
        file.
        """
        lines = segment.value.rule.split("\n")
        before = "".join([*lines[: line - 1], lines[min(line, len(lines)) - 1][: column - 1]])
        wanted = min(_ink(before), _ink(segment.value.rule) - 1)
        node = segment.node.at(("rule",))
        if node is None:
            return segment.line
        start = node.line - 1 + (node.style in ("|", ">"))
        raw = self.texts[segment.file].split("\n")
        seen = 0 if node.style in ("|", ">") else -_ink(raw[start][: node.column]) - bool(node.style)
        for number in range(start, len(raw)):
            seen += _ink(raw[number])
            if seen > wanted:
                return number + 1
        return node.line


def read_directory(path: Path) -> dict[str, str]:
    """The ``*.yaml`` and ``*.yml`` files of a directory (name → text), sorted by name; or one file.

    Raises :class:`NotFound` when there is none, :class:`CatalogError` when one can't be read.
    """
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())
    else:
        files = [path] if path.is_file() else []
    if not files:
        raise NotFound(
            f"{path}: no catalog here; expected a directory with *.yaml files", reason="CATALOG_NOT_FOUND"
        )
    texts: dict[str, str] = {}
    problems = []
    for file in files:
        try:
            if file.stat().st_size > 4 * SIZE_MAX:
                problems.append(
                    Problem(f"the file has more than {SIZE_MAX} characters; split it", file.name, 1)
                )
            else:
                texts[file.name] = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            problems.append(Problem(f"not UTF-8 text, from byte {error.start} on", file.name, 1))
        except OSError as error:
            problems.append(Problem(f"can't be read: {error.strerror}", file.name, 1))
    if problems:
        raise CatalogError(problems)
    return texts


def from_texts(texts: Mapping[str, str]) -> Source:
    """The definitions in these files (name → text). What is wrong with their form is in ``problems``."""
    if len(texts) > FILES_MAX:
        raise InvalidInput(f"a catalog has at most {FILES_MAX} files", reason="CATALOG_INVALID")
    source = Source(dict(texts))
    for file in sorted(texts):
        try:
            top, twice = parse(texts[file], file)
        except CatalogError as error:
            source.problems += error.problems
            source.readable = False
            continue
        source.problems += twice
        _File(source, file).read(top)
    return source


class _File:
    """Takes one file apart."""

    def __init__(self, source: Source, file: str) -> None:
        self._source = source
        self._file = file

    def read(self, top: Node) -> None:
        sections: dict[str, Callable[[str, Node], None]] = {
            "attributes": self._models(AttributeDefinition, self._source.attributes),
            "events": self._models(EventDefinition, self._source.events),
            "computed": self._models(ComputedDefinition, self._source.computed),
            "lists": self._models(ListDefinition, self._source.lists, _LIST_NAME),
            "purposes": self._models(PurposeDefinition, self._source.purposes),
            "strategies": self._mappings(
                self._source.strategies, "the settings are a mapping; leave it empty for the defaults"
            ),
            "fits": self._mappings(
                self._source.fits, "a fit is what segserver strategies fit writes; run it again"
            ),
            "include": self._patterns,
            "exclude": self._patterns,
            "segments": self._segments,
            "policy": self._policy,
        }
        if not isinstance(top.value, dict):
            self._problem(f"a file is a mapping with the keys {', '.join(sections)}", top.line)
            return
        for key, node in top.value.items():
            if key in sections:
                sections[key](key, node)
            else:
                message = f"unknown key; a file has {', '.join(sections)}{near(key, sections)}"
                self._problem(message, top.key_lines[key], key)

    def _models(
        self,
        model: type[_Model],
        known: dict[str, Defined[_Model]],
        names: TypeAdapter[str] | None = None,
    ) -> Callable[[str, Node], None]:
        """What reads a section that maps names to definitions of one kind."""

        def read(section: str, node: Node) -> None:
            for name, entry, line in self._named(section, node, known, names or _NAME):
                if (value := self._model(model, section, name, entry, line)) is not None:
                    known[name] = self._defined(value, section, name, entry, line)

        return read

    def _mappings(
        self, known: dict[str, Defined[dict[str, Any]]], otherwise: str
    ) -> Callable[[str, Node], None]:
        """What reads a section that maps names to mappings of any content."""

        def read(section: str, node: Node) -> None:
            for name, entry, line in self._named(section, node, known, _NAME):
                if entry.value is None or isinstance(entry.value, dict):
                    known[name] = self._defined(entry.data() or {}, section, name, entry, line)
                else:
                    self._problem(otherwise, line, section, name)

        return read

    def _patterns(self, section: str, node: Node) -> None:
        if node.value is None:
            return
        if not isinstance(node.value, list):
            self._problem("a list of segment ids or patterns, like - demographic/*", node.line, section)
            return
        target = self._source.include if section == "include" else self._source.exclude
        for index, entry in enumerate(node.value):
            if isinstance(entry.value, str):
                target.append(Defined(entry.value, f"{section}.{index}", self._file, entry.line, entry))
            else:
                self._problem("a segment id or pattern is text", entry.line, section, str(index))

    def _segments(self, section: str, node: Node) -> None:
        if node.value is None:
            return
        if not isinstance(node.value, list):
            self._problem("segments are a list; begin each with - id: …", node.line, section)
            return
        for index, entry in enumerate(node.value):
            if not isinstance(entry.value, dict):
                self._problem("a segment is a mapping with id and rule", entry.line, section, str(index))
                continue
            given = entry.at(("id",))
            name = str(given.value) if given is not None else str(index)
            value = self._model(SegmentDefinition, section, name, entry, entry.line)
            if name in self._source.segments:
                self._twice(section, name, entry.line_of(("id",)), self._source.segments[name])
            elif value is not None:
                self._source.segments[name] = self._defined(value, section, name, entry, entry.line)

    def _policy(self, section: str, node: Node) -> None:
        if node.value is None:
            return
        if self._source.policy is not None:
            self._twice(section, "", node.line, self._source.policy)
        elif (value := self._model(PolicyDefinition, section, "", node, node.line)) is not None:
            self._source.policy = Defined(value, section, self._file, node.line, node)

    def _named(
        self, section: str, node: Node, known: Mapping[str, Defined[Any]], names: TypeAdapter[str]
    ) -> Iterable[tuple[str, Node, int]]:
        """The entries of a mapping from names, but for wrong names and those that another file defines."""
        if node.value is None:
            return
        if not isinstance(node.value, dict):
            self._problem(f"{section} is a mapping from names", node.line, section)
            return
        for name, entry in node.value.items():
            line = node.key_lines[name]
            try:
                names.validate_python(name)
            except ValidationError as error:
                self._problem(_message(error.errors()[0], None), line, section, name)
                continue
            if name in known:
                self._twice(section, name, line, known[name])
            else:
                yield name, entry, line

    def _model(self, model: type[_Model], section: str, name: str, entry: Node, line: int) -> _Model | None:
        try:
            return model.model_validate(entry.data())
        except ValidationError as error:
            self._source.broken.add(name)
            for detail in error.errors(include_url=False, include_input=False):
                path: _Key = tuple(step for step in detail["loc"] if step != "[key]")
                at = entry.line_of(path) if path and entry.at(path[:1]) is not None else line
                self._problem(_message(detail, model), at, section, name, *map(str, path))
            return None

    def _defined(self, value: T, section: str, name: str, entry: Node, line: int) -> Defined[T]:
        return Defined(value, f"{section}.{name}", self._file, line, entry)

    def _twice(self, section: str, name: str, line: int, first: Defined[Any]) -> None:
        self._problem(
            f"defined already at {first.file}:{first.line}; rename or remove one of them", line, section, name
        )

    def _problem(self, message: str, line: int, *path: str) -> None:
        self._source.problems.append(Problem(message, self._file, line, ".".join(filter(None, path))))


_NAME: TypeAdapter[str] = TypeAdapter(Name)
_LIST_NAME: TypeAdapter[str] = TypeAdapter(ListName)


_NESTED: Mapping[str, type[BaseModel]] = {"regimes": RegimeDefinition, "properties": PropertyDefinition}


def _message(error: Any, model: type[BaseModel] | None) -> str:
    """What to do about one of pydantic's errors."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden" and model is not None:
        nested = _NESTED.get(str(error["loc"][0]), model) if len(error["loc"]) > 1 else model
        known = list(nested.model_fields)
        return f"unknown key; it may have {', '.join(known)}{near(str(error['loc'][-1]), known)}"
    if kind == "value_error":
        return str(context["error"])
    return str(_MESSAGES.get(kind, error["msg"]).format(**context))


_MESSAGES = {
    "missing": "this key is missing; add it",
    "string_type": "this must be text; put it in quotes if it looks like a number or a date",
    "bool_type": "this must be true or false",
    "int_type": "this must be a whole number",
    "enum": "use one of {expected}",
    "literal_error": "use one of {expected}",
    "tuple_type": "this must be a list",
    "model_type": "this must be a mapping of keys to values",
    "string_too_long": "this has more than {max_length} characters",
    "greater_than_equal": "this must be {ge} or more",
    "less_than_equal": "this must be {le} or less",
    "mapping_type": "this must be a mapping of keys to values",
}


def _ink(text: str) -> int:
    """How many characters are not white space."""
    return len("".join(text.split()))

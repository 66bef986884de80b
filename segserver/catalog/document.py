"""One YAML file as values with places: every key knows its line, so that every problem can name it.

Plain scalars follow a small core schema in place of YAML 1.1's: only ``true`` and ``false`` are booleans
(``no`` is a country), ``0123`` and ``2024-01-01`` are text, and a key is always text. A file is limited in
size, depth and number of values (aliases count for what they stand for), so that a small file can't become
a large one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from segserver.errors import CatalogError, Problem

SIZE_MAX = 8 * 1024 * 1024
"""Characters of one file; 1,000 segments need about 200,000."""
DEPTH_MAX = 32
VALUES_MAX = 500_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_INT_DIGITS_MAX = 19


@dataclass(slots=True)
class Node:
    """A value of the file and where it stands (1-based lines).

    ``value`` is ``None``, a bool, int, float or str, a list of nodes, or a dict of nodes.
    ``size`` counts the values in it.
    """

    value: Any
    line: int
    size: int = 1
    key_lines: dict[str, int] = field(default_factory=dict)
    """For a mapping: the line of each key."""
    style: str = ""
    """For a scalar: how it is written, one of ``| > ' "`` or nothing."""
    column: int = 0
    """Where it begins on its line, from 0."""

    def data(self) -> Any:
        """The plain value, without places."""
        if isinstance(self.value, dict):
            return {key: node.data() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.data() for node in self.value]
        return self.value

    def line_of(self, path: tuple[str | int, ...]) -> int:
        """The line of the value at ``path``, or of the last step that exists: a missing key is missing
        there."""
        node, line = self, self.line
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                line, node = node.key_lines[str(step)], node.value[step]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.line
            else:
                break
        return line

    def at(self, path: tuple[str | int, ...]) -> Node | None:
        """The node at ``path``."""
        node = self
        for step in path:
            try:
                node = node.value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return node


def parse(text: str, file: str) -> tuple[Node, list[Problem]]:
    """The file's top value (an empty file is an empty mapping), and the keys given twice, of which the
    first counts.

    Raises :class:`CatalogError` at the first thing that is not YAML, or beyond a limit.
    """
    if len(text) > SIZE_MAX:
        raise CatalogError([Problem(f"the file has more than {SIZE_MAX} characters; split it", file, 1)])
    try:
        composer = _Composer(file, yaml.parse(text.encode(), Loader=_Loader))
        node = composer.document()
    except UnicodeEncodeError:
        raise CatalogError([Problem("not valid Unicode text", file, 1)]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f" {error.context}" if error.context else ""
        raise CatalogError(
            [Problem(f"not YAML: {error.problem}{context}", file, mark.line + 1 if mark else 1)]
        ) from None
    except yaml.YAMLError as error:
        raise CatalogError([Problem(f"not YAML: {_short(error)}", file, 1)]) from None
    return node, composer.problems


class _Composer:
    """Builds nodes from the parser's events, with every limit checked before memory is taken."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events
        self._anchors: dict[str, Node] = {}
        self.problems: list[Problem] = []

    def document(self) -> Node:
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Node({}, 1)
        node = self._node(next(self._events), 1)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._refuse("a second document begins here; a file holds one", event)
        return Node({}, node.line) if node.value is None else node

    def _node(self, event: Any, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise self._refuse(f"nested deeper than {DEPTH_MAX} levels", event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._refuse(f"no anchor &{event.anchor} before its alias", event)
            return self._anchors[event.anchor]
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise self._refuse(f"the tag {event.tag} is not supported; write the plain value", event)
        start: Any = event.start_mark
        line = start.line + 1
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.tag is None
            value = _scalar(event.value) if plain else event.value
            node = Node(value, line, style=event.style or "", column=start.column)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(line, depth)
        else:
            node = self._mapping(line, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _sequence(self, line: int, depth: int) -> Node:
        node = Node([], line)
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            child = self._node(event, depth + 1)
            node.value.append(child)
            self._grow(node, child, event)
        return node

    def _mapping(self, line: int, depth: int) -> Node:
        node = Node({}, line)
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refuse("a key is a list, a mapping or an alias; write a plain name", event)
            mark: Any = event.start_mark
            key, key_line = event.value, mark.line + 1
            child = self._node(next(self._events), depth + 1)
            self._grow(node, child, event)
            if key in node.value:
                first = node.key_lines[key]
                message = f"the key is given twice, first on line {first}; remove one of them"
                self.problems.append(Problem(message, self._file, key_line, key))
                continue
            node.value[key] = child
            node.key_lines[key] = key_line
        return node

    def _grow(self, node: Node, child: Node, event: Any) -> None:
        node.size += child.size
        if node.size > VALUES_MAX:
            raise self._refuse(
                f"more than {VALUES_MAX} values, with aliases counted for what they stand for", event
            )

    def _refuse(self, message: str, event: Any) -> CatalogError:
        return CatalogError([*self.problems, Problem(message, self._file, event.start_mark.line + 1)])


def _scalar(text: str) -> bool | int | float | str | None:
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if text[0] not in "-+.0123456789":
        return text
    if _INT.fullmatch(text) and len(text) <= _INT_DIGITS_MAX:
        return int(text)
    if _FLOAT.fullmatch(text) and any(character.isdigit() for character in text):
        return float(text)
    return text


def _short(error: yaml.YAMLError) -> str:
    """The first line: what follows may hold bytes of the file."""
    return str(error).partition("\n")[0]

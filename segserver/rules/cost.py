"""What a rule could cost at worst, told from its text: the size of its values, and the steps to them.

CEL always ends, but ``s.replace("", s)`` makes four thousand million characters of a text of 65,536, and
three lists of a thousand searched within each other are a thousand million steps. Such a rule is refused when
its catalog is published; nothing is counted while it runs, and both compilers keep their speed.

A bound on a list's elements is one on their sum and one on the longest of them. What a macro makes of the
elements grows at least in proportion to their size, so that the sum is at most that of as many longest
elements as fit into it, the others being empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from segserver.rules.check import Checked
from segserver.rules.tree import (
    Call,
    Comprehension,
    ListOf,
    Literal,
    Node,
    Variable,
    element,
    is_list,
    refuse,
)

CHARACTERS_MAX = 16 * 1024 * 1024
"""Of one value, all elements of a list together."""
ITEMS_MAX = 1024 * 1024
"""Elements of one list."""
STEPS_MAX = 100_000_000
"""About five seconds, if every input is as long as it may be."""

_CHARACTERS_PER_STEP = 512
_SEARCH = 8
"""Looking for something in a text costs so many times what copying it does."""


class Size(NamedTuple):
    """How large a value can become: characters in all, the longest element, elements. A text is one
    element.
    """

    characters: int = 0
    longest: int = 0
    items: int = 1

    @classmethod
    def text(cls, characters: int) -> Size:
        """A text of so many characters."""
        return cls(characters, characters, 1)


NUMBER = Size.text(0)
"""What has no size to speak of: numbers, times, truth values."""
TEXT = Size.text(65_536)
"""A text that an attribute or a trait's code gives: as long as a request may bring one by default."""
LIST = Size(4 * 1024 * 1024, TEXT.longest, 1_000)
"""The same for a list: all of a request by default, and its number of elements."""


class Cost(NamedTuple):
    """The size of the result, and the steps to it."""

    size: Size
    steps: int


def measure(checked: Checked, sizes: Mapping[str, Size]) -> Size:
    """How large the rule's result can become. ``sizes`` are those of the traits that rules compute; every
    other variable is as large as its type allows.

    Raises :class:`RuleError` at the first part that could become too large or take too long.
    """
    return _Measure(checked.expression).cost(checked.tree, sizes).size


class _Measure:
    def __init__(self, text: str) -> None:
        self._text = text

    def cost(self, node: Node, sizes: Mapping[str, Size]) -> Cost:
        match node:
            case Literal():
                found = Cost(_literal(node), 0)
            case Variable():
                found = Cost(sizes.get(node.name) or _of_type(node.type), 1)
            case ListOf():
                parts = [self.cost(item, sizes) for item in node.items]
                found = Cost(_joined([part.size for part in parts]), 1 + sum(part.steps for part in parts))
            case Comprehension():
                found = self._loop(node, sizes)
            case Call():
                found = self._call(node, sizes)
            case _:
                raise TypeError(type(node))
        self._check(node, found)
        return found

    def _check(self, node: Node, found: Cost) -> None:
        if found.size.characters > CHARACTERS_MAX:
            what = f"make {found.size.characters:,} characters; {CHARACTERS_MAX:,} are allowed"
        elif found.size.items > ITEMS_MAX:
            what = f"make a list of {found.size.items:,} elements; {ITEMS_MAX:,} are allowed"
        elif found.steps > STEPS_MAX:
            what = f"take {found.steps:,} steps; {STEPS_MAX:,} are allowed"
        else:
            return
        raise refuse(self._text, f"with the longest values, this could {what}", node.line, node.column)

    def _loop(self, node: Comprehension, sizes: Mapping[str, Size]) -> Cost:
        source = self.cost(node.source, sizes)
        bodies = [part for part in (node.predicate, node.transform) if part is not None]
        kind = element(node.source.type)

        def each(characters: int) -> list[Cost]:
            item = Size(characters, characters, source.size.items if is_list(kind) else 1)
            return [self.cost(body, {**sizes, node.variable: item}) for body in bodies]

        count, longest = source.size.items, source.size.longest
        long, short = each(longest), each(0)
        full = -(-source.size.characters // longest) if longest else 0

        def total(number: Callable[[Cost], int], of: Callable[[list[Cost]], list[Cost]]) -> int:
            return full * sum(map(number, of(long))) + count * sum(map(number, of(short)))

        steps = source.steps + count + total(lambda cost: cost.steps, lambda costs: costs)
        if node.transform is not None:
            characters = total(lambda cost: cost.size.characters, lambda costs: costs[-1:])
            items = total(lambda cost: cost.size.items, lambda costs: costs[-1:])
            nested = is_list(node.transform.type)
            return Cost(Size(characters, long[-1].size.characters, items if nested else count), steps)
        return Cost(source.size if node.kind == "filter" else NUMBER, steps)

    def _call(self, node: Call, sizes: Mapping[str, Size]) -> Cost:
        parts = [self.cost(arg, sizes) for arg in node.args]
        given = [part.size for part in parts]
        read = (min if _compares(node) else sum)(size.characters for size in given)
        steps = 1 + sum(part.steps for part in parts) + sum(size.items - 1 for size in given)
        steps += read // _CHARACTERS_PER_STEP * (_SEARCH if node.type in ("bool", "int") else 1)
        result = _result(node, given)
        return Cost(result, steps + result.characters // _CHARACTERS_PER_STEP + result.items - 1)


def _compares(node: Call) -> bool:
    """Whether the function stops at the end of its shortest text."""
    return node.overload in ("equals", "not_equals", "starts_with_string", "ends_with_string") or (
        node.overload.startswith(("less_", "greater_"))
    )


def _result(node: Call, given: list[Size]) -> Size:
    """The size of what a function gives."""
    if node.type != "string" and not is_list(node.type):
        return NUMBER
    match node.overload:
        case "add_string":
            return Size.text(sum(size.characters for size in given))
        case "add_list":
            return _joined(given, lists=True)
        case "conditional":
            return Size(*(max(of) for of in zip(given[1], given[2], strict=True)))
        case "index_list":
            return Size(given[0].longest, given[0].longest, given[0].items if is_list(node.type) else 1)
        case "string_replace_string_string" | "string_replace_string_string_int":
            return Size.text(_replaced(node, given))
        case "string_split_string" | "string_split_string_int":
            return Size(given[0].characters, given[0].characters, given[0].characters + 1)
        case overload if overload.startswith("string_"):
            return given[0]
    return _of_type(node.type) if is_list(node.type) or "_to_" not in node.overload else Size.text(64)


def _replaced(node: Call, given: list[Size]) -> int:
    """The longest result of ``text.replace(old, new)``; an ``old`` of no characters is found before each
    and at the end.
    """
    text, new = given[0].characters, given[2].characters
    old = node.args[1]
    shortest = len(old.value) if isinstance(old, Literal) else 0
    if shortest == 0:
        return text + (text + 1) * new
    return max(text, text // shortest * new + text % shortest)


def _joined(sizes: list[Size], *, lists: bool = False) -> Size:
    """The size of a list of these values, or of these lists one after the other."""
    return Size(
        sum(size.characters for size in sizes),
        max((size.longest if lists else size.characters for size in sizes), default=0),
        max(1, sum(size.items for size in sizes)),
    )


def _literal(node: Literal) -> Size:
    return Size.text(len(node.value)) if isinstance(node.value, str) else _of_type(node.type)


def _of_type(type_name: str) -> Size:
    if type_name == "string":
        return TEXT
    return LIST if is_list(type_name) else NUMBER

"""Signatures of functions: their text, their types, and which of them a call means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from segserver.errors import InvalidInput
from segserver.rules.tree import EMPTY_LIST, element, is_list, list_of

_TYPE = r"(?:list\()*(?:bool|int|double|string|timestamp|duration|dyn|A)\)*"
_TEXT = re.compile(
    rf"(?:(?P<target>{_TYPE})\.)?(?P<name>[^\s().]+)\((?P<parameters>{_TYPE}(?:,\s*{_TYPE})*)?\)\s*->\s*(?P<result>{_TYPE})"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's name, the types it takes and gives; a method's target is the first parameter.

    ``A`` stands for one type, the same throughout the signature.
    """

    name: str
    parameters: tuple[str, ...]
    result: str
    member: bool

    def __str__(self) -> str:
        """How it is called: ``size(string)``, ``string.size()``."""
        if self.member:
            return f"{self.parameters[0]}.{self.name}({', '.join(self.parameters[1:])})"
        return f"{self.name}({', '.join(self.parameters)})"

    def apply(self, arguments: Sequence[str]) -> str | None:
        """The type of the result for arguments of these types; ``None`` when the signature doesn't take
        them.
        """
        if len(arguments) != len(self.parameters):
            return None
        bound: list[str] = []
        for parameter, argument in zip(self.parameters, arguments, strict=True):
            if not _accepts(parameter, argument, bound):
                return None
        return self.result.replace("A", bound[0]) if bound else self.result


def parse_signature(text: str) -> Signature:
    """A signature from CEL's form: ``name(double, string) -> bool`` or ``string.name(int) -> string``."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise InvalidInput.of("signature", f"{text!r} is not of the form 'name(double, string) -> bool'")
    parameters = tuple(p.strip() for p in match["parameters"].split(",")) if match["parameters"] else ()
    target = (match["target"],) if match["target"] else ()
    return Signature(match["name"], target + parameters, match["result"], bool(target))


def unify(first: str, second: str) -> str | None:
    """The one type that both can be: an empty list can be any list."""
    if first == second:
        return first
    if EMPTY_LIST in (first, second) and is_list(first) and is_list(second):
        return second if first == EMPTY_LIST else first
    if is_list(first) and is_list(second):
        inner = unify(element(first), element(second))
        return None if inner is None else list_of(inner)
    return None


def _accepts(parameter: str, argument: str, bound: list[str]) -> bool:
    if parameter == "dyn":
        return True
    if parameter == "A":
        agreed = unify(bound[0], argument) if bound else argument
        if agreed is None:
            return False
        bound[:] = [agreed]
        return True
    if is_list(parameter):
        if argument == EMPTY_LIST:
            return True
        return is_list(argument) and _accepts(element(parameter), element(argument), bound)
    return parameter == argument

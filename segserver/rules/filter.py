"""Compiles one condition into a Python function over columns: which of many rows fulfil it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from segserver.rules.check import Checked
from segserver.rules.functions import scalar_of
from segserver.rules.tree import Node
from segserver.rules.writer import Module, Writer, variable

NONE: frozenset[str] = frozenset()

Filter: TypeAlias = Callable[..., bytes]
"""Takes a column for each variable, all of one length, in rule form; gives a 1 for each row that fulfils the
condition, and a 0 for one that does not or for which that is unknown."""


def compile_filter(checked: Checked, node: Node, reads: Sequence[str], always: Iterable[str] = ()) -> Filter:
    """The filter of a bool node of a checked rule, over at least one variable.

    ``reads`` names its variables in the order of the columns; those in ``always`` are never unknown. The node
    reads neither ``now`` nor the subject.
    """
    functions = {overload: scalar_of(function) for overload, function in checked.functions.items()}
    module = Module(functions, {}, namespace={"withheld": NONE})
    present = frozenset(always)
    names = {name: variable(f"v{index}", nullable=name not in present) for index, name in enumerate(reads)}
    before: list[str] = []
    truth = Writer(module, names, before).truth(node)
    row = "".join(f"v{index}, " for index in range(len(reads)))
    columns = ", ".join(f"column{index}" for index in range(len(reads)))
    several = f"for {row} in zip({columns}, strict=True)"
    each = f"for {row.rstrip(', ')} in column0" if len(reads) == 1 else several
    if before:
        body = [
            "truths = bytearray()",
            f"{each}:",
            *(f"    {line}" for line in before),
            f"    truths.append(1 if {truth} else 0)",
            "return bytes(truths)",
        ]
    else:
        body = [f"return bytes([1 if {truth} else 0 {each}])"]
    main = [f"def fulfilled({columns}):", *(f"    {line}" for line in ("now = subject = None", *body))]
    source = "\n".join([*module.helpers, *main, ""])
    exec(compile(source, "<segserver condition>", "exec"), module.namespace)  # noqa: S102 - without rules' text
    made: Any = module.namespace["fulfilled"]
    fulfilled: Filter = made
    return fulfilled

"""Compiles the steps of a catalog into one Python function, for one subject at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from segserver.rules import own
from segserver.rules.check import NOW
from segserver.rules.functions import Function, scalar_of
from segserver.rules.inline import TEMPLATES
from segserver.rules.program import Coded, Computed, Step, needed
from segserver.rules.tree import Call, Comprehension, ListOf, Literal, Node, Variable, children
from segserver.rules.writer import LOGIC, Module, Parts, Writer, variable

_COMMON = 6
"""A comparison that so many rules share is made once."""

Run: TypeAlias = Callable[[Sequence[Any], int, str, frozenset[str], list[str]], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class PythonProgram:
    """A compiled program. ``run`` is the generated function itself, for callers that count nanoseconds.

    Call it with the inputs' values in rule form (``None`` where unknown), in the order of ``inputs``; the
    evaluation time in microseconds; the subject key; the names of the withheld inputs, all of which must be
    ``None`` in ``values``; and a list that receives the names of the coded steps that failed. It returns the
    outputs' values, in order.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: str
    run: Run

    def __call__(
        self, values: Sequence[Any], now: int, subject: str, withheld: frozenset[str], failures: list[str]
    ) -> tuple[Any, ...]:
        """Evaluates one subject."""
        return self.run(values, now, subject, withheld, failures)


def compile_python(
    steps: Sequence[Step],
    inputs: Sequence[str],
    outputs: Sequence[str],
    origins: Mapping[str, frozenset[str]] | None = None,
) -> PythonProgram:
    """One function for all outputs; steps that no output needs are left out.

    ``origins`` names, for a step that a rule asks ``known()`` about, the inputs that it depends on. Raises
    :class:`~segserver.errors.InvalidInput` when a step reads what is not computed before it.
    """
    kept = needed(steps, inputs, outputs)
    keys = _Keys()
    trees = [step.checked.tree for step in kept if isinstance(step, Computed)]
    module = Module(_scalars(kept), origins or {}, keys.repeated(trees), keys.of)
    names = {NOW: variable(NOW, nullable=False)}
    names |= {name: variable(f"v{index}", nullable=True) for index, name in enumerate(inputs)}
    lines: list[str] = []
    if inputs:
        lines.append("".join(f"v{index}, " for index in range(len(inputs))) + "= values")
    reused = {name for step in kept for name in step.reads}
    reused |= {name for name, count in Counter(outputs).items() if count > 1}
    results: dict[str, str] = {}
    for index, step in enumerate(kept):
        code = _step_code(step, f"s{index}", names, module, lines)
        if step.name in reused:
            lines.append(f"s{index} = {code}")
        else:
            results[step.name] = f"({code})"  # goes straight into the answer
    if module.buckets:
        lines.insert(0, f"subject = {module.function('subject_bits', own.subject_bits)}(subject)")
    answers = "".join(f"{results.get(name) or names[name].code}, " for name in outputs)
    lines.append(f"return ({answers})")
    main = ["def program(values, now, subject, withheld, failures):", *(f"    {line}" for line in lines)]
    source = "\n".join([*module.helpers, *main, ""])
    exec(compile(source, "<segserver rules>", "exec"), module.namespace)  # noqa: S102 - without rules' text
    return PythonProgram(tuple(inputs), tuple(outputs), source, module.namespace["program"])


def _step_code(step: Step, name: str, names: dict[str, Parts], module: Module, lines: list[str]) -> str:
    """The step's value as an expression; makes ``name`` stand for it, and adds what must come before to
    ``lines``.
    """
    if isinstance(step, Coded):
        reads = [names[read] for read in step.reads]
        guards = dict.fromkeys(guard.first for read in reads for guard in read.guards)
        arguments = "".join(f"{read.code}, " for read in reads)
        call = f"{module.constant(_guarded(step))}({arguments}failures=failures)"
        names[step.name] = variable(name, nullable=True)
        return f"{call} if {' and '.join(guards)} else None" if guards else call
    writer = Writer(module, names, lines)
    tree = step.checked.tree
    code = writer.value(tree)
    names[step.name] = variable(name, nullable=writer.nullable(tree))
    return code


def _guarded(step: Coded) -> Callable[..., Any]:
    """The step's function, so that whatever it does costs only its own value."""
    scalar, name, fits = step.scalar, step.name, _FITS[step.type]

    def call(*args: Any, failures: list[str]) -> Any:
        try:
            value = scalar(*args)
        except Exception:
            failures.append(name)
            return None
        if value is not None and not fits(value):
            failures.append(name)
            return None
        return value

    return call


_FITS: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: type(value) is bool,
    "int": lambda value: type(value) is int,
    "double": lambda value: type(value) is float,
    "string": lambda value: type(value) is str,
    "timestamp": lambda value: type(value) is int,
    "list(string)": lambda value: type(value) is tuple and all(type(item) is str for item in value),
}


def _scalars(steps: Sequence[Step]) -> dict[str, Callable[..., Any]]:
    """The plugins' functions that the steps may call, by overload, on values in rule form."""
    functions: dict[str, Function] = {}
    for step in steps:
        if isinstance(step, Computed):
            functions |= step.checked.functions
    return {overload: scalar_of(function) for overload, function in functions.items()}


class _Keys:
    """Numbers for nodes, equal exactly for nodes that mean the same; and which of them are worth computing
    once.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._known: dict[int, int] = {}

    def of(self, node: Node) -> int:
        """The node's number."""
        number = self._known.get(id(node))
        if number is None:
            below = tuple(self.of(child) for child in children(node))
            number = self._numbers.setdefault((*_own(node), *below), len(self._numbers))
            self._known[id(node)] = number
        return number

    def repeated(self, trees: Sequence[Node]) -> frozenset[int]:
        """The numbers of calls and loops that occur often enough to compute them once, ahead of all rules.

        That is twice for what costs more than a variable does, and :data:`_COMMON` times for a comparison,
        which costs little, and may not be reached at all.
        """
        dear: Counter[int] = Counter()
        cheap: Counter[int] = Counter()
        for tree in trees:
            self._count(tree, dear, cheap)
        often = [number for number, count in cheap.items() if count >= _COMMON]
        return frozenset([*often, *(number for number, count in dear.items() if count > 1)])

    def _count(self, node: Node, dear: Counter[int], cheap: Counter[int]) -> None:
        if isinstance(node, Comprehension):
            dear[self.of(node)] += 1
            self._count(node.source, dear, cheap)  # the body depends on the element
            return
        if isinstance(node, Call) and node.function not in LOGIC | {"known", "type_is"}:
            if node.overload not in TEMPLATES:
                dear[self.of(node)] += 1
            elif node.type == "bool":
                cheap[self.of(node)] += 1
        for child in children(node):
            self._count(child, dear, cheap)


def _own(node: Node) -> tuple[Any, ...]:
    match node:
        case Literal():
            return ("literal", node.type, repr(node.value))
        case Variable():
            return ("variable", node.type, node.name)
        case Call():
            return ("call", node.type, node.overload)
        case Comprehension():
            return (
                "loop",
                node.type,
                node.kind,
                node.variable,
                node.predicate is None,
                node.transform is None,
            )
        case ListOf():
            return ("list", node.type)
    raise TypeError(type(node))

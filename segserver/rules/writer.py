"""Writes one rule as Python: the conditions under which it is certainly true and certainly false, and its
value.

Three-valued logic without a third value on the way: ``truth(a && b)`` is ``truth(a) and truth(b)``,
``falsity(a && b)`` is ``falsity(a) or falsity(b)``, ``!`` swaps the two, and what is neither is unknown. A
comparison is true when its operands are known (the *guards*) and it holds. So the common case, a rule that is
false, ends at the first operand that is false, and costs a check for ``None`` and a comparison. What would be
written twice at every level of nesting (the condition of ``?:``, logic within a comparison) is hoisted into a
statement before, so that the code stays as long as the rule.

No text of a rule gets into the source: names are ours, literals are written by ``repr`` or held as constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from segserver.rules import own
from segserver.rules.inline import INFALLIBLE, TEMPLATES, one_sided
from segserver.rules.scalars import SCALARS
from segserver.rules.strings import matcher
from segserver.rules.tree import Call, Comprehension, ListOf, Literal, Node, Variable, children, is_list, walk

LOGIC = frozenset({"_&&_", "_||_", "!_", "_?_:_"})
_DEPTH_MAX = 8
"""Levels of logic in one Python expression; deeper ones become statements, far below the compiler's own
limit.
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition for an operand to be known: ``first`` may compute it, ``again`` looks at what ``first``
    computed.
    """

    first: str
    again: str


@dataclass(frozen=True, slots=True)
class Parts:
    """A strict expression: ``code`` is its value when all ``guards`` hold, in their order; else it is
    unknown.

    ``safe`` guards are not needed to know that the code is true: ``None == "x"`` is false anyway. ``false``
    is the name of a variable that says whether the code is certainly false, for conditions that many rules
    share.
    """

    guards: tuple[Guard, ...]
    code: str
    atomic: bool = False
    safe: bool = False
    false: str = ""

    @property
    def operand(self) -> str:
        """The code as an operand of something else."""
        return self.code if self.atomic else f"({self.code})"


@dataclass(slots=True)
class Module:
    """What all rules of one program share: helper functions, constants, names, and expressions computed
    once.
    """

    functions: Mapping[str, Callable[..., Any]]
    origins: Mapping[str, frozenset[str]]
    shared: frozenset[int] = frozenset()
    key_of: Callable[[Node], int] = id
    namespace: dict[str, Any] = field(default_factory=dict)
    helpers: list[str] = field(default_factory=list)
    computed: dict[int, Parts] = field(default_factory=dict)
    counter: int = 0
    buckets: bool = False

    def name(self, prefix: str) -> str:
        """A name that nothing else has."""
        self.counter += 1
        return f"{prefix}{self.counter}"

    def constant(self, value: Any) -> str:
        """The name of a value that has no safe text."""
        name = self.name("k")
        self.namespace[name] = value
        return name

    def function(self, overload: str, function: Callable[..., Any]) -> str:
        """The name of a helper function; ``overload`` is made of letters, digits and ``_``."""
        name = f"f_{overload}"
        self.namespace[name] = function
        return name


class Writer:
    """Writes expressions of one Python function, and into ``lines`` the statements that must come before
    them.
    """

    def __init__(
        self, module: Module, names: Mapping[str, Parts], lines: list[str], *, shares: bool = True
    ) -> None:
        self._module = module
        self._names = names
        self._lines = lines
        self._shares = shares
        self._strict: dict[int, Parts] = {}
        self._hoisted: dict[int, Parts] = {}

    def value(self, node: Node, depth: int = 0) -> str:
        """An expression that is the node's value, or ``None`` when it is unknown."""
        parts = self._as_parts(node, depth)
        if parts is not None:
            if not parts.guards or parts == replace(variable(parts.code, nullable=True), false=parts.false):
                return parts.code
            return f"{parts.operand} if {_chain(parts.guards)} else None"
        if not self.nullable(node):
            return self.truth(node, depth)
        if isinstance(node, Call) and node.function == "_&&_":
            known = self._flat_guards(node)
            rest = self.truth(node, depth) if known is None else known
            return f"False if {self.falsity(node, depth)} else (True if {rest} else None)"
        if isinstance(node, Call) and node.function == "_||_":
            known = self._flat_guards(node)
            rest = self.falsity(node, depth) if known is None else known
            return f"True if {self.truth(node, depth)} else (False if {rest} else None)"
        return f"True if {self.truth(node, depth)} else (False if {self.falsity(node, depth)} else None)"

    def truth(self, node: Node, depth: int = 0) -> str:
        """A condition that holds when the node is certainly true."""
        return self._condition(node, depth, wanted=True)

    def falsity(self, node: Node, depth: int = 0) -> str:
        """A condition that holds when the node is certainly false."""
        return self._condition(node, depth, wanted=False)

    def nullable(self, node: Node) -> bool:
        """Whether the node can be unknown."""
        if isinstance(node, Call):
            if node.function == "known":
                return True
            if node.function in LOGIC:
                return any(self.nullable(arg) for arg in node.args)
        return bool(self.strict(node).guards)

    def strict(self, node: Node) -> Parts:
        """A node that isn't logic, as guards and code. Logic is hoisted, and then is a name."""
        parts = self._strict.get(id(node))
        if parts is None:
            parts = self._strict[id(node)] = self._write_strict(node)
        return parts

    def _condition(self, node: Node, depth: int, *, wanted: bool) -> str:
        parts = self._as_parts(node, depth)
        if parts is not None:
            if wanted and parts.safe:
                return parts.code
            if parts.false and not wanted:
                return parts.false
            if parts.guards and parts.guards[-1].again == f"{parts.code} is not None":
                maybe = parts.guards[-1].first.removesuffix(" is not None")  # None is as good as false here
                return _chain(parts.guards[:-1], maybe if wanted else f"{maybe} is False")
            return _chain(parts.guards, parts.code if wanted else f"not {parts.operand}")
        assert isinstance(node, Call)  # noqa: S101 - only calls are logic
        if node.function == "known":
            return self._known(node, wanted=wanted)
        if node.function == "!_":
            return self._condition(node.args[0], depth, wanted=not wanted)
        if node.function == "_?_:_":
            test, yes, no = node.args
            return (
                f"({self.truth(test, depth + 1)} and {self._condition(yes, depth + 1, wanted=wanted)}"
                f" or {self.falsity(test, depth + 1)} and {self._condition(no, depth + 1, wanted=wanted)})"
            )
        joint = " and " if (node.function == "_&&_") == wanted else " or "
        conditions = [self._condition(arg, depth + 1, wanted=wanted) for arg in node.args]
        return f"({joint.join(conditions)})"

    def _as_parts(self, node: Node, depth: int) -> Parts | None:
        """The node as guards and code, or ``None`` for logic that should be written as logic."""
        if id(node) in self._hoisted:
            return self._hoisted[id(node)]
        if not isinstance(node, Call) or (node.function not in LOGIC and node.function != "known"):
            return self.strict(node)
        if node.type != "bool":
            return self.strict(node)
        if depth > _DEPTH_MAX:
            return self._hoist(node)
        if node.function == "_?_:_" and not _is_simple(node.args[0]):
            self._hoist(node.args[0])
        return None

    def _flat_guards(self, node: Call) -> str | None:
        """For logic over strict operands only: the condition that all are known, after all have been looked
        at.
        """
        guards: dict[str, None] = {}
        for child in node.args:
            arg = child
            while isinstance(arg, Call) and arg.function == "!_":
                arg = arg.args[0]
            if isinstance(arg, Call) and (arg.function in LOGIC or arg.function == "known"):
                return None
            guards.update(dict.fromkeys(guard.again for guard in self.strict(arg).guards))
        return " and ".join(guards)

    def _hoist(self, node: Node) -> Parts:
        parts = self._hoisted.get(id(node))
        if parts is None:
            parts = self._hoisted[id(node)] = self._store(self.value(node), nullable=self.nullable(node))
        return parts

    def _store(self, code: str, *, nullable: bool) -> Parts:
        name = self._module.name("t")
        self._lines.append(f"{name} = {code}")
        return variable(name, nullable=nullable)

    def _known(self, node: Call, *, wanted: bool) -> str:
        name = node.args[0]
        assert isinstance(name, Variable)  # noqa: S101 - the reader has seen to it
        parts = self._names[name.name]
        if not parts.guards:
            return "True" if wanted else "False"
        if wanted:
            return _chain(parts.guards)
        origins = self._module.origins.get(name.name, frozenset((name.name,)))
        return f"({parts.code} is None and {self._module.constant(origins)}.isdisjoint(withheld))"

    def _write_strict(self, node: Node) -> Parts:
        match node:
            case Literal():
                return Parts((), self._literal(node.value), atomic=True)
            case Variable():
                return self._names[node.name]
            case ListOf():
                return self._list(node)
            case Call() if node.function == "known" or (node.function in LOGIC and node.type == "bool"):
                return self._hoist(node)
        if self._shares and isinstance(node, Call | Comprehension):
            key = self._module.key_of(node)
            if key in self._module.shared:
                if key not in self._module.computed:
                    parts = self._compute(node)
                    code = (
                        f"{parts.operand} if {_chain(parts.guards)} else None" if parts.guards else parts.code
                    )
                    stored = self._store(code, nullable=bool(parts.guards))
                    if node.type == "bool" and parts.guards:
                        stored = replace(
                            stored, false=self._store(f"{stored.code} is False", nullable=False).code
                        )
                    self._module.computed[key] = stored
                return self._module.computed[key]
        return self._compute(node)

    def _compute(self, node: Node) -> Parts:
        if isinstance(node, Comprehension):
            return self._comprehension(node)
        assert isinstance(node, Call)  # noqa: S101 - every other kind is handled before
        if node.function == "_?_:_":
            return self._choice(node)
        if node.overload == "type_is":
            *operands, answer = (self.strict(arg) for arg in node.args)
            return Parts(_merge(operands), answer.code, atomic=True)
        if node.overload == "bucket":
            return self._bucket(node.args[0])
        if node.overload in TEMPLATES and not self._needs_nan_rules(node):
            return self._template(node)
        return self._helper(node)

    def _bucket(self, salt: Node) -> Parts:
        """A share of what ``subject`` is wherever a rule has a bucket: the subject's 64 bits."""
        assert isinstance(salt, Literal)  # noqa: S101 - the reader has seen to it
        self._module.buckets = True
        share = self._module.function("share", own.share)
        return Parts((), f"{share}(subject, {own.salt_bits(salt.value)})", atomic=True)

    def _choice(self, node: Call) -> Parts:
        test, yes, no = node.args
        if not _is_simple(test):
            self._hoist(test)
        otherwise = self.value(no)
        if self.nullable(test):
            otherwise = f"(({otherwise}) if {self.falsity(test)} else None)"
        code = f"({self.value(yes)}) if {self.truth(test)} else ({otherwise})"
        if any(self.nullable(arg) for arg in node.args):
            return self._checked(code, "{t} is not None", ())
        return Parts((), code)

    def _template(self, node: Call) -> Parts:
        template = TEMPLATES[node.overload]
        operands = [self.strict(arg) for arg in node.args]
        texts = [operand.operand for operand in operands]
        if node.overload == "in_list" and (members := self._members(node.args[1])):
            texts[1] = members
        guards = _merge(operands)
        code = template.code.format(*texts)
        if template.check:
            return self._checked(code, one_sided(node) or template.check, guards)
        atomic = template.code == "{0}" or (code.endswith(")") and template.code.startswith("len("))
        safe = (
            node.overload in ("equals", "in_list")
            and sum(isinstance(arg, Variable) for arg in node.args) == 1
        )
        return Parts(guards, code, atomic=atomic, safe=safe and _is_constant(node.args[1]))

    def _helper(self, node: Call) -> Parts:
        operands = [self.strict(arg) for arg in node.args]
        function, fallible = SCALARS.get(node.overload), node.overload not in INFALLIBLE
        last = node.args[-1]
        if node.overload.startswith("matches") and isinstance(last, Literal):
            name, fallible = self._module.constant(matcher(last.value)), False
            operands.pop()
        elif function is None:
            name = self._module.function(node.overload, self._module.functions[node.overload])
        else:
            name = self._module.function(node.overload, function)
            if node.overload == "divide_double":
                return self._divide(operands, name, plain=isinstance(last, Literal) and bool(last.value))
        code = f"{name}({', '.join(operand.code for operand in operands)})"
        if fallible:
            return self._checked(code, "{t} is not None", _merge(operands))
        return Parts(_merge(operands), code, atomic=True)

    def _divide(self, operands: list[Parts], function: str, *, plain: bool) -> Parts:
        """A division of doubles, which Python can do itself but by zero."""
        left, right = operands
        if plain:
            return Parts(_merge(operands), f"{left.operand} / {right.operand}")
        divisor = self._module.name("t")
        zero = f"{function}({left.code}, {divisor})"
        code = f"{left.operand} / {divisor} if ({divisor} := {right.code}) else {zero}"
        return Parts(_merge(operands), code)

    def _checked(self, code: str, check: str, guards: tuple[Guard, ...]) -> Parts:
        name = self._module.name("t")
        guard = Guard(check.format(t=f"({name} := {code})"), check.format(t=name))
        return Parts((*guards, guard), name, atomic=True)

    def _list(self, node: ListOf) -> Parts:
        operands = [self.strict(item) for item in node.items]
        return Parts(
            _merge(operands), f"({''.join(f'{operand.code}, ' for operand in operands)})", atomic=True
        )

    def _members(self, node: Node) -> str:
        """A set for ``in``, when the list is of literals."""
        if not isinstance(node, ListOf) or not node.items or not _is_constant(node):
            return ""
        return self._module.constant(
            frozenset(item.value for item in node.items if isinstance(item, Literal))
        )

    def _needs_nan_rules(self, node: Call) -> bool:
        """Whether Python's own ``==`` or ``in`` would take NaN, the same object, as equal to itself."""
        if node.overload in ("equals", "not_equals"):
            return is_list(node.args[0].type) and "double" in node.args[0].type
        return node.overload == "in_list" and "double" in node.args[0].type and not _is_constant(node.args[1])

    def _literal(self, value: Any) -> str:
        if isinstance(value, float) and not math.isfinite(value):
            return self._module.constant(value)
        return repr(value) if not isinstance(value, int | float) or value >= 0 else f"({value!r})"

    def _comprehension(self, node: Comprehension) -> Parts:
        source = self.strict(node.source)
        if (shortcut := self._membership(node, source)) is not None:
            return shortcut
        bound = self._module.name("b")
        names = {**self._names, node.variable: variable(bound, nullable=False)}
        body: list[str] = []
        writer = Writer(self._module, names, body, shares=False)
        nullable = _loop(writer, node, bound, body)
        free = {part.name for part in walk(node) if isinstance(part, Variable)} & self._names.keys()
        captured = sorted({self._names[name].code for name in free if name != "now"})
        parameters = ", ".join([*captured, "now", "subject", "withheld"])
        name = self._module.name("c")
        lines = [f"def {name}(source, {parameters}):", *(f"    {line}" for line in body)]
        self._module.helpers.extend(lines)
        code = f"{name}({source.code}, {parameters})"
        if nullable:
            return self._checked(code, "{t} is not None", source.guards)
        return Parts(source.guards, code, atomic=True)

    def _membership(self, node: Comprehension, source: Parts) -> Parts | None:
        """``list.exists(e, e == "x")`` and ``list.exists(e, e in ["x", "y"])`` without a loop."""
        test = node.predicate
        if node.kind != "exists" or not isinstance(test, Call) or "double" in node.source.type:
            return None
        if test.overload not in ("equals", "in_list") or not _is_constant(test.args[1]):
            return None
        if not isinstance(test.args[0], Variable) or test.args[0].name != node.variable:
            return None
        if isinstance(test.args[1], Literal):
            return Parts(source.guards, f"{self._literal(test.args[1].value)} in {source.operand}")
        members = self._members(test.args[1])
        return Parts(source.guards, f"not {members}.isdisjoint({source.code})") if members else None


def variable(name: str, *, nullable: bool) -> Parts:
    """A Python variable as an operand."""
    known = f"{name} is not None"
    return Parts((Guard(known, known),) if nullable else (), name, atomic=True)


def _loop(writer: Writer, node: Comprehension, bound: str, body: list[str]) -> bool:
    """Writes the loop of a comprehension into ``body``; returns whether its result can be unknown."""
    prepare: list[str] = []
    test = None if node.predicate is None else writer.value(node.predicate)
    item = None if node.transform is None else writer.value(node.transform)
    prepare, body[:] = body[:], []
    unsure = node.predicate is not None and writer.nullable(node.predicate)
    partial = node.transform is not None and writer.nullable(node.transform)
    inner = [*prepare, *([f"p = {test}"] if test else [])]
    if node.kind in ("exists", "all"):
        found = node.kind == "exists"
        inner += [f"if {'p' if found else 'p is False'}:", f"    return {found}"]
        inner += ["if p is None:", "    unknown = True"] if unsure else []
        end = [f"return None if unknown else {not found}" if unsure else f"return {not found}"]
        start = ["unknown = False"] if unsure else []
    else:
        inner += ["if p is None:", "    return None"] if unsure else []
        if node.kind == "exists_one":
            start, end = ["count = 0"], ["return count == 1"]
            inner += ["count += p"]
        else:
            start, end = ["found = []"], ["return tuple(found)"]
            inner += ["if not p:", "    continue"] if test else []
            inner += [f"r = {item}" if item else f"r = {bound}"]
            inner += ["if r is None:", "    return None"] if partial else []
            inner += ["found.append(r)"]
    body += [*start, f"for {bound} in source:", *(f"    {line}" for line in inner), *end]
    return unsure or partial


def _chain(guards: tuple[Guard, ...], code: str = "") -> str:
    return " and ".join([*(guard.first for guard in guards), *([code] if code else [])])


def _merge(operands: list[Parts]) -> tuple[Guard, ...]:
    return tuple({guard.first: guard for operand in operands for guard in operand.guards}.values())


def _is_simple(node: Node) -> bool:
    """Whether a condition is short enough to be written twice: a comparison without loops and choices
    within.
    """
    return not any(
        isinstance(part, Comprehension) or (isinstance(part, Call) and part.function in LOGIC | {"known"})
        for part in walk(node)
    )


def _is_constant(node: Node) -> bool:
    return isinstance(node, Literal) or (
        isinstance(node, ListOf) and all(isinstance(item, Literal) for item in children(node))
    )

"""Checks rules: Google's parser and type checker, then our own tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError

from segserver.errors import InvalidInput, RuleError
from segserver.model import TYPE_NAMES, TypeName
from segserver.rules.builtins import BUILTINS, OWN
from segserver.rules.functions import Function, table_of
from segserver.rules.hints import explained
from segserver.rules.reader import Reader
from segserver.rules.signatures import Signature, unify
from segserver.rules.tree import Node, Variable, element, is_list, refuse, walk
from segserver.rules.v1 import checked_pb2

EXPRESSION_LENGTH_MAX = 65_536
"""Code points of one rule. CEL's own parser also limits nesting to 32 levels."""

ERRORS_MAX = 50
"""Of one rule; the others most likely follow from these."""

NOW = "now"
"""The variable that every rule may read: the evaluation time."""

RESERVED = frozenset(
    {
        *("bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint"),
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in"),
        *("let", "loop", "namespace", "null", "package", "return", "true", "var", "void", "while"),
    }
)
"""Names that mean something else in CEL, so that no variable can have them."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_ERROR = re.compile(
    r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \| |\nERROR: |\Z)((?:\n \| [^\n]*)*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A rule that passed the checker.

    ``reads`` names every variable in it, dotted ones included, but not ``now``. ``functions`` are the
    plugins' functions that it may call, by overload id.
    """

    expression: str
    type: str
    tree: Node
    reads: frozenset[str]
    functions: Mapping[str, Function]


class Environment:
    """The variables and functions that rules may use. Safe to share; ``now`` is always there."""

    def __init__(self, variables: Mapping[str, TypeName], functions: Sequence[Function] = ()) -> None:
        for name, type_name in variables.items():
            if type_name not in TYPE_NAMES:
                raise InvalidInput.of(
                    name, f"{type_name!r} is not a type; use one of {', '.join(sorted(TYPE_NAMES))}"
                )
            if _VARIABLE.fullmatch(name) is None or RESERVED.intersection(name.split(".")):
                raise InvalidInput.of(name, "not a name that CEL allows for a variable")
            if name == NOW and type_name != "timestamp":
                raise InvalidInput.of(name, "the evaluation time is a timestamp")
        self.variables: Mapping[str, TypeName] = {**variables, NOW: "timestamp"}
        self.functions = table_of(functions)
        signatures = {overload: BUILTINS[overload] for overload in OWN}
        signatures |= {overload: function.parsed() for overload, function in self.functions.items()}
        self._forms = _forms([*BUILTINS.values(), *signatures.values()])
        self._env = cel.NewEnv(
            variables={name: _cel_type(type_name) for name, type_name in self.variables.items()},
            extensions=[ext_strings.ExtStrings()],
            functions=[_declare(overload, signature) for overload, signature in signatures.items()],
        )

    def check(self, expression: str, expected: str | None = None) -> Checked:
        """The rule's tree, of type ``expected`` when that is given.

        Raises :class:`RuleError` with CEL's own message, line and column, or with the construct that is not
        supported.
        """
        if len(expression) > EXPRESSION_LENGTH_MAX:
            raise RuleError(f"1:1: the rule has more than {EXPRESSION_LENGTH_MAX} characters")
        if any("\ud800" <= character <= "\udfff" for character in expression):
            raise RuleError("1:1: the rule is not valid Unicode")
        tree = Reader(self._parse(expression), expression, self.variables, self.functions).read_root()
        if expected is not None and unify(expected, tree.type) is None:
            raise refuse(
                expression, f"the rule must be {expected}, and is {tree.type}", tree.line, tree.column
            )
        reads = frozenset(
            node.name for node in walk(tree) if isinstance(node, Variable) and node.name in self.variables
        )
        return Checked(expression, expected or tree.type, tree, reads - {NOW}, self.functions)

    def _parse(self, expression: str) -> checked_pb2.CheckedExpr:
        try:
            serialized = self._env.compile(expression).serialize()
        except RuntimeError as error:
            raise _rule_error(str(error), expression, self._forms) from None
        try:
            return checked_pb2.CheckedExpr.FromString(any_pb2.Any.FromString(serialized).value)
        except DecodeError:
            raise RuleError("1:1: the rule is nested too deeply") from None


def _forms(signatures: Iterable[Signature]) -> Mapping[str, Sequence[str]]:
    """The functions' names, operators left out, with the ways to call each."""
    found: dict[str, list[str]] = {}
    for signature in signatures:
        form = str(signature).replace("(dyn)", "(x)")
        if re.match(r"[A-Za-z]", signature.name) and form not in found.setdefault(signature.name, []):
            found[signature.name].append(form)
    return {name: forms for name, forms in found.items() if forms}


def _rule_error(text: str, expression: str, forms: Mapping[str, Sequence[str]]) -> RuleError:
    plain = re.sub(r"(\s*\[[A-Z_]+\])*\s*\Z", "", text)
    found = _ERROR.findall(plain)
    if not found:
        return RuleError(f"1:1: {re.sub(r'^[A-Z_]+: ', '', plain)}")
    errors = [
        (max(int(line), 1), max(int(column), 1), message.strip(), mark)
        for line, column, message, mark in dict.fromkeys(found)
    ]
    line, column, _, mark = errors[0]
    message = "\n".join(
        f"{at}:{by}: {explained(what, expression, at, by, forms)}{where}"
        for at, by, what, where in errors[:ERRORS_MAX]
    )
    return RuleError(message, line=line, column=column, excerpt=mark.lstrip("\n"))


def _cel_type(type_name: str) -> Any:
    if is_list(type_name):
        return cel.Type.List(_cel_type(element(type_name)))
    return getattr(cel.Type, type_name.upper())


def _declare(overload: str, signature: Signature) -> Any:
    def never_called(*_: Any) -> None:
        raise NotImplementedError(overload)

    parameters = [_cel_type(type_name) for type_name in signature.parameters]
    result = _cel_type(signature.result)
    return cel.FunctionDecl(
        signature.name,
        [cel.Overload(overload, return_type=result, parameters=parameters, impl=never_called)],
    )

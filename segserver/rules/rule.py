"""One rule by itself: check it, evaluate it, or turn it into a Polars expression."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from segserver.errors import InvalidInput
from segserver.model import TypeName, Value, check_value
from segserver.rules.check import Checked, Environment
from segserver.rules.functions import Function
from segserver.rules.program import Computed
from segserver.rules.python import PythonProgram, compile_python
from segserver.rules.values import from_rule, to_rule

if TYPE_CHECKING:
    import polars as pl


@final
class Unknown:
    """The type of :data:`UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> NoReturn:
        raise TypeError("UNKNOWN is neither true nor false; compare with 'is UNKNOWN'")


UNKNOWN: Final = Unknown()
"""What a rule gives when the visible values don't settle it. It has no truth value."""

_RULE = "rule"


class Rule:
    """A CEL expression over typed variables.

    Example::

        rule = Rule("age >= 18 && country in ['DE', 'AT']", variables={"age": "int", "country": "string"})
        rule.evaluate({"age": 30, "country": "DE"})   # True
        rule.evaluate({"country": "FR"})              # False: the age doesn't matter
        rule.evaluate({"age": 30})                    # UNKNOWN

    Raises :class:`~segserver.errors.RuleError`, with CEL's own message, line and column.
    """

    def __init__(
        self,
        expression: str,
        variables: Mapping[str, TypeName] | None = None,
        functions: Sequence[Function] = (),
    ) -> None:
        self._environment = Environment(variables or {}, functions)
        self.checked: Checked = self._environment.check(expression)

    def __repr__(self) -> str:
        return f"Rule({self.expression!r})"

    @property
    def expression(self) -> str:
        """The text of the rule."""
        return self.checked.expression

    @property
    def type(self) -> str:
        """The type of its value."""
        return self.checked.type

    @property
    def reads(self) -> frozenset[str]:
        """The variables that it reads, but ``now``."""
        return self.checked.reads

    def evaluate(
        self,
        values: Mapping[str, Value],
        *,
        now: dt.datetime | None = None,
        subject: str = "",
        withheld: frozenset[str] = frozenset(),
    ) -> Any:
        """The value for one subject, or :data:`UNKNOWN`.

        ``values`` may leave variables out: they are unknown, as are those in ``withheld``, whatever their
        value. ``now`` is the evaluation time, the clock's by default. Raises :class:`InvalidInput` for a
        value of the wrong type, and for a name that is not a variable.
        """
        known = {name: self._value(name, value) for name, value in values.items()}
        moment = dt.datetime.now(dt.UTC) if now is None else now
        instant = to_rule(check_value("now", moment, "timestamp"), "timestamp")
        row = [None if name in withheld else known.get(name) for name in self._program.inputs]
        result = self._program(row, instant, subject, withheld, [])[0]
        return UNKNOWN if result is None else from_rule(result, self.type)

    def polars(self) -> pl.Expr:
        """The rule over columns that are named as its variables; null is unknown."""
        from segserver.rules.polars import expression

        return expression(self.checked.tree, self.checked.functions)

    @cached_property
    def _program(self) -> PythonProgram:
        return compile_python([Computed(_RULE, self.checked)], sorted(self.reads - {_RULE}), [_RULE])

    def _value(self, name: str, value: Value) -> Any:
        type_name = self._environment.variables.get(name)
        if type_name is None or name == "now":
            near = difflib.get_close_matches(name, self._environment.variables, n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise InvalidInput.of(name, f"not a variable of this rule{hint}", reason="UNKNOWN_VARIABLE")
        return to_rule(check_value(name, value, type_name), type_name)

"""One checked tree to one Polars expression; unknown is null."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from segserver.rules.functions import Function, scalar_of
from segserver.rules.polars_coded import function_column
from segserver.rules.polars_column import Column, coerce, column, derived, literal
from segserver.rules.polars_compare import is_in, where_known
from segserver.rules.polars_distinct import Scalar, by_distinct
from segserver.rules.polars_lists import UNROLLED_MAX, Inside, NotNative, list_of, unroll
from segserver.rules.polars_native import NATIVE
from segserver.rules.polars_own import bucket, subject_bits
from segserver.rules.polars_scalar import cut, scalar_form
from segserver.rules.scalars import SCALARS
from segserver.rules.tree import Call, Comprehension, ListOf, Literal, Node, Variable, element, is_list

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles trees over one frame's columns.

    ``variables`` holds what is known of the variables, and their values where those are constants
    (``now``); any other is the nullable column of its name. ``withheld`` names, for a variable, the bool
    columns that say where it is withheld. ``subject`` holds the subject's 64 bits. ``present`` names
    columns that can't be unknown in the rows that count.
    """

    variables: Mapping[str, Column] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    withheld: Mapping[str, Sequence[str]] = field(default_factory=dict)
    subject: pl.Expr = field(default_factory=lambda: subject_bits("subject"))
    inside: bool = False
    present: frozenset[str] = NONE

    def compile(self, node: Node) -> Column:
        """The column of a node's values."""
        match node:
            case Literal():
                return literal(node.value, node.type)
            case Variable():
                return self._variable(node)
            case ListOf():
                return self._list(node)
            case Comprehension():
                return self._comprehension(node)
            case Call():
                special = _SPECIAL.get(node.overload)
                return special(self, node) if special else self._strict(node)
        raise TypeError(type(node).__name__)

    def _variable(self, node: Variable) -> Column:
        known = self.variables.get(node.name)
        if known is None:
            known = column(pl.col(node.name), node.type, origins=frozenset({node.name}))
        if self.inside and not known.constant and known.origins is not None:
            raise NotNative
        if node.name in self.present:
            return replace(known, nullable=False)
        return known

    def _strict(self, node: Call) -> Column:
        """A function whose result is unknown when an argument is."""
        args = [self.compile(arg) for arg in node.args]
        if any(arg.null() for arg in args):
            return literal(None, node.type)
        if all(arg.constant for arg in args):
            return self._folded(node, args)
        native = NATIVE.get(node.overload)
        result = native(*args) if native is not None else None
        if result is not None:
            return coerce(result, node.type)
        if self.inside:
            raise NotNative
        function = self.functions.get(node.overload)
        if function is None:
            expr = self._by_distinct(SCALARS[node.overload], args, node.type)
        else:
            expr = function_column(function, [arg.expr for arg in args])
        return column(expr, node.type, nan=True, infinite=True)

    def _folded(self, node: Call, args: Sequence[Column]) -> Column:
        """A call of constants, which the reader leaves when it fails or has ``now`` in it."""
        function = self.functions.get(node.overload)
        scalar = SCALARS[node.overload] if function is None else scalar_of(function)
        return literal(scalar(*(arg.value for arg in args)), node.type)

    def _by_distinct(
        self, scalar: Scalar, args: Sequence[Column], result: str, *, strict: bool = True
    ) -> pl.Expr:
        """The scalar form over columns; the constants among them don't travel as columns."""
        varying = [arg for arg in args if not arg.constant]

        def call(*values: Any) -> Any:
            given = iter(values)
            return scalar(*(arg.value if arg.constant else next(given) for arg in args))

        exprs, types = [arg.expr for arg in varying], [arg.type for arg in varying]
        return by_distinct(call, exprs, types, result, strict=strict)

    def _scalar(self, node: Node) -> Column:
        """Any node in the scalar form, once for each distinct value of what it depends on."""
        if self.inside:
            raise NotNative
        tree, parts = cut(node)
        args = [self.compile(part) for part in parts.values()]
        scalar = scalar_form(tree, tuple(parts), self.functions)
        if all(arg.constant for arg in args):
            return literal(scalar(*(arg.value for arg in args)), node.type)
        expr = self._by_distinct(scalar, args, node.type, strict=False)
        return column(expr, node.type, nan=True, infinite=True)

    def _list(self, node: ListOf) -> Column:
        items = self._items(node)
        if any(item.null() for item in items):
            return literal(None, node.type)
        if is_list(element(node.type)):
            return self._scalar(node)
        if all(item.constant for item in items):
            return literal(tuple(item.value for item in items), node.type)
        return list_of(items, node.type)

    def _items(self, node: ListOf) -> list[Column]:
        return [coerce(self.compile(item), element(node.type)) for item in node.items]

    def _in(self, node: Call) -> Column:
        """``x in [a, b]`` needs no list."""
        value, items = node.args
        if isinstance(items, ListOf):
            found = is_in(self.compile(value), self._items(items))
            if found is not None:
                return found
        return self._strict(node)

    def _logic(self, node: Call) -> Column:
        """Kleene's ``&&`` and ``||``, which are Polars' own ``&`` and ``|`` over nulls."""
        settles = node.overload == "logical_or"
        args = [self.compile(arg) for arg in node.args]
        if any(arg.constant and arg.value is settles for arg in args):
            return literal(settles, "bool")
        args = [arg for arg in args if not (arg.constant and arg.value is (not settles))]
        if not args:
            return literal(not settles, "bool")
        joined = _balanced(operator.or_ if settles else operator.and_, [arg.expr for arg in args])
        return column(joined, "bool", nullable=any(arg.nullable for arg in args))

    def _not(self, node: Call) -> Column:
        (arg,) = (self.compile(arg) for arg in node.args)
        if arg.constant:
            return literal(None if arg.value is None else not arg.value, "bool")
        return derived((arg,), ~arg.expr, "bool")

    def _conditional(self, node: Call) -> Column:
        """``c ? a : b``: unknown when ``c`` is, even if ``a`` and ``b`` agree."""
        condition = self.compile(node.args[0])
        if condition.constant:
            if condition.value is None:
                return literal(None, node.type)
            return coerce(self.compile(node.args[1 if condition.value else 2]), node.type)
        origins = condition.origins or NONE
        within = replace(self, present=self.present | origins)
        first, second = (coerce(within.compile(branch), node.type) for branch in node.args[1:])
        chosen = pl.when(condition.expr).then(first.expr).otherwise(second.expr)
        if condition.nullable:
            # Not "null where missing, else chosen": all missing, Polars 2.1 makes one row of that.
            chosen = pl.when(~self._missing(condition)).then(chosen)
        exact = condition.origins is not None and not (first.nullable or second.nullable)
        return column(
            chosen,
            node.type,
            nullable=condition.nullable or first.nullable or second.nullable,
            low=min(first.low, second.low),
            high=max(first.high, second.high),
            nan=first.nan or second.nan,
            infinite=first.infinite or second.infinite,
            origins=condition.origins if exact else None,
        )

    def _missing(self, given: Column) -> pl.Expr:
        """Where it is unknown; asked of the columns that it comes from where that is the same, since they
        exist already.
        """
        if not given.origins:
            return given.expr.is_null()
        return _balanced(
            operator.or_, [pl.col(name).is_null() for name in sorted(given.origins - self.present)]
        )

    def _known(self, node: Call) -> Column:
        (variable,) = node.args
        value = self.compile(variable)
        if value.constant:
            return literal(value.value is not None, "bool")
        hiding = self.withheld.get(variable.name, ()) if isinstance(variable, Variable) else ()
        if not hiding:
            return column(value.expr.is_not_null(), "bool", nullable=False, origins=NONE)
        hidden = _balanced(operator.or_, [pl.col(name).fill_null(False) for name in hiding])
        return column(value.expr.is_not_null() | pl.when(hidden).then(None).otherwise(False), "bool")

    def _bucket(self, node: Call) -> Column:
        (salt,) = node.args
        if self.inside or not isinstance(salt, Literal):
            raise NotNative
        return bucket(salt.value, self.subject)

    def _type_is(self, node: Call) -> Column:
        *values, answer = (self.compile(arg) for arg in node.args)
        return derived(values, where_known(values, answer.expr), "bool")

    def _comprehension(self, node: Comprehension) -> Column:
        items = self._unrolled(node)
        if items is not None:
            if any(item.null() for item in items):
                return literal(None, node.type)
            body = node.transform if node.kind == "map" else node.predicate
            if not items or body is None:
                return literal(_OVER_NOTHING[node.kind], node.type)
            results = [self._with_element(node, item).compile(body) for item in items]
            return coerce(unroll(node.kind, items, results, node.type), node.type)
        try:
            source = self.compile(node.source)
            if source.null():
                return literal(None, node.type)
            return Inside(node, source, self._body(node)).compile()
        except NotNative:
            return self._scalar(node)

    def _unrolled(self, node: Comprehension) -> list[Column] | None:
        """The items of a source whose elements are written in the rule; ``None`` to keep the list."""
        if node.kind == "filter" or (node.kind == "map" and node.predicate is not None):
            return None
        if is_list(node.type) and is_list(element(node.type)):
            return None
        match node.source:
            case ListOf(items=items) if len(items) <= UNROLLED_MAX:
                return self._items(node.source)
            case Literal(value=tuple() as values) if len(values) <= UNROLLED_MAX:
                return [literal(value, element(node.source.type)) for value in values]
        return None

    def _with_element(self, node: Comprehension, item: Column) -> Compiler:
        return replace(self, variables={**self.variables, node.variable: item})

    def _body(self, node: Comprehension) -> Callable[[Node, Column], Column]:
        def compile_body(body: Node, bound: Column) -> Column:
            inner = replace(self, inside=True, present=NONE)
            return inner._with_element(node, bound).compile(body)

        return compile_body


_OVER_NOTHING = {"exists": False, "all": True, "exists_one": False, "map": ()}

_SPECIAL: dict[str, Callable[[Compiler, Call], Column]] = {
    "logical_and": Compiler._logic,
    "logical_or": Compiler._logic,
    "logical_not": Compiler._not,
    "conditional": Compiler._conditional,
    "in_list": Compiler._in,
    "bucket": Compiler._bucket,
    "known": Compiler._known,
    "type_is": Compiler._type_is,
}


def _balanced(join: Callable[[pl.Expr, pl.Expr], pl.Expr], exprs: Sequence[pl.Expr]) -> pl.Expr:
    """The expressions joined as a tree of logarithmic depth: Polars walks expressions recursively."""
    if len(exprs) == 1:
        return exprs[0]
    middle = len(exprs) // 2
    return join(_balanced(join, exprs[:middle]), _balanced(join, exprs[middle:]))

"""CEL's comprehensions and list functions in Polars.

``exists`` and ``all`` are Kleene's over the elements: settled by one element, unknown when an unknown one
could settle it. An unknown or failing element makes ``exists_one``, ``map`` and ``filter`` unknown. Three
ways, the first that fits:

* a source in square brackets is unrolled, so the predicate may read anything;
* a predicate that reads only the element runs inside the list (``list.agg``, ``list.eval``);
* otherwise the whole comprehension runs in the scalar form, once for each distinct input.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from segserver.rules.polars_column import Column, column, derived, dtype, literal, when
from segserver.rules.polars_compare import where_known
from segserver.rules.tree import Call, Comprehension, Literal, Node, Variable, element, is_list, walk

UNROLLED_MAX = 64
"""Longer lists in square brackets aren't unrolled: the expression would grow with them."""

_LIST_LENGTH_MAX = 2**32

Body = Callable[[Node, Column], Column]
"""Compiles a predicate or transform with the element bound to a column; raises :class:`NotNative`."""


class NotNative(Exception):
    """This part of a rule has no exact Polars expression here; the caller uses the scalar form."""


def size(items: Column) -> Column:
    """The number of elements."""
    return derived((items,), items.expr.list.len().cast(dtype("int")), "int", low=0, high=_LIST_LENGTH_MAX)


def concat(a: Column, b: Column) -> Column:
    """``list + list``."""
    return derived((a, b), a.expr.list.concat(b.expr), a.type)


def index(items: Column, position: Column) -> Column:
    """``list[position]``; beyond the list it is unknown."""
    if position.high < 0:
        return literal(None, element(items.type))
    # Polars counts a negative position from the end, and panics at the least int.
    at = position.expr if position.low >= 0 else when(position.expr >= 0, position.expr)
    value = items.expr.list.get(at, null_on_oob=True)
    return column(value, element(items.type), nan=True, infinite=True)


def list_of(items: Sequence[Column], type_name: str, needs: Sequence[Column] = ()) -> Column:
    """``[items]`` of items that aren't lists: unknown as soon as one is, or one that it ``needs``."""
    args = (*needs, *items)
    return derived(args, where_known(args, pl.concat_list([item.expr for item in items])), type_name)


def unroll(kind: str, items: Sequence[Column], results: Sequence[Column], type_name: str) -> Column:
    """The comprehension of that kind over known items, from its body's result for each."""
    exprs = [result.expr for result in results]
    if kind in ("exists", "all"):
        join = operator.or_ if kind == "exists" else operator.and_
        settled = where_known(items, functools.reduce(join, exprs))
    elif kind == "exists_one":
        count = functools.reduce(operator.add, [expr.cast(pl.Int32()) for expr in exprs])
        settled = where_known(items, count == 1)
    else:
        return list_of(results, type_name, needs=items)
    return derived((*items, *results), settled, type_name)


@dataclass(frozen=True, slots=True)
class Inside:
    """A comprehension whose body reads nothing but the element, over a column of lists."""

    node: Comprehension
    source: Column
    body: Body

    def compile(self) -> Column:
        """Its column; raises :class:`NotNative`."""
        node = self.node
        bound = column(pl.element(), element(self.source.type), nullable=False, nan=True, infinite=True)
        if node.kind == "map":
            if node.predicate is not None or node.transform is None or is_list(node.transform.type):
                raise NotNative
            return self._list(self._checked(node.transform, bound).expr)
        if node.predicate is None:
            raise NotNative
        contained = self._contains(node.predicate)
        if contained is not None and node.kind == "exists":
            return derived((self.source,), contained, "bool")
        predicate = self.body(node.predicate, bound)
        self._must_vary(node.predicate)
        if node.kind in ("exists", "all"):
            any_or_all = predicate.expr.any if node.kind == "exists" else predicate.expr.all
            return self._bool(any_or_all(ignore_nulls=False), predicate)
        if predicate.nullable:
            raise NotNative
        if node.kind == "exists_one":
            return self._bool(predicate.expr.sum() == 1, predicate)
        return self._list(pl.element().filter(predicate.expr))

    def _contains(self, predicate: Node) -> pl.Expr | None:
        """``e == "literal"`` has an operation of its own."""
        match predicate:
            case (
                Call(overload="equals", args=(Variable(name=name), Literal(value=value)))
                | Call(overload="equals", args=(Literal(value=value), Variable(name=name)))
            ) if name == self.node.variable and isinstance(value, str | int):
                return self.source.expr.list.contains(value)
        return None

    def _checked(self, body: Node, bound: Column) -> Column:
        result = self.body(body, bound)
        self._must_vary(body)
        if result.nullable:
            raise NotNative
        return result

    def _must_vary(self, body: Node) -> None:
        """A body that doesn't read its element is one value, not one for each element."""
        if not any(isinstance(node, Variable) and node.name == self.node.variable for node in walk(body)):
            raise NotNative

    def _bool(self, aggregate: pl.Expr, predicate: Column) -> Column:
        nullable = self.source.nullable or predicate.nullable
        return column(self.source.expr.list.agg(aggregate), "bool", nullable=nullable)

    def _list(self, body: pl.Expr) -> Column:
        return derived((self.source,), self.source.expr.list.eval(body), self.node.type)

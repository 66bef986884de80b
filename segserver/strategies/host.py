"""The only place that calls a plugin's code: converts values, checks what comes back, and counts failures.

Rules hold values in *rule form* (a timestamp is an int of microseconds since 1970 in UTC); a plugin sees
public values (:data:`segserver.model.Value`). What a plugin's code raises goes no further than this file:
its message could hold a customer's data, so only the type of the exception is kept.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from segserver.errors import InvalidInput
from segserver.model import TypeName, Value
from segserver.rules.cost import LIST, TEXT
from segserver.rules.functions import Function
from segserver.rules.polars_distinct import over_distinct
from segserver.rules.program import Coded
from segserver.rules.times import to_datetime
from segserver.strategies.api import Trait
from segserver.strategies.isolation.traits import IsolatedTrait, RemoteCode
from segserver.strategies.returned import Returned, StrategyFailedError

DTYPES: Mapping[str, Any] = {
    "bool": pl.Boolean(),
    "int": pl.Int64(),
    "double": pl.Float64(),
    "string": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "list(string)": pl.List(pl.String()),
}
"""The type of a column of each type of value."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How often one trait's or function's code failed, and the type of the last exception."""

    count: int
    last: str


class Host:
    """Wraps plugins' code for the rules. Safe to share between threads."""

    def __init__(self) -> None:
        self._failures: dict[str, Failures] = {}
        self._examples: dict[str, tuple[_Scalar, Sequence[Value]]] = {}
        self._isolated: dict[str, IsolatedTrait] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Host], tuple[()]]:
        """A bulk program travels to other processes; the failures there are counted there."""
        return Host, ()

    @property
    def failures(self) -> dict[str, Failures]:
        """Failures so far, by trait (``tech.device``) or function."""
        with self._lock:
            return dict(sorted(self._failures.items()))

    def coded(self, name: str, trait: Trait, types: Mapping[str, TypeName]) -> Coded:
        """A code trait as the rules run it; ``types`` holds those of its attributes.

        Without a vectorized form, the rules call the scalar one for each distinct input of a table.
        """
        read = tuple(types[attribute] for attribute in trait.reads)
        if isinstance(trait.function, RemoteCode):
            isolated = self._isolated[name] = IsolatedTrait(trait.function, name, trait, read, self.count)
            return Coded(name, trait.type, tuple(trait.reads), isolated, isolated.column, isolated=True)
        scalar = _Scalar(self, name, trait, read)
        if trait.example:
            self._examples[name] = (scalar, trait.example)
        vectorized = None if trait.vectorized is None else _Vectorized(self, name, trait, scalar, read)
        return Coded(name, trait.type, tuple(trait.reads), scalar, vectorized)

    def warm_up(self, traits: Iterable[str]) -> None:
        """Runs the code of each of these traits on its example, so that no customer waits for reference data.

        A failure is counted like any other. Of isolated code, the process is started.
        """
        for name in sorted(traits):
            if name in self._isolated:
                self._isolated[name].warm_up()
            if name in self._examples:
                scalar, example = self._examples[name]
                with contextlib.suppress(StrategyFailedError):
                    scalar.public(*example)

    def function(self, function: Function) -> Function:
        """A plugin's function, with its failures counted under its name."""
        name = function.parsed().name

        def guarded(code: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                try:
                    return code(*args)
                except BaseException as error:
                    raise self.failed(name, error) from None

            return call

        vectorized = function.vectorized and guarded(function.vectorized)
        return replace(function, function=guarded(function.function), vectorized=vectorized)

    def count(self, name: str, last: str, count: int = 1) -> None:
        """Counts failures; ``last`` is the type of the exception."""
        with self._lock:
            before = self._failures.get(name)
            self._failures[name] = Failures((before.count if before else 0) + count, last)

    def failed(self, name: str, error: BaseException, count: int = 1) -> StrategyFailedError:
        """Counts a failure, and gives the exception to raise in place of the plugin's own.

        A plugin's code may raise anything: a panic of Rust's, ``CancelledError`` or ``SystemExit`` are no
        ``Exception``, and would take the call or the server with them. A person's Ctrl-C goes on.
        """
        if isinstance(error, KeyboardInterrupt):
            raise error
        last = type(error).__name__
        self.count(name, last, count)
        return StrategyFailedError(f"{name}: {last}")


class _Scalar:
    """A code trait for one subject: known values in rule form → a value in rule form, or ``None``."""

    def __init__(self, host: Host, name: str, trait: Trait, types: Sequence[TypeName]) -> None:
        self._host = host
        self._name = name
        self._returned = Returned(name, trait)
        self._times = tuple(position for position, type_name in enumerate(types) if type_name == "timestamp")
        self._code = trait.function or _one_by_one(trait, types)

    def __call__(self, *args: Any) -> Any:
        try:
            if self._times:
                public = list(args)
                for position in self._times:
                    public[position] = to_datetime(args[position])
                args = tuple(public)
        except BaseException as error:
            raise self._host.failed(self._name, error) from None
        return self.public(*args)

    def public(self, *args: Any) -> Any:
        """The same for public values."""
        try:
            return self._returned(self._code(*args))
        except BaseException as error:
            raise self._host.failed(self._name, error) from None


def _one_by_one(trait: Trait, types: Sequence[TypeName]) -> Callable[..., Any]:
    """The scalar form of a trait that has only a vectorized one: columns of length one."""
    vectorized = trait.vectorized
    if vectorized is None:
        raise InvalidInput.of(trait.name, "a code trait without code")

    def call(*args: Any) -> Any:
        columns = [_series([value], type_name) for value, type_name in zip(args, types, strict=True)]
        result = _checked_column(vectorized(*columns), trait.type, 1)[0]
        return tuple(result) if isinstance(result, pl.Series) else result

    return call


class _Vectorized:
    """A code trait for a table: columns without nulls → a column, null where there is no value.

    What fails, fails alone: when the vectorized form raises or returns a wrong column, each distinct input is
    tried by itself, so that one bad row can't cost the others their value.
    """

    def __init__(
        self, host: Host, name: str, trait: Trait, scalar: _Scalar, types: Sequence[TypeName]
    ) -> None:
        self._host = host
        self._name = name
        self._type = trait.type
        self._types = types
        self._values = tuple(trait.values)
        self._scalar = scalar
        self._code = trait.vectorized

    def __call__(self, *columns: pl.Series) -> pl.Series:
        if not len(columns[0]) or self._code is None:
            return _series([], self._type)
        try:
            result = _checked_column(self._code(*columns), self._type, len(columns[0]))
        except BaseException as error:
            self._host.failed(self._name, error)
            named = [column.alias(f"{position}") for position, column in enumerate(columns)]
            return over_distinct(self._try, pl.DataFrame(named), self._types, self._type, strict=True)
        return self._masked(result)

    def _masked(self, result: pl.Series) -> pl.Series:
        """Without the values that the scalar form would refuse."""
        if self._type == "double":
            allowed = result.is_finite()
        elif self._type not in ("string", "list(string)"):
            return result
        elif not self._values:
            allowed = _fit(result)
        elif self._type == "string":
            allowed = result.is_in(self._values)
        else:
            allowed = (
                result.list.set_difference(pl.Series([self._values], dtype=result.dtype)).list.len() == 0
            )
        refused = int((~allowed).sum())
        if not refused:
            return result
        self._host.failed(self._name, InvalidInput("a value that is not allowed"), refused)
        return pl.select(pl.when(allowed).then(result)).to_series().rename(result.name)

    def _try(self, *args: Any) -> Any:
        try:
            return self._scalar(*args)
        except StrategyFailedError:
            return None


def _fit(column: pl.Series) -> pl.Series:
    """Whether each value is no longer than rules reckon with; null where there is none."""
    if column.dtype == pl.String:
        return column.str.len_chars() <= TEXT.characters
    lengths = column.list.eval(pl.element().str.len_chars())
    longest = lengths.list.max().fill_null(0)
    return (
        (lengths.list.len() <= LIST.items)
        & (lengths.list.sum() <= LIST.characters)
        & (longest <= LIST.longest)
    )


def _series(values: Sequence[Any], type_name: str) -> pl.Series:
    return pl.Series("", values, dtype=DTYPES[type_name], strict=True)


def _checked_column(result: object, type_name: str, length: int) -> pl.Series:
    if not isinstance(result, pl.Series):
        raise InvalidInput(f"the vectorized form returned {type(result).__name__}, not a Series")
    if len(result) != length:
        raise InvalidInput(f"the vectorized form returned {len(result)} values for {length} subjects")
    if result.dtype == pl.Null:
        return result.cast(DTYPES[type_name])
    if result.dtype != DTYPES[type_name]:
        raise InvalidInput(f"the vectorized form returned {result.dtype}, not {DTYPES[type_name]}")
    return result

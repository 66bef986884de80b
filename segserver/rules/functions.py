"""Functions that plugins add to CEL, and how they are called with values in rule form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segserver.errors import Conflict, InvalidInput
from segserver.model import NAME, TYPE_NAMES, Value
from segserver.rules.builtins import BY_NAME
from segserver.rules.signatures import Signature, parse_signature
from segserver.rules.values import adapt

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a plugin adds to CEL.

    ``signature`` is CEL's own form, ``haversine(double, double, double, double) -> double``. ``function`` is
    the scalar form; it is called with known values only, must be pure, and an exception makes the result
    unknown. ``vectorized`` takes and returns ``polars.Series`` without nulls; without it, the scalar form is
    called once for each distinct input.
    """

    signature: str
    function: Callable[..., Value]
    vectorized: Callable[..., pl.Series] | None = None
    title: str = ""

    def parsed(self) -> Signature:
        """The signature; raises :class:`InvalidInput` when it is malformed or uses a type that has no public
        value.
        """
        signature = parse_signature(self.signature)
        if signature.member or NAME.fullmatch(signature.name) is None:
            raise InvalidInput.of(
                "signature", f"{self.signature!r} doesn't begin with a lower-case name of its own"
            )
        for type_name in (*signature.parameters, signature.result):
            if type_name not in TYPE_NAMES:
                raise InvalidInput.of(
                    "signature", f"{self.signature!r}: {type_name} is not the type of an attribute"
                )
        return signature

    @property
    def overload(self) -> str:
        """The id that a call in a tree carries: the name and the types."""
        signature = self.parsed()
        return "_".join((signature.name, *(p.replace("(", "_").rstrip(")") for p in signature.parameters)))


def scalar_of(function: Function) -> Callable[..., Any]:
    """A plugin's function on values in rule form; ``None`` when it raises or returns another type."""
    signature = function.parsed()
    scalar = adapt(function.function, signature.parameters, signature.result)

    def call(*args: Any) -> Any:
        try:
            return scalar(*args)
        except Exception:
            return None

    return call


def table_of(functions: Sequence[Function]) -> Mapping[str, Function]:
    """The functions by overload id; raises :class:`Conflict` for one name given twice, or CEL's own."""
    table: dict[str, Function] = {}
    names: set[str] = set()
    for function in functions:
        name = function.parsed().name
        if name in BY_NAME or name in _CEL_NAMES:
            raise Conflict(
                f"{name}: the language has a function of that name already", reason="FUNCTION_EXISTS"
            )
        if name in names:
            raise Conflict(f"{name}: two functions have that name", reason="FUNCTION_EXISTS")
        names.add(name)
        table[function.overload] = function
    return table


_CEL_NAMES = frozenset(
    {"dyn", "type", "uint", "bytes", "has", "format", "join", "reverse", "optional", "list", "map"}
)

"""What the code of a trait may return, wherever it runs."""

from __future__ import annotations

from typing import Any

from segserver.errors import InvalidInput, SegserverError
from segserver.model import check_value
from segserver.rules.cost import LIST, TEXT
from segserver.rules.values import to_rule
from segserver.strategies.api import Trait


class StrategyFailedError(SegserverError):
    """A plugin's code raised, or returned what it may not. Holds the type of the exception, never its
    message."""

    reason = "STRATEGY_FAILED"


class Returned:
    """Checks what a trait's code returned: a public value → rule form. ``None`` is no value, and stays."""

    def __init__(self, name: str, trait: Trait) -> None:
        self._name = name
        self._type = trait.type
        self._values = frozenset(trait.values)

    def __call__(self, result: Any) -> Any:
        """The value in rule form. Raises :class:`InvalidInput` for one of another type, outside the trait's
        own list, or too long."""
        if result is None:
            return None
        value = check_value(self._name, result, self._type)
        if self._values and not self._values.issuperset((value,) if isinstance(value, str) else value):  # type: ignore[arg-type]
            raise InvalidInput.of(self._name, "a value outside the trait's own list")
        if isinstance(value, (str, tuple)) and not _fits(value):
            raise InvalidInput.of(self._name, "a value that is too long")
        return to_rule(value, self._type)


def _fits(value: str | tuple[str, ...]) -> bool:
    """Whether a text or list is no longer than rules reckon with."""
    if isinstance(value, str):
        return len(value) <= TEXT.characters
    lengths = [len(item) for item in value]
    return (
        len(lengths) <= LIST.items
        and sum(lengths) <= LIST.characters
        and max(lengths, default=0) <= LIST.longest
    )

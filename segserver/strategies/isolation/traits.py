"""Code traits that run in a plugin host process, as rules and the engine ask for them."""

from __future__ import annotations

import asyncio
import builtins
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
import polars as pl

from segserver.errors import FailedPrecondition, InvalidInput
from segserver.model import TypeName
from segserver.rules.polars_column import dtype, to_polars
from segserver.rules.values import from_rule
from segserver.strategies.api import Trait
from segserver.strategies.isolation import messages
from segserver.strategies.isolation.process import NoAnswerError
from segserver.strategies.isolation.supervisor import Supervisor
from segserver.strategies.returned import Returned, StrategyFailedError

CALL_INPUTS_MAX = 64
"""Inputs of one call: few enough for its time, many enough that the way there hardly counts."""

FAILED = object()
"""In place of a value that the code did not give."""

_SENT: Mapping[str, type] = {
    "bool": bool,
    "int": int,
    "double": float,
    "string": str,
    "timestamp": int,
    "list(string)": list,
}
"""What values in rule form are in msgpack, by type."""


@dataclass(frozen=True, slots=True)
class RemoteCode:
    """Stands where a trait's function would: code that the plugin host process has."""

    supervisor: Supervisor
    strategy: str
    settings: bytes
    trait: str

    def __call__(self, *_: object) -> NoReturn:
        """It can't be called here; :class:`IsolatedTrait` asks for it."""
        raise FailedPrecondition(f"the code of {self.strategy}.{self.trait} runs in a plugin host process")


class IsolatedTrait:
    """A code trait whose code is elsewhere. ``count`` takes its failures: name, type of the exception, how
    many."""

    def __init__(
        self,
        code: RemoteCode,
        name: str,
        trait: Trait,
        types: Sequence[TypeName],
        count: Callable[[str, str, int], None],
    ) -> None:
        self.name = name
        self.supervisor = code.supervisor
        self.code = messages.Code(code.strategy, code.settings, code.trait, tuple(types))
        self._type = trait.type
        self._types = types
        self._returned = Returned(name, trait)
        self._count = count

    def __reduce__(self) -> NoReturn:
        raise FailedPrecondition(
            f"{self.name} runs in a plugin host process of this server, and can't go to another machine; "
            f"name {self.supervisor.distribution} in trusted_plugins",
            reason="STRATEGY_ISOLATED",
        )

    def __call__(self, *args: Any) -> Any:
        """One value in rule form, for a thread without an event loop. Raises :class:`StrategyFailedError`."""
        (value,) = self._blocking([messages.row(args)])
        if value is FAILED:
            raise StrategyFailedError(f"{self.name}: no value")
        return value

    def column(self, *columns: pl.Series) -> pl.Series:
        """The same for columns without nulls: null where there is no value. Each distinct input is asked for
        once."""
        plain = [
            (column.to_physical() if type_name == "timestamp" else column).to_list()
            for column, type_name in zip(columns, self._types, strict=True)
        ]
        rows = [messages.row(row) for row in zip(*plain, strict=True)]
        distinct = list(dict.fromkeys(rows))
        values = (None if value is FAILED else value for value in self._blocking(distinct))
        found = dict(zip(distinct, (to_polars(value, self._type) for value in values), strict=True))
        return pl.Series([found[row] for row in rows], dtype=dtype(self._type), strict=True)

    def warm_up(self) -> None:
        """Starts the process and runs the code on its example. A failure costs nothing yet."""
        try:
            self.supervisor.ask(messages.Warm([self.code]))
        except NoAnswerError as error:
            self._count(self.name, error.message, 1)

    def _blocking(self, rows: Sequence[bytes]) -> Iterator[Any]:
        for start in range(0, len(rows), CALL_INPUTS_MAX):
            chunk = rows[start : start + CALL_INPUTS_MAX]
            try:
                reply = self.supervisor.call([self.asked(chunk)], patient=True).result()
            except NoAnswerError as error:
                yield from self.silent(len(chunk), error)
            else:
                yield from self.judged(reply.answers[0])  # type: ignore[union-attr]  # of a call

    def asked(self, rows: Iterable[bytes]) -> messages.Asked:
        """The part of a call that asks for these inputs."""
        return messages.Asked(self.code, [msgspec.Raw(row) for row in rows])

    def judged(self, answers: messages.Answers) -> list[Any]:
        """What the process sent, as values in rule form: what is not one of the trait's values has failed."""
        return [self._judged(value, answers.failed.get(at)) for at, value in enumerate(answers.values)]

    def silent(self, inputs: int, error: NoAnswerError) -> list[Any]:
        """No values, because the process gave no answer."""
        self._count(self.name, error.message, inputs)
        return [FAILED] * inputs

    def _judged(self, value: Any, failed: str | None) -> Any:
        if failed is None:
            if value is None:
                return None
            if type(value) is _SENT[self._type]:
                try:
                    return self._returned(from_rule(value, self._type))
                except (InvalidInput, ValueError, TypeError, OverflowError):
                    pass
            failed = InvalidInput.__name__
        self._count(self.name, _known(failed), 1)
        return FAILED


async def ask(wanted: Mapping[IsolatedTrait, Sequence[bytes]]) -> dict[IsolatedTrait, dict[bytes, Any]]:
    """The values for these inputs, or :data:`FAILED`: all processes at once, and each for no longer than its
    calls may take."""
    by_process: dict[Supervisor, dict[IsolatedTrait, Sequence[bytes]]] = defaultdict(dict)
    for trait, rows in wanted.items():
        by_process[trait.supervisor][trait] = rows
    found: dict[IsolatedTrait, dict[bytes, Any]] = {trait: {} for trait in wanted}
    await asyncio.gather(*(_ask(process, asked, found) for process, asked in by_process.items()))
    return found


async def _ask(
    process: Supervisor,
    wanted: Mapping[IsolatedTrait, Sequence[bytes]],
    found: Mapping[IsolatedTrait, dict[bytes, Any]],
) -> None:
    for part in _parts(wanted):
        future: Future[messages.Reply] = process.call([trait.asked(rows) for trait, rows in part])
        try:
            reply = await asyncio.wrap_future(future)
        except NoAnswerError as error:
            for trait, rows in part:
                found[trait].update(zip(rows, trait.silent(len(rows), error), strict=True))
        else:
            for (trait, rows), answers in zip(part, reply.answers, strict=True):  # type: ignore[union-attr]
                found[trait].update(zip(rows, trait.judged(answers), strict=True))


def _parts(
    wanted: Mapping[IsolatedTrait, Sequence[bytes]],
) -> Iterator[list[tuple[IsolatedTrait, Sequence[bytes]]]]:
    """The inputs in calls."""
    part: list[tuple[IsolatedTrait, Sequence[bytes]]] = []
    room = CALL_INPUTS_MAX
    for trait, rows in wanted.items():
        start = 0
        while start < len(rows):
            taken = rows[start : start + room]
            part.append((trait, taken))
            start += len(taken)
            room -= len(taken)
            if not room:
                yield part
                part, room = [], CALL_INPUTS_MAX
    if part:
        yield part


def _known(name: str) -> str:
    """The type of an exception where Python has it. Another name is the plugin's own, and could tell of a
    customer."""
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, BaseException):
        return name
    return name if name == InvalidInput.__name__ else Exception.__name__

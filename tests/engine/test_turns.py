"""Questions are answered in turns, and each gets its own answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segserver.engine.turns import TURN_MAX, Turns
from segserver.errors import InvalidInput, Unavailable


class Answering:
    """Answers a turn when it is told to, with what it was asked."""

    def __init__(self) -> None:
        self.turns: list[list[Any]] = []
        self._ends: list[asyncio.Future[None]] = []

    async def answer_all(self, asked: Any) -> Any:
        self.turns.append(list(asked))
        self._ends.append(asyncio.get_running_loop().create_future())
        await self._ends[-1]
        return asked

    def end(self, turn: int, error: Exception | None = None) -> None:
        if error is None:
            self._ends[turn].set_result(None)
        else:
            self._ends[turn].set_exception(error)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def ask(turns: Turns, *questions: Any) -> list[asyncio.Task[Any]]:
    return [asyncio.ensure_future(turns.take(question)) for question in questions]


async def test_a_few_never_wait_and_those_that_come_together_share_a_turn() -> None:
    answering = Answering()
    turns = Turns(answering.answer_all)
    first = ask(turns, 0)
    await settle()
    later = ask(turns, 1, 2)
    await settle()
    assert answering.turns == [[0], [1, 2]]
    answering.end(1)
    answering.end(0)
    assert await asyncio.gather(*first, *later) == [0, 1, 2]
    assert turns.in_progress == 0


async def test_a_turn_has_an_end_however_many_wait() -> None:
    answering = Answering()
    tasks = ask(Turns(answering.answer_all), *range(TURN_MAX + 1))
    await settle()
    assert [len(turn) for turn in answering.turns] == [TURN_MAX, 1]
    answering.end(0)
    answering.end(1)
    assert await asyncio.gather(*tasks) == list(range(TURN_MAX + 1))


async def test_who_is_gone_before_a_turn_begins_is_not_answered() -> None:
    answering = Answering()
    gone, stays = ask(Turns(answering.answer_all), "gone", "stays")
    await asyncio.sleep(0)
    gone.cancel()
    await settle()
    assert answering.turns == [["stays"]]
    answering.end(0)
    assert await stays == "stays"


async def test_a_failed_turn_fails_its_own_questions_only() -> None:
    answering = Answering()
    turns = Turns(answering.answer_all)
    (first,) = ask(turns, "first")
    await settle()
    failure = InvalidInput("its own failure")
    second, third = ask(turns, failure, "third")
    await settle()
    answering.end(0, Unavailable("the disk is full"))
    answering.end(1)
    with pytest.raises(Unavailable):
        await first
    with pytest.raises(InvalidInput):
        await second
    assert await third == "third"

"""Questions are gathered by the load itself, and each gets its own answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segserver.engine.turns import AT_ONCE, CROWD, TURN_MAX, Turns
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


async def test_a_lone_question_never_waits_and_few_wait_for_the_turn_under_way() -> None:
    answering = Answering()
    turns = Turns(answering.answer_all)
    first = ask(turns, 0)
    await settle()
    later = ask(turns, *range(1, CROWD))
    await settle()
    assert answering.turns == [[0]]
    answering.end(0)
    await settle()
    assert answering.turns == [[0], list(range(1, CROWD))]
    answering.end(1)
    assert await asyncio.gather(*first, *later) == list(range(CROWD))
    assert turns.in_progress == 0


async def test_a_crowd_begins_another_turn_but_never_more_than_are_allowed_at_once() -> None:
    answering = Answering()
    turns = Turns(answering.answer_all)
    tasks = []
    for _ in range(AT_ONCE + 2):
        tasks += ask(turns, *[len(tasks)] * CROWD)
        await settle()
    assert [len(turn) for turn in answering.turns] == [CROWD] * AT_ONCE
    for number in range(AT_ONCE + 1):
        answering.end(number)
        await settle()
    assert [len(turn) for turn in answering.turns] == [CROWD, CROWD, 2 * CROWD]
    await asyncio.gather(*tasks)


async def test_a_turn_has_an_end_however_many_wait() -> None:
    answering = Answering()
    tasks = ask(Turns(answering.answer_all), *range(TURN_MAX + 1))
    await settle()
    answering.end(0)
    await settle()
    assert [len(turn) for turn in answering.turns] == [TURN_MAX, 1]
    answering.end(1)
    assert await asyncio.gather(*tasks) == list(range(TURN_MAX + 1))


async def test_who_is_gone_before_a_turn_begins_is_not_answered() -> None:
    answering = Answering()
    turns = Turns(answering.answer_all)
    first = ask(turns, "first")
    await settle()
    gone, stays = ask(turns, "gone", "stays")
    await settle()
    gone.cancel()
    answering.end(0)
    await settle()
    assert answering.turns == [["first"], ["stays"]]
    answering.end(1)
    assert await asyncio.gather(*first, stays) == ["first", "stays"]


async def test_a_failed_turn_fails_its_questions_only_and_the_next_one_begins() -> None:
    answering = Answering()
    turns = Turns(answering.answer_all)
    (first,) = ask(turns, "first")
    await settle()
    (second,) = ask(turns, InvalidInput("its own failure"))
    answering.end(0, Unavailable("the disk is full"))
    with pytest.raises(Unavailable):
        await first
    await settle()
    answering.end(1)
    with pytest.raises(InvalidInput):
        await second

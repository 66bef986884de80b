"""Concurrent questions are answered in turns: together, one stage after the other.

Each question by itself would cost a statement, a place in the writer's queue and a walk through code that is
cold by then. A turn shares the first two and keeps the code warm, which halves the cost of a question under
load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from segserver.engine.answers import BatchAnswer, Evaluation
from segserver.engine.corridor import Asked
from segserver.errors import SegserverError

TURN_MAX = 64
"""So many questions make a turn at most: the event loop is not held up for longer than a few milliseconds."""

CROWD = 8
GATHER_EACH_S = 0.0003
"""With so many questions in progress, a turn gathers before it begins, for so long for each of them: less
than they take to answer. A few never wait. """

Waiting = tuple[Asked, "asyncio.Future[Evaluation]"]


class Turns:
    """Gathers questions of one event loop, and gives each caller its answer."""

    def __init__(self, answer_all: Callable[[Sequence[Asked]], Awaitable[Sequence[BatchAnswer]]]) -> None:
        self._answer_all = answer_all
        self._waiting: list[Waiting] = []
        self.in_progress = 0
        """How many questions wait for their answers."""
        self._running: set[asyncio.Task[None]] = set()

    async def take(self, asked: Asked) -> Evaluation:
        """The answer to one question. Raises what its subject or the store has against it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Evaluation] = loop.create_future()
        self._waiting.append((asked, future))
        self.in_progress += 1
        if len(self._waiting) == 1:
            if self.in_progress >= CROWD:
                loop.call_later(GATHER_EACH_S * self.in_progress, self._begin)
            else:
                loop.call_soon(self._begin)
        try:
            return await future
        finally:
            self.in_progress -= 1

    def _begin(self) -> None:
        """Begins a turn with those who still wait; a caller that is gone is not answered."""
        turn, self._waiting = self._waiting[:TURN_MAX], self._waiting[TURN_MAX:]
        loop = asyncio.get_running_loop()
        if self._waiting:
            loop.call_soon(self._begin)
        task = loop.create_task(self._run([one for one in turn if not one[1].done()]))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, turn: Sequence[Waiting]) -> None:
        try:
            answers = await self._answer_all([asked for asked, _ in turn])
        except Exception as error:
            for _, future in turn:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(turn, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, SegserverError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

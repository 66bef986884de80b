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

AT_ONCE = 2
"""So many turns are under way at most: while one waits for the disk, the other uses the processor."""

CROWD = 16
"""So many questions begin a second turn; fewer wait for the end of the first. So the load itself gathers
them, and a lone question never waits. Gathering by a timer made turns smaller, and a question took
several times as long at half load, for no less of the processor."""

Waiting = tuple[Asked, "asyncio.Future[Evaluation]"]


class Turns:
    """Gathers questions of one event loop, and gives each caller its answer."""

    def __init__(self, answer_all: Callable[[Sequence[Asked]], Awaitable[Sequence[BatchAnswer]]]) -> None:
        self._answer_all = answer_all
        self._waiting: list[Waiting] = []
        self.in_progress = 0
        """How many questions wait for their answers."""
        self._due = False
        """Whether a turn begins as soon as the event loop has handed out what came in."""
        self._running: set[asyncio.Task[None]] = set()

    async def take(self, asked: Asked) -> Evaluation:
        """The answer to one question. Raises what its subject or the store has against it."""
        future: asyncio.Future[Evaluation] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        self.in_progress += 1
        self._look()
        try:
            return await future
        finally:
            self.in_progress -= 1

    def _look(self) -> None:
        """Lets a turn begin where it is time for one."""
        running = len(self._running)
        if self._due or running >= AT_ONCE or len(self._waiting) < (CROWD if running else 1):
            return
        self._due = True
        asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """Begins a turn with those who still wait; a caller that is gone is not answered."""
        self._due = False
        self._waiting = [one for one in self._waiting if not one[1].done()]
        turn, self._waiting = self._waiting[:TURN_MAX], self._waiting[TURN_MAX:]
        if turn:
            task = asyncio.get_running_loop().create_task(self._run(turn))
            self._running.add(task)
            task.add_done_callback(self._ended)
        self._look()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._look()

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

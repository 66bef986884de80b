"""Keeps the plugin host process of one distribution running, and takes every question to it.

One thread starts the process, asks it, and ends it when it fails, so that nobody else ever waits for a
process: an event loop awaits a future that is decided by its deadline at the latest.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from segserver.strategies.isolation import messages
from segserver.strategies.isolation.breaker import Breaker, State
from segserver.strategies.isolation.process import HostProcess, NoAnswerError

LOOK_S = 1.0
"""How often to look whether an idle process has ended."""
IDLE_S = 10.0
"""A process whose code no catalog uses ends after so long; it is started again when it is needed."""
WAITING_MAX = 256
"""So many calls wait at most; one more fails at once."""
WARM_MAX = 256
"""So many traits run on their examples when the process is started again."""
RESOLVED_MAX = 64
"""So many replies about strategies under settings are kept."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a process may take, and how its failures are dealt with."""

    call_s_max: float = 0.25
    """One call: up to 64 inputs."""
    start_s_max: float = 20.0
    """To start and to load plugins; also, to resolve a strategy and to load reference data."""
    failures_max: int = 3
    """So many failures within a minute open the breaker."""
    pause_s_max: float = 60.0
    """The longest pause before the next attempt."""


@dataclass(frozen=True, slots=True)
class HostStats:
    """What is known of one plugin host process. Numbers count from the start of the server."""

    distribution: str
    state: str
    """``running``, ``idle`` (nothing needs it), ``starting``, ``half-open``, or ``open`` (left alone for a
    while)."""
    calls: int = 0
    inputs: int = 0
    """In those calls, all traits together."""
    call_s: float = 0.0
    """What they took in all."""
    failures: int = 0
    """How often the process hung, ended or broke the protocol."""
    refused: int = 0
    """Calls that were not made, because the process was not there or had too much to do."""
    starts: int = 0
    opened: int = 0
    """How often the breaker opened."""
    last_failure: str = ""
    walls: tuple[str, ...] = ()
    """What keeps it in, besides resource limits."""


@dataclass(slots=True)
class _Job:
    payload: bytes
    """Empty to ask for what the plugins declare."""
    until_s: float
    answer: Future[messages.Reply]
    inputs: Sequence[int] = ()
    """Of a call: how many, for each trait."""
    patient: bool = True
    """Whether it waits for a start."""


class Supervisor:
    """The server's end of one plugin host process. Safe to share between threads."""

    def __init__(
        self,
        distribution: str,
        setup: messages.Setup,
        rules: Rules,
        opened: Callable[[str, str], None],
    ) -> None:
        self.distribution = distribution
        self._setup = messages.encode(setup)
        self._rules = rules
        self._opened = opened
        self._lock = threading.Lock()
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._breaker = Breaker(rules.failures_max, rules.pause_s_max)
        self._process: HostProcess | None = None
        self._declared: messages.Loaded | None = None
        self._said = b""
        """The same as it came: what a later start says is compared with it, and not read."""
        self._warm: OrderedDict[messages.Code, None] = OrderedDict()
        self._resolved: dict[bytes, messages.Reply] = {}
        """What strategies are under settings: a plugin that is ill holds up no list and no catalog again."""
        self._needed = False
        """Whether a catalog has used its code."""
        self._accepting = False
        self._closed = False
        self._used_s = 0.0
        self._stats = HostStats(distribution, "idle")
        self._thread = threading.Thread(target=self._run, name=f"plugins of {distribution}", daemon=True)
        self._thread.start()

    @property
    def stats(self) -> HostStats:
        """The numbers now."""
        with self._lock:
            return replace(self._stats, state=self._state())

    def load(self) -> Future[messages.Reply]:
        """What the plugins declare, once they are loaded: ``Loaded``, or :class:`NoAnswerError`."""
        return self._patient(b"")

    def ask(self, request: messages.Resolve | messages.Warm) -> messages.Reply:
        """The reply, for a thread without an event loop; the process is started for it. Raises
        :class:`NoAnswerError`."""
        payload = messages.encode(request)
        if not isinstance(request, messages.Warm):
            known = self._resolved.get(payload)
            if known is None:
                known = self._patient(payload).result()
                if len(self._resolved) >= RESOLVED_MAX:
                    self._resolved.clear()
                self._resolved[payload] = known
            return known
        self._needed = True
        reply = self._patient(payload).result()
        with self._lock:  # only what went well once is done again at a later start
            for code in request.codes:
                self._warm[code] = None
                self._warm.move_to_end(code)
            while len(self._warm) > WARM_MAX:
                self._warm.popitem(last=False)
        return reply

    def call(self, asked: Sequence[messages.Asked], *, patient: bool = False) -> Future[messages.Reply]:
        """``Answered`` with as many values as inputs, or :class:`NoAnswerError`.

        It is decided within the time of a call, and a process that is not there is not waited for; unless it
        is ``patient``, as for a table."""
        payload = messages.encode(messages.Call(list(asked)))
        wait_s = self._rules.start_s_max if patient else self._rules.call_s_max
        inputs = [len(one.rows) for one in asked]
        job = _Job(payload, time.monotonic() + wait_s, Future(), inputs, patient)
        with self._lock:
            if len(payload) > messages.MESSAGE_BYTES_MAX:
                refusal = "was asked too much at once"
            elif self._closed or not (self._accepting or patient):
                refusal = "is not running"
            elif self._jobs.qsize() >= WAITING_MAX:
                refusal = "has too much to do"
            else:
                # When half-open, one call tries, and the others do not wait for how that ends.
                self._accepting = self._accepting and self._breaker.state is State.CLOSED
                self._jobs.put(job)
                return job.answer
            self._stats = replace(self._stats, refused=self._stats.refused + 1)
        job.answer.set_exception(NoAnswerError(refusal))
        return job.answer

    def close(self) -> None:
        """Ends the process; whoever waits gets no answer."""
        with self._lock:
            self._closed, self._accepting = True, False
            process = self._process
            if process is not None:
                process.kill()
        self._jobs.put(None)
        self._thread.join()

    def _patient(self, payload: bytes) -> Future[messages.Reply]:
        job = _Job(payload, time.monotonic() + self._rules.start_s_max, Future())
        with self._lock:
            if not self._closed:
                self._jobs.put(job)
                return job.answer
        job.answer.set_exception(NoAnswerError("is not running"))
        return job.answer

    def _state(self) -> str:
        if self._breaker.state is not State.CLOSED:
            return self._breaker.state.value
        if self._accepting:
            return "running"
        return "starting" if self._needed else "idle"

    # What follows runs in the supervisor's own thread.

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._pause_s())
            except queue.Empty:
                self._look()
            else:
                if job is None:
                    break
                if job.answer.set_running_or_notify_cancel():
                    self._serve(job)
            with self._lock:
                self._accepting = self._process is not None and not self._closed
        self._end()
        self._refuse_waiting()

    def _pause_s(self) -> float:
        """How long to wait for a question before looking after the process."""
        if self._process is not None or not self._needed:
            return LOOK_S
        if self._breaker.state is State.OPEN:
            return max(0.0, min(LOOK_S, self._breaker.retry_at_s - time.monotonic()))
        return 0.0

    def _look(self) -> None:
        """Starts the process where it is needed, ends it where it is not."""
        now_s = time.monotonic()
        try:
            if self._process is None:
                if self._needed and self._breaker.permits(now_s):
                    self._start(now_s)
            elif self._process.ended:
                raise self._process.silence()
            elif not self._needed and now_s - self._used_s > IDLE_S:
                self._end()
        except NoAnswerError as error:
            self._failed(error)

    def _serve(self, job: _Job) -> None:
        now_s = self._used_s = time.monotonic()
        if self._process is None and not self._breaker.permits(now_s):
            job.answer.set_exception(NoAnswerError("is left alone after failures"))
            return
        if now_s >= job.until_s:
            job.answer.set_exception(NoAnswerError("has too much to do"))
            return
        try:
            if self._process is None:
                self._start(now_s)
            reply = self._reply(job)
        except NoAnswerError as error:
            self._failed(error, partial(job.answer.set_exception, error))
            return
        if isinstance(reply, messages.Answered):
            self._count(job.inputs, time.monotonic() - now_s)
            if _out_of_memory(reply):
                self._failed(NoAnswerError("ran out of memory"), partial(job.answer.set_result, reply))
                return
        job.answer.set_result(reply)

    def _reply(self, job: _Job) -> messages.Reply:
        if not job.payload and self._declared is not None:
            return self._declared
        until_s = job.until_s
        if job.inputs:
            until_s = min(until_s, time.monotonic() + self._rules.call_s_max)
        return self._ask(job.payload, until_s, job.inputs)

    def _ask(self, payload: bytes, until_s: float, inputs: Sequence[int] = ()) -> messages.Reply:
        if self._process is None:
            raise NoAnswerError("is not running")
        most = messages.MESSAGE_BYTES_MAX if inputs else messages.DECLARATION_BYTES_MAX
        reply = _decoded(self._process.ask(payload, until_s, most))
        if inputs and not (isinstance(reply, messages.Answered) and _fits(reply, inputs)):
            raise NoAnswerError("broke the protocol")
        return reply

    def _start(self, now_s: float) -> None:
        until_s = now_s + self._rules.start_s_max
        try:
            self._process = HostProcess()
        except OSError:
            raise NoAnswerError("can't be started") from None
        with self._lock:
            self._stats = replace(self._stats, starts=self._stats.starts + 1)
        said = self._process.ask(self._setup, until_s, messages.DECLARATION_BYTES_MAX)
        if not self._said:
            declared = _decoded(said)
            if not isinstance(declared, messages.Loaded):
                raise NoAnswerError("broke the protocol")
            self._declared, self._said = declared, said
            with self._lock:
                self._stats = replace(self._stats, walls=tuple(declared.walls))
        elif said != self._said:
            raise NoAnswerError("has other plugins than when the server started; start the server again")
        with self._lock:
            warm = list(self._warm)
        if warm:
            self._ask(messages.encode(messages.Warm(warm)), until_s)

    def _count(self, inputs: Sequence[int], took_s: float) -> None:
        with self._lock:
            self._breaker.succeeded()
            self._stats = replace(
                self._stats,
                calls=self._stats.calls + 1,
                inputs=self._stats.inputs + sum(inputs),
                call_s=self._stats.call_s + took_s,
            )

    def _failed(self, error: NoAnswerError, answer: Callable[[], None] = lambda: None) -> None:
        """Takes note of a failure, gives who asked the answer, and ends the process. Those who wait get none,
        because the next start takes longer than they have."""
        with self._lock:
            self._accepting = False
            opens = not self._closed and self._breaker.failed(time.monotonic())
            self._stats = replace(
                self._stats,
                failures=self._stats.failures + 1,
                opened=self._stats.opened + opens,
                last_failure=error.message,
            )
        answer()
        self._end()
        self._refuse_waiting()
        if opens:
            self._opened(self.distribution, error.message)

    def _end(self) -> None:
        with self._lock:
            self._accepting = False
        if self._process is not None:
            self._process.end()
            self._process = None

    def _refuse_waiting(self) -> None:
        """No answer to the calls that wait; what is patient waits on."""
        patient: list[_Job | None] = []
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is None or (job.patient and not self._closed):
                    patient.append(job)
                elif job.answer.set_running_or_notify_cancel():
                    job.answer.set_exception(NoAnswerError("is not running"))
        for job in patient:
            self._jobs.put(job)


def _decoded(payload: bytes) -> messages.Reply:
    try:
        return messages.reply(payload)
    except ValueError:
        raise NoAnswerError("broke the protocol") from None


def _fits(reply: messages.Answered, inputs: Sequence[int]) -> bool:
    """Whether there is one value for each input, and failures are those of inputs."""
    return [len(answers.values) for answers in reply.answers] == list(inputs) and all(
        0 <= position < len(answers.values) for answers in reply.answers for position in answers.failed
    )


def _out_of_memory(reply: messages.Answered) -> bool:
    """Whether code ran out of memory: it may hold what it has for ever, so its process is started again."""
    return any(MemoryError.__name__ in answers.failed.values() for answers in reply.answers)

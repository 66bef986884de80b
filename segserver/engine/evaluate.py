"""Evaluates one subject, or many: what may be seen, the program, the audit entry, durable, and then the
answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from segserver.audit.entry import Entry, Kind, Outcomes, encode, timestamp_us
from segserver.engine.answers import BatchAnswer, Evaluation, new_evaluation_id
from segserver.engine.corridor import Asked, Corridor, Question, Sight
from segserver.engine.isolated import Derived, derive, processes
from segserver.engine.results import Results, run
from segserver.engine.slices import SLICE_SUBJECTS, sliced
from segserver.engine.turns import TURN_MAX, Turns
from segserver.errors import SegserverError
from segserver.model import Caller
from segserver.observe.counts import Counts
from segserver.storage.writer import Writer

LISTED_MAX = 500
"""So many segments that a subject is not certainly a member of are listed in an entry."""


class Evaluator:
    """Answers questions. No answer leaves before its audit entry is durable."""

    def __init__(self, corridor: Corridor, writer: Writer, now_us: Callable[[], int], counts: Counts) -> None:
        self._corridor = corridor
        self._writer = writer
        self._now_us = now_us
        self._counts = counts
        self._turns: dict[frozenset[str], Turns] = {}
        """By the plugin host processes that they wait for: nobody waits for one that he does not need."""

    @property
    def in_progress(self) -> int:
        """How many single questions wait for their answers."""
        return sum(turns.in_progress for turns in self._turns.values())

    async def evaluate(self, caller: Caller, question: Question) -> Evaluation:
        """The answer to one question.

        Raises :class:`InvalidInput` for a wrong subject id or attribute, or a segment that does not serve the
        purpose, :class:`PermissionDenied` for a purpose that the caller may not use, :class:`NotFound` for an
        unknown purpose or segment, :class:`Unavailable` when the store or the log can't be used.
        """
        asked = self._corridor.ask(caller, question)
        awaited = processes(asked)
        turns = self._turns.get(awaited)
        if turns is None:
            turns = self._turns[awaited] = Turns(self._answer_all)
        return await turns.take(asked)

    async def evaluate_batch(
        self,
        caller: Caller,
        purpose: str,
        segments: tuple[str, ...],
        questions: Sequence[Question | SegserverError],
    ) -> list[BatchAnswer]:
        """The answers to questions with one purpose, each its own or its own failure; all entries in one
        write.

        Raises what concerns the whole batch: the purpose, the segments, the store.
        """
        serving, wanted = self._corridor.check(caller, purpose, segments)
        asked: list[Asked | SegserverError] = []
        async for question in sliced(questions):
            try:
                asked.append(
                    question
                    if isinstance(question, SegserverError)
                    else self._corridor.ask_of(caller, question, serving, wanted)
                )
            except SegserverError as error:
                asked.append(error)
        sound = [one for one in asked if isinstance(one, Asked)]
        answers = iter(await self._answer_all(sound, SLICE_SUBJECTS))
        return [one if isinstance(one, SegserverError) else next(answers) for one in asked]

    async def _answer_all(self, asked: Sequence[Asked], at_a_stretch: int = TURN_MAX) -> list[BatchAnswer]:
        """The answer to each question, in order, or why there is none, once all their entries are durable."""
        answers: list[BatchAnswer] = []
        entries: list[bytes] = []
        for start in range(0, len(asked), at_a_stretch):
            if start:
                await asyncio.sleep(0)
            await self._answer_slice(asked[start : start + at_a_stretch], answers, entries)
        await self._writer.write(None, entries)
        return answers

    async def _answer_slice(
        self, asked: Sequence[Asked], answers: list[BatchAnswer], entries: list[bytes]
    ) -> None:
        sights = await self._corridor.sights(asked)
        for one, sight, derived in zip(asked, sights, await derive(sights), strict=True):
            if isinstance(sight, SegserverError):
                answers.append(sight)
                continue
            answer, entry = self._answer(one.caller, one.question, sight, derived)
            answers.append(answer)
            entries.append(entry)

    def _count(self, sight: Sight, found: Results) -> None:
        outcomes = self._counts.outcomes
        outcomes["member"] += len(found.members)
        outcomes["not_member"] += len(found.others)
        outcomes["unknown"] += len(found.unknown)
        outcomes["withheld"] += len(found.withheld)
        if sight.mask.stopped is None and not sight.withheld:
            self._counts.gate["open"] += 1
            return
        self._counts.gate["partly" if sight.mask.stopped is None else "stopped"] += 1
        for reason in sight.plan.reasons(sight.mask):
            self._counts.withheld[reason] += 1

    def _answer(
        self, caller: Caller, question: Question, sight: Sight, derived: Derived
    ) -> tuple[Evaluation, bytes]:
        found = run(sight, derived)
        self._count(sight, found)
        time_us = self._now_us()
        answer = Evaluation(
            evaluation_id=new_evaluation_id(time_us),
            time_us=sight.at_us,
            catalog_digest=sight.serving.catalog.digest,
            subject_token=self._corridor.recipient_token(sight, caller),
            results=found.results,
        )
        outcomes = _outcomes(found, complete=bool(question.segments))
        entry = evaluation_entry(
            self._corridor,
            Kind.EVALUATION,
            caller,
            question,
            sight,
            found,
            answer.evaluation_id,
            time_us,
            outcomes,
        )
        return answer, entry


def _outcomes(found: Results, *, complete: bool) -> Outcomes:
    """The outcomes for the log; unless they are to be complete, one outcome stands for all that is not
    listed.

    That is NOT_MEMBER, but where another list would outgrow an entry: nothing is known of a new subject, and
    all is withheld without consent. Members are always listed, so that they can be searched for.
    """
    lists = {
        "not_member": tuple(found.others),
        "unknown": tuple(found.unknown),
        "withheld": tuple(found.withheld),
    }
    others = ""
    if not complete:
        longest = max(lists, key=lambda outcome: len(lists[outcome]))
        others = longest if len(lists[longest]) > LISTED_MAX else "not_member"
        lists[others] = ()
    return Outcomes(member=tuple(found.members), others=others, **lists)


def evaluation_entry(
    corridor: Corridor,
    kind: Kind,
    caller: Caller,
    question: Question,
    sight: Sight,
    found: Results,
    evaluation_id: str,
    time_us: int,
    outcomes: Outcomes,
) -> bytes:
    """The audit entry of an evaluation or an explanation. It holds names, reasons and pseudonyms, and no
    value.
    """
    plan = sight.plan
    read, missing, withheld = plan.accounted(sight.wanted, sight.mask, sight.values)
    decision = sight.state.consents.get(question.purpose)
    details = {} if question.at_us is None else {"as_of": timestamp_us(sight.at_us)}
    if question.attributes:
        details["brought"] = " ".join(sorted(question.attributes))
    return encode(
        Entry(
            time=timestamp_us(time_us),
            kind=kind,
            caller=caller.name,
            request_id=evaluation_id,
            purpose=question.purpose,
            legal_basis=plan.legal_basis,
            subject=corridor.audit_token(sight),
            segments=outcomes,
            read=read,
            missing=missing,
            withheld=withheld,
            failed={reason: tuple(sorted(names)) for reason, names in found.failures.items()},
            consent="" if decision is None else str(decision.record),
            catalog=sight.serving.catalog.digest,
            strategies=plan.strategies,
            inputs=corridor.inputs_digest(sight),
            details=details,
        )
    )

"""Evaluates everybody who is stored: in pages, as tables, behind the same gate and with the same answers as
one at a time.

Each page is a batch of its own: its entry commits to every subject's result by a Merkle root, the evidence
lies beside it, and both are durable before a result of the page leaves.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import msgspec
import polars as pl

from segserver.audit.entry import Entry, Kind, Outcomes, encode, timestamp_us
from segserver.audit.index import MIXED
from segserver.audit.results import LETTERS, Reason, results_root
from segserver.catalog import Bulk
from segserver.config import Limits
from segserver.engine import evidence, population
from segserver.engine.answers import SegmentResult, new_evaluation_id
from segserver.engine.behavior import Behavior
from segserver.engine.corridor import Corridor
from segserver.engine.evidence import Evidence
from segserver.engine.population import Seen
from segserver.engine.serving import Plan, Serving
from segserver.engine.store import Store
from segserver.engine.table_results import TableResults, run_table
from segserver.errors import LimitExceeded, SegserverError
from segserver.model import Caller, Outcome
from segserver.privacy import tables
from segserver.privacy.primitives import macs
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.vault import Subject, Vault
from segserver.storage.contract import Connection
from segserver.storage.subjects import SubjectRow, Subjects

PAGE_SUBJECTS_MAX = 5_000
PAGE_RESULTS_MAX = 1_000_000
"""A page has fewer subjects where there are many segments: its size in memory is bounded."""

_ENCODER = msgspec.msgpack.Encoder()
_LETTER_OF: Mapping[Outcome, str] = {Outcome[name.upper()]: letter for letter, name in LETTERS.items()}


class BulkPage(msgspec.Struct, frozen=True, eq=False):
    """The answers for some subjects, whose entry is durable.

    ``tokens`` are the subjects' pseudonyms for the caller, sorted, which is no order that means anything;
    ``numbers`` has for each of them the places of its results in ``distinct``, in the order of the catalog.
    ``errors`` are the subjects that have no answer, by token.
    """

    evaluation_id: str
    """The id of the whole evaluation, which the entries of all its pages share."""
    time_us: int
    """As of when everything is computed, in all pages: microseconds since the epoch, UTC."""
    catalog_digest: str
    log_index: int
    """The entry that commits to these results."""
    tokens: Sequence[str]
    numbers: Sequence[Sequence[int]]
    distinct: Sequence[SegmentResult]
    errors: Mapping[str, SegserverError]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of every page."""

    caller: Caller
    purpose: str
    serving: Serving
    wanted: Sequence[int]
    at_us: int
    evaluation_id: str

    @property
    def plan(self) -> Plan:
        return self.serving.plan(self.purpose)

    @property
    def bulk(self) -> Bulk:
        return self.serving.catalog.bulk(self.purpose)


@dataclass(frozen=True, slots=True)
class _Made:
    """A page that is computed and not logged yet."""

    page: BulkPage
    entry: bytes
    following: bytes | None
    """The subject key after which the next page begins; ``None`` after the last."""


class BulkEvaluator:
    """Answers for everybody who is stored. No page leaves before its audit entry is durable."""

    def __init__(
        self,
        corridor: Corridor,
        store: Store,
        vault: Vault,
        pseudonyms: Pseudonyms,
        behavior: Behavior,
        beside: Evidence,
        now_us: Callable[[], int],
        inputs_key: bytes,
        limits: Limits,
    ) -> None:
        self._corridor = corridor
        self._store = store
        self._vault = vault
        self._pseudonyms = pseudonyms
        self._behavior = behavior
        self._evidence = beside
        self._now_us = now_us
        self._digests = macs(inputs_key)
        self._limits = limits
        self._running = 0

    async def evaluate_all(
        self, caller: Caller, purpose: str, segments: tuple[str, ...] = (), at_us: int | None = None
    ) -> AsyncGenerator[BulkPage, None]:
        """The answers for every stored subject, page by page, under the catalog that serves now and as of
        ``at_us`` (``None``: now). Each page sees the decisions of its subjects as they are when it is read.

        Raises what :meth:`Corridor.check` raises, :class:`LimitExceeded` when as many of these run as may,
        :class:`InvalidInput` for more segments than an entry can name, :class:`Unavailable` when the store,
        the log or the evidence can't be written; then no result of the page has left.
        """
        serving, wanted = self._corridor.check(caller, purpose, segments)
        limit = self._limits.bulk_evaluations_max
        if self._running >= limit:
            raise LimitExceeded(
                f"this worker evaluates everybody for {limit} callers already (limits.bulk_evaluations_max)",
                reason="BULK_EVALUATIONS",
                metadata={"limit": "bulk_evaluations_max", "value": str(limit)},
            )
        now_us = self._now_us()
        asked = _Asked(
            caller,
            purpose,
            serving,
            wanted,
            now_us if at_us is None else at_us,
            new_evaluation_id(now_us),
        )
        self._running += 1
        # A thread of its own: a connection belongs to one thread, and answers do not wait for a page.
        thread = ThreadPoolExecutor(1, "segserver-bulk")
        loop = asyncio.get_running_loop()
        try:
            connection = await loop.run_in_executor(thread, self._store.connect)
            try:
                number, after = 0, b""
                while True:
                    work = partial(self._page, connection, asked, number, after)
                    made = await loop.run_in_executor(thread, work)
                    receipt = await self._store.writer.write(None, (made.entry,))
                    yield msgspec.structs.replace(made.page, log_index=receipt.indexes[0])
                    if made.following is None:
                        return
                    number, after = number + 1, made.following
            finally:
                thread.submit(connection.close)
        finally:
            thread.shutdown(wait=False)
            self._running -= 1

    def _page(self, connection: Connection, asked: _Asked, number: int, after: bytes) -> _Made:
        size = max(1, min(PAGE_SUBJECTS_MAX, PAGE_RESULTS_MAX // max(1, len(asked.wanted))))
        rows = next(Subjects().pages(connection, rows=size, after=after), [])
        subjects, errors = self._opened(rows)
        time_us = self._now_us()
        done = population.Done(self._behavior, connection, asked.at_us)
        seen = population.see(subjects, asked.serving, asked.caller, asked.purpose, time_us, done)
        if done.unreadable:
            errors += [
                (row, done.unreadable[row.subject_key]) for row in rows if row.subject_key in done.unreadable
            ]
            subjects = [subject for subject in subjects if subject.subject_key not in done.unreadable]
            seen = population.see(subjects, asked.serving, asked.caller, asked.purpose, time_us, done)
        found = run_table(asked.plan, asked.bulk, asked.wanted, seen, asked.at_us)
        proof_rows = pl.concat(
            [self._proof_rows(asked, subjects, seen, found), self._error_rows(errors)]
        ).sort(evidence.SUBJECT)
        page_id = new_evaluation_id(time_us)
        details = {"page": str(number), "evidence": page_id, "as_of": timestamp_us(asked.at_us)}
        following = rows[-1].subject_key if len(rows) == size else None
        if following is None:
            details["last"] = "true"
        root = results_root(evidence.leaves(proof_rows))
        entry = encode(_entry(asked, time_us, seen, found, len(rows), root, details))
        self._evidence.write(page_id, proof_rows)
        return _Made(self._answers(asked, subjects, errors, found), entry, following)

    def _opened(
        self, rows: Sequence[SubjectRow]
    ) -> tuple[list[Subject], list[tuple[SubjectRow, SegserverError]]]:
        """The subjects of a page, and those that can't be opened, each with why."""
        subjects: list[Subject] = []
        errors: list[tuple[SubjectRow, SegserverError]] = []
        for row in rows:
            try:
                subjects.append(self._vault.open(row))
            except SegserverError as error:
                errors.append((row, error))
        return subjects, errors

    def _answers(
        self,
        asked: _Asked,
        subjects: Sequence[Subject],
        errors: Sequence[tuple[SubjectRow, SegserverError]],
        found: TableResults,
    ) -> BulkPage:
        keys, salts = _keys(subjects)
        tokens = tables.recipient_tokens(self._pseudonyms, keys, salts, asked.caller.name)
        order = tokens.arg_sort()
        numbers = [column.to_list() for column in found.numbers[order]] if found.numbers.width else []
        return BulkPage(
            evaluation_id=asked.evaluation_id,
            time_us=asked.at_us,
            catalog_digest=asked.serving.catalog.digest,
            log_index=-1,
            tokens=tokens.gather(order).to_list(),
            numbers=list(zip(*numbers, strict=True)) if numbers else [()] * len(subjects),
            distinct=found.distinct,
            errors={
                self._pseudonyms.recipient_token(row.subject_key, row.salt, asked.caller.name): error
                for row, error in errors
            },
        )

    def _proof_rows(
        self, asked: _Asked, subjects: Sequence[Subject], seen: Seen, found: TableResults
    ) -> pl.DataFrame:
        """The evidence of the answers, in the order of the subjects."""
        keys, salts = _keys(subjects)
        decisions = (subject.state.consents.get(asked.purpose) for subject in subjects)
        letters = pl.Series([_LETTER_OF[result.outcome] for result in found.distinct], dtype=pl.String)
        reasons = pl.Series(
            [None if n in found.stopped else _reason(result) for n, result in enumerate(found.distinct)],
            dtype=pl.String,
        )
        return pl.DataFrame(
            [
                tables.audit_tokens(self._pseudonyms, keys, salts),
                pl.Series(["" if one is None else str(one.record) for one in decisions], dtype=pl.String),
                pl.Series(self._inputs_digests(seen.frame, asked.plan.program.inputs), dtype=pl.String),
                _joined(letters, found.numbers, "", len(subjects)),
                seen.mask.stops(),
                pl.repeat("", len(subjects), dtype=pl.String, eager=True),
                _joined(reasons, found.numbers, ",", len(subjects)),
            ],
            schema=evidence.SCHEMA,
        )

    def _inputs_digests(self, frame: pl.DataFrame, inputs: Sequence[str]) -> list[str]:
        """:meth:`Corridor.inputs_digest` of each row."""
        columns = [frame[name].to_physical().to_list() for name in inputs]
        rows = zip(*columns, strict=True) if columns else itertools.repeat((), frame.height)
        return [digest[:16].hex() for digest in self._digests(map(_ENCODER.encode, rows))]

    def _error_rows(self, errors: Sequence[tuple[SubjectRow, SegserverError]]) -> pl.DataFrame:
        rows = [
            (self._pseudonyms.audit_token(row.subject_key, row.salt), "", "", "", "", error.reason, "")
            for row, error in errors
        ]
        return pl.DataFrame(rows, schema=evidence.SCHEMA, orient="row")


def _keys(subjects: Sequence[Subject]) -> tuple[pl.Series, pl.Series]:
    """Subject keys and salts as columns."""
    return (
        pl.Series([subject.subject_key for subject in subjects], dtype=pl.Binary),
        pl.Series([subject.salt for subject in subjects], dtype=pl.Binary),
    )


def _joined(texts: pl.Series, places: pl.DataFrame, separator: str, height: int) -> pl.Series:
    """The texts at the places of each row, one after the other; nulls are left out."""
    if not places.width:
        return pl.repeat("", height, dtype=pl.String, eager=True)
    parts = (pl.lit(texts).gather(pl.col(name)).alias(name) for name in places.columns)
    return places.select(pl.concat_str(*parts, separator=separator, ignore_nulls=True)).to_series()


def _reason(result: SegmentResult) -> str | None:
    """What the evidence says about a result; ``None`` where its outcome says all."""
    if result.outcome in (Outcome.MEMBER, Outcome.NOT_MEMBER) and not result.human_review:
        return None
    told = Reason(
        result.segment,
        result.missing,
        result.withheld,
        result.reason,
        result.failed_traits,
        result.human_review,
    )
    return msgspec.json.encode(told).decode()


def _entry(
    asked: _Asked,
    time_us: int,
    seen: Seen,
    found: TableResults,
    size: int,
    root: bytes,
    details: Mapping[str, str],
) -> Entry:
    """The entry of a page. What it says of attributes and failures holds for some of its subjects."""
    plan = asked.plan
    program = plan.program
    reads = frozenset[str]().union(*(program.reads[program.segments[number]] for number in asked.wanted))
    withheld: dict[str, set[str]] = {}
    for mask in seen.mask.masks.values():
        _, _, by_reason = plan.accounted(asked.wanted, mask, [None] * len(program.inputs))
        for reason, names in by_reason.items():
            withheld.setdefault(reason, set()).update(names)
    failed: dict[str, set[str]] = {}
    for result in found.distinct:
        if result.outcome is Outcome.UNKNOWN and result.reason:
            failed.setdefault(result.reason, set()).update(result.failed_traits or (result.segment,))
    return Entry(
        time=timestamp_us(time_us),
        kind=Kind.BATCH_EVALUATION,
        caller=asked.caller.name,
        request_id=asked.evaluation_id,
        purpose=asked.purpose,
        legal_basis=plan.legal_basis,
        segments=_outcomes(found),
        read=tuple(sorted(reads)),
        withheld={reason: tuple(sorted(names)) for reason, names in sorted(withheld.items())},
        failed={reason: tuple(sorted(names)) for reason, names in sorted(failed.items())},
        catalog=asked.serving.catalog.digest,
        strategies=plan.strategies,
        subjects=size,
        results_root=root.hex(),
        details=details,
    )


def _outcomes(found: TableResults) -> Outcomes:
    """Every segment by its outcome, or as mixed where subjects differ."""
    lists: dict[str, list[str]] = {}
    places = found.numbers.select(pl.all().unique().implode()).to_dict(as_series=False)
    for segment, (met,) in places.items():
        outcomes = {LETTERS[_LETTER_OF[found.distinct[place].outcome]] for place in met}
        lists.setdefault(outcomes.pop() if len(outcomes) == 1 else MIXED, []).append(segment)
    named = {name: tuple(segments) for name, segments in lists.items()}
    return msgspec.convert(named, Outcomes)

"""Evaluating again what the log recorded: its catalog, its time, its purpose, and what is stored now."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from segserver.audit.entry import Entry, Kind, Outcomes, decode
from segserver.audit.index import OUTCOMES
from segserver.catalog import Catalog
from segserver.engine.catalogs import Catalogs
from segserver.engine.corridor import Corridor, Question, Sight
from segserver.engine.evaluate import evaluation_entry
from segserver.engine.isolated import Derived, derive
from segserver.engine.results import run
from segserver.engine.serving import Serving
from segserver.errors import FailedPrecondition, InvalidInput
from segserver.model import Caller, SubjectId
from segserver.privacy.gate import Gate
from segserver.privacy.pseudonyms import NO_SALT, Pseudonyms
from segserver.rules.times import from_datetime
from segserver.storage.catalogs import CatalogRow

VERSIONS_PAGE = 100
REPLAYABLE = (Kind.EVALUATION, Kind.EXPLAIN)


class Change(StrEnum):
    """Why an answer comes out differently, or could have."""

    INPUTS = "INPUTS_CHANGED"
    """Other values are visible than were."""
    BROUGHT = "ATTRIBUTES_BROUGHT"
    """The call brought attributes, which are used and never recorded: what else changed can't be told."""
    CONSENT = "CONSENT_CHANGED"
    """Another consent record holds, or other attributes are withheld, or for other reasons."""
    STRATEGIES = "STRATEGIES_CHANGED"
    """The installed strategies are not those of the recorded catalog, so its digest comes out differently."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One segment that comes out differently. Outcomes are named as in entries."""

    segment: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What evaluating again showed. It is the same when nothing changed and no segment differs."""

    entry: Entry
    changes: Sequence[Change]
    differences: Sequence[Difference]

    @property
    def same(self) -> bool:
        """Whether the recorded answer is the one that comes out again."""
        return not self.changes and not self.differences


class Replayer:
    """Evaluates recorded questions again. Nothing is answered to anyone but the officer."""

    def __init__(self, corridor: Corridor, catalogs: Catalogs, pseudonyms: Pseudonyms) -> None:
        self._corridor = corridor
        self._catalogs = catalogs
        self._pseudonyms = pseudonyms

    async def replay(self, payload: bytes, subject_id: SubjectId) -> Replay:
        """Evaluates the recorded question of this entry again.

        The log has no raw ids, so the officer names the subject; :class:`InvalidInput` says when it is
        another than the recorded one. Raises :class:`FailedPrecondition` for an entry that is no
        evaluation or explanation, or whose catalog is not stored.
        """
        recorded = decode(payload)
        if recorded.kind not in REPLAYABLE:
            raise FailedPrecondition(
                f"this entry is of kind {recorded.kind}; only {' and '.join(REPLAYABLE)} can be replayed",
                reason="NOT_REPLAYABLE",
            )
        row, catalog = await self._catalog(recorded.catalog)
        serving = Serving(catalog, row, Gate(catalog.policy))
        corridor = self._corridor.under(serving, _us(recorded.time))
        caller = Caller(recorded.caller, frozenset(), frozenset({"*"}))
        question = Question(subject_id, recorded.purpose, _asked(recorded.segments), at_us=_as_of(recorded))
        sight = await corridor.sight(caller, question)
        self._check_subject(corridor, sight, recorded)
        (derived,) = await derive([sight])
        again = _evaluate(corridor, caller, question, sight, derived)
        inputs = Change.BROUGHT if "brought" in recorded.details else Change.INPUTS
        changes = [
            change
            for change, changed in (
                (Change.STRATEGIES, catalog.digest != recorded.catalog),
                (inputs, again.inputs != recorded.inputs),
                (Change.CONSENT, (again.consent, again.withheld) != (recorded.consent, recorded.withheld)),
            )
            if changed
        ]
        return Replay(recorded, changes, _differences(recorded.segments, again.segments))

    async def _catalog(self, digest: str) -> tuple[CatalogRow, Catalog]:
        before = 2**63 - 1
        while rows := await self._catalogs.versions(before, VERSIONS_PAGE):
            for row in rows:
                if row.digest == digest:
                    documents = (await self._catalogs.version(row.version)).documents
                    return row, await asyncio.to_thread(self._catalogs.resolve, documents)
            before = rows[-1].version
        raise FailedPrecondition("the recorded catalog is not stored here", reason="CATALOG_NOT_STORED")

    def _check_subject(self, corridor: Corridor, sight: Sight, recorded: Entry) -> None:
        tokens = (corridor.audit_token(sight), self._pseudonyms.audit_token(sight.subject_key, NO_SALT))
        if recorded.subject not in tokens:
            raise InvalidInput.of("subject", "is not the one of this entry", reason="SUBJECT_MISMATCH")


def _evaluate(
    corridor: Corridor, caller: Caller, question: Question, sight: Sight, derived: Derived
) -> Entry:
    """The entry that this evaluation would have left; it is not logged."""
    found = run(sight, derived)
    outcomes = Outcomes(
        member=tuple(found.members),
        not_member=tuple(found.others),
        unknown=tuple(found.unknown),
        withheld=tuple(found.withheld),
    )
    payload = evaluation_entry(
        corridor, Kind.EVALUATION, caller, question, sight, found, "", sight.at_us, outcomes
    )
    return decode(payload)


def _asked(segments: Outcomes) -> tuple[str, ...]:
    """The segments that were named; none when all were asked for."""
    return (
        () if segments.others else tuple(name for outcome in OUTCOMES for name in getattr(segments, outcome))
    )


def _as_of(recorded: Entry) -> int:
    return _us(recorded.details.get("as_of", recorded.time))


def _us(text: str) -> int:
    return from_datetime(dt.datetime.fromisoformat(text))


def _differences(recorded: Outcomes, again: Outcomes) -> list[Difference]:
    before, after = _by_segment(recorded), _by_segment(again)
    return [
        Difference(segment, before.get(segment, recorded.others), outcome)
        for segment, outcome in sorted(after.items())
        if before.get(segment, recorded.others) != outcome
    ]


def _by_segment(outcomes: Outcomes) -> dict[str, str]:
    return {segment: outcome for outcome in OUTCOMES for segment in getattr(outcomes, outcome)}

"""What calls return: frozen, typed, and named like the messages of ``protos/segserver/v1``, which explain
each field.

Lists are tuples, times are aware datetimes in UTC, attribute values are Python's own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from segserver.errors import SegserverError
from segserver.model import Outcome, SubjectId, Value


class Truth(IntEnum):
    """What a node of a rule comes to. The numbers are those of ``segserver.v1.Truth``."""

    NONE = 0
    """The node is not a condition: it has a value, but no truth."""
    TRUE = 1
    FALSE = 2
    UNKNOWN = 3


class ChangeKind(IntEnum):
    """How a part of a catalog differs. The numbers are those of ``segserver.v1.ChangeKind``."""

    ADDED = 1
    REMOVED = 2
    CHANGED = 3


@dataclass(frozen=True, slots=True)
class WithheldAttribute:
    """An attribute that the evaluation may not see, and the reason code."""

    attribute: str
    reason: str


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """The outcome for one segment, with what stood in the way of settling it."""

    segment: str
    outcome: Outcome
    missing: tuple[str, ...]
    withheld: tuple[WithheldAttribute, ...]
    reason: str
    failed_traits: tuple[str, ...]
    human_review: bool
    """The segment has a legal or similarly significant effect, and there is no explicit consent: a person
    must decide (GDPR art. 22).
    """


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answer for one subject."""

    evaluation_id: str
    evaluate_time: dt.datetime
    catalog_digest: str
    subject_token: str
    results: tuple[SegmentResult, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """The ids of the segments that the subject is a member of."""
        return tuple(result.segment for result in self.results if result.outcome is Outcome.MEMBER)

    def __getitem__(self, segment: str) -> SegmentResult:
        """The result for a segment; raises ``KeyError`` when it was not asked for."""
        for result in self.results:
            if result.segment == segment:
                return result
        raise KeyError(segment)


@dataclass(frozen=True, slots=True)
class BulkEvaluation:
    """The answer for one subject of an evaluation of everybody; ``error`` says why there is none."""

    subject_token: str
    results: tuple[SegmentResult, ...]
    error: SegserverError | None

    @property
    def members(self) -> tuple[str, ...]:
        """The ids of the segments that the subject is a member of."""
        return tuple(result.segment for result in self.results if result.outcome is Outcome.MEMBER)


@dataclass(frozen=True, slots=True)
class EvaluatedPart:
    """A part of an evaluation of everybody: the answers for some subjects."""

    evaluation_id: str
    evaluate_time: dt.datetime
    catalog_digest: str
    log_index: int
    """The audit entry that commits to these answers."""
    evaluations: tuple[BulkEvaluation, ...]


@dataclass(frozen=True, slots=True)
class ExplanationNode:
    """One node of a rule's tree, with its truth."""

    expression: str
    truth: Truth
    value: str
    unknown_attributes: tuple[str, ...]
    line: int
    column: int
    definition_of: str
    children: tuple[ExplanationNode, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """An atomic condition that would have to change."""

    expression: str
    truth: Truth
    needed: Truth


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a subject is or is not in a segment."""

    evaluation_id: str
    evaluate_time: dt.datetime
    catalog_digest: str
    subject_token: str
    result: SegmentResult
    rule: str
    tree: ExplanationNode
    smallest_change: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What to write for one subject: attributes to set, and names of attributes to remove."""

    subject: SubjectId | str
    attributes: Mapping[str, Value]
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileWrite:
    """What was written for one subject; ``revision`` counts the writes to the profile, from 1."""

    subject_token: str
    revision: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a subject did. ``time`` is aware. With an ``id``, it is recorded once however often it
    is sent.
    """

    subject: SubjectId | str
    name: str
    time: dt.datetime
    properties: Mapping[str, Value] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True)
class EventsRecorded:
    """What became of the events of one request: how many were recorded, how many had been before, and by
    the place in the request the error that each of the others met.
    """

    recorded: int
    repeated: int
    rejected: Mapping[int, SegserverError]


@dataclass(frozen=True, slots=True)
class Profile:
    """What is stored about one subject."""

    subject_token: str
    attributes: Mapping[str, Value]
    revision: int
    update_time: dt.datetime


@dataclass(frozen=True, slots=True)
class CatalogVersion:
    """One published catalog."""

    version: int
    digest: str
    publish_time: dt.datetime
    publisher: str
    note: str


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file of a catalog."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """A published catalog with its source."""

    version: CatalogVersion
    documents: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment, resolved."""

    id: str
    title: str
    rule: str
    purposes: tuple[str, ...]
    owner: str
    tags: tuple[str, ...]
    exclusive_group: str
    priority: int
    minimum_audience: int
    reads: tuple[str, ...]
    categories: tuple[str, ...]
    strategy: str
    variable: str


@dataclass(frozen=True, slots=True)
class Trait:
    """A value that a strategy derives."""

    name: str
    type: str
    title: str
    rule: str
    values: tuple[str, ...]
    reads: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Strategy:
    """An installed strategy; ``quarantine_reason`` is empty unless it could not be loaded."""

    name: str
    version: str
    title: str
    distribution: str
    enabled: bool
    traits: tuple[Trait, ...]
    segments: tuple[str, ...]
    attributes: tuple[str, ...]
    settings_json: str
    quarantine_reason: str
    failure_count: int
    process_state: str
    """Of the plugin host process that runs its code; empty where that is the server's process."""
    process_failure_count: int
    last_failure: str
    process_walls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A typed input of the catalog."""

    name: str
    type: str
    category: str
    title: str
    purposes: tuple[str, ...]
    values: tuple[str, ...]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventProperty:
    """A typed fact of an event."""

    name: str
    type: str
    category: str
    title: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """Something that subjects do, as the catalog declares it."""

    name: str
    category: str
    title: str
    purposes: tuple[str, ...]
    properties: tuple[EventProperty, ...]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComputedAttribute:
    """An attribute that is an aggregate of events; ``definition_json`` says of which, as a catalog does."""

    name: str
    type: str
    categories: tuple[str, ...]
    title: str
    purposes: tuple[str, ...]
    definition_json: str
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What an answer can be for."""

    name: str
    title: str
    legal_basis: str
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """One thing wrong with a rule; line and column count from 1, and 0 means no place."""

    message: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """Whether a rule would compile, and what it would depend on."""

    problems: tuple[RuleProblem, ...]
    type: str
    references: tuple[str, ...]
    reads: tuple[str, ...]
    categories: tuple[str, ...]
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """How one segment differs between two catalogs. A count is ``None`` where it is too small to release."""

    segment: str
    kind: ChangeKind
    fields: tuple[str, ...]
    entering: int | None
    leaving: int | None
    members_before: int | None
    members_after: int | None
    through: tuple[str, ...]
    """What its rule depends on, directly or not, whose meaning changed."""


@dataclass(frozen=True, slots=True)
class OtherChange:
    """How an attribute, a purpose, a strategy or a trait differs between two catalogs."""

    part: str
    name: str
    kind: ChangeKind
    fields: tuple[str, ...]
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatalogDiff:
    """What a catalog would change; ``population`` is how many stored subjects were counted."""

    segments: tuple[SegmentChange, ...]
    others: tuple[OtherChange, ...]
    population: int
    digest: str


@dataclass(frozen=True, slots=True)
class StrategyFit:
    """What a strategy learned of ``customers`` customers: a catalog file, and the digest in it."""

    document: Document
    digest: str
    customers: int


@dataclass(frozen=True, slots=True)
class Member:
    """One who is in a segment, since when, and what made it so."""

    subject_token: str
    enter_time: dt.datetime
    reason: str


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """One who entered a segment, or left it. ``cursor`` is where to go on after it."""

    cursor: str
    subject_token: str
    segment: str
    entered: bool
    change_time: dt.datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many subjects were evaluated again, how many could not be, and how often one entered or left."""

    subjects: int
    failed: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class SubjectList:
    """A list that was uploaded; ``expire_time`` is ``None`` for never."""

    name: str
    owner: str
    size: int
    upload_time: dt.datetime
    expire_time: dt.datetime | None


@dataclass(frozen=True, slots=True)
class ListUpload:
    """How far an upload is: ids taken, ids that were none, the first of those by place with why, and last the
    list that serves now.
    """

    taken: int
    rejected: int
    rejections: Mapping[int, SegserverError]
    list: SubjectList | None

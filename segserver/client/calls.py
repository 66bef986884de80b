"""The calls, each written once: how its request is built and its reply read, for both clients.

A function here takes what a caller gives and returns a :class:`Call` or, for a list that comes in pages, a
:class:`Listing`; it does no I/O. :class:`segserver.client.Client` sends them and waits,
:class:`segserver.client.AsyncClient` sends them and is awaited.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from segserver.client.failures import failure_error
from segserver.client.reading import read
from segserver.client.results import (
    BulkEvaluation,
    EvaluatedPart,
    Evaluation,
    Event,
    EventsRecorded,
    Explanation,
    Profile,
    ProfileChange,
    ProfileWrite,
    SegmentResult,
)
from segserver.errors import InvalidInput, SegserverError
from segserver.model import NAME, SubjectId, Value
from segserver.v1 import profile_service_pb2, segmentation_service_pb2, value_pb2
from segserver.wire import attributes_to_proto, timestamp_from_proto, timestamp_to_proto

T = TypeVar("T")

Subject: TypeAlias = SubjectId | str
"""Who a call is about: a :class:`SubjectId`, ``"type:id"``, or an id of type ``customer``."""

NO_ATTRIBUTES: Mapping[str, Value] = {}
DEFAULT_TYPE = "customer"

_SEGMENTATION = "segserver.v1.SegmentationService"
_PROFILE = "segserver.v1.ProfileService"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call: the method, its request, and how to read the reply.

    ``lasting`` calls handle many subjects or a whole catalog, and have the longer deadline.
    """

    service: str
    method: str
    request: Message
    reply: type[Message]
    read: Callable[[Any], T]
    lasting: bool = False

    @property
    def path(self) -> str:
        """The method's full name, as gRPC sends it."""
        return f"/{self.service}/{self.method}"


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list in pages: ``page`` makes the call for a page token, ``""`` for the first."""

    page: Callable[[str], Call[tuple[tuple[T, ...], str]]]


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """A call whose replies are a stream, without a deadline.

    ``request`` is its one request, or makes a request of each item that is sent; ``items`` are those, and
    ``None`` for one request."""

    service: str
    method: str
    request: Message | Callable[[Any], Message]
    reply: type[Message]
    read: Callable[[Any], T]
    items: Iterable[Any] | AsyncIterable[Any] | None = None

    @property
    def path(self) -> str:
        """The method's full name, as gRPC sends it."""
        return f"/{self.service}/{self.method}"


def parse_subject(subject: Subject) -> SubjectId:
    """``subject`` as a :class:`SubjectId`.

    What stands before the first colon is the type where it can be one; ``customer:a:b`` is how to say that
    an id has a colon itself.

    Raises:
        InvalidInput: for an empty id or text that is not valid Unicode.
    """
    if isinstance(subject, str):
        kind, colon, identifier = subject.partition(":")
        typed = bool(colon) and NAME.fullmatch(kind) is not None
        subject = SubjectId(kind, identifier) if typed else SubjectId(DEFAULT_TYPE, subject)
    if not subject.id:
        raise InvalidInput.of("subject.id", "name the subject", reason="SUBJECT_MISSING")
    return subject


def evaluate(
    subject: Subject,
    purpose: str,
    segments: Iterable[str] = (),
    attributes: Mapping[str, Value] = NO_ATTRIBUTES,
    at: dt.datetime | None = None,
) -> Call[Evaluation]:
    """Which segments the subject is in, for the purpose.

    ``segments`` asks for some by id; none asks for all that serve the purpose. ``attributes`` are used for
    this answer and not stored. ``at`` is the moment to evaluate as of, aware; the server's clock without
    one.
    """
    return Call(
        _SEGMENTATION,
        "EvaluateSegments",
        segmentation_service_pb2.EvaluateSegmentsRequest(
            subject=_subject(subject),
            purpose=purpose,
            segments=_texts(segments, "segments"),
            attributes=attributes_to_proto(attributes),
            evaluate_time=moment(at),
        ),
        segmentation_service_pb2.EvaluateSegmentsResponse,
        lambda reply: read(Evaluation, reply.evaluation),
    )


def evaluate_batch(
    subjects: Sequence[Subject],
    purpose: str,
    segments: Iterable[str] = (),
    attributes: Sequence[Mapping[str, Value]] = (),
    at: dt.datetime | None = None,
) -> Call[tuple[Evaluation | SegserverError, ...]]:
    """As :func:`evaluate`, for up to 1,000 subjects: for each, in order, the answer or the error that it met.

    ``attributes``, where given, has one mapping for each subject.
    """
    brought = attributes or [NO_ATTRIBUTES] * len(subjects)
    if len(brought) != len(subjects):
        raise InvalidInput.of("attributes", f"{len(brought)} mappings for {len(subjects)} subjects")
    return Call(
        _SEGMENTATION,
        "BatchEvaluateSegments",
        segmentation_service_pb2.BatchEvaluateSegmentsRequest(
            subjects=[
                segmentation_service_pb2.BatchSubject(
                    subject=_subject(subject, f"subjects[{index}].subject"),
                    attributes=attributes_to_proto(own, f"subjects[{index}].attributes"),
                )
                for index, (subject, own) in enumerate(zip(subjects, brought, strict=True))
            ],
            purpose=purpose,
            segments=_texts(segments, "segments"),
            evaluate_time=moment(at),
        ),
        segmentation_service_pb2.BatchEvaluateSegmentsResponse,
        functools.partial(_each_result, name="evaluation", kind=Evaluation),
        lasting=True,
    )


def evaluate_all(
    purpose: str, segments: Iterable[str] = (), at: dt.datetime | None = None
) -> Stream[EvaluatedPart]:
    """As :func:`evaluate`, for every stored subject, in parts as they come. There is no deadline; when the
    iteration ends without an error, it was everybody."""
    return Stream(
        _SEGMENTATION,
        "BulkEvaluateSegments",
        segmentation_service_pb2.BulkEvaluateSegmentsRequest(
            purpose=purpose, segments=_texts(segments, "segments"), evaluate_time=moment(at)
        ),
        segmentation_service_pb2.BulkEvaluateSegmentsResponse,
        _evaluated,
    )


def explain(
    subject: Subject,
    segment: str,
    purpose: str,
    attributes: Mapping[str, Value] = NO_ATTRIBUTES,
    at: dt.datetime | None = None,
) -> Call[Explanation]:
    """Why the subject is or is not in the segment: the rule as a tree with the truth of every node."""
    return Call(
        _SEGMENTATION,
        "ExplainSegment",
        segmentation_service_pb2.ExplainSegmentRequest(
            subject=_subject(subject),
            purpose=purpose,
            segment=segment,
            attributes=attributes_to_proto(attributes),
            evaluate_time=moment(at),
        ),
        segmentation_service_pb2.ExplainSegmentResponse,
        functools.partial(read, Explanation),
    )


def upsert_profile(
    subject: Subject, attributes: Mapping[str, Value] = NO_ATTRIBUTES, removed: Iterable[str] = ()
) -> Call[ProfileWrite]:
    """Sets and removes attributes of one subject; the others stay."""
    return Call(
        _PROFILE,
        "UpsertProfile",
        profile_service_pb2.UpsertProfileRequest(
            change=_change(ProfileChange(subject, attributes, tuple(removed)), "change")
        ),
        profile_service_pb2.UpsertProfileResponse,
        functools.partial(read, ProfileWrite),
    )


def upsert_profiles(changes: Sequence[ProfileChange]) -> Call[tuple[ProfileWrite | SegserverError, ...]]:
    """Writes up to 1,000 subjects: for each, in order, what was written or the error that it met."""
    return Call(
        _PROFILE,
        "BatchUpsertProfiles",
        profile_service_pb2.BatchUpsertProfilesRequest(
            changes=[_change(change, f"changes[{index}]") for index, change in enumerate(changes)]
        ),
        profile_service_pb2.BatchUpsertProfilesResponse,
        functools.partial(_each_result, name="profile", kind=ProfileWrite),
        lasting=True,
    )


def get_profile(subject: Subject) -> Call[Profile]:
    """What is stored about the subject. The read is audited."""
    return Call(
        _PROFILE,
        "GetProfile",
        profile_service_pb2.GetProfileRequest(subject=_subject(subject)),
        profile_service_pb2.GetProfileResponse,
        lambda reply: read(Profile, reply.profile),
    )


def record_events(events: Sequence[Event]) -> Call[EventsRecorded]:
    """Records up to 10,000 events: how many landed, and the error that each of the others met.

    An event with an id may be sent again without harm; one without would be recorded twice."""
    return Call(
        _PROFILE,
        "RecordEvents",
        profile_service_pb2.RecordEventsRequest(events=_events(events)),
        profile_service_pb2.RecordEventsResponse,
        _recorded,
        lasting=True,
    )


def stream_events(
    batches: Iterable[Sequence[Event]] | AsyncIterable[Sequence[Event]],
) -> Stream[EventsRecorded]:
    """As :func:`record_events` for each batch: what became of it comes once its events are durable."""
    return Stream(
        _PROFILE,
        "StreamEvents",
        lambda batch: profile_service_pb2.StreamEventsRequest(events=_events(batch)),
        profile_service_pb2.StreamEventsResponse,
        _recorded,
        batches,
    )


def _events(events: Sequence[Event]) -> list[profile_service_pb2.Event]:
    return [
        profile_service_pb2.Event(
            subject=_subject(event.subject, f"events[{index}].subject"),
            name=event.name,
            time=timestamp_to_proto(event.time, f"events[{index}].time"),
            properties=attributes_to_proto(event.properties, f"events[{index}].properties"),
            id=event.id,
        )
        for index, event in enumerate(events)
    ]


def _recorded(reply: Any) -> EventsRecorded:
    rejected = {one.index: failure_error(one.error) for one in reply.rejected}
    return EventsRecorded(reply.recorded, reply.repeated, rejected)


def _each_result(reply: Any, *, name: str, kind: type[T]) -> tuple[T | SegserverError, ...]:
    return tuple(
        [
            read(kind, getattr(result, name)) if result.HasField(name) else failure_error(result.error)
            for result in reply.results
        ]
    )


def _evaluated(reply: Any) -> EvaluatedPart:
    distinct = [read(SegmentResult, result) for result in reply.distinct]
    return EvaluatedPart(
        evaluation_id=reply.evaluation_id,
        evaluate_time=timestamp_from_proto(reply.evaluate_time),
        catalog_digest=reply.catalog_digest,
        log_index=reply.log_index,
        evaluations=tuple(
            [
                BulkEvaluation(
                    one.subject_token,
                    tuple([distinct[place] for place in one.results]),
                    failure_error(one.error) if one.HasField("error") else None,
                )
                for one in reply.results
            ]
        ),
    )


def _subject(subject: Subject, field: str = "subject") -> value_pb2.SubjectId:
    try:
        parsed = parse_subject(subject)
        return value_pb2.SubjectId(type=parsed.type, id=parsed.id)
    except InvalidInput as error:
        raise InvalidInput.of(f"{field}.id", error.violations[0].description, reason=error.reason) from None
    except UnicodeEncodeError:
        raise InvalidInput.of(f"{field}.id", "text that is not valid Unicode") from None


def _change(change: ProfileChange, field: str) -> profile_service_pb2.ProfileChange:
    return profile_service_pb2.ProfileChange(
        subject=_subject(change.subject, f"{field}.subject"),
        attributes=attributes_to_proto(change.attributes, f"{field}.attributes"),
        removed=_texts(change.removed, f"{field}.removed"),
    )


def _texts(texts: Iterable[str], field: str) -> list[str]:
    """A list of ids or names. One text alone is a common slip, and would be taken for its letters."""
    if isinstance(texts, str):
        raise InvalidInput.of(field, "expected a list of strings, got a string")
    return list(texts)


def moment(at: dt.datetime | None) -> Timestamp | None:
    """The moment to evaluate as of, as a message. Raises :class:`InvalidInput`."""
    return None if at is None else timestamp_to_proto(at, "evaluate_time")

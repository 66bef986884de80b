"""Engine answers as messages, and requests as the engine's nouns. Pure; the limits of a request are checked
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from segserver import wire
from segserver.config import Limits
from segserver.engine.answers import Evaluation, SegmentResult
from segserver.errors import InvalidInput, Violation
from segserver.model import SubjectId, Value
from segserver.v1 import segmentation_service_pb2 as pb
from segserver.v1 import value_pb2

DEFAULT_ID_TYPE = "customer"

RESULTS_KEPT_MAX = 16_384
"""So many results are kept as messages, about a kilobyte each. Those of a catalog that serves no more are
among them until newer ones take their place."""


def subject_id(message: value_pb2.SubjectId, limits: Limits, field: str = "subject") -> SubjectId:
    """The subject of a request. Raises :class:`InvalidInput` when there is none or its id is too long."""
    if not message.id:
        raise InvalidInput.of(f"{field}.id", "name the subject", reason="SUBJECT_MISSING")
    if len(message.id.encode()) > limits.subject_id_bytes_max:
        raise too_long(f"{field}.id", "subject_id_bytes_max", limits.subject_id_bytes_max)
    return SubjectId(message.type or DEFAULT_ID_TYPE, message.id)


def purpose(name: str) -> str:
    """The purpose of a request. Raises :class:`InvalidInput` when there is none."""
    if not name:
        raise InvalidInput.of("purpose", "say what the answer is for", reason="PURPOSE_MISSING")
    return name


def attributes(message: value_pb2.Attributes, limits: Limits, field: str = "attributes") -> dict[str, Value]:
    """The attributes that a request brings. Raises :class:`InvalidInput` with every wrong one."""
    if not message.values:
        return {}
    if len(message.values) > limits.request_attributes_max:
        raise too_long(field, "request_attributes_max", limits.request_attributes_max)
    values = wire.attributes_from_proto(message, field)
    check_sizes(values, limits, field)
    return values


def check_sizes(values: Mapping[str, Value], limits: Limits, field: str) -> None:
    """Raises :class:`InvalidInput` with every string and list that is over its limit."""
    violations = []
    for name, value in values.items():
        texts = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        if isinstance(value, tuple) and len(value) > limits.list_items_max:
            description = _beyond("list_items_max", limits.list_items_max)
        elif any(
            len(text) * 4 > limits.string_bytes_max and len(text.encode()) > limits.string_bytes_max
            for text in texts
        ):
            description = _beyond("string_bytes_max", limits.string_bytes_max)
        else:
            continue
        violations.append(Violation(f"{field}.values[{name}]", description))
    if violations:
        text = "; ".join(f"{v.field}: {v.description}" for v in violations)
        raise InvalidInput(text, reason="LIMIT_EXCEEDED", violations=violations)


def too_long(field: str, limit: str, value: int) -> InvalidInput:
    """The error about a field that is over a limit, naming the setting and its value."""
    return InvalidInput.beyond(field, f"limits.{limit}", value)


def _beyond(limit: str, value: int) -> str:
    return f"is beyond the limit of {value} (limits.{limit})"


def time_us(message: Timestamp | None, field: str = "evaluate_time") -> int | None:
    """A time as microseconds since the epoch; ``None`` where the request has none."""
    return None if message is None else wire.timestamp_us_from_proto(message, field)


def evaluation(answer: Evaluation) -> pb.Evaluation:
    """An answer as a message."""
    message = pb.Evaluation(
        evaluation_id=answer.evaluation_id,
        evaluate_time=timestamp(answer.time_us),
        catalog_digest=answer.catalog_digest,
        subject_token=answer.subject_token,
    )
    message.results.extend([segment_result(result) for result in answer.results])
    return message


def evaluate_response(answer: Evaluation) -> bytes:
    """An ``EvaluateSegmentsResponse`` with this answer, serialized.

    Serialized messages that stand one behind the other are read as one, merged
    (https://protobuf.dev/programming-guides/encoding/#last-one-wins): the reply is its head and, behind it,
    the bytes of each result, which are made once."""
    reply = pb.EvaluateSegmentsResponse()
    head = reply.evaluation  # filled in place: a message made for another costs as much again as its fields
    head.evaluation_id = answer.evaluation_id
    head.catalog_digest = answer.catalog_digest
    head.subject_token = answer.subject_token
    seconds, rest = divmod(answer.time_us, 1_000_000)
    head.evaluate_time.seconds, head.evaluate_time.nanos = seconds, rest * 1000
    # At the epoch both are zero, which would leave the time out.
    head.evaluate_time.SetInParent()
    return b"".join([reply.SerializeToString(), *map(_result_part, answer.results)])


@lru_cache(maxsize=RESULTS_KEPT_MAX)
def _result_part(result: SegmentResult) -> bytes:
    """A reply that holds nothing but one result, serialized."""
    part = pb.EvaluateSegmentsResponse(evaluation=pb.Evaluation(results=[segment_result(result)]))
    serialized: bytes = part.SerializeToString()
    return serialized


@lru_cache(maxsize=RESULTS_KEPT_MAX)
def segment_result(result: SegmentResult) -> pb.SegmentResult:
    """A result as a message. Results repeat: most are one of two for each segment, so the messages are kept.

    The returned message is shared: copy it into a reply, never change it.
    """
    return pb.SegmentResult(
        segment=result.segment,
        outcome=pb.Outcome.Name(result.outcome.value),
        missing=result.missing,
        withheld=[pb.WithheldAttribute(attribute=name, reason=reason) for name, reason in result.withheld],
        reason=result.reason,
        failed_traits=result.failed_traits,
        human_review=result.human_review,
    )


def timestamp(us: int) -> Timestamp:
    """Microseconds since the epoch as a message."""
    seconds, rest = divmod(us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)

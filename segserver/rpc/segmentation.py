"""SegmentationService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import asdict

from segserver.config import Limits
from segserver.engine import Engine
from segserver.engine.answers import Evaluation
from segserver.engine.corridor import Question
from segserver.engine.slices import sliced
from segserver.errors import InvalidInput, SegserverError
from segserver.model import Caller
from segserver.rpc import bulk, convert, memberships, status
from segserver.rpc.explanation import explain_response
from segserver.rpc.permissions import VALUE_READERS
from segserver.v1 import segmentation_service_pb2 as pb


class SegmentationServicer:
    """Answers for one subject, for many, and says why."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limits: Limits = engine.config.limits

    async def EvaluateSegments(  # noqa: N802  the name in the proto
        self, request: pb.EvaluateSegmentsRequest, caller: Caller
    ) -> bytes:
        """Evaluates one subject."""
        question = self._question(request, self._segments(request.segments))
        answer = await self._engine.evaluator.evaluate(caller, question)
        return convert.evaluate_response(answer)

    async def BatchEvaluateSegments(  # noqa: N802
        self, request: pb.BatchEvaluateSegmentsRequest, caller: Caller
    ) -> pb.BatchEvaluateSegmentsResponse:
        """Evaluates many subjects; each has an answer or a failure of its own."""
        if len(request.subjects) > self._limits.batch_subjects_max:
            raise convert.too_long("subjects", "batch_subjects_max", self._limits.batch_subjects_max)
        purpose = convert.purpose(request.purpose)
        segments = self._segments(request.segments)
        at_us = convert.time_us(request.evaluate_time if request.HasField("evaluate_time") else None)
        questions: list[Question | SegserverError] = []
        async for number, item in sliced(enumerate(request.subjects)):
            try:
                questions.append(
                    Question(
                        subject=convert.subject_id(item.subject, self._limits, f"subjects[{number}].subject"),
                        purpose=purpose,
                        segments=segments,
                        attributes=convert.attributes(
                            item.attributes, self._limits, f"subjects[{number}].attributes"
                        ),
                        at_us=at_us,
                        attributes_field=f"subjects[{number}].attributes",
                    )
                )
            except SegserverError as error:
                questions.append(error)
        answers = await self._engine.evaluator.evaluate_batch(caller, purpose, segments, questions)
        return pb.BatchEvaluateSegmentsResponse(
            results=[
                pb.BatchResult(evaluation=convert.evaluation(answer))
                if isinstance(answer, Evaluation)
                else pb.BatchResult(error=status.failure_of(answer))
                async for answer in sliced(answers)
            ]
        )

    async def BulkEvaluateSegments(  # noqa: N802
        self, request: pb.BulkEvaluateSegmentsRequest, caller: Caller
    ) -> AsyncIterator[pb.BulkEvaluateSegmentsResponse]:
        """Evaluates every stored subject."""
        pages = self._engine.bulk.evaluate_all(
            caller,
            convert.purpose(request.purpose),
            self._segments(request.segments),
            convert.time_us(request.evaluate_time if request.HasField("evaluate_time") else None),
        )
        async with aclosing(pages):
            async for page in pages:
                for part in bulk.parts(page):
                    yield part

    async def ListMembers(self, request: pb.ListMembersRequest, caller: Caller) -> pb.ListMembersResponse:  # noqa: N802
        """A page of the members of a segment."""
        if not request.segment:
            raise InvalidInput.of("segment", "name the segment", reason="SEGMENT_MISSING")
        found, following = await self._engine.watcher.members(
            caller,
            convert.purpose(request.purpose),
            request.segment,
            memberships.place(request.page_token, "page_token") or 0,
            memberships.page_size(request.page_size),
        )
        return memberships.members(found, following)

    async def WatchMemberships(  # noqa: N802
        self, request: pb.WatchMembershipsRequest, caller: Caller
    ) -> AsyncIterator[pb.WatchMembershipsResponse]:
        """Who enters and leaves, as it happens."""
        purpose, segments = convert.purpose(request.purpose), self._segments(request.segments)
        cursor = memberships.place(request.cursor, "cursor")
        async with aclosing(self._engine.watcher.watch(caller, purpose, segments, cursor)) as moves:
            async for found in moves:
                yield memberships.moves(found)

    async def RefreshMemberships(  # noqa: N802
        self, _: pb.RefreshMembershipsRequest, __: Caller
    ) -> pb.RefreshMembershipsResponse:
        """Evaluates again whose turn it is."""
        done = await self._engine.refresher.refresh()
        return pb.RefreshMembershipsResponse(**asdict(done))

    async def ExplainSegment(  # noqa: N802
        self, request: pb.ExplainSegmentRequest, caller: Caller
    ) -> pb.ExplainSegmentResponse:
        """Explains one segment for one subject."""
        question = self._question(request, (request.segment,))
        explanation = await self._engine.explainer.explain(caller, question)
        return explain_response(explanation, show_values=not caller.roles.isdisjoint(VALUE_READERS))

    def _question(
        self, request: pb.EvaluateSegmentsRequest | pb.ExplainSegmentRequest, segments: tuple[str, ...]
    ) -> Question:
        return Question(
            subject=convert.subject_id(request.subject, self._limits),
            purpose=convert.purpose(request.purpose),
            segments=segments,
            attributes=convert.attributes(request.attributes, self._limits),
            at_us=convert.time_us(request.evaluate_time if request.HasField("evaluate_time") else None),
        )

    def _segments(self, names: Iterable[str]) -> tuple[str, ...]:
        segments = tuple(names)
        if len(segments) > self._limits.request_segments_max:
            raise convert.too_long("segments", "request_segments_max", self._limits.request_segments_max)
        return segments

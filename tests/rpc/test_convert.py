"""The reply of an evaluation, put together from prepared bytes, is the message that it stands for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segserver.engine.answers import Evaluation, SegmentResult
from segserver.model import Outcome
from segserver.rpc import convert
from segserver.v1 import segmentation_service_pb2 as pb

RESULTS = st.builds(
    SegmentResult,
    st.text(max_size=9),
    st.sampled_from(Outcome),
    missing=st.tuples(st.text(max_size=9)) | st.just(()),
    withheld=st.tuples(st.tuples(st.text(max_size=9), st.text(max_size=9))) | st.just(()),
    reason=st.text(max_size=9),
    human_review=st.booleans(),
)
YEAR_1_US, YEAR_9999_US = -62_135_596_800_000_000, 253_402_300_799_999_999


@given(
    st.text(max_size=9),
    st.just(0) | st.integers(YEAR_1_US, YEAR_9999_US),
    st.text(max_size=9),
    st.lists(RESULTS, max_size=4),
)
def test_a_reply_reads_as_its_message(
    name: str, time_us: int, token: str, results: list[SegmentResult]
) -> None:
    answer = Evaluation(name, time_us, "digest", token, results)
    reply = pb.EvaluateSegmentsResponse.FromString(convert.evaluate_response(answer))
    assert reply == pb.EvaluateSegmentsResponse(evaluation=convert.evaluation(answer))

"""Every error of the tree becomes one status with a stable reason."""

import base64
from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from hypothesis import example, given
from hypothesis import strategies as st

from segserver import errors
from segserver.rpc.status import LEFT_OUT, code_of, details_of, failure_of, message_of

CODES = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.RuleError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.IntegrityError: grpc.StatusCode.DATA_LOSS,
}


def subclasses(kind):
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_the_table_below_names_every_error_of_the_tree():
    tree = {kind for kind in subclasses(errors.SegserverError) if kind.__module__ == errors.__name__}
    assert tree == {*CODES, errors.CatalogError}


@pytest.mark.parametrize(("kind", "code"), list(CODES.items()))
def test_each_error_has_its_code(kind, code):
    assert code_of(kind("what happened")) is code


def test_details_hold_the_reason_the_metadata_and_the_fields():
    error = errors.InvalidInput(
        "two things",
        reason="TWO_THINGS",
        metadata={"limit": "7"},
        violations=[errors.Violation("a.b", "too long"), errors.Violation("c", "missing")],
    )
    status = Status.FromString(details_of(error))
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert (info.reason, info.domain, dict(info.metadata)) == ("TWO_THINGS", "segserver", {"limit": "7"})
    assert [(v.field, v.description) for v in bad.field_violations] == [("a.b", "too long"), ("c", "missing")]
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def test_a_limit_says_when_to_try_again():
    status = Status.FromString(details_of(errors.LimitExceeded("too often", retry_after_s=0.0401)))
    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 41
    assert len(Status.FromString(details_of(errors.LimitExceeded("full"))).details) == 1


def test_a_part_of_a_batch_fails_in_the_same_terms():
    failure = failure_of(errors.NotFound("no such thing", reason="THING_NOT_FOUND", near=["thong"]))
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND.value[0], "THING_NOT_FOUND")
    assert "did you mean thong?" in failure.message


def test_a_catalog_error_lists_every_problem():
    error = errors.CatalogError(
        [errors.Problem("bad", "a.yaml", 3, "rule"), errors.Problem("worse", "b.yaml", 5)]
    )
    assert "a.yaml:3: rule: bad" in error.message
    assert "b.yaml:5: worse" in error.message
    assert code_of(error) is grpc.StatusCode.INVALID_ARGUMENT


@given(
    st.text(max_size=4_000),
    st.lists(st.tuples(st.text(max_size=2_000), st.text(max_size=2_000)), max_size=80),
    st.dictionaries(st.sampled_from(["near", "limit", "value"]), st.text(max_size=3_000)),
)
@example("\N{SNOWMAN}" * 100_000, [("f" * 100_000, "\N{SNOWMAN}" * 9_000)] * 500, {"near": "n" * 50_000})
@example("\ud800", [("\ud800", "\ud800")], {"near": "\ud800"})
def test_an_error_fits_into_the_trailers_that_every_client_accepts(message, violations, metadata):
    found = [errors.Violation(field, description) for field, description in violations]
    error = errors.InvalidInput(message, metadata=metadata, violations=found)
    details = details_of(error)
    assert len(quote(message_of(error))) + len(base64.b64encode(details)) < 8_000
    status = Status.FromString(details)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    shown = 0
    if len(status.details) > 1:
        assert status.details[1].Unpack(bad)
        shown = len(bad.field_violations)
    assert shown + int(info.metadata.get(LEFT_OUT, "0")) == len(violations)
    assert failure_of(error).ByteSize() < 200_000


def test_a_short_error_is_said_whole():
    error = errors.InvalidInput("é" * 200, violations=[errors.Violation("a", "é" * 100)] * 8)
    assert message_of(error) == "é" * 200
    assert LEFT_OUT.encode() not in details_of(error)

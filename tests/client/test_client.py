"""The client against a real server: answers, errors, retries, deadlines, pages; both forms alike."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import threading

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from scripted import Refusal

from segserver import errors
from segserver.client import AsyncClient, ChangeKind, Client, Document, ProfileChange, Truth, parse_subject
from segserver.client.connection import Connection
from segserver.model import Outcome, SubjectId
from segserver.v1 import catalog_service_pb2, profile_service_pb2, segmentation_service_pb2, value_pb2

NOON = dt.datetime(2026, 3, 4, 12, 0, 0, 5, tzinfo=dt.UTC)
EVALUATION = segmentation_service_pb2.Evaluation(
    evaluation_id="e1",
    evaluate_time=Timestamp(seconds=int(NOON.timestamp()), nanos=5_000),
    catalog_digest="sha256:00",
    subject_token="t1",
    results=[
        segmentation_service_pb2.SegmentResult(segment="retail/new", outcome="OUTCOME_MEMBER"),
        segmentation_service_pb2.SegmentResult(
            segment="retail/old",
            outcome="OUTCOME_WITHHELD",
            missing=["city"],
            withheld=[
                segmentation_service_pb2.WithheldAttribute(attribute="birth_date", reason="CONSENT_MISSING")
            ],
        ),
    ],
)
ANSWER = segmentation_service_pb2.EvaluateSegmentsResponse(evaluation=EVALUATION)


class Waited:
    """An AsyncClient used like a Client, so that a test is written once for both."""

    def __init__(self, address, **settings):
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self._make(address, settings))

    async def _make(self, address, settings):
        return AsyncClient(address, **settings)

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*args, **kwargs):
            async def run():
                result = method(*args, **kwargs)
                return [item async for item in result] if inspect.isasyncgen(result) else await result

            return self._runner.run(run())

        return call

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture(params=[Client, Waited], ids=["waiting", "awaited"])
def connect(request):
    return request.param


def test_both_clients_have_one_surface():
    def surface(client):
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in vars(client).items()
            if callable(member) and not name.startswith("_")
        }

    assert surface(Client) == surface(AsyncClient)
    assert all(inspect.getdoc(getattr(Client, name)) for name in surface(Client))


def test_an_answer_is_typed(server, connect):
    server.reply("EvaluateSegments", ANSWER)
    with connect(server.address, api_key="segserver_key") as client:
        answer = client.evaluate("email:a@example.com", "marketing", ["retail/new"], {"age": 30}, at=NOON)
    assert answer.evaluate_time == NOON
    assert answer.members == ("retail/new",)
    withheld = answer["retail/old"]
    assert withheld.outcome is Outcome.WITHHELD
    assert [(item.attribute, item.reason) for item in withheld.withheld] == [
        ("birth_date", "CONSENT_MISSING")
    ]
    request = server.requests[0]
    assert (request.subject.type, request.subject.id, request.purpose) == (
        "email",
        "a@example.com",
        "marketing",
    )
    assert request.attributes.values["age"].int_value == 30
    assert request.evaluate_time == EVALUATION.evaluate_time
    assert server.metadata[0]["authorization"] == "Bearer segserver_key"
    assert 0 < server.remaining_s[0] < 6
    with pytest.raises(KeyError):
        answer["retail/other"]


def test_each_part_of_a_batch_has_an_answer_or_an_error(server, connect):
    failure = value_pb2.Failure(
        code=grpc.StatusCode.INVALID_ARGUMENT.value[0],
        reason="VALUE_TYPE_MISMATCH",
        message="age: expected int",
        violations=[value_pb2.FieldViolation(field="age", description="expected int")],
    )
    server.reply(
        "BatchEvaluateSegments",
        segmentation_service_pb2.BatchEvaluateSegmentsResponse(
            results=[
                segmentation_service_pb2.BatchResult(evaluation=EVALUATION),
                segmentation_service_pb2.BatchResult(error=failure),
            ]
        ),
    )
    server.reply(
        "BatchUpsertProfiles",
        profile_service_pb2.BatchUpsertProfilesResponse(
            results=[
                profile_service_pb2.BatchUpsertResult(error=failure),
                profile_service_pb2.BatchUpsertResult(
                    profile=profile_service_pb2.UpsertProfileResponse(subject_token="t", revision=2)
                ),
            ]
        ),
    )
    with connect(server.address, timeout_s=2, lasting_timeout_s=30) as client:
        good, bad = client.evaluate_batch(["1", "2"], "marketing", attributes=[{}, {"age": "x"}])
        wrong, written = client.upsert_profiles(
            [ProfileChange("1", {"age": 3}), ProfileChange("2", {}, ("age",))]
        )
    assert good.evaluation_id == "e1"
    assert type(bad) is type(wrong) is errors.InvalidInput
    assert bad.reason == "VALUE_TYPE_MISMATCH"
    assert bad.violations == (errors.Violation("age", "expected int"),)
    assert (written.subject_token, written.revision) == ("t", 2)
    assert server.requests[1].changes[1].removed == ["age"]
    assert all(2 < remaining < 31 for remaining in server.remaining_s)


def test_an_explanation_is_a_tree(server, connect):
    leaf = segmentation_service_pb2.ExplanationNode(expression="a", truth="TRUTH_UNKNOWN", line=1, column=1)
    server.reply(
        "ExplainSegment",
        segmentation_service_pb2.ExplainSegmentResponse(
            evaluate_time=EVALUATION.evaluate_time,
            result=EVALUATION.results[1],
            rule="a && b",
            tree=segmentation_service_pb2.ExplanationNode(
                expression="a && b", truth="TRUTH_FALSE", children=[leaf, leaf]
            ),
            smallest_change=[
                segmentation_service_pb2.Condition(expression="b", truth="TRUTH_FALSE", needed="TRUTH_TRUE")
            ],
        ),
    )
    with connect(server.address) as client:
        explanation = client.explain("7", "retail/old", "marketing")
    assert [child.truth for child in explanation.tree.children] == [Truth.UNKNOWN, Truth.UNKNOWN]
    assert explanation.smallest_change[0].needed is Truth.TRUE


def test_profiles(server, connect):
    profile = profile_service_pb2.Profile(
        subject_token="t",
        attributes=value_pb2.Attributes(values={"age": value_pb2.Value(int_value=3)}),
        revision=4,
        update_time=EVALUATION.evaluate_time,
    )
    server.reply("GetProfile", profile_service_pb2.GetProfileResponse(profile=profile))
    server.reply("UpsertProfile", profile_service_pb2.UpsertProfileResponse(revision=4))
    with connect(server.address) as client:
        assert client.upsert_profile("7", {"age": 3}, removed=["city"]).revision == 4
        assert client.get_profile(SubjectId("crm", "7")).attributes == {"age": 3}
    assert server.requests[0].change.removed == ["city"]
    assert server.requests[1].subject == value_pb2.SubjectId(type="crm", id="7")


@pytest.mark.parametrize(
    ("listing", "method", "reply", "item", "name"),
    [
        ("segments", "ListSegments", catalog_service_pb2.ListSegmentsResponse, "segments", "id"),
        ("strategies", "ListStrategies", catalog_service_pb2.ListStrategiesResponse, "strategies", "name"),
        ("attributes", "ListAttributes", catalog_service_pb2.ListAttributesResponse, "attributes", "name"),
        (
            "event_definitions",
            "ListEventDefinitions",
            catalog_service_pb2.ListEventDefinitionsResponse,
            "definitions",
            "name",
        ),
        (
            "computed_attributes",
            "ListComputedAttributes",
            catalog_service_pb2.ListComputedAttributesResponse,
            "attributes",
            "name",
        ),
        ("purposes", "ListPurposes", catalog_service_pb2.ListPurposesResponse, "purposes", "name"),
    ],
)
def test_lists_fetch_their_pages(server, connect, listing, method, reply, item, name):
    def page(names, token):
        return reply(**{item: [{name: n} for n in names]}, next_page_token=token)

    server.reply(method, page(["a", "b"], "p2"), page([], "p3"), page(["c"], ""))
    with connect(server.address) as client:
        assert [getattr(found, name) for found in getattr(client, listing)()] == ["a", "b", "c"]
    assert [request.page_token for request in server.requests] == ["", "p2", "p3"]


def test_a_list_fetches_no_page_that_nobody_asks_for(server):
    segment = catalog_service_pb2.Segment(id="a")
    server.reply(
        "ListSegments", catalog_service_pb2.ListSegmentsResponse(segments=[segment], next_page_token="2")
    )
    with Client(server.address) as client:
        assert next(client.segments(purpose="marketing", tag="x")).id == "a"
    assert [(request.purpose, request.tag) for request in server.requests] == [("marketing", "x")]


def test_catalogs(server, connect):
    version = catalog_service_pb2.CatalogVersion(
        version=3, digest="sha256:11", publish_time=EVALUATION.evaluate_time
    )
    server.reply(
        "GetCatalog",
        catalog_service_pb2.GetCatalogResponse(
            version=version, documents=[{"name": "a.yaml", "text": "x: 1"}]
        ),
    )
    server.reply("PublishCatalog", catalog_service_pb2.PublishCatalogResponse(version=version))
    server.reply("ListCatalogVersions", catalog_service_pb2.ListCatalogVersionsResponse(versions=[version]))
    server.reply("GetSegment", catalog_service_pb2.GetSegmentResponse(segment={"id": "a", "priority": 2}))
    server.reply(
        "ValidateRule", catalog_service_pb2.ValidateRuleResponse(problems=[{"message": "no", "line": 1}])
    )
    server.reply(
        "DiffCatalog",
        catalog_service_pb2.DiffCatalogResponse(
            segments=[{"segment": "a", "kind": "CHANGE_KIND_CHANGED", "entering": 0}], population=9
        ),
    )
    documents = [Document("a.yaml", "x: 1")]
    with connect(server.address) as client:
        assert client.catalog(3).documents == (documents[0],)
        assert client.publish_catalog(documents, "why", "sha256:10", validate_only=True).version == 3
        assert [found.publish_time for found in client.catalog_versions()] == [NOON]
        assert client.segment("a").priority == 2
        assert client.validate_rule("x").problems[0].message == "no"
        change = client.diff_catalog(documents, purpose="marketing").segments[0]
    assert change.kind is ChangeKind.CHANGED
    assert (change.entering, change.leaving) == (0, None)
    published = next(r for r in server.requests if isinstance(r, catalog_service_pb2.PublishCatalogRequest))
    assert (published.note, published.expected_digest, published.validate_only) == ("why", "sha256:10", True)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARGUMENT", errors.InvalidInput),
        ("NOT_FOUND", errors.NotFound),
        ("ABORTED", errors.Conflict),
        ("PERMISSION_DENIED", errors.PermissionDenied),
        ("UNAUTHENTICATED", errors.Unauthenticated),
        ("FAILED_PRECONDITION", errors.FailedPrecondition),
        ("RESOURCE_EXHAUSTED", errors.LimitExceeded),
        ("UNAVAILABLE", errors.Unavailable),
        ("DATA_LOSS", errors.IntegrityError),
        ("INTERNAL", errors.SegserverError),
    ],
)
def test_a_refusal_becomes_the_error_that_it_was(server, connect, code, kind):
    server.reply(
        "EvaluateSegments",
        Refusal(
            grpc.StatusCode[code],
            "segments: no such segment",
            reason="SOME_REASON",
            metadata={"near": "a,b"},
            violations=[("segments[0]", "no such segment")],
        ),
    )
    with connect(server.address, retries=0) as client, pytest.raises(errors.SegserverError) as caught:
        client.evaluate("1", "marketing")
    assert type(caught.value) is kind
    assert str(caught.value) == "segments: no such segment"
    assert caught.value.reason == "SOME_REASON"
    assert caught.value.metadata == {"near": "a,b"}
    assert caught.value.violations == (errors.Violation("segments[0]", "no such segment"),)


def test_a_call_that_the_server_does_not_know(server, connect):
    server.reply("EvaluateSegments", Refusal(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
    with connect(server.address) as client, pytest.raises(errors.FailedPrecondition, match="does not know"):
        client.evaluate("1", "marketing")


def test_unavailable_is_tried_again(server, connect):
    busy = Refusal(grpc.StatusCode.UNAVAILABLE, "disk full", reason="STORE_UNAVAILABLE")
    server.reply("EvaluateSegments", busy, busy, ANSWER)
    with connect(server.address) as client:
        assert client.evaluate("1", "marketing").evaluation_id == "e1"
    assert len(server.requests) == 3


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (2, 3)])
def test_retries_end(server, connect, retries, attempts):
    server.reply("EvaluateSegments", Refusal(grpc.StatusCode.UNAVAILABLE, "full", reason="STORE_UNAVAILABLE"))
    with connect(server.address, retries=retries) as client, pytest.raises(errors.Unavailable, match="full"):
        client.evaluate("1", "marketing")
    assert len(server.requests) == attempts


def test_nothing_else_is_tried_again_and_publishing_never(server, connect):
    server.reply("EvaluateSegments", Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down", reason="X"))
    server.reply("PublishCatalog", Refusal(grpc.StatusCode.UNAVAILABLE, "full", reason="STORE_UNAVAILABLE"))
    with connect(server.address) as client:
        with pytest.raises(errors.LimitExceeded):
            client.evaluate("1", "marketing")
        with pytest.raises(errors.Unavailable):
            client.publish_catalog([])
    assert len(server.requests) == 2


def test_the_deadline_ends_a_call(server, connect):
    release = threading.Event()
    server.reply("EvaluateSegments", lambda _request: release.wait(30) and ANSWER)
    try:
        with connect(server.address, timeout_s=0.2) as client, pytest.raises(errors.DeadlineExceeded):
            client.evaluate("1", "marketing")
    finally:
        release.set()


def test_no_server(connect, server):
    server.stop()
    with (
        connect(server.address, retries=0) as client,
        pytest.raises(errors.Unavailable, match=server.address) as caught,
    ):
        client.evaluate("1", "marketing")
    assert caught.value.reason == "SERVER_UNREACHABLE"


def test_a_reply_of_a_newer_server_is_an_error_and_not_a_guess(server, connect):
    newer = segmentation_service_pb2.EvaluateSegmentsResponse(
        evaluation=segmentation_service_pb2.Evaluation(results=[{"segment": "a", "outcome": 99}])
    )
    server.reply("EvaluateSegments", newer)
    with connect(server.address) as client, pytest.raises(errors.SegserverError, match="SegmentResult"):
        client.evaluate("1", "marketing")


@pytest.mark.parametrize(
    ("send", "field"),
    [
        (lambda c: c.evaluate("", "marketing"), "subject.id"),
        (lambda c: c.evaluate("customer:", "marketing"), "subject.id"),
        (lambda c: c.evaluate("\ud800", "marketing"), "subject.id"),
        (lambda c: c.evaluate("1", "marketing", "retail/new"), "segments"),
        (lambda c: c.evaluate("1", "marketing", attributes={"x": None}), "attributes.values[x]"),
        (lambda c: c.evaluate("1", "marketing", at=dt.datetime(2026, 1, 1)), "evaluate_time"),
        (lambda c: c.evaluate_batch(["1", ""], "marketing"), "subjects[1].subject.id"),
        (lambda c: c.evaluate_batch(["1"], "marketing", attributes=[{}, {}]), "attributes"),
        (
            lambda c: c.upsert_profiles([ProfileChange("1", {"x": b""})]),
            "changes[0].attributes.values[x]",
        ),
    ],
)
def test_a_wrong_argument_is_refused_before_it_is_sent(server, connect, send, field):
    with connect(server.address) as client, pytest.raises(errors.InvalidInput) as caught:
        send(client)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert server.requests == []


@pytest.mark.parametrize(
    "settings", [{"retries": 5}, {"retries": -1}, {"timeout_s": 0}, {"api_key": "key\n"}, {"api_key": "ü"}]
)
def test_wrong_settings_are_refused(settings):
    with pytest.raises(errors.InvalidInput) as caught:
        Client(**settings)
    assert "key\n" not in str(caught.value)


def test_a_proxy_of_the_environment_does_not_get_calls_to_this_machine(server, connect, monkeypatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.reply("EvaluateSegments", ANSWER)
    with connect(server.address, retries=0) as client:
        assert client.evaluate("1", "marketing").evaluation_id == "e1"


def test_a_key_is_not_shown():
    connection = Connection("127.0.0.1:1", "segserver_secret", 5.0, 60.0, 3)
    assert "segserver_secret" not in repr(connection)


@given(st.text(min_size=1).filter(lambda text: ":" not in text))
def test_a_subject_without_a_type_is_a_customer(text):
    assert parse_subject(text) == SubjectId("customer", text)


@given(st.from_regex(r"\A[a-z][a-z0-9_]{0,9}\Z"), st.text(min_size=1))
def test_a_subject_with_a_type(kind, text):
    assert parse_subject(f"{kind}:{text}") == SubjectId(kind, text)


def test_a_colon_that_ends_no_type_belongs_to_the_id():
    assert parse_subject("A7:3") == SubjectId("customer", "A7:3")

"""The commands against a server that answers by script: tables, JSON, exit codes, help."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import click
import grpc
import pytest
import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from scripted import Refusal

from segserver.cli import main
from segserver.v1 import (
    catalog_service_pb2,
    profile_service_pb2,
    segmentation_service_pb2,
    status_service_pb2,
    value_pb2,
)

NOW = Timestamp(seconds=1_772_000_000)
RESULTS = [
    segmentation_service_pb2.SegmentResult(segment="retail/new", outcome="OUTCOME_MEMBER"),
    segmentation_service_pb2.SegmentResult(
        segment="retail/old",
        outcome="OUTCOME_WITHHELD",
        missing=["city"],
        withheld=[
            segmentation_service_pb2.WithheldAttribute(attribute="birth_date", reason="CONSENT_MISSING"),
            segmentation_service_pb2.WithheldAttribute(attribute="income", reason="CONSENT_MISSING"),
        ],
    ),
    segmentation_service_pb2.SegmentResult(
        segment="retail/odd",
        outcome="OUTCOME_UNKNOWN",
        reason="STRATEGY_FAILED",
        failed_traits=["tech.browser"],
    ),
]
EVALUATION = segmentation_service_pb2.Evaluation(
    evaluation_id="e1", evaluate_time=NOW, catalog_digest=f"sha256:{'ab' * 32}", results=RESULTS
)


def attributes(**types):
    return catalog_service_pb2.ListAttributesResponse(
        attributes=[{"name": name, "type": type_name} for name, type_name in types.items()]
    )


def commands(group=main, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_every_command_has_help_with_an_example(run, path):
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Example:\n +segserver {path[0]}", result.output)
    prose = [line for line in result.output.splitlines() if not line.startswith("    segserver ")]
    assert max(map(len, prose)) <= 80


def test_help_is_quick_and_names_the_exit_codes():
    heavy = "grpc", "polars", "pyarrow", "cel_expr_python", "cryptography"
    code = (
        "import sys; from segserver.cli import main; main(['--help'], standalone_mode=False); "
        f"print('heavy:', sorted(set(sys.modules) & set({heavy!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert "heavy: []" in done.stdout
    assert "Exit codes:" in done.stdout


def test_a_command_that_does_not_exist(run):
    assert run("evalute").exit_code == 2


def test_evaluate_one(run, server):
    server.reply("EvaluateSegments", segmentation_service_pb2.EvaluateSegmentsResponse(evaluation=EVALUATION))
    result = run(
        "evaluate", "email:a@example.com", "-p", "marketing", "-s", "retail/new", "--at", "2026-03-01"
    )
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(result.stdout.split())
    assert "retail/new member" in words
    assert "CONSENT_MISSING: birth_date, income; no value: city" in words
    assert "STRATEGY_FAILED: tech.browser" in words
    assert "\x1b" not in result.stdout
    request = server.requests[0]
    assert (request.subject.type, request.segments, request.purpose) == ("email", ["retail/new"], "marketing")
    assert request.evaluate_time.ToJsonString() == "2026-03-01T00:00:00Z"


def test_evaluate_some_as_json(run, server):
    failure = value_pb2.Failure(code=5, reason="SUBJECT_NOT_FOUND", message="no such subject")
    server.reply(
        "BatchEvaluateSegments",
        segmentation_service_pb2.BatchEvaluateSegmentsResponse(
            results=[{"evaluation": EVALUATION}, {"error": failure}]
        ),
    )
    server.reply("ListAttributes", attributes(age="int", tags="list(string)"))
    result = run("evaluate", "1", "2", "-p", "marketing", "-a", "age=7", "-a", "tags=a, b", "--json")
    assert result.exit_code == 1
    good, bad = json.loads(result.stdout)["evaluations"]
    assert good["subject"] == "1"
    assert good["evaluation"]["results"][1]["outcome"] == "WITHHELD"
    assert good["evaluation"]["evaluate_time"] == "2026-02-25T06:13:20Z"
    assert bad["error"]["reason"] == "SUBJECT_NOT_FOUND"
    brought = server.requests[-1].subjects[1].attributes.values
    assert (brought["age"].int_value, brought["tags"].string_list_value.values) == (7, ["a", "b"])


@pytest.mark.parametrize(
    ("pair", "code", "message"),
    [
        ("age", 1, "name=value"),
        ("age=x", 1, "age: expected a whole number"),
        ("age=99999999999999999999", 1, "age: expected a whole number of at most 64 bits"),
        ("aeg=1", 5, "did you mean age"),
    ],
)
def test_wrong_attributes(run, server, pair, code, message):
    server.reply("ListAttributes", attributes(age="int"))
    result = run("evaluate", "1", "-p", "marketing", "-a", pair)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("INVALID_ARGUMENT", 1),
        ("UNAVAILABLE", 3),
        ("UNAUTHENTICATED", 4),
        ("PERMISSION_DENIED", 4),
        ("NOT_FOUND", 5),
        ("RESOURCE_EXHAUSTED", 1),
        ("INTERNAL", 1),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_errors_are_one_message_and_an_exit_code(run, server, status, code, as_json):
    refusal = Refusal(
        grpc.StatusCode[status], "what happened", reason="WHY", violations=[("purpose", "say what for")]
    )
    server.reply("EvaluateSegments", refusal)
    result = run("evaluate", "1", "-p", "marketing", *(["--json"] if as_json else []))
    assert result.exit_code == code
    assert result.stdout == ""
    if as_json:
        error = json.loads(result.stderr)["error"]
        assert (error["reason"], error["violations"][0]["field"]) == ("WHY", "purpose")
    else:
        assert result.stderr == "error: what happened\n  purpose: say what for\n"


def test_no_server(run, server):
    server.stop()
    result = run("evaluate", "1", "-p", "marketing")
    assert (result.exit_code, result.stderr) == (3, f"error: no server answers at {server.address}\n")


def test_where_the_key_comes_from(run, server, tmp_path):
    (tmp_path / "dev.key").write_text("development\n")
    (tmp_path / "own.key").write_text("own\n")
    run("catalog", "versions")
    run("catalog", "versions", env={"SEGSERVER_API_KEY": "environment"})
    run(
        "catalog",
        "versions",
        "--api-key-file",
        tmp_path / "own.key",
        env={"SEGSERVER_API_KEY": "environment"},
    )
    sent = [metadata["authorization"] for metadata in server.metadata]
    assert sent == ["Bearer development", "Bearer environment", "Bearer own"]
    assert run("catalog", "versions", "--api-key-file", tmp_path / "no.key").exit_code == 4


def test_the_development_key_does_not_leave_this_machine(tmp_path):
    from segserver.cli._server import Server

    (tmp_path / "dev.key").write_text("development")
    addresses = {"127.0.0.1:1": "development", "localhost:1": "development", "[::1]:1": "development"}
    addresses |= {"example.com:1": None, "127.0.0.1.example.com:1": None, "10.0.0.1:1": None}
    for address, key in addresses.items():
        assert Server(address, None, tmp_path, 1.0).api_key() == key, address


def test_explain(run, server):
    node = segmentation_service_pb2.ExplanationNode
    age = node(expression="demographic.age", value="36")
    derived = node(expression="now.getFullYear() - birth_date.getFullYear()", definition_of="demographic.age")
    age.children.append(derived)
    condition = node(
        expression="demographic.age >= 30",
        truth="TRUTH_TRUE",
        children=[age, node(expression="30", value="30")],
    )
    hidden = node(expression="rich", truth="TRUTH_UNKNOWN", unknown_attributes=["income"])
    tree = node(
        expression="demographic.age >= 30 && rich", truth="TRUTH_UNKNOWN", children=[condition, hidden]
    )
    server.reply(
        "ExplainSegment",
        segmentation_service_pb2.ExplainSegmentResponse(
            evaluate_time=NOW,
            result=RESULTS[1],
            rule=tree.expression,
            tree=tree,
            smallest_change=[{"expression": "rich", "truth": "TRUTH_UNKNOWN", "needed": "TRUTH_TRUE"}],
        ),
    )
    result = run("explain", "1", "retail/old", "-p", "marketing")
    assert result.exit_code == 0
    assert "retail/old: withheld" in result.stdout
    assert "true    demographic.age >= 30   [demographic.age = 36]" in result.stdout
    assert "unknown rich   [nothing visible: income]" in result.stdout
    assert "rich  is unknown, would have to be true" in result.stdout
    assert "getFullYear" not in result.stdout
    assert "getFullYear" in run("explain", "1", "retail/old", "-p", "marketing", "--full").stdout
    data = json.loads(run("explain", "1", "retail/old", "-p", "marketing", "--json").stdout)
    assert data["tree"]["children"][0]["truth"] == "TRUE"


def test_profile_set_and_show(run, server):
    server.reply("ListAttributes", attributes(birth_date="timestamp", newsletter="bool", city="string"))
    server.reply("UpsertProfile", profile_service_pb2.UpsertProfileResponse(revision=2))
    server.reply(
        "GetProfile",
        profile_service_pb2.GetProfileResponse(
            profile={
                "attributes": {
                    "values": {"newsletter": {"bool_value": True}, "city": {"string_value": "[bold]Rome"}}
                },
                "revision": 2,
                "update_time": NOW,
            }
        ),
    )
    result = run("profile", "set", "1", "birth_date=1990-05-17", "newsletter=true", "--remove", "city")
    assert (result.exit_code, result.stdout) == (0, "written: revision 2\n")
    change = server.requests[-1].change
    assert change.attributes.values["birth_date"].timestamp_value.ToJsonString() == "1990-05-17T00:00:00Z"
    assert change.removed == ["city"]
    shown = run("profile", "show", "1").stdout
    assert re.search(r"newsletter +true", shown)
    assert "[bold]Rome" in shown
    assert json.loads(run("profile", "show", "1", "--json").stdout)["attributes"]["newsletter"] is True
    assert run("profile", "set", "1").exit_code == 2


def test_no_value_commands_the_terminal(run, server):
    attack = "\x1b]0;owned\x07\x9b31m\u202emoc"
    profile = {"attributes": {"values": {"city": {"string_value": attack}}}, "update_time": NOW}
    server.reply(
        "GetProfile",
        profile_service_pb2.GetProfileResponse(profile=profile),
        Refusal(grpc.StatusCode.NOT_FOUND, f"no {attack}", reason="X"),
    )
    shown = run("profile", "show", "1").stdout
    refused = run("profile", "show", "1").stderr
    for text in (shown, refused):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
        assert "\\u001b]0;owned" in text


def test_strategies(run, server):
    good = catalog_service_pb2.Strategy(
        name="tech",
        version="1.0.0",
        enabled=True,
        traits=[{"name": "tech.browser", "type": "string", "reads": ["user_agent"]}],
        segments=["tech/mobile"],
        settings_json='{"bands": [{"below": 5, "label": "low"}], "a": 1}',
    )
    bad = catalog_service_pb2.Strategy(distribution="segserver-odd 1", quarantine_reason="ImportError: no")
    server.reply("ListStrategies", catalog_service_pb2.ListStrategiesResponse(strategies=[good, bad]))
    listed = run("strategies", "list").stdout
    assert "quarantined" in listed
    assert "ImportError: no" in listed
    shown = run("strategies", "show", "tech").stdout
    assert "tech.browser" in shown
    assert yaml.safe_load(shown[shown.index("strategies:") :]) == {
        "strategies": {"tech": {"a": 1, "bands": [{"below": 5, "label": "low"}]}}
    }
    missing = run("strategies", "show", "tehc")
    assert missing.exit_code == 5
    assert "did you mean tech" in missing.stderr
    assert json.loads(run("strategies", "show", "tech", "--json").stdout)["segments"] == ["tech/mobile"]


def status_reply(**troubles):
    bounds, buckets = [0.001, 0.01], [1, 98, 1]
    measures = [
        status_service_pb2.Measure(
            name="segserver_calls", labels={"method": "A/B", "status": "OK"}, value=99
        ),
        status_service_pb2.Measure(
            name="segserver_calls", labels={"method": "A/B", "status": "INTERNAL"}, value=1
        ),
        status_service_pb2.Measure(
            name="segserver_call_duration_seconds", labels={"method": "A/B"}, bounds=bounds, buckets=buckets
        ),
        status_service_pb2.Measure(name="segserver_key_age_seconds", value=90_061),
    ]
    return status_service_pb2.GetStatusResponse(
        workers=[
            status_service_pb2.WorkerStatus(
                worker=number,
                pid=40 + number,
                version="1.2.3",
                start_time=NOW,
                report_time=Timestamp(seconds=NOW.seconds + 3_700),
                catalog_version=3,
                catalog_digest="ab" * 32,
                measures=measures,
                troubles=[
                    status_service_pb2.Trouble(component=name, reason=reason, message="what happened")
                    for name, reason in troubles.items()
                ],
            )
            for number in (1, 2)
        ]
    )


def test_the_status_of_a_server(run, server):
    server.reply("GetStatus", status_reply())
    result = run("status")
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert "1 41 1 h 1 min 0 3 (abababababab) 0 MB 100" in words
    assert "A/B 200 2 ≤ 10 ms ≤ 10 ms" in words
    assert "1 d 1 h old" in words
    assert words.endswith("everything works")


def test_a_server_in_trouble(run, server):
    server.reply("GetStatus", status_reply(store="STORE_UNAVAILABLE"))
    result = run("status")
    assert result.exit_code == 1
    assert result.stdout.endswith("store does not work: what happened (STORE_UNAVAILABLE)\n")
    told = json.loads(run("status", "--json").stdout)
    assert (told["works"], len(told["workers"]), told["workers"][0]["pid"]) == (False, 2, 41)


def test_events_and_what_is_computed_of_them_are_listed(run, server):
    definition = {"name": "order", "category": "behavioral", "title": "Bought"}
    amount = {"name": "amount", "type": "double", "category": "financial"}
    server.reply(
        "ListEventDefinitions",
        catalog_service_pb2.ListEventDefinitionsResponse(definitions=[definition | {"properties": [amount]}]),
    )
    how = {
        "event": "order",
        "aggregate": "sum",
        "window": "30d",
        "of": "amount",
        "where": "event.amount > 1.0",
    }
    server.reply(
        "ListComputedAttributes",
        catalog_service_pb2.ListComputedAttributesResponse(
            attributes=[
                {"name": "spent", "type": "double", "definition_json": json.dumps(how), "owners": ["catalog"]}
            ]
        ),
    )
    listed = run("events", "list").output
    assert re.search(r"order +behavioral +Bought", listed)
    assert re.search(r"amount +double +financial", listed)
    assert "sum of amount, order, 30d" in run("events", "computed").output

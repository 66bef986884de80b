"""``events import``: rows become events, alone or in groups, and each row is accounted for."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from click.testing import CliRunner

from segserver.cli import main
from segserver.cli._event_mapping import GROUPS_OPEN_MAX
from segserver.v1 import catalog_service_pb2, profile_service_pb2, value_pb2
from segserver.wire import attributes_from_proto, timestamp_from_proto

MAPPING = """\
subject: {type: crm, column: who}
columns: {invoice: string, who: string, at: timestamp, units: int, price: double}
skip:
  - {rule: "!known(who)", reason: nobody}
reject:
  - {rule: price < 0.0, reason: the price is negative}
id: {column: invoice}
time: {column: at}
events:
  - name: order_returned
    when: units < 0
    properties: {amount: {rule: -double(units) * price}}
  - name: order
    properties:
      amount: {rule: double(units) * price}
      items: {column: units}
"""
GROUPED = """\
subject: {type: crm, column: who}
columns: {invoice: string, who: string, at: timestamp, units: int, price: double}
group_by: invoice
id: {rule: '"i-" + invoice'}
time: {column: at}
events:
  - name: order
    properties:
      amount: {rule: double(units) * price, take: sum}
      items: {column: units, take: TAKE}
"""
HEADER = "invoice,who,at,units,price\n"
NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Events:
    """Takes events as the server does: one id is recorded once, and never with another content."""

    def __init__(self, server):
        self.by_id = {}
        self.sizes = []
        properties = [{"name": "amount", "type": "double"}, {"name": "items", "type": "int"}]
        server.reply(
            "ListEventDefinitions",
            catalog_service_pb2.ListEventDefinitionsResponse(
                definitions=[
                    {"name": "order", "properties": properties},
                    {"name": "order_returned", "properties": properties[:1]},
                ]
            ),
        )
        server.reply("RecordEvents", self.record)

    def record(self, request):
        self.sizes.append(len(request.events))
        reply = profile_service_pb2.RecordEventsResponse()
        for index, event in enumerate(request.events):
            known = self.by_id.setdefault(event.id, event)
            if event.subject.id == "refused" or known != event:
                error = value_pb2.Failure(
                    code=3, reason="EVENT_REFUSED", message=f"events[{index}].name: not this one"
                )
                reply.rejected.add(index=index, error=error)
            elif known is not event:
                reply.repeated += 1
            else:
                reply.recorded += 1
        return reply

    def of(self, identifier):
        event = self.by_id[identifier]
        return event.name, event.subject.id, attributes_from_proto(event.properties)


@pytest.fixture
def events(server):
    return Events(server)


@pytest.fixture
def importer(server, tmp_path, events):
    def run(content, *options, mapping=MAPPING, as_json=True):
        (tmp_path / "mapping.yaml").write_text(mapping, encoding="utf-8")
        file = tmp_path / "orders.csv"
        file.write_text(content, encoding="utf-8")
        arguments = ["events", "import", str(file), "--mapping", str(tmp_path / "mapping.yaml")]
        arguments += ["--address", server.address, *(["--json"] if as_json else []), *options]
        result = CliRunner(env={"SEGSERVER_API_KEY": "k"}).invoke(main, arguments, catch_exceptions=False)
        text = result.stdout if result.stdout else result.stderr
        return result.exit_code, json.loads(text) if as_json else text

    return run


def test_a_row_becomes_the_first_kind_of_event_that_fits(importer, events):
    code, report = importer(HEADER + "1,A,2026-01-01,3,2.5\n2,A,2026-01-02,-1,2.5\n")
    assert (code, report["written"]) == (0, 2)
    assert events.of("1") == ("order", "A", {"amount": 7.5, "items": 3})
    assert events.of("2") == ("order_returned", "A", {"amount": 2.5})
    assert timestamp_from_proto(events.by_id["1"].time) == NEW_YEAR
    assert report["events"] == {"order": {"events": 1, "rows": 1}, "order_returned": {"events": 1, "rows": 1}}


def test_every_row_is_written_skipped_or_rejected(importer):
    code, report = importer(
        HEADER
        + "1,A,2026-01-01,3,2.5\n"
        + "2,,2026-01-01,3,2.5\n"
        + ",,SECRET,3,2.5\n"
        + "4,A,2026-01-01,3,-2.5\n"
        + "5,A,,3,2.5\n"
        + ",A,2026-01-01,3,2.5\n"
        + "7,refused,2026-01-01,3,2.5\n"
        + "8,A,2026-01-01\n"
        + "9,A,2026-01-01,3,1e300\n"
    )
    assert (code, report["rows"], report["written"]) == (1, 9, 1)
    assert report["skipped"] == {"nobody": 1}
    assert {row["line"]: row["reason"] for row in report["rejected"]} == {
        4: "column at: expected a date or a time, such as 2026-03-01 or 2026-03-01T12:30:00Z",
        5: "the price is negative",
        6: "the event's time is missing",
        7: "the event's id is missing",
        8: "name: not this one",
        9: "3 cells under a header of 5",
        10: "the property amount is beyond 9e+12, or no number",
    }
    assert "SECRET" not in json.dumps(report)


@pytest.mark.parametrize(
    ("take", "items"), [("first", 1), ("last", 2), ("sum", 6), ("minimum", 1), ("maximum", 3)]
)
def test_the_rows_of_a_group_are_one_event_though_others_lie_between(importer, events, take, items):
    rows = "1,A,2026-01-01,1,0.1\n1,A,2026-01-01,3,0.1\n2,B,2026-01-02,5,1\n1,A,2026-01-03,2,0.1\n"
    code, report = importer(HEADER + rows, mapping=GROUPED.replace("TAKE", take))
    assert (code, report["written"], report["events"]["order"]) == (0, 4, {"events": 2, "rows": 4})
    assert events.of("i-1") == ("order", "A", {"amount": 0.6, "items": items})
    assert timestamp_from_proto(events.by_id["i-1"].time) == NEW_YEAR


def test_a_group_is_about_one_subject(importer, events):
    rows = "1,A,2026-01-01,1,1\n1,B,2026-01-01,1,1\n1,A,2026-01-01,1,1\n"
    code, report = importer(HEADER + rows, mapping=GROUPED.replace("TAKE", "sum"))
    assert (code, report["written"]) == (1, 2)
    assert [row["line"] for row in report["rejected"]] == [3]
    assert events.of("i-1")[2] == {"amount": 2.0, "items": 2}


def test_a_group_torn_too_far_apart_is_told(importer):
    between = "".join(f"x{number},B,2026-01-01,1,1\n" for number in range(GROUPS_OPEN_MAX + 1))
    rows = "1,A,2026-01-01,1,1\n" + between + "1,A,2026-01-01,2,1\n"
    code, report = importer(HEADER + rows, mapping=GROUPED.replace("TAKE", "sum"))
    assert (code, report["rows"] - report["written"]) == (1, 1)
    assert [row["line"] for row in report["rejected"]] == [GROUPS_OPEN_MAX + 4]


def test_an_import_that_is_run_again_records_nothing_twice(importer, events):
    rows = HEADER + "".join(f"{number},A,2026-01-01,1,1\n" for number in range(25_000))
    _, first = importer(rows)
    _, again = importer(rows)
    assert max(events.sizes) == 10_000
    assert (first["repeated"], again["repeated"]) == (0, 25_000)
    assert first["events"] == again["events"]
    assert len(events.by_id) == 25_000


def test_a_dry_run_writes_nothing(importer, events):
    code, report = importer(HEADER + "1,A,2026-01-01,1,1\n", "--dry-run")
    assert (code, report["written"], events.by_id) == (0, 1, {})


def test_the_report_for_people(importer):
    code, said = importer(HEADER + "1,A,2026-01-01,1,1\n2,,2026-01-01,1,1\n", as_json=False)
    assert code == 0
    assert said.splitlines() == [
        "order: 1 events of 1 rows",
        "skipped 1 rows: nobody",
        "2 rows: 1 written, 1 skipped, 0 rejected",
    ]


def test_every_problem_of_a_mapping_is_reported_with_its_line(importer, events):
    mapping = """\
subject: {column: who}
columns: {who: string, at: string, units: int}
group_by: invoice
id: {column: ident}
time: {column: at}
events:
  - name: ordered
  - name: order
    when: units
    properties:
      amounts: {column: units}
      amount: {rule: units}
      items: {column: who, take: sum}
"""
    code, answer = importer(HEADER, mapping=mapping)
    assert code == 1
    lines = answer["error"]["message"].splitlines()
    assert lines[0] == "the mapping has 8 problems"
    for number, part in [
        (3, "no such column"),
        (4, "no such column"),
        (5, "the column is string, and timestamp is wanted"),
        (7, "the catalog declares no such event; did you mean order"),
        (9, "the rule must be bool, and is int"),
        (11, "the event order has no such property; did you mean amount?"),
        (12, "the rule must be double, and is int"),
        (13, "the column is string, and int is wanted"),
    ]:
        assert any(f"mapping.yaml:{number}:" in line and part in line for line in lines), (number, lines)
    assert events.by_id == {}


@pytest.mark.parametrize(
    ("mapping", "part"),
    [
        (MAPPING.replace("{column: units}}", "{column: units, take: sum}}"), ""),
        (MAPPING.replace("items: {column: units}", "items: {column: units, take: sum}"), "say group_by"),
        (GROUPED.replace("TAKE", "median"), "use one of"),
        (GROUPED.replace("TAKE", "sum").replace("time: {column: at}\n", ""), "this key is missing"),
    ],
)
def test_the_form_of_a_mapping_is_checked(importer, mapping, part):
    code, answer = importer(HEADER, mapping=mapping)
    assert (code, part in json.dumps(answer)) == (int(bool(part)), True)

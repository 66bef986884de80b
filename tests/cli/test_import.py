"""``profile import``: good rows land, bad ones are reported with their line, and no value is shown."""

from __future__ import annotations

import json

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scripted import Refusal

from segserver.cli import main
from segserver.v1 import catalog_service_pb2, profile_service_pb2, value_pb2
from segserver.wire import attributes_from_proto

TYPES = {
    "age": "int",
    "income": "double",
    "city": "string",
    "newsletter": "bool",
    "customer_since": "timestamp",
    "interests": "list(string)",
}

MAPPING = """\
subject: {type: crm, column: id}
columns:
  id: string
  age: int
  income: {type: double, unknown: ["", "n/a"]}
  city: string
  since: string
reject:
  - rule: age < 0
    reason: the age is negative
attributes:
  age: {column: age}
  income: {column: income}
  city: {column: city}
  customer_since: {rule: 'timestamp(since + "T00:00:00Z")'}
  interests:
    labels:
      young: age < 30
      rich: income > 1000.0
"""
HEADER = "id,age,income,city,since\n"


class Profiles:
    """Takes profiles as the server does, and remembers them in their order."""

    def __init__(self, server):
        self.written = []
        self.sizes = []
        server.reply(
            "ListAttributes",
            catalog_service_pb2.ListAttributesResponse(
                attributes=[{"name": name, "type": type_name} for name, type_name in TYPES.items()]
            ),
        )
        server.reply("BatchUpsertProfiles", self.write)

    def write(self, request):
        self.sizes.append(len(request.changes))
        results = []
        for change in request.changes:
            if change.subject.id == "refused":
                error = value_pb2.Failure(
                    code=3, reason="VALUE_NOT_ALLOWED", message="city: not an allowed value"
                )
                results.append(profile_service_pb2.BatchUpsertResult(error=error))
                continue
            self.written.append((change.subject, attributes_from_proto(change.attributes)))
            results.append(profile_service_pb2.BatchUpsertResult(profile={"revision": 1}))
        return profile_service_pb2.BatchUpsertProfilesResponse(results=results)

    def of(self, identifier):
        return next(attributes for subject, attributes in self.written if subject.id == identifier)


@pytest.fixture
def profiles(server):
    return Profiles(server)


@pytest.fixture
def importer(server, tmp_path, profiles):
    def run(content, *options, name="customers.csv", mapping=MAPPING):
        (tmp_path / "mapping.yaml").write_text(mapping, encoding="utf-8")
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        arguments = ["profile", "import", str(file), "--mapping", str(tmp_path / "mapping.yaml")]
        arguments += ["--address", server.address, "--json", *options]
        result = CliRunner(env={"SEGSERVER_API_KEY": "k"}).invoke(main, arguments, catch_exceptions=False)
        text = result.stdout if result.stdout else result.stderr
        return result.exit_code, json.loads(text)

    return run


def reasons(report):
    return [(row["line"], row["reason"]) for row in report["rejected"]]


def test_a_row_becomes_typed_attributes(importer, profiles):
    code, report = importer(HEADER + 'A1,27, 1200.5 ,"Paris, France",2020-02-29\n')
    assert (code, report["written"], report["rejected_count"]) == (0, 1, 0)
    subject, attributes = profiles.written[0]
    assert (subject.type, subject.id) == ("crm", "A1")
    assert attributes["customer_since"].isoformat() == "2020-02-29T00:00:00+00:00"
    del attributes["customer_since"]
    assert attributes == {
        "age": 27,
        "income": 1200.5,
        "city": "Paris, France",
        "interests": ("young", "rich"),
    }


def test_what_is_unknown_is_left_out(importer, profiles):
    code, _ = importer(HEADER + "A1,27,n/a,,2020-02-29\nA2,,5,Rome,\n")
    assert code == 0
    assert set(profiles.of("A1")) == {"age", "customer_since"}
    assert set(profiles.of("A2")) == {"income", "city"}


def test_bad_rows_cost_themselves_only(importer, profiles):
    code, report = importer(
        HEADER
        + "A1,27,1,Rome,2020-01-01\n"
        + "A2,SECRET,1,Rome,2020-01-01\n"
        + "A3,27,nan,Rome,2020-01-01\n"
        + ",27,1,Rome,2020-01-01\n"
        + "A5,-1,1,Rome,2020-01-01\n"
        + "A6,27,1,Rome,SECRET\n"
        + "A7,27,1\n"
        + "A8,27,1,Rome,2020-01-01,SECRET\n"
        + "refused,27,1,SECRET,2020-01-01\n"
        + "A10,99999999999999999999,1,Rome,2020-01-01\n"
        + "A11,27,1,Rome,2020-01-01\n"
    )
    assert code == 1
    assert [subject.id for subject, _ in profiles.written] == ["A1", "A11"]
    assert sorted(line for line, _ in reasons(report)) == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert "SECRET" not in json.dumps(report)
    found = dict(reasons(report))
    assert found[3] == "column age: expected a whole number of at most 64 bits"
    assert found[5] == "the subject's id is missing"
    assert found[6] == "the age is negative"
    assert found[7] == "the rule of customer_since fails on this row"
    assert found[8] == "3 cells under a header of 5"
    assert found[10] == "city: not an allowed value"


def test_a_quoted_line_end_keeps_the_lines_of_later_rows_right(importer, profiles):
    code, report = importer(HEADER + 'A1,27,1,"Ro\r\nme",2020-01-01\r\n\r\nA2,x,1,Rome,2020-01-01\r\n')
    assert code == 1
    assert profiles.of("A1")["city"] == "Ro\r\nme"
    assert [line for line, _ in reasons(report)] == [5]


@pytest.mark.parametrize(
    ("encoding", "mapping"),
    [
        ("utf-8-sig", MAPPING),
        ("utf-16", MAPPING + "format: {encoding: utf-16}\n"),
        ("cp1252", MAPPING + "format: {encoding: cp1252}\n"),
    ],
)
def test_encodings(importer, profiles, encoding, mapping):
    code, _ = importer((HEADER + "A1,27,1,Zürich,2020-01-01\n").encode(encoding), mapping=mapping)
    assert code == 0
    assert profiles.of("A1")["city"] == "Zürich"


def test_bytes_that_are_no_text_cost_their_row(importer, profiles):
    rows = b"A1,27,1,Z\xfcrich,2020-01-01\nA2,27,1,Rome,2020-01-01\n"
    code, report = importer(HEADER.encode() + rows)
    assert code == 1
    assert reasons(report) == [(2, "column city: expected string, got text that is not valid Unicode")]
    assert profiles.of("A2")["city"] == "Rome"


def test_a_huge_cell_costs_its_row(importer, profiles):
    code, report = importer(HEADER + f"A1,27,1,{'x' * 10_000_000},2020-01-01\nA2,27,1,Rome,2020-01-01\n")
    assert code == 1
    assert [line for line, _ in reasons(report)] == [2]
    assert "longer than" in report["rejected"][0]["reason"]
    assert profiles.of("A2")["city"] == "Rome"


def test_a_quote_left_open_ends_the_import_with_its_line(importer):
    code, answer = importer(HEADER + 'A1,27,1,"Rome,2020-01-01\nA2,27,1,Rome,2020-01-01\n')
    assert code == 1
    assert "line 2" in answer["error"]["message"]
    assert "quote" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ("", "customers.csv", "FILE_EMPTY"),
        ("", "customers.jsonl", "FILE_EMPTY"),
        ("id;age;income\n1;2;3\n", "customers.csv", "COLUMN_MISSING"),
        ("id,age,income,city,since,age\n", "customers.csv", "COLUMN_TWICE"),
        ("PAR1 not really", "customers.parquet", "FILE_MALFORMED"),
        (HEADER.encode("utf-16"), "customers.csv", "FILE_ENCODING"),
        (HEADER, "customers.dat", "FILE_KIND"),
    ],
)
def test_a_wrong_file_is_refused_before_its_first_row(importer, profiles, content, name, reason):
    code, answer = importer(content, name=name)
    assert code == 1
    assert answer["error"]["reason"] == reason
    assert profiles.written == []


def test_a_header_alone_is_no_row(importer):
    code, report = importer(HEADER)
    assert (code, report["rows"]) == (0, 0)


def test_a_kind_given_for_a_name_that_does_not_tell(importer, profiles):
    code, _ = importer(HEADER.replace(",", "\t") + "A1\t3\t1\tRome\t\n", "--format", "tsv", name="x.dat")
    assert (code, profiles.of("A1")["city"]) == (0, "Rome")


def test_json_lines_have_types_of_their_own(importer, profiles):
    lines = [
        {"id": "A1", "age": 27, "income": 5, "city": None, "since": "2020-01-01"},
        {"id": "A2", "age": "27"},
        [1],
        {"id": "A4", "age": True},
    ]
    content = "".join(json.dumps(line) + "\n" for line in lines) + '\n{"id": "A5", "city": "Rome"}\n{"id": \n'
    code, report = importer(content, name="customers.jsonl")
    assert code == 1
    assert [subject.id for subject, _ in profiles.written] == ["A1", "A5"]
    assert profiles.of("A1")["income"] == 5.0
    assert reasons(report) == [
        (2, "column age: expected a 64-bit int, got string"),
        (3, "not a JSON object"),
        (4, "column age: expected a 64-bit int, got bool"),
        (7, "not JSON"),
    ]


def test_parquet(importer, profiles, tmp_path):
    table = pa.table(
        {
            "id": ["A1", "A2"],
            "age": pa.array([27, None], pa.int32()),
            "income": pa.array([1.5, float("nan")]),
            "city": pa.array(["Rome", "Oslo"]).dictionary_encode(),
            "since": ["2020-01-01", None],
            "ignored": [1, 2],
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    code, report = importer(sink.getvalue().to_pybytes(), name="customers.parquet")
    assert code == 1
    assert profiles.of("A1")["city"] == "Rome"
    assert reasons(report) == [
        (2, "column income: expected a finite double, got a double that is not finite")
    ]


@pytest.mark.parametrize("kind", ["timestamp", "list(string)"])
def test_parquet_times_and_lists(importer, profiles, kind):
    mapping = "subject: {column: id}\ncolumns: {id: int, x: {type: KIND}}\nattributes: {NAME: {column: x}}\n"
    name = {"timestamp": "customer_since", "list(string)": "interests"}[kind]
    cell = {
        "timestamp": pa.array([1_600_000_000_000_000_000], pa.timestamp("ns")),
        "list(string)": pa.array([["a", "b"]]),
    }[kind]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": [7], "x": cell}), sink)
    code, _ = importer(
        sink.getvalue().to_pybytes(),
        name="x.parquet",
        mapping=mapping.replace("KIND", kind).replace("NAME", name),
    )
    assert code == 0
    value = profiles.of("7")[name]
    assert value == ("a", "b") if kind == "list(string)" else value.timestamp() == 1_600_000_000


def test_every_problem_of_a_mapping_is_reported_with_its_line(importer, profiles):
    mapping = """\
subject: {column: ident}
columns:
  id: string
  age: int
reject:
  - rule: age <
    reason: x
attributes:
  aeg: {column: age}
  income: {rule: 'age > 3'}
  city:
    rule: |
      "a" +
      3
  interests: {column: age}
"""
    code, answer = importer(HEADER, mapping=mapping)
    assert code == 1
    assert answer["error"]["reason"] == "MAPPING_INVALID"
    lines = [
        violation["description"].split(".yaml:")[1].split(":")[0]
        for violation in answer["error"]["violations"]
    ]
    assert lines == ["1", "6", "9", "10", "13", "15"]
    assert "did you mean age" in answer["error"]["message"]
    assert profiles.written == []


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("[]", "mapping"),
        ("a: [", "not YAML"),
        (MAPPING + "formt: 1\n", "unknown key"),
        (MAPPING.replace("column: id", "kolumn: id"), "unknown key"),
        (MAPPING.replace("{type: crm, column: id}", "{type: crm}"), "either column or rule"),
        (MAPPING + "format: {encoding: klingon}\n", "no encoding of text has this name"),
        (MAPPING + "format: {encoding: base64}\n", "no encoding of text has this name"),
        (MAPPING.replace("age: int", "age: number"), "use one of"),
        (MAPPING.replace("age: int", "age: int\n  row: int"), "the row's number"),
    ],
)
def test_a_mapping_of_another_form_is_refused(importer, mapping, message):
    code, answer = importer(HEADER, mapping=mapping)
    assert code == 1
    assert message in answer["error"]["message"]
    assert ".yaml:" in answer["error"]["message"]


def test_a_row_number_can_be_the_subject(importer, profiles):
    mapping = (
        "subject: {rule: '\"row-\" + string(row)'}\ncolumns: {age: int}\nattributes: {age: {column: age}}\n"
    )
    assert importer("age\n5\nx\n6\n", mapping=mapping)[0] == 1
    assert [(subject.id, attributes) for subject, attributes in profiles.written] == [
        ("row-1", {"age": 5}),
        ("row-3", {"age": 6}),
    ]


def test_many_rows_go_in_batches_and_a_subject_twice_in_its_order(importer, profiles):
    rows = "".join(f"A{number % 2_600},{number % 90},1,Rome,\n" for number in range(5_000))
    code, report = importer(HEADER + rows)
    assert (code, report["written"]) == (0, 5_000)
    assert max(profiles.sizes) == 1_000
    last = {subject.id: attributes["age"] for subject, attributes in profiles.written}
    assert last == {f"A{number % 2_600}": number % 90 for number in range(5_000)}


def test_a_batch_that_is_refused_as_a_whole_is_tried_in_parts(importer, server, profiles):
    def refuse(request):
        if any(change.subject.id == "A3" for change in request.changes):
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "the message is too long", reason="LIMIT_EXCEEDED"
            )
        return profiles.write(request)

    server.replies["BatchUpsertProfiles"].clear()
    server.reply("BatchUpsertProfiles", refuse)
    code, report = importer(HEADER + "".join(f"A{number},1,1,Rome,\n" for number in range(10)))
    assert (code, report["written"]) == (1, 9)
    assert reasons(report) == [(5, "the message is too long")]


def test_a_dry_run_writes_nothing(importer, profiles, tmp_path):
    rejects = tmp_path / "rejects.jsonl"
    code, report = importer(HEADER + "A1,1,1,Rome,\nA2,x,1,Rome,\n", "--dry-run", "--rejects", str(rejects))
    assert (code, report["written"], report["dry_run"], profiles.written) == (1, 1, True, [])
    assert [json.loads(line)["line"] for line in rejects.read_text().splitlines()] == [3]


def test_a_server_that_goes_away_ends_the_import_and_says_how_to_go_on(importer, server, profiles):
    server.replies["BatchUpsertProfiles"].clear()
    server.reply(
        "BatchUpsertProfiles", Refusal(grpc.StatusCode.UNAVAILABLE, "the disk is full", reason="FULL")
    )
    code, answer = importer(HEADER + "A1,1,1,Rome,\n")
    assert code == 3
    assert answer["error"]["message"].startswith("the disk is full (0 rows had landed; run the import again")

"""Exports, read back by strangers; OCSF events against the framework's own schema files, as we read them."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import polars as pl
import pytest

from segserver.audit.entry import Entry, Kind, Outcomes, encode
from segserver.audit.export import COLUMNS, FORMATS, Record, export, ocsf
from segserver.errors import InvalidInput

PYTHON_TYPES = {
    "string_t": str,
    "integer_t": int,
    "long_t": int,
    "timestamp_t": int,
    "boolean_t": bool,
    "float_t": float,
}


class Schema:
    """As much of the Open Cybersecurity Schema Framework as an event without profiles needs."""

    def __init__(self, folder: Path) -> None:
        dictionary = self._read(folder / "dictionary.json")
        self.types = dictionary["types"]["attributes"]
        self.dictionary = dictionary["attributes"]
        self.version = self._read(folder / "version.json")["version"]
        self.categories = self._read(folder / "categories.json")["attributes"]
        self.objects = self._all(folder / "objects")
        self.classes = self._all(folder / "events")

    @staticmethod
    def _read(path: Path):
        return json.loads(path.read_text())

    def _all(self, folder: Path):
        return {item["name"]: item for item in map(self._read, folder.rglob("*.json"))}

    def resolved(self, definitions, name):
        """Attributes and constraints with what they inherit; the attributes of profiles are not used here."""
        item = definitions[name]
        attributes, constraints = {}, {}
        if "extends" in item:
            attributes, constraints = self.resolved(definitions, item["extends"])
        for key, value in item["attributes"].items():
            if key == "$include":
                continue
            merged = attributes.get(key, {}) | value
            enum = attributes.get(key, {}).get("enum", {}) | value.get("enum", {})
            attributes = attributes | {key: merged | ({"enum": enum} if enum else {})}
        return attributes, item.get("constraints", constraints)

    def problems(self, value, definitions, name, path):
        attributes, constraints = self.resolved(definitions, name)
        if name == "object":
            return
        for key in value.keys() - attributes.keys():
            yield f"{path}.{key} is unknown to {name}"
        for key, attribute in attributes.items():
            if key not in value:
                if attribute.get("requirement") == "required" and attribute.get("profile") is None:
                    yield f"{path}.{key} is required"
                continue
            yield from self._value(value[key], self.dictionary[key] | attribute, f"{path}.{key}")
        names = constraints.get("at_least_one", [])
        if names and not set(names) & value.keys():
            yield f"{path} needs one of {names}"
        names = constraints.get("just_one", [])
        if names and len(set(names) & value.keys()) != 1:
            yield f"{path} needs exactly one of {names}"

    def _value(self, value, attribute, path):
        if attribute.get("is_array"):
            if not isinstance(value, list):
                yield f"{path} is not an array"
                return
            for number, item in enumerate(value):
                yield from self._value(item, {**attribute, "is_array": False}, f"{path}[{number}]")
            return
        kind = attribute["type"]
        if kind in self.objects or kind == "object":
            if not isinstance(value, dict):
                yield f"{path} is not an object"
                return
            yield from self.problems(value, self.objects, kind, path)
            return
        base = self.types[kind].get("type", kind)
        if type(value) is not PYTHON_TYPES[base]:
            yield f"{path} is not {base}"
            return
        if (pattern := self.types[kind].get("regex")) and not re.search(pattern, value):
            yield f"{path} is not a {kind}"
        own = self.dictionary[path.rpartition(".")[2].partition("[")[0]].get("enum", {})
        enum = own | attribute.get("enum", {})
        if (
            enum
            and base in ("integer_t", "long_t")
            and str(value) not in enum
            and not path.endswith("type_uid")
        ):
            yield f"{path} is {value}, not one of {sorted(enum)}"

    def check(self, event):
        """What is wrong with an event of the class API Activity."""
        found = list(self.problems(event, _without_enum(self.classes), "api_activity", "event"))
        attributes, _ = self.resolved(self.classes, "api_activity")
        category = self.categories["application"]["uid"]
        class_uid = category * 1000 + self.classes["api_activity"]["uid"]
        if event["category_uid"] != category or event["class_uid"] != class_uid:
            found.append("event is of another class")
        if event["type_uid"] != class_uid * 100 + event["activity_id"]:
            found.append("event.type_uid does not follow from the class and the activity")
        if str(event["activity_id"]) not in attributes["activity_id"]["enum"]:
            found.append("event.activity_id is unknown")
        return found


def _without_enum(classes):
    """The base event's enums of class and category hold only its own number; a class has its own uid."""
    copied = json.loads(json.dumps(classes))
    for name in ("class_uid", "category_uid"):
        copied["base_event"]["attributes"][name].pop("enum")
    return copied


@pytest.fixture(scope="session")
def schema(shared_vectors):
    return Schema(shared_vectors / "ocsf")


def records(make_entry, count=20):
    return [Record(number, encode(make_entry(number))) for number in range(count)]


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_a_valid_ocsf_event(schema, kind):
    for caller, result, subject in (("crm", "OK", "a1-0"), ("", "ROLE_MISSING", "")):
        entry = Entry(
            time="2026-07-04T12:00:00.000123Z",
            kind=kind,
            caller=caller,
            result=result,
            subject=subject,
            segments=Outcomes(member=("retail/a",)),
            withheld={"CHILD": ("age",)},
        )
        event = json.loads(json.dumps(ocsf(Record(7, encode(entry)), "segserver.example/log")))
        assert schema.check(event) == []
        assert event["metadata"]["version"] == schema.version
        assert event["time"] == 1783166400000
        assert event["raw_data"].encode() == encode(entry)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event.pop("actor"),
        lambda event: event.update(surprise=1),
        lambda event: event.update(time="now"),
        lambda event: event.update(activity_id=7),
        lambda event: event.update(severity_id=42),
        lambda event: event.update(type_uid=1),
        lambda event: event["api"].pop("operation"),
        lambda event: event["metadata"]["product"].clear(),
        lambda event: event.update(resources={}),
        lambda event: event["src_endpoint"].clear(),
    ],
)
def test_our_reading_of_the_schema_refuses_bad_events(schema, make_entry, spoil):
    event = ocsf(records(make_entry)[0], "log")
    assert schema.check(event) == []
    spoil(event)
    assert schema.check(event)


def exported(make_entry, form):
    output = io.BytesIO()
    assert export(records(make_entry), form, output, origin="log") == 20
    return output.getvalue()


def test_json_lines_hold_the_bytes_that_are_hashed(make_entry):
    lines = exported(make_entry, "jsonl").splitlines()
    assert len(lines) == 20
    for record, line in zip(records(make_entry), lines, strict=True):
        assert record.payload in line
        assert json.loads(line) == {"log_index": record.log_index, "entry": json.loads(record.payload)}


def test_ocsf_is_one_event_a_line(make_entry, schema):
    events = [json.loads(line) for line in exported(make_entry, "ocsf").splitlines()]
    assert [schema.check(event) for event in events] == [[]] * 20


def test_csv_reads_back(make_entry):
    rows = list(csv.DictReader(io.StringIO(exported(make_entry, "csv").decode(), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["log_index"] for row in rows] == [str(number) for number in range(20)]
    assert rows[4]["segments_member"] == "retail/segment-4"
    assert json.loads(rows[4]["withheld"]) == {"CONSENT_MISSING": ["birth_date"]}


def test_parquet_reads_back(make_entry, start):
    frame = pl.read_parquet(io.BytesIO(exported(make_entry, "parquet")))
    assert frame.columns == list(COLUMNS)
    assert frame["time"][0] == start
    assert frame["segments_member"].to_list()[4] == ["retail/segment-4"]
    assert frame["kind"].to_list() == [str(make_entry(number).kind) for number in range(20)]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_exported_as_nothing(form):
    assert export([], form, io.BytesIO()) == 0


def test_an_unknown_form_is_refused():
    with pytest.raises(InvalidInput):
        export([], "xml", io.BytesIO())

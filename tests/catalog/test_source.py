"""The form of the YAML: every mistake with its file, line and field, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from segserver.catalog import from_texts, read_directory
from segserver.errors import CatalogError, NotFound


def found(text: str) -> list[tuple[int, str, str]]:
    source = from_texts({"a.yaml": text})
    assert all(problem.file == "a.yaml" for problem in source.problems)
    return [(problem.line, problem.field, problem.message) for problem in source.problems]


@pytest.mark.parametrize(
    ("text", "line", "field", "message"),
    [
        (
            "segmets: []",
            1,
            "segmets",
            "policy; did you mean segments",
        ),
        ("- a", 1, "", "a file is a mapping with the keys attributes, events, computed, lists, purposes"),
        ("attributes: [a]", 1, "attributes", "attributes is a mapping from names"),
        ("attributes:\n  Age: {}", 2, "attributes.Age", "a name is lower-case letters"),
        ("attributes:\n  in: {}", 2, "attributes.in", "not a word of the rule language"),
        ("attributes:\n  age: 5", 2, "attributes.age", "this must be a mapping"),
        ("attributes:\n  age:\n    category: demographic", 2, "attributes.age.type", "this key is missing"),
        (
            "attributes:\n  age:\n    type: number\n    category: demographic",
            3,
            "attributes.age.type",
            "use one of 'bool', 'int', 'double'",
        ),
        (
            "attributes:\n  age:\n    type: int\n    category: secret",
            4,
            "attributes.age.category",
            "use one of 'identifier'",
        ),
        (
            "attributes:\n  age: {type: int, category: demographic, titel: x}",
            2,
            "attributes.age.titel",
            "it may have type, category, title, purposes, values; did you mean title?",
        ),
        (
            "attributes:\n  age: {type: int, category: demographic, title: 2024}",
            2,
            "attributes.age.title",
            "this must be text; put it in quotes",
        ),
        (
            "attributes:\n  age: {type: int, category: demographic, purposes: marketing}",
            2,
            "attributes.age.purposes",
            "this must be a list",
        ),
        (
            "purposes:\n  ads:\n    categories: []\n    legal_basis: whim",
            4,
            "purposes.ads.legal_basis",
            "use one of 'consent'",
        ),
        ("strategies: [x]", 1, "strategies", "strategies is a mapping from names"),
        ("strategies:\n  x: 5", 2, "strategies.x", "the settings are a mapping"),
        ("include: x", 1, "include", "a list of segment ids or patterns"),
        ("include:\n  - a\n  - 5", 3, "include.1", "a segment id or pattern is text"),
        ("segments: {a: {}}", 1, "segments", "segments are a list; begin each with - id"),
        ("segments:\n  - a", 2, "segments.0", "a segment is a mapping with id and rule"),
        ("segments:\n  - rule: 'true'", 2, "segments.0.id", "this key is missing"),
        ("segments:\n  - id: a", 2, "segments.a.rule", "this key is missing"),
        ("segments:\n  - id: A_b\n    rule: 'true'", 2, "segments.A_b.id", "an id is lower-case words"),
        ("segments:\n  - id: a\n    rule: true", 3, "segments.a.rule", "this must be text"),
        ("segments:\n  - id: a\n    rule: ' '", 3, "segments.a.rule", "this is empty"),
        (
            "segments:\n  - id: a\n    rule: 'true'\n    minimum_audience: 5",
            4,
            "segments.a.minimum_audience",
            "this must be 20 or more",
        ),
        (
            "segments:\n  - id: a\n    rule: 'true'\n    derives_special: no",
            4,
            "segments.a.derives_special",
            "this must be true or false",
        ),
        (
            "segments:\n  - id: a\n    rule: 'true'\n    priority: '1'",
            4,
            "segments.a.priority",
            "this must be a whole number",
        ),
        (
            "segments:\n  - {id: a, rule: 'true'}\n  - {id: a, rule: 'false'}",
            3,
            "segments.a",
            "defined already at a.yaml:2; rename or remove one of them",
        ),
    ],
)
def test_each_mistake_of_form_is_named(text, line, field, message):
    ((found_line, found_field, found_message),) = found(text)
    assert (found_line, found_field) == (line, field)
    assert message in found_message


def test_files_add_up_and_a_name_in_two_of_them_is_a_problem_that_names_both():
    source = from_texts(
        {
            "b.yaml": "attributes:\n  age: {type: int, category: demographic}\n",
            "a.yaml": "\nattributes:\n  age: {type: int, category: demographic}\n"
            "  x: {type: bool, category: behavioral}\n",
        }
    )
    assert sorted(source.attributes) == ["age", "x"]
    (problem,) = source.problems
    assert str(problem).startswith("b.yaml:2: attributes.age: defined already at a.yaml:3")


def test_what_is_wrong_does_not_hide_what_is_right():
    source = from_texts({"a.yaml": "segments:\n  - {id: a, rule: 5}\n  - {id: b, rule: 'true'}\n"})
    assert list(source.segments) == ["b"]
    assert source.broken == {"a"}


def test_empty_sections_are_empty():
    sections = ("attributes", "purposes", "strategies", "include", "exclude", "segments")
    assert found("".join(f"{section}:\n" for section in sections)) == []


RULE = "age > 18 &&\nwrong > 2"


@pytest.mark.parametrize(
    ("yaml_rule", "lines"),
    [
        ("|\n      age > 18 &&\n      wrong > 2\n    title: x", 2),
        ("|-\n\n\n      age > 18 &&\n\n      wrong > 2\n    title: x", 5),
        (">\n      age > 18 &&\n      wrong > 2\n    title: x", 2),
        (">-\n      age > 18\n      && wrong\n      > 2\n    title: x", 2),
        ("age > 18 &&\n      wrong > 2\n    title: x", 1),
        ("'age > 18 &&\n      wrong > 2'\n    title: x", 1),
        ('"age > 18 && wrong > 2"', 0),
        ("age > 18 && wrong > 2", 0),
    ],
)
def test_a_place_in_a_rule_is_a_line_of_the_file_however_yaml_folds_it(yaml_rule, lines):
    source = from_texts({"a.yaml": f"segments:\n  - id: a\n    rule: {yaml_rule}\n"})
    segment = source.segments["a"]
    rule = segment.value.rule
    before = rule[: rule.index("wrong")]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    assert source.rule_line(segment, line, column) == 3 + lines


def test_a_place_at_the_end_of_a_rule_stays_within_it():
    source = from_texts({"a.yaml": "segments:\n  - id: a\n    rule: |\n      age >\n    title: x\n"})
    assert source.rule_line(source.segments["a"], 1, 6) == 4


def test_a_directory_is_read_in_the_order_of_names(tmp_path: Path):
    (tmp_path / "b.yml").write_text("purposes:\n  p: {legal_basis: consent, categories: []}\n")
    (tmp_path / "a.yaml").write_text("\ufeffsegments:\n  - {id: a, rule: 'true'}\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not: [yaml")
    texts = read_directory(tmp_path)
    assert list(texts) == ["a.yaml", "b.yml"]
    assert from_texts(texts).problems == []
    assert list(read_directory(tmp_path / "a.yaml")) == ["a.yaml"]


def test_a_missing_or_empty_directory_is_named(tmp_path: Path):
    with pytest.raises(NotFound, match="no catalog here"):
        read_directory(tmp_path)
    with pytest.raises(NotFound, match="no catalog here"):
        read_directory(tmp_path / "nobody")


def test_a_file_that_is_not_text_is_named(tmp_path: Path):
    (tmp_path / "a.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(CatalogError, match=r"a.yaml:1: not UTF-8 text, from byte 3 on"):
        read_directory(tmp_path)


def test_every_unreadable_file_is_listed_beside_the_mistakes_in_others():
    source = from_texts({"a.yaml": "x: [", "b.yaml": "y: '", "c.yaml": "segmets: []"})
    assert not source.readable
    assert [problem.file for problem in source.problems] == ["a.yaml", "b.yaml", "c.yaml"]

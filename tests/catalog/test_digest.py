"""The digest names the meaning and not the layout; what is exported resolves to it again."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from segserver.catalog import resolve
from segserver.catalog.digest import canonical
from segserver.strategies.manager import Installed

from_text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)

SEGMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "rule": st.sampled_from(
                ["visits > 3", "visits>5 && tag == 'a  b'", "true", "tag != ''\n// why\n&& visits == 1"]
            )
        },
        optional={
            "title": from_text,
            "owner": from_text,
            "tags": st.lists(from_text, max_size=3),
            "purposes": st.lists(st.sampled_from(["ads", "stats"]), min_size=1, unique=True),
            "minimum_audience": st.integers(20, 1000),
            "legal_or_similar_effect": st.booleans(),
            "exclusive_group": st.sampled_from(["g", "h"]),
        },
    ),
    max_size=5,
)


def definitions(segments, title, description):
    return {
        "purposes": {
            "ads": {
                "legal_basis": "consent",
                "categories": ["behavioral", "technical"],
                "description": description,
            },
            "stats": {"legal_basis": "contract", "categories": ["technical", "behavioral"]},
        },
        "attributes": {
            "visits": {"type": "int", "category": "behavioral", "title": title},
            "tag": {"type": "string", "category": "technical", "values": ["a", "b", "no", "0123", "1e5"]},
        },
        "segments": [{"id": f"shop/s{n}", "priority": n, **segment} for n, segment in enumerate(segments)],
    }


class Quoting(yaml.SafeDumper):
    """Quotes every text, so that no reader takes one for something else."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def write(data):
    return yaml.dump(data, Dumper=Quoting, allow_unicode=True)


def digest(*texts):
    return resolve({f"{n}.yaml": text for n, text in enumerate(texts)}, Installed()).digest


@given(SEGMENTS, from_text, from_text)
def test_what_is_exported_resolves_to_the_same_digest_and_exports_the_same(segments, title, description):
    catalog = resolve({"a.yaml": write(definitions(segments, title, description))}, Installed())
    again = resolve(catalog.documents, Installed())
    assert again.digest == catalog.digest
    assert again.documents == catalog.documents
    for name, segment in catalog.segments.items():
        assert again.segments[name].title == segment.title
        assert again.segments[name].rule == segment.rule


@given(SEGMENTS, st.randoms())
@settings(max_examples=40)
def test_order_and_files_do_not_matter(segments, random):
    data = definitions(segments, "t", "d")
    shuffled = {
        "attributes": dict(reversed(data["attributes"].items())),
        "purposes": {
            name: {**purpose, "categories": purpose["categories"][::-1]}
            for name, purpose in reversed(data["purposes"].items())
        },
    }
    others = random.sample(data["segments"], len(data["segments"]))
    others = [
        {key: value[::-1] if isinstance(value, list) else value for key, value in reversed(segment.items())}
        for segment in others
    ]
    assert digest(write(data)) == digest(write({"segments": others}), write(shuffled))


BASE = """
purposes:
  ads: {legal_basis: consent, categories: [behavioral]}
  care: {legal_basis: consent, categories: [behavioral]}
attributes: {visits: {type: int, category: behavioral}}
segments:
  - id: a
    rule: visits > 3
    exclusive_group: g
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("visits > 3", "visits > 4"),
        ("visits > 3", '\'visits > 3 && "a b" == "a  b"\''),
        ("legal_basis: consent", "legal_basis: contract"),
        ("categories: [behavioral]", "categories: [behavioral, special]"),
        ("type: int", "type: int, title: Visits"),
        ("type: int", "type: int, purposes: [ads]"),
        ("rule", "title: x\n    rule"),
        ("rule", "owner: x\n    rule"),
        ("rule", "tags: [x]\n    rule"),
        ("rule", "purposes: [ads]\n    rule"),
        ("rule", "priority: 5\n    rule"),
        ("rule", "minimum_audience: 50\n    rule"),
        ("rule", "legal_or_similar_effect: true\n    rule"),
        ("exclusive_group: g", "exclusive_group: h"),
        ("id: a", "id: b"),
    ],
)
def test_every_change_of_meaning_is_another_digest(before, after):
    assert before in BASE
    assert digest(BASE) != digest(BASE.replace(before, after, 1))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("visits > 3", "visits>3"),
        ("visits > 3", "|\n      visits >\n        3\n"),
        ("visits > 3", "|\n      // many visits\n      visits > 3\n"),
        ("rule", "minimum_audience: 100\n    rule"),
        ("rule", "purposes: [care, ads]\n    rule"),
        ("segments:", "# the segments\nsegments:"),
    ],
)
def test_what_means_the_same_has_the_same_digest(before, after):
    assert before in BASE
    assert digest(BASE) == digest(BASE.replace(before, after, 1))


def test_settings_and_versions_of_strategies_are_in_the_digest(build):
    plain = build("strategies: {people: }")
    assert build("strategies: {people: {adult: 18}}").digest == plain.digest
    assert build("strategies: {people: {adult: 19}}").digest != plain.digest
    assert build("strategies: {}").digest != plain.digest


def test_ready_made_segments_and_settings_are_exported(build, installed):
    catalog = build("strategies: {people: {adult: 19}}\ninclude: ['people/*']\nexclude: ['*/children']")
    again = resolve(catalog.documents, installed)
    assert again.digest == catalog.digest
    assert list(again.segments) == ["people/adults", "people/faithful"]
    assert again.strategies["people"].given == {"adult": 19}


@pytest.mark.parametrize(
    ("rule", "tokens"),
    [
        ("a>=b", "a > = b"),
        ("a  ==\n'x  y'", "a = = 'x  y'"),
        ("a // b\n+ c", "a + c"),
        ("'// no comment'", "'// no comment'"),
        (r"r'\' == 'a  b'", r"r'\' = = 'a  b'"),
        (r"'\'' == 'a  b'", r"'\'' = = 'a  b'"),
        ('"""a  "b"  c""" == x', '"""a  "b"  c""" = = x'),
    ],
)
def test_white_space_and_comments_outside_of_strings_do_not_count(rule, tokens):
    assert canonical(rule) == tokens

"""What differs between two catalogs, and what changes its meaning because of it."""

from __future__ import annotations

import pytest

from segserver.catalog.diff import Change, diff

BASE = """
    strategies: {people: }
    include: [people/adults]
    attributes:
      visits: {type: int, category: behavioral}
    segments:
      - {id: busy, rule: visits > 3}
      - {id: busy-adults, rule: segments.busy && segments.people.adults}
      - {id: lazy, rule: visits == 0}
"""


def changed(build, before: str, after: str):
    assert before in BASE
    return diff(build(BASE), build(BASE.replace(before, after)))


def test_equal_catalogs_do_not_differ(build):
    assert not diff(build(BASE), build(BASE))


def test_a_rule_changes_the_segments_above_it(build):
    difference = changed(build, "visits > 3", "visits > 4")
    assert difference.segments == (
        Change("segment", "busy", "changed", ("rule",)),
        Change("segment", "busy-adults", "changed", (), ("segments.busy",)),
    )
    assert difference.others == ()


def test_a_setting_changes_the_traits_and_segments_above_it(build):
    difference = changed(build, "people: }", "people: {adult: 21}}")
    assert difference.others == (
        Change("strategy", "people", "changed", ("settings",)),
        Change("trait", "people.adult", "changed", ("rule",)),
        Change("trait", "people.initial", "changed", (), ("people",)),
    )
    assert difference.segments == (
        Change("segment", "busy-adults", "changed", (), ("people.adult",)),
        Change("segment", "people/adults", "changed", (), ("people.adult",)),
    )


def test_a_title_changes_no_meaning(build):
    difference = changed(build, "{id: busy, ", "{id: busy, title: Busy, ")
    assert difference.segments == (Change("segment", "busy", "changed", ("title",)),)


def test_a_member_that_comes_first_changes_those_after_it(build):
    grouped = BASE.replace("visits > 3", "visits > 3, exclusive_group: g").replace(
        "visits == 0", "visits == 0, exclusive_group: g, priority: 1"
    )
    difference = diff(build(grouped), build(grouped.replace("visits > 3", "visits > 5")))
    assert [change.name for change in difference.segments] == ["busy", "busy-adults", "lazy"]
    assert difference.segments[2].through == ("segments.busy",)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("- {id: lazy, rule: visits == 0}", "", [("segment", "lazy", "removed")]),
        (
            "category: behavioral}",
            "category: behavioral}\n      x: {type: int, category: behavioral}",
            [("attribute", "x", "added")],
        ),
        ("type: int, category", "type: int, title: Visits, category", [("attribute", "visits", "changed")]),
    ],
)
def test_what_is_added_removed_or_changed_is_named(build, before, after, expected):
    difference = changed(build, before, after)
    assert [(c.part, c.name, c.kind) for c in (*difference.segments, *difference.others)] == expected

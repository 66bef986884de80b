from __future__ import annotations

from segserver.strategies.api import Segment
from segserver.strategies.ready_made import ReadyMade, titled

READY_MADE = ReadyMade("loyalty", owner="loyalty-team")


def test_one_segment_has_the_strategys_name_owner_and_tags():
    assert READY_MADE.one("veterans", "With us for long", "loyalty.veteran", tag="age") == Segment(
        "loyalty/veterans",
        rule="loyalty.veteran",
        title="With us for long",
        owner="loyalty-team",
        tags=("loyalty", "age"),
    )
    assert READY_MADE.one("all", "Everybody", "true").tags == ("loyalty",)


def test_each_value_has_a_segment_of_one_exclusive_group_in_the_order_given():
    found = READY_MADE.each("class", "abc_class", {"B": "Some", 'A"': "Most"})
    assert [(segment.id, segment.rule, segment.title, segment.priority) for segment in found] == [
        ("loyalty/class-b", 'loyalty.abc_class == "B"', "Some", 1),
        ('loyalty/class-a"', r'loyalty.abc_class == "A\""', "Most", 2),
    ]
    assert {segment.exclusive_group for segment in found} == {"loyalty-class"}
    assert {tuple(segment.tags) for segment in found} == {("loyalty", "class")}


def test_a_title_is_in_words_but_for_a_label_of_numbers():
    assert titled("Aged {}", ["18-24", "very-old"]) == {"18-24": "Aged 18-24", "very-old": "Aged very old"}

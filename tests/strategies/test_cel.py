"""CEL written from settings, run by Google's own evaluator."""

from __future__ import annotations

import string

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_strings
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from segserver.strategies.api import Settings
from segserver.strategies.cel import (
    OTHER,
    Band,
    Bands,
    Spellings,
    at_least,
    band,
    choose,
    folded,
    label,
    labels_in,
    labels_of,
    literal,
)

ENVIRONMENT = cel.NewEnv(
    variables={
        "number": cel.Type.DOUBLE,
        "count": cel.Type.INT,
        "text": cel.Type.STRING,
        "texts": cel.Type.List(cel.Type.STRING),
        "others": cel.Type.List(cel.Type.STRING),
    },
    extensions=[ext_strings.ExtStrings()],
)


class Example(Settings):
    tiers: Bands = (Band(label="low", below=10), Band(label="middle", below=20.5), Band(label="high"))
    colours: Spellings = {"red": ("Crimson ", "rot"), "blue": ()}


def evaluated(expression: str, **data: object) -> object:
    return ENVIRONMENT.compile(expression).eval(data=data).plain_value()


@given(st.text(st.characters(codec="utf-8")) | st.integers(-(2**63) + 1, 2**63 - 1) | st.booleans())
def test_a_literal_means_its_value(value):
    assert evaluated(literal(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_becomes_a_double(value):
    assert evaluated(f"{literal(value)} + 0.0 == {literal(value)}") is True


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
def test_a_list_literal_means_its_items(values):
    assert evaluated(literal(values)) == values


def test_choose_takes_the_first_that_holds():
    assert evaluated(choose([("false", "1"), ("true", "2"), ("true", "3")], "4")) == 2
    assert evaluated(choose([], "4")) == 4


@given(
    st.lists(st.integers(-100, 100), min_size=1, max_size=6, unique=True).map(sorted),
    st.floats(-120, 120, allow_nan=False),
)
def test_every_number_lies_in_exactly_the_band_that_its_limits_say(limits, number):
    bands = (*(Band(label=f"b{i}", below=limit) for i, limit in enumerate(limits)), Band(label="top"))
    position = sum(limit <= number for limit in limits)
    assert evaluated(band("number", bands), number=number) == labels_of(bands)[position]


@given(st.integers(-50, 50))
def test_int_and_double_agree_on_the_band(number):
    bands = Example().tiers
    as_double = evaluated(band("number", bands), number=float(number))
    assert evaluated(band("count", bands, integer=True), count=number) == as_double


@given(st.sampled_from(["red", "crimson", "rot", "blue"]), st.data())
def test_case_and_surrounding_space_do_not_count(spelling, data):
    written = "".join(data.draw(st.sampled_from([c, c.upper()])) for c in spelling)
    space = st.text(" \t", max_size=2)
    expected = "blue" if spelling == "blue" else "red"
    found = evaluated(label("text", Example().colours), text=data.draw(space) + written + data.draw(space))
    assert found == expected


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp", "Cf"])))
def test_python_folds_as_cel_does(text):
    assert evaluated("text.trim().lowerAscii()", text=text) == folded(text)


def test_a_text_that_no_list_names_is_other():
    assert evaluated(label("text", Example().colours), text="YOLO") == OTHER


def test_a_list_keeps_order_and_unknown_texts_and_drops_what_it_must():
    rule = labels_in("texts", Example().colours, without=["Secret"])
    assert evaluated(rule, texts=["Green", " ROT", "secret", "blue"]) == ["green", "red", "blue"]
    assert evaluated(labels_in("texts", {}), texts=["A "]) == ["a"]


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ([], "every band but the last"),
        ([{"label": "a", "below": 1}], "every band but the last"),
        ([{"label": "a"}, {"label": "b"}], "every band but the last"),
        ([{"label": "a", "below": 2}, {"label": "b", "below": 2}, {"label": "c"}], "ascending"),
        ([{"label": "a", "below": 2}, {"label": "a"}], "one label"),
        ([{"label": "a", "below": "NaN"}, {"label": "b"}], "finite"),
        ([{"label": "Not A Label"}], "not a label"),
        ([{"label": "a", "from": 3}], "Extra inputs"),
    ],
)
def test_wrong_bands_are_refused(tiers, message):
    with pytest.raises(ValidationError, match=message):
        Example.model_validate({"tiers": tiers})


def test_one_text_can_not_mean_two_labels():
    with pytest.raises(ValidationError, match="'rot' is listed under both 'red' and 'blue'"):
        Example.model_validate({"colours": {"red": ["ROT"], "blue": ["rot "]}})
    with pytest.raises(ValidationError, match="is not a label"):
        Example.model_validate({"colours": {"Red!": []}})


def test_settings_survive_json():
    settings = Example()
    assert Example.model_validate(settings.model_dump(mode="json")) == settings
    assert settings.colours["blue"] == ("blue",)
    assert set("".join(settings.colours["red"])) <= set(string.ascii_lowercase)


@given(
    st.lists(st.sampled_from(["a", "b", "c"])),
    st.lists(st.sampled_from(["x", "y"])),
    st.integers(1, 5),
)
def test_at_least_counts_each_sought_label_once(texts, others, minimum):
    rule = at_least(minimum, [("texts", ["a", "b"]), ("others", ["x", "y"])])
    count = len({"a", "b"} & set(texts)) + len(set(others))
    assert evaluated(rule, texts=texts, others=others) is (count >= minimum)


def test_one_list_settles_it_while_the_other_is_unknown():
    rule = at_least(2, [("others", ["x"]), ("texts", ["a", "b"])])
    assert evaluated(rule, texts=["a", "b"]) is True
    assert evaluated(at_least(1, [("texts", [])]), texts=[]) is False


@settings(max_examples=25)
@given(st.integers(0, 400), st.integers(0, 400))
def test_a_long_table_is_not_too_deep_for_the_parser(size, wanted):
    rule = choose(((f"count == {i}", str(i)) for i in range(size)), "-1")
    assert evaluated(rule, count=wanted) == (wanted if wanted < size else -1)


@given(st.lists(st.sampled_from(["true", "false", "number > 0.0"]), max_size=40))
def test_halving_a_chain_changes_nothing_also_when_conditions_are_unknown(conditions):
    linear = next((i for i, condition in enumerate(conditions) if condition != "false"), None)
    expression = ENVIRONMENT.compile(choose(((c, str(i)) for i, c in enumerate(conditions)), "-1"))
    value = expression.eval(data={})
    if linear is None:
        assert value.plain_value() == -1
    elif conditions[linear] == "true":
        assert value.plain_value() == linear
    else:
        assert value.type() == cel.Type.ERROR


def test_many_sought_labels_are_not_too_deep_for_the_parser():
    names = [f"n{i}" for i in range(300)]
    assert evaluated(at_least(300, [("texts", names)]), texts=names) is True

"""Labels travel: categories and permitted purposes, through traits, segments and groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.catalog import resolve
from segserver.errors import CatalogError
from segserver.model import Category
from segserver.strategies.manager import Installed


def test_a_segment_serves_what_everything_it_depends_on_permits(build):
    catalog = build(
        """
        strategies: {people: , money: }
        include: [people/adults]
        segments:
          - {id: named-adults, rule: segments.people.adults && people.initial == "A"}
          - {id: rich-adults, rule: segments.people.adults && income > 1.0}
          - {id: always, rule: "true"}
        """
    )
    assert catalog.segments["people/adults"].purposes == {"marketing", "analytics", "care"}
    assert catalog.segments["named-adults"].purposes == {"marketing"}
    assert catalog.segments["named-adults"].categories == {Category.DEMOGRAPHIC, Category.IDENTIFIER}
    assert catalog.segments["named-adults"].code == {"people.initial"}
    assert catalog.segments["rich-adults"].purposes == {"analytics"}
    assert catalog.segments["always"].purposes == {"marketing", "analytics", "care"}
    assert catalog.traits["people.faith"].categories == {Category.SPECIAL}
    assert catalog.traits["people.faith"].purposes == {"care"}


def test_a_purpose_that_a_dependency_does_not_permit_is_refused_with_the_path(problems):
    found = problems(
        """
        strategies: {people: , money: }
        segments:
          - {id: rich, rule: money.rich}
          - id: rich-adults
            rule: segments.rich && people.adult
            purposes: [analytics, marketing]
        """
    )
    assert found == [
        (
            "a.yaml:7 segments.rich-adults.purposes",
            "purpose marketing is not permitted by attribute income (financial): "
            "rich-adults → rich → money.rich → income",
        )
    ]


def test_a_purpose_that_a_segment_below_does_not_serve_is_refused(problems):
    ((place, message),) = problems(
        """
        strategies: {people: }
        segments:
          - {id: adults, rule: people.adult, purposes: [analytics]}
          - {id: others, rule: "!segments.adults", purposes: [marketing]}
        """
    )
    assert place == "a.yaml:5 segments.others.purposes"
    assert message == "purpose marketing is not permitted by adults: others → adults"


def test_deriving_a_special_category_without_saying_so_is_refused_with_the_path(problems):
    found = problems(
        """
        strategies: {people: }
        segments:
          - {id: faithful, rule: people.faith == "x", derives_special: true}
          - {id: quiet, rule: "!segments.faithful"}
          - {id: open, rule: "religion != ''"}
        """
    )
    assert [place for place, _ in found] == [
        "a.yaml:5 segments.quiet.derives_special",
        "a.yaml:6 segments.open.derives_special",
    ]
    assert "without saying so: quiet → faithful → people.faith → religion" in found[0][1]
    assert "without saying so: open → religion; add derives_special: true" in found[1][1]


def test_what_is_said_to_derive_a_special_category_carries_it(build, problems):
    text = """
        attributes:
          vitamins: {type: bool, category: demographic}
        segments:
          - {id: expecting, rule: vitamins, derives_special: true%s}
          - {id: others, rule: "!segments.expecting", derives_special: true}
        """
    catalog = build(text % "")
    assert catalog.segments["expecting"].categories == {Category.DEMOGRAPHIC, Category.SPECIAL}
    assert catalog.segments["others"].purposes == {"care"}
    ((_, message),) = problems(text % ", purposes: [marketing]")[:1]
    assert message == "purpose marketing is not permitted by expecting (special): expecting"


def test_what_a_group_lets_one_infer_is_in_the_label(problems, build):
    text = """
        attributes:
          vitamins: {type: bool, category: demographic}
        segments:
          - {id: first, rule: vitamins, derives_special: true, exclusive_group: g, priority: 1}
          - {id: last, rule: "true", exclusive_group: g, priority: 2%s}
        """
    ((_, message),) = problems(text % "")
    assert "without saying so: last → first" in message
    assert build(text % ", derives_special: true").segments["last"].purposes == {"care"}


def test_the_purposes_that_a_member_serves_do_not_bind_those_after_it(build):
    catalog = build(
        """
        strategies: {people: }
        segments:
          - {id: first, rule: people.adult, purposes: [analytics], exclusive_group: g, priority: 1}
          - {id: last, rule: "true", purposes: [marketing], exclusive_group: g, priority: 2}
        """
    )
    assert catalog.program("marketing").segments == ("last",)
    assert catalog.program("marketing").inputs == ("age",)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("{id: a, rule: name != '', purposes: []}", "name a purpose, or leave the key out"),
        (
            "{id: a, rule: name != '' && income > 1.0}",
            "no purpose permits everything that it depends on: not analytics, because of attribute name "
            "(identifier): a → name; not care, because of attribute income (financial): a → income; not "
            "marketing, because of attribute income (financial): a → income",
        ),
    ],
)
def test_a_segment_that_serves_nothing_is_refused(problems, segment, message):
    ((_, found),) = problems(f"strategies: {{people: , money: }}\nsegments:\n  - {segment}")
    assert message in found


def test_a_ready_made_segment_serves_what_the_catalog_permits(build):
    catalog = build("strategies: {people: }\ninclude: ['people/*']\n")
    assert catalog.segments["people/children"].purposes == {"analytics"}
    assert catalog.segments["people/faithful"].purposes == {"care"}


CATEGORIES = sorted(Category)
PURPOSES = ("p0", "p1", "p2")


@st.composite
def worlds(draw):
    """Attributes with a category, purposes with categories, and segments that read what comes before."""
    attributes = draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=6))
    purposes = [draw(st.sets(st.sampled_from(CATEGORIES), min_size=1)) for _ in PURPOSES]
    names = [f"a{n}" for n in range(len(attributes))]
    segments = []
    for n in range(draw(st.integers(1, 8))):
        reads = draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
        segments.append((f"s{n}", reads, draw(st.booleans())))
        names.append(f"s{n}")
    return attributes, purposes, segments


def source_of(world):
    attributes, purposes, segments = world
    lines = ["purposes:"]
    lines += [
        f"  {name}: {{legal_basis: consent, categories: [{', '.join(sorted(categories))}]}}"
        for name, categories in zip(PURPOSES, purposes, strict=True)
    ]
    lines += ["attributes:"]
    lines += [f"  a{n}: {{type: bool, category: {category}}}" for n, category in enumerate(attributes)]
    lines += ["segments:"]
    for name, reads, special in segments:
        rule = " || ".join(f"segments.{r}" if r.startswith("s") else r for r in reads) or "true"
        lines.append(f"  - {{id: {name}, rule: {rule!r}, derives_special: {str(special).lower()}}}")
    return "\n".join(lines)


@given(worlds())
def test_labels_are_the_closure_of_what_is_read(world):
    attributes, purposes, segments = world
    allowed = dict(zip(PURPOSES, purposes, strict=True))
    categories = {f"a{n}": {category} for n, category in enumerate(attributes)}
    reads = {f"a{n}": {f"a{n}"} for n in range(len(attributes))}
    refused = set()
    for name, read, special in segments:
        categories[name] = set().union(*(categories[r] for r in read)) | (
            {Category.SPECIAL} if special else set()
        )
        reads[name] = set().union(*(reads[r] for r in read))
        permitted = {p for p, extent in allowed.items() if categories[name] <= extent}
        if (Category.SPECIAL in categories[name] and not special) or (not permitted and reads[name]):
            refused.add(name)
    if refused:
        with pytest.raises(CatalogError) as caught:
            resolve({"a.yaml": source_of(world)}, Installed())
        assert {problem.field.split(".")[1] for problem in caught.value.problems} == refused
        return
    catalog = resolve({"a.yaml": source_of(world)}, Installed())
    for name, _, _ in segments:
        segment = catalog.segments[name]
        assert segment.categories == categories[name]
        assert segment.reads == reads[name]
        assert segment.purposes == {p for p, extent in allowed.items() if categories[name] <= extent}

"""Exclusive groups: a subject is in at most one segment, the first by priority whose rule holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segserver.catalog import resolve
from segserver.strategies.manager import Installed

FLAG = st.sampled_from([True, False, None])


def catalog_of(priorities):
    """A group of one segment for each priority; segment ``s<n>`` has the rule ``f<n>``."""
    lines = ["purposes: {p: {legal_basis: consent, categories: [behavioral]}}", "attributes:"]
    lines += [f"  f{n}: {{type: bool, category: behavioral}}" for n in range(len(priorities))]
    lines += ["segments:"]
    lines += [
        f"  - {{id: s{n}, rule: f{n}, exclusive_group: g, priority: {priority}}}"
        for n, priority in enumerate(priorities)
    ]
    return resolve({"a.yaml": "\n".join(lines)}, Installed())


def run(catalog, flags):
    program = catalog.program("p")
    values = [flags[int(name[1:])] for name in program.inputs]
    return dict(zip(program.segments, program.python(values, 0, "s", frozenset(), []), strict=True))


def kleene_and(values):
    return False if False in values else None if None in values else True


def inverse(value):
    return None if value is None else not value


GROUPS = st.integers(1, 40).flatmap(
    lambda size: st.tuples(st.permutations(range(size)), st.lists(FLAG, min_size=size, max_size=size))
)


@given(GROUPS)
def test_a_group_means_its_rule_and_none_of_those_before(group):
    priorities, flags = group
    answers = run(catalog_of(priorities), flags)
    order = sorted(range(len(priorities)), key=priorities.__getitem__)
    for position, number in enumerate(order):
        ahead = [inverse(flags[other]) for other in order[:position]]
        assert answers[f"s{number}"] == kleene_and([flags[number], *ahead])
    assert sum(answer is True for answer in answers.values()) <= 1


@given(GROUPS)
def test_a_subject_with_all_data_is_in_the_first_segment_whose_rule_holds(group):
    priorities, flags = group
    known = [flag is True for flag in flags]
    answers = run(catalog_of(priorities), known)
    holding = [number for number, flag in enumerate(known) if flag]
    expected = {f"s{min(holding, key=priorities.__getitem__)}"} if holding else set()
    assert {name for name, answer in answers.items() if answer} == expected


def test_a_member_knows_who_comes_first():
    catalog = catalog_of([3, 1, 2])
    assert catalog.segments["s0"].ahead == ("s1", "s2")
    assert catalog.segments["s1"].ahead == ()
    assert catalog.segments["s0"].reads == {"f0", "f1", "f2"}
    assert catalog.segments["s1"].reads == {"f1"}


def test_a_large_group_stays_linear():
    catalog = catalog_of(range(300))
    assert sum(len(reads) for reads in catalog.steps.reads.values()) < 300 * 25
    assert run(catalog, [number >= 200 for number in range(300)])["s200"] is True

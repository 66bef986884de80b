"""The examples' catalogs, resolved and compiled both ways, give the sizes of the raw files."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import counts_customer_personality
import counts_sapa
import polars as pl
import pytest
import segserver_demographic
import segserver_needs
import segserver_psychographic

from segserver.catalog import Catalog, read_directory, resolve
from segserver.rules.values import to_rule
from segserver.strategies.manager import Installed, load

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
DAY = dt.date(2017, 7, 1)
NOON = dt.datetime(2017, 7, 1, 12, tzinfo=dt.UTC)
COLUMNS = {
    "int": pl.Int64(),
    "double": pl.Float64(),
    "string": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "list(string)": pl.List(pl.String()),
}


@pytest.fixture(scope="module")
def installed() -> Installed:
    return load([], [segserver_demographic, segserver_needs, segserver_psychographic], strict=True)


@pytest.fixture(params=["customer_personality", "sapa_spi"])
def name(request):
    return request.param


@pytest.fixture
def catalog(name, installed):
    return resolve(read_directory(EXAMPLES / name / "catalog"), installed)


@pytest.fixture
def profiles(name, request):
    example = request.getfixturevalue(name)
    return [profile for profile in example.profiles() if not isinstance(profile, str)]


@pytest.fixture
def expected(name, shared_data):
    if name == "sapa_spi":
        return counts_sapa.Inventory(shared_data).sizes(DAY)
    return counts_customer_personality.sizes(shared_data, DAY)


def sizes_by_python(catalog: Catalog, purpose: str, profiles: list) -> Counter[str]:
    program = catalog.program(purpose)
    types = {name: catalog.attribute(name).type for name in program.inputs}
    now = int(NOON.timestamp()) * 1_000_000
    sizes: Counter[str] = Counter()
    for profile in profiles:
        values = [to_rule(profile[name], types[name]) if name in profile else None for name in types]
        outcomes = program.python(values, now, "", frozenset(), [])
        sizes.update(segment for segment, member in zip(program.segments, outcomes, strict=True) if member)
    return sizes


def sizes_by_polars(catalog: Catalog, purpose: str, profiles: list) -> Counter[str]:
    bulk = catalog.bulk(purpose)
    types = {name: COLUMNS[catalog.attribute(name).type] for name in bulk.inputs}
    table = bulk.polars(pl.DataFrame(profiles, schema=types), now=NOON)
    outcomes = table.select(pl.col(bulk.polars.outputs).sum()).row(0)
    return Counter({s: size for s, size in zip(bulk.segments, outcomes, strict=True) if size})


@pytest.mark.parametrize("sizes", [sizes_by_python, sizes_by_polars])
def test_every_purpose_gives_the_sizes_of_the_raw_file(catalog, profiles, expected, sizes):
    found: dict[str, int] = {}
    for purpose in catalog.purposes:
        served = {segment.id for segment in catalog.segments.values() if purpose in segment.purposes}
        assert sizes(catalog, purpose, profiles) == {s: size for s, size in expected.items() if s in served}
        found |= {segment: expected[segment] for segment in served & set(expected)}
    assert found == expected


def test_no_purpose_sees_what_it_has_no_category_for(name, catalog):
    for purpose in catalog.purposes.values():
        for segment in catalog.program(purpose.name).segments:
            assert catalog.segment(segment).categories <= set(purpose.categories), segment
    assert "religion" in catalog.attributes
    assert not [s.id for s in catalog.segments.values() if "religion" in s.reads]

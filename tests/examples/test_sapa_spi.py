from __future__ import annotations

import datetime as dt
import statistics

import counts_sapa
import pytest
from segserver_psychographic import PsychographicSettings

DAY = dt.date(2017, 7, 1)


@pytest.fixture(scope="module")
def inventory(shared_data):
    return counts_sapa.Inventory(shared_data)


def test_each_factor_has_fourteen_items_and_each_facet_five(inventory):
    for scale, items in inventory.items.items():
        assert len(items) == (14 if scale in counts_sapa.FACTORS.values() else 75 if not scale else 5)


@pytest.mark.parametrize("factor", counts_sapa.FACTORS.values())
def test_every_item_as_keyed_goes_along_with_the_rest_of_its_factor(inventory, factor):
    """What tells that the right items are reversed: wrongly keyed, an item would correlate negatively."""
    for item in inventory.items[factor]:
        own = [inventory.answer(row, factor, item) for row in inventory.rows]
        totals = (inventory.total(row, factor) for row in inventory.rows)
        rest = [total - answer for total, answer in zip(totals, own, strict=True)]
        assert statistics.correlation(own, rest) > 0.1, item


def test_the_default_norms_are_those_of_the_file(inventory):
    assert {name: (norm.mean, norm.sd) for name, norm in PsychographicSettings().norms.items()} == {
        name: (round(mean, 3), round(sd, 3)) for name, (mean, sd) in inventory.norms.items()
    }


def test_the_catalogs_norms_are_those_of_the_file(inventory, sapa_spi):
    norms = sapa_spi.catalog["strategies"]["psychographic"]["norms"]
    assert {name: (norm["mean"], norm["sd"]) for name, norm in norms.items()} == inventory.norms


def test_the_counts_add_up(inventory):
    sizes = inventory.sizes(DAY)

    def total(prefix):
        return sum(size for segment, size in sizes.items() if segment.startswith(prefix))

    assert total("demographic/age-") == total("demographic/generation-") == 4000
    assert sizes["demographic/minors"] == sizes["demographic/age-under-18"] == 635
    assert sizes["demographic/gender-female"] == 2348
    assert total("demographic/education-") == 4000 - 670


def test_nothing_about_health_or_belief_is_imported(sapa_spi):
    for profile in sapa_spi.profiles():
        assert not {"religion", "health", "smoke"} & set(profile)


def test_mapping_strategies_and_catalog_give_the_sizes_of_the_raw_file(sapa_spi, inventory):
    assert sapa_spi.sizes(DAY) == inventory.sizes(DAY)

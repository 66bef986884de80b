"""Rules that callers write have limits, which errors name."""

import pytest
from servers import open_engine

from segserver.config import Limits
from segserver.errors import CatalogError, RuleError
from segserver.model import Caller, Role

CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
  name: {type: string, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""
SOMEBODY = Caller("somebody", frozenset({Role.ADMIN}), frozenset())


@pytest.fixture
def catalogs(tmp_path):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG})
    yield engine.catalogs
    engine.close()


@pytest.mark.parametrize(
    ("limits", "fine", "beyond", "setting"),
    [
        ({"rule_characters_max": 9}, "age >= 18", "age >= 118", "limits.rule_characters_max"),
        ({"rule_depth_max": 3}, "!(age >= 18)", "!(age + 1 >= 18)", "limits.rule_depth_max"),
        (
            {"regex_characters_max": 3},
            "name.matches('a.c') || name == 'abcd'",
            "name.matches('a.cd')",
            "limits.regex_characters_max",
        ),
    ],
)
async def test_a_rule_beyond_a_limit_is_refused_where_it_is(catalogs, limits, fine, beyond, setting):
    limits = Limits(**limits)
    assert catalogs.check_rule(fine, limits).type == "bool"
    with pytest.raises(RuleError, match=setting):
        catalogs.check_rule(beyond, limits)
    text = CATALOG.replace("age >= 18}", f'"{beyond}"}}')
    with pytest.raises(CatalogError, match=setting) as refused:
        await catalogs.publish(SOMEBODY, {"catalog.yaml": text}, limits=limits)
    assert "people/adults" in refused.value.message
    assert (await catalogs.versions(9, 9))[0].version == 1

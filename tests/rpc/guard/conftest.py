"""A catalog that is enough to ask something."""

from __future__ import annotations

import pytest

DOCUMENTS = {
    "catalog.yaml": """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
  nicknames: {type: list(string), category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""
}


@pytest.fixture
def documents():
    return DOCUMENTS

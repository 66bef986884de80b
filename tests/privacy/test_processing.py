from __future__ import annotations

import json

from segserver.model import Category, LegalBasis
from segserver.privacy.policy import Label, Policy, Purpose
from segserver.privacy.processing import DAY_US, Behavior, Kind, Sources, markdown, processing_record
from segserver.privacy.receipt import Controller

POLICY = Policy(
    purposes={
        "marketing": Purpose(
            "marketing",
            LegalBasis.CONSENT,
            frozenset({Category.DEMOGRAPHIC, Category.LOCATION}),
            title="Marketing | mail",
            direct_marketing=True,
        ),
        "care": Purpose("care", LegalBasis.CONTRACT, frozenset({Category.DEMOGRAPHIC}), profiling=False),
    },
    labels={
        "income": Label(Category.DEMOGRAPHIC),
        "city": Label(Category.LOCATION),
        "secret": Label(Category.DEMOGRAPHIC, frozenset({"care"})),
        "faith": Label(Category.SPECIAL),
    },
    retention_us={Category.LOCATION: 90 * DAY_US, Category.DEMOGRAPHIC: 36 * DAY_US // 24},
)
SOURCES = Sources(
    Controller("Shop Ltd", "mail@shop.example", "dpo@shop.example"),
    {"crm": ["marketing"], "all": ["*"]},
    {"geographic": "1.0.0"},
    {"retail/near": ["marketing"], "retail/any": ["marketing", "care"]},
    [
        Behavior(Kind.LIST, "vip", frozenset({Category.LOCATION}), frozenset({"marketing"}), "crm"),
        Behavior(
            Kind.EVENT, "visit", frozenset({Category.LOCATION, Category.DEMOGRAPHIC}), frozenset({"care"})
        ),
        Behavior(Kind.COMPUTED, "visits", frozenset({Category.LOCATION}), frozenset({"marketing", "care"})),
    ],
)


def test_the_record_holds_what_article_30_asks_for():
    record = processing_record(POLICY, SOURCES)
    care, marketing = record["activities"]
    assert marketing["attributes"] == ["city", "income"]
    assert care["attributes"] == ["income", "secret"]
    assert marketing["recipients"] == ["all", "crm"]
    assert care["recipients"] == ["all"]
    assert marketing["retention"] == {"demographic": "36 hours", "location": "90 days"}
    assert marketing["segments"] == ["retail/any", "retail/near"]
    assert (care["legal_basis"], care["profiling"]) == ("contract", False)
    assert record["controller"]["data_protection_officer"] == "dpo@shop.example"
    assert json.loads(json.dumps(record)) == record


def test_the_record_names_events_computed_attributes_and_lists():
    computed, event, listed = processing_record(POLICY, SOURCES)["behavior"]
    assert event == {
        "kind": "event",
        "name": "visit",
        "categories": ["demographic", "location"],
        "purposes": ["care"],
        "retention": "36 hours",
        "owner": "",
    }
    assert (computed["name"], computed["purposes"]) == ("visits", ["care", "marketing"])
    assert computed["retention"].startswith("not stored")
    assert (listed["name"], listed["owner"]) == ("vip", "crm")
    assert "expires" in listed["retention"]


def test_the_record_reads_as_a_document():
    text = markdown(processing_record(POLICY, SOURCES))
    assert "| event | visit | demographic, location | care | 36 hours | none |" in text
    assert "# Record of processing activities" in text
    assert "## Marketing | mail" in text
    assert "| Categories of personal data | demographic, location |" in text
    assert "| Time limits for erasure | demographic: 36 hours, location: 90 days |" in text
    assert "- geographic 1.0.0" in text
    assert text.endswith("\n")

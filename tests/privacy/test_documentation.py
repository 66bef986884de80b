"""The officer's document says what the code does: its reasons are the gate's, and its tests exist."""

from __future__ import annotations

import re
from pathlib import Path

from segserver.catalog import resolve
from segserver.catalog.definitions import PolicyDefinition
from segserver.privacy.reasons import Reason
from segserver.strategies.manager import Installed

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")


def test_every_reason_is_listed_in_its_order_with_its_sentence():
    listed = re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", TEXT, re.MULTILINE)
    assert listed == [(reason.value, reason.sentence) for reason in Reason]


def test_every_test_that_is_named_exists():
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`", TEXT)
    assert len(named) == len(re.findall(r"^\| (?:GDPR|CCPA)", TEXT, re.MULTILINE))
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not re.search(
            rf"^(?:async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert missing == []


def test_the_policy_that_is_shown_is_one():
    (policy,) = re.findall(r"^```yaml\n(policy:.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    attributes = "attributes:\n  birth_date: {type: timestamp, category: demographic}\n"
    attributes += "  age: {type: int, category: demographic}\n"
    shown = resolve({"policy.yaml": policy, "attributes.yaml": attributes}, Installed()).policy
    assert len(shown.retention_us) == 2
    assert (shown.regimes["AT"].child_below_years, shown.regimes["US-VA"].opt_in) == (14, False)
    listed = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`[^|]*`) \|.*\|.*\|$", TEXT, re.MULTILINE)))
    assert set(PolicyDefinition.model_fields) <= set(listed)

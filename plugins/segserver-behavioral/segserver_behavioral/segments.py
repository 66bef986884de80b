"""The ready-made behavioral segments."""

from __future__ import annotations

from collections.abc import Iterable

from segserver.strategies.api import Segment
from segserver.strategies.cel import labels_of, literal
from segserver_behavioral.settings import SEASONS, BehavioralSettings
from segserver_behavioral.traits import CHURN_RISK, ENGAGEMENT

OWNER = "segserver-behavioral"


def segments(settings: BehavioralSettings) -> list[Segment]:
    """The segments under these settings: one exclusive group for each trait with bands or a list."""
    return [
        *_group("frequency", "purchase_frequency", "Orders: {}", labels_of(settings.frequency_bands)),
        *_group("season", "season", "Orders in {}", SEASONS),
        *_group("email", "email_engagement", "E-mails: {}", ENGAGEMENT),
        *_group("session", "session_depth", "Session: {}", labels_of(settings.session_bands)),
        *_group("churn-risk", "churn_risk", "Risk of losing them: {}", CHURN_RISK),
        _single("discount-seekers", "Mostly order at a discount", "discount_seeker"),
        _single("holiday-shoppers", "Mostly order for the holidays", "holiday_shopper"),
        _single("long-session", "In a long session now", "long_session"),
        _single("frequent-returners", "Often send orders back", "frequent_returner"),
        _single("needs-support", "Often write to support", "needs_support"),
        _single("app-users", "Use the app", "app_user"),
    ]


def _single(name: str, title: str, trait: str) -> Segment:
    return Segment(
        f"behavioral/{name}", rule=f"behavioral.{trait}", title=title, owner=OWNER, tags=("behavioral",)
    )


def _group(prefix: str, trait: str, title: str, labels: Iterable[str]) -> list[Segment]:
    return [
        Segment(
            f"behavioral/{prefix}-{name}",
            rule=f"behavioral.{trait} == {literal(name)}",
            title=title.format(name.replace("-", " ")),
            owner=OWNER,
            tags=("behavioral", prefix),
            exclusive_group=f"behavioral-{prefix}",
            priority=position,
        )
        for position, name in enumerate(labels, start=1)
    ]

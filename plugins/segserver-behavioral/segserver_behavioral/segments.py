"""The ready-made behavioral segments."""

from __future__ import annotations

from segserver.strategies.api import Segment
from segserver.strategies.cel import labels_of
from segserver.strategies.ready_made import ReadyMade, titled
from segserver_behavioral.settings import SEASONS, BehavioralSettings
from segserver_behavioral.traits import CHURN_RISK, ENGAGEMENT

READY_MADE = ReadyMade("behavioral", owner="segserver-behavioral")


def segments(settings: BehavioralSettings) -> list[Segment]:
    """The segments under these settings: one exclusive group for each trait with bands or a list."""
    return [
        *READY_MADE.each(
            "frequency", "purchase_frequency", titled("Orders: {}", labels_of(settings.frequency_bands))
        ),
        *READY_MADE.each("season", "season", titled("Orders in {}", SEASONS)),
        *READY_MADE.each("email", "email_engagement", titled("E-mails: {}", ENGAGEMENT)),
        *READY_MADE.each(
            "session", "session_depth", titled("Session: {}", labels_of(settings.session_bands))
        ),
        *READY_MADE.each("churn-risk", "churn_risk", titled("Risk of losing them: {}", CHURN_RISK)),
        READY_MADE.one("discount-seekers", "Mostly order at a discount", "behavioral.discount_seeker"),
        READY_MADE.one("holiday-shoppers", "Mostly order for the holidays", "behavioral.holiday_shopper"),
        READY_MADE.one("long-session", "In a long session now", "behavioral.long_session"),
        READY_MADE.one("frequent-returners", "Often send orders back", "behavioral.frequent_returner"),
        READY_MADE.one("needs-support", "Often write to support", "behavioral.needs_support"),
        READY_MADE.one("app-users", "Use the app", "behavioral.app_user"),
    ]

"""What the journey strategy computes of events."""

from __future__ import annotations

from segserver.strategies.api import Aggregate, ComputedAttribute
from segserver.strategies.vocabulary import (
    CART_ADD,
    DAYS_SINCE_ORDER,
    ORDER,
    ORDER_GAP_DAYS,
    ORDERS_EVER,
    PAGE_VIEW,
    SIGNED_UP,
    SUPPORT_ANSWERED,
    SUPPORT_ASKED,
)
from segserver_journey.settings import JourneySettings

EVENTS = (ORDER, CART_ADD, PAGE_VIEW, SIGNED_UP, SUPPORT_ASKED, SUPPORT_ANSWERED)


def computed(settings: JourneySettings) -> list[ComputedAttribute]:
    """The computed attributes under these settings."""
    recent, before = f"{settings.won_back_days}d", f"{settings.away_days}d before {settings.won_back_days}d"
    return [
        ORDERS_EVER,
        DAYS_SINCE_ORDER,
        ORDER_GAP_DAYS,
        _computed("orders_lately", "order", "count", recent, "Orders lately"),
        _computed("orders_before", "order", "count", before, "Orders in the time before"),
        _computed("carts_open", "cart_add", "count", "since order", "Put into the cart since the last order"),
        _computed(
            "days_since_cart",
            "cart_add",
            "time_since_last",
            "all",
            "Days since something was put in the cart",
        ),
        _computed("pages_ever", "page_view", "exists", "all", "Ever viewed a page"),
        _computed("signed_up_ever", "signed_up", "exists", "all", "Ever signed up"),
        _computed(
            "support_open",
            "support_asked",
            "count",
            "since support_answered",
            "Contacts with support since its last answer",
        ),
        _computed(
            "support_wait_days",
            "support_asked",
            "time_since_first",
            "since support_answered",
            "Days since the first of them",
        ),
    ]


def _computed(name: str, event: str, aggregate: Aggregate, window: str, title: str) -> ComputedAttribute:
    return ComputedAttribute(
        name,
        event,
        aggregate,
        window,
        category="behavioral",
        title=title,
    )

"""What the behavioral strategy counts of events."""

from __future__ import annotations

from collections.abc import Sequence

from segserver.strategies.api import Aggregate, ComputedAttribute
from segserver.strategies.cel import literal
from segserver.strategies.vocabulary import (
    APP_OPENED,
    DAYS_SINCE_ORDER,
    EMAIL_CLICKED,
    EMAIL_OPENED,
    EMAIL_SENT,
    ORDER,
    ORDER_GAP_DAYS,
    ORDER_RETURNED,
    ORDERS_EVER,
    PAGE_VIEW,
    SUPPORT_ASKED,
)
from segserver_behavioral.settings import SEASONS, BehavioralSettings

EVENTS = (
    ORDER,
    ORDER_RETURNED,
    PAGE_VIEW,
    EMAIL_SENT,
    EMAIL_OPENED,
    EMAIL_CLICKED,
    SUPPORT_ASKED,
    APP_OPENED,
)


def computed(settings: BehavioralSettings) -> list[ComputedAttribute]:
    """The computed attributes under these settings."""
    year, views = f"{settings.purchase_days}d", f"{settings.view_days}d"
    emails, session = f"{settings.email_days}d", f"session {settings.session_gap_minutes}m"
    return [
        ORDERS_EVER,
        DAYS_SINCE_ORDER,
        ORDER_GAP_DAYS,
        _behavioral("orders_recent", "order", "count", year),
        _behavioral("orders_discounted", "order", "count", year, where="event.discount > 0.0"),
        _behavioral("orders_holiday", "order", "count", year, where=_in(settings.holiday_months, settings)),
        *(
            _behavioral(
                f"orders_{season}", "order", "count", year, where=_in(settings.seasons[season], settings)
            )
            for season in SEASONS
        ),
        ComputedAttribute(
            "average_order",
            "order",
            "average",
            year,
            category="financial",
            of="amount",
            title="Average order",
        ),
        _behavioral("order_channel", "order", "most_frequent", year, of="channel"),
        _behavioral("orders_returned", "order_returned", "count", year),
        _behavioral(
            "products_viewed", "page_view", "most_frequent", views, of="product", top=settings.views_top
        ),
        _behavioral(
            "topics_by_time",
            "page_view",
            "most_frequent",
            views,
            of="topic",
            weight="seconds",
            top=settings.views_top,
        ),
        _behavioral("session_pages", "page_view", "count", session),
        _behavioral("session_seconds", "page_view", "sum", session, of="seconds"),
        _behavioral("emails_sent", "email_sent", "count", emails),
        _behavioral("emails_opened", "email_opened", "count", emails),
        _behavioral("emails_clicked", "email_clicked", "count", emails),
        _behavioral("support_contacts", "support_asked", "count", f"{settings.support_days}d"),
        _behavioral("app_opens", "app_opened", "count", f"{settings.app_days}d"),
    ]


def _behavioral(
    name: str,
    event: str,
    aggregate: Aggregate,
    window: str,
    *,
    of: str = "",
    weight: str = "",
    top: int = 0,
    where: str = "",
) -> ComputedAttribute:
    return ComputedAttribute(
        name,
        event,
        aggregate,
        window,
        category="behavioral",
        of=of,
        weight=weight,
        top=top,
        where=where,
        title=name.replace("_", " ").capitalize(),
    )


def _in(months: Sequence[int], settings: BehavioralSettings) -> str:
    """The event's month is one of these; CEL counts months from 0."""
    zone = "" if settings.time_zone == "UTC" else literal(settings.time_zone)
    listed = ", ".join(str(month - 1) for month in sorted(months))
    return f"event.time.getMonth({zone}) in [{listed}]"

"""What the value strategy computes of events. Money that was paid back is taken off."""

from __future__ import annotations

from segserver.strategies.api import Aggregate, ComputedAttribute
from segserver.strategies.vocabulary import DAYS_SINCE_ORDER, ORDER, ORDER_RETURNED, ORDERS_EVER
from segserver_value.settings import ValueSettings

EVENTS = (ORDER, ORDER_RETURNED)


def computed(settings: ValueSettings) -> list[ComputedAttribute]:
    """The computed attributes under these settings."""
    window = f"{settings.window_days}d"
    return [
        ORDERS_EVER,
        DAYS_SINCE_ORDER,
        ComputedAttribute(
            "days_since_first_order",
            "order",
            "time_since_first",
            "all",
            category="behavioral",
            title="Days since the first order",
        ),
        ComputedAttribute(
            "value_orders", "order", "count", window, category="behavioral", title="Orders in the window"
        ),
        _money("value_spent", "order", "sum", window, "amount", "Spent in the window"),
        _money("value_refunded", "order_returned", "sum", window, "amount", "Paid back in the window"),
        _money("value_margin", "order", "sum", window, "margin", "Earned in the window"),
        ComputedAttribute(
            "value_margins",
            "order",
            "count",
            window,
            category="financial",
            where="event.margin > 0.0 || event.margin <= 0.0",
            title="Orders in the window whose margin is known",
        ),
        _money("order_average", "order", "average", "all", "amount", "Average order, all time"),
    ]


def _money(
    name: str, event: str, aggregate: Aggregate, window: str, of: str, title: str
) -> ComputedAttribute:
    return ComputedAttribute(
        name,
        event,
        aggregate,
        window,
        category="financial",
        of=of,
        title=title,
    )

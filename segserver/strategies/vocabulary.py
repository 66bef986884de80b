"""Events that most shops have, and what several strategies compute of them, so that strategies agree.

A strategy that reads one of these names it in its ``events`` or ``computed``; a catalog may add properties to
an event, or record other events besides.
"""

from __future__ import annotations

from pydantic import Field

from segserver.events.definitions import ComputedAttribute, Event, Property
from segserver.strategies.api import Settings
from segserver.strategies.cel import literal

PAGE_VIEW = Event(
    "page_view",
    "behavioral",
    {
        "product": Property("string", "behavioral", "The product that the page shows"),
        "topic": Property("string", "behavioral", "What the page is about"),
        "seconds": Property("double", "behavioral", "Time spent on it"),
        "channel": Property("string", "behavioral", "web, app, …"),
    },
    "Looked at a page",
)
CART_ADD = Event(
    "cart_add",
    "behavioral",
    {
        "product": Property("string", "behavioral", "The product"),
        "amount": Property("double", "financial", "What it costs"),
    },
    "Put something into the cart",
)
ORDER = Event(
    "order",
    "behavioral",
    {
        "amount": Property("double", "financial", "What was paid"),
        "margin": Property("double", "financial", "What the shop earned by it"),
        "discount": Property("double", "behavioral", "The share of the price that was taken off, 0 to 1"),
        "channel": Property("string", "behavioral", "web, app, store, …"),
        "items": Property("int", "behavioral", "How many things"),
    },
    "Bought",
)
ORDER_RETURNED = Event(
    "order_returned",
    "behavioral",
    {"amount": Property("double", "financial", "What was paid back")},
    "Sent an order, or part of it, back",
)
EMAIL_SENT = Event("email_sent", "behavioral", title="Was sent an e-mail")
EMAIL_OPENED = Event("email_opened", "behavioral", title="Opened an e-mail")
EMAIL_CLICKED = Event("email_clicked", "behavioral", title="Followed a link in an e-mail")
SUPPORT_ASKED = Event("support_asked", "behavioral", title="Wrote to support, or called")
SUPPORT_ANSWERED = Event("support_answered", "behavioral", title="Got an answer from support")
APP_OPENED = Event("app_opened", "behavioral", title="Opened the app")
SIGNED_UP = Event("signed_up", "behavioral", title="Left an address, or made an account")

ORDERS_EVER = ComputedAttribute(
    "orders_ever", "order", "count", "all", category="behavioral", title="Orders, all time"
)
DAYS_SINCE_ORDER = ComputedAttribute(
    "days_since_order",
    "order",
    "time_since_last",
    "all",
    category="behavioral",
    title="Days since the last order",
)
ORDER_GAP_DAYS = ComputedAttribute(
    "order_gap_days",
    "order",
    "median_gap",
    "all",
    category="behavioral",
    title="Days from one order to the next: the median",
)


class OrderGapSettings(Settings):
    """What a strategy's settings begin with when it measures time without an order in gaps between orders."""

    gap_orders: int = Field(default=4, ge=2)
    """From so many orders on, a customer's own median gap is the measure; below, ``gap_days`` is."""
    gap_days: float = Field(default=60.0, gt=0)
    """The gap between orders that is expected of customers with little history."""
    gap_days_min: float = Field(default=7.0, gt=0)
    """No gap counts as shorter: several orders on one day are one errand."""

    def expected_gap_days(self) -> str:
        """CEL for the days from one order to the next that are expected of a customer; it reads
        :data:`ORDERS_EVER` and :data:`ORDER_GAP_DAYS`."""
        shortest = literal(self.gap_days_min)
        own = f"(order_gap_days < {shortest} ? {shortest} : order_gap_days)"
        return f"orders_ever >= {self.gap_orders} ? {own} : {literal(self.gap_days)}"

"""The stages of the journey, as a trait and as an exclusive group of segments."""

from __future__ import annotations

from segserver.strategies.api import Segment, Trait
from segserver.strategies.cel import choose, literal
from segserver_journey.settings import JourneySettings

OWNER = "segserver-journey"

STAGES = {
    "cart-abandoner": "Put something into the cart and left it there",
    "won-back": "Ordered again after a long time away",
    "churned": "Has not ordered for so long that they are gone",
    "lapsed": "Has not ordered for long",
    "at-risk": "Should have ordered by now",
    "loyal": "Orders again and again",
    "repeat": "Ordered more than once",
    "first-purchase": "Ordered once",
    "lead": "Signed up, and has not ordered",
    "visitor": "Looked around",
    "stranger": "Did nothing that is known",
}
"""Each stage with what it means. Whoever could be in two is in the first."""


def traits(settings: JourneySettings) -> list[Trait]:
    """The traits under these settings."""
    return [
        Trait(
            "expected_gap_days",
            "double",
            "Days from one order to the next that are expected of the customer",
            rule=settings.expected_gap_days(),
        ),
        Trait("stage", "string", "Stage of the journey", rule=_stage(settings), values=tuple(STAGES)),
        Trait(
            "support_waiting",
            "bool",
            f"Wrote to support {settings.support_hours:g} hours ago or earlier, and got no answer",
            rule=f"support_open > 0 && support_wait_days >= {literal(settings.support_hours / 24)}",
        ),
    ]


def segments(_: JourneySettings) -> list[Segment]:
    """One segment for each stage but ``stranger``, and one for who waits for support."""
    stages = [
        Segment(
            f"journey/{stage}",
            rule=f"journey.stage == {literal(stage)}",
            title=title,
            owner=OWNER,
            tags=("journey",),
            exclusive_group="journey-stage",
            priority=position,
        )
        for position, (stage, title) in enumerate(STAGES.items(), start=1)
        if stage != "stranger"
    ]
    waiting = Segment(
        "journey/support-waiting",
        rule="journey.support_waiting",
        title="Waits for an answer from support",
        owner=OWNER,
        tags=("journey",),
    )
    return [*stages, waiting]


def _stage(settings: JourneySettings) -> str:
    """Customers without an order have no ``days_since_order``, so what compares it asks for orders first."""
    hours, days = literal(settings.cart_hours / 24), literal(settings.cart_days)
    left_cart = f"carts_open > 0 && days_since_cart >= {hours} && days_since_cart <= {days}"
    won_back = "orders_lately > 0 && orders_before == 0 && orders_ever > orders_lately"
    away = "orders_ever > 0 && days_since_order / journey.expected_gap_days >= "
    cases = {
        "cart-abandoner": left_cart,
        "won-back": won_back,
        "churned": away + literal(settings.churned_gaps),
        "lapsed": away + literal(settings.lapsed_gaps),
        "at-risk": away + literal(settings.at_risk_gaps),
        "loyal": f"orders_ever >= {settings.loyal_orders}",
        "repeat": "orders_ever > 1",
        "first-purchase": "orders_ever == 1",
        "lead": "signed_up_ever",
        "visitor": "pages_ever",
    }
    return choose([(f"({rule})", literal(stage)) for stage, rule in cases.items()], literal("stranger"))

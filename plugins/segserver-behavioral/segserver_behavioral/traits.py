"""The behavioral traits, all of them CEL written from the settings."""

from __future__ import annotations

from segserver.strategies.api import Trait
from segserver.strategies.cel import band, choose, labels_of, literal
from segserver_behavioral.settings import SEASONS, BehavioralSettings

ENGAGEMENT = ("not-mailed", "unresponsive", "opening", "engaged", "clicking")
CHURN_RISK = ("low", "medium", "high")
NO_SEASON = "none"


def traits(settings: BehavioralSettings) -> list[Trait]:
    """The traits under these settings."""
    return [*_of_orders(settings), *_of_attention(settings), *_of_churn(settings)]


def _of_orders(settings: BehavioralSettings) -> list[Trait]:
    return [
        Trait(
            "purchase_frequency",
            "string",
            f"How often somebody orders in {settings.purchase_days} days",
            rule=band("orders_recent", settings.frequency_bands, integer=True),
            values=labels_of(settings.frequency_bands),
        ),
        Trait(
            "average_order", "double", f"Average order of {settings.purchase_days} days", rule="average_order"
        ),
        Trait("discount_seeker", "bool", "Mostly orders at a discount", rule=_discount_seeker(settings)),
        Trait(
            "season",
            "string",
            "The season in which somebody mostly orders",
            rule=_season(settings),
            values=(*SEASONS, NO_SEASON),
        ),
        Trait("holiday_shopper", "bool", "Mostly orders for the holidays", rule=_holiday_shopper(settings)),
        Trait("preferred_channel", "string", "Where somebody mostly orders", rule="order_channel"),
        Trait(
            "frequent_returner",
            "bool",
            "Often sends orders back",
            rule=f"orders_recent >= {settings.return_orders} && "
            f"double(orders_returned) / double(orders_recent) >= {literal(settings.return_share)}",
        ),
    ]


def _of_attention(settings: BehavioralSettings) -> list[Trait]:
    return [
        Trait(
            "most_viewed_products",
            "list(string)",
            f"Viewed most in {settings.view_days} days",
            rule="products_viewed",
        ),
        Trait("interests", "list(string)", "Topics by time spent", rule="topics_by_time"),
        Trait(
            "email_engagement",
            "string",
            f"What became of the e-mails of {settings.email_days} days",
            rule=_email_engagement(settings),
            values=ENGAGEMENT,
        ),
        Trait(
            "session_depth",
            "string",
            "Pages in the current session",
            rule=band("session_pages", settings.session_bands, integer=True),
            values=labels_of(settings.session_bands),
        ),
        Trait(
            "long_session",
            "bool",
            f"{settings.long_session_seconds:g} seconds in the current session",
            rule=f"session_seconds >= {literal(settings.long_session_seconds)}",
        ),
        Trait(
            "needs_support",
            "bool",
            f"Often wrote to support in {settings.support_days} days",
            rule=f"support_contacts >= {settings.support_contacts}",
        ),
        Trait("app_user", "bool", f"Opened the app in {settings.app_days} days", rule="app_opens > 0"),
    ]


def _of_churn(settings: BehavioralSettings) -> list[Trait]:
    return [
        Trait(
            "expected_gap_days",
            "double",
            "Days from one order to the next that are expected",
            rule=settings.expected_gap_days(),
        ),
        Trait(
            "churn_risk",
            "string",
            "How long somebody has not ordered, in gaps expected of them",
            rule=_churn_risk(settings),
            values=CHURN_RISK,
        ),
    ]


def _discount_seeker(settings: BehavioralSettings) -> str:
    return (
        f"orders_recent >= {settings.discount_orders} && "
        f"double(orders_discounted) / double(orders_recent) >= {literal(settings.discount_share)}"
    )


def _holiday_shopper(settings: BehavioralSettings) -> str:
    return (
        f"orders_recent >= {settings.season_orders} && "
        f"double(orders_holiday) / double(orders_recent) >= {literal(settings.season_share)}"
    )


def _season(settings: BehavioralSettings) -> str:
    few = (f"orders_recent < {settings.season_orders}", literal(NO_SEASON))
    share = literal(settings.season_share)
    cases = [
        (f"double(orders_{season}) / double(orders_recent) >= {share}", literal(season)) for season in SEASONS
    ]
    return choose([few, *cases], literal(NO_SEASON))


def _email_engagement(settings: BehavioralSettings) -> str:
    cases = [
        ("emails_clicked > 0", literal("clicking")),
        (f"emails_opened >= {settings.email_opens}", literal("engaged")),
        ("emails_opened > 0", literal("opening")),
        ("emails_sent > 0", literal("unresponsive")),
    ]
    return choose(cases, literal("not-mailed"))


def _churn_risk(settings: BehavioralSettings) -> str:
    gaps = "days_since_order / behavioral.expected_gap_days"
    cases = [
        (f"{gaps} >= {literal(settings.churn_high)}", literal("high")),
        (f"{gaps} >= {literal(settings.churn_medium)}", literal("medium")),
    ]
    return choose(cases, literal("low"))

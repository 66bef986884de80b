"""Windows, bands and thresholds of the behavioral strategy, each with its default."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from segserver.strategies.cel import Band, Bands, TimeZone
from segserver.strategies.vocabulary import OrderGapSettings

Share = Annotated[float, Field(gt=0, le=1)]
Days = Annotated[int, Field(ge=1, le=3_650)]
Months = Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(min_length=1)]

SEASONS = ("spring", "summer", "autumn", "winter")


def _seasons(table: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    months = sorted(month for season in table.values() for month in season)
    if set(table) != set(SEASONS) or months != list(range(1, 13)):
        raise ValueError(f"give {', '.join(SEASONS)}, and each month from 1 to 12 to one of them")
    return table


class BehavioralSettings(OrderGapSettings):
    """Settings of the behavioral strategy."""

    time_zone: TimeZone = "UTC"
    """Where a month begins and ends, for seasons and holidays: a name of the IANA time zone database."""

    purchase_days: Days = 365
    """How far back purchases and returns count."""

    frequency_bands: Bands = (
        Band(label="none", below=1),
        Band(label="occasional", below=3),
        Band(label="regular", below=12),
        Band(label="frequent"),
    )
    """Orders in ``purchase_days``."""

    discount_orders: int = Field(default=3, ge=1)
    """Who ordered less often is no discount seeker, however cheaply."""
    discount_share: Share = 0.5
    """From this share of orders at a discount on, somebody seeks discounts."""

    seasons: Annotated[dict[str, Months], AfterValidator(_seasons)] = {
        "spring": (3, 4, 5),
        "summer": (6, 7, 8),
        "autumn": (9, 10, 11),
        "winter": (12, 1, 2),
    }
    """Meteorological seasons of the northern hemisphere, by month."""
    holiday_months: Months = (11, 12)
    """When people shop for the holidays."""
    season_orders: int = Field(default=4, ge=2)
    """Who ordered less often has no season."""
    season_share: Share = 0.6
    """From this share of orders in one season, or in the holidays, on, somebody shops by it."""

    view_days: Days = 90
    """How far back views of pages count."""
    views_top: int = Field(default=3, ge=1, le=20)
    """How many products, and topics, count as most viewed."""

    email_days: Days = 180
    """How far back e-mails count."""
    email_opens: int = Field(default=5, ge=1)
    """From so many opened e-mails on, somebody is engaged."""

    session_gap_minutes: int = Field(default=30, ge=1, le=1_440)
    """A session ends when no page is viewed for so long."""
    session_bands: Bands = (
        Band(label="none", below=1),
        Band(label="glance", below=3),
        Band(label="browse", below=10),
        Band(label="deep"),
    )
    """Pages of the current session."""
    long_session_seconds: float = Field(default=180.0, gt=0)
    """From so much time on pages on, the current session is a long one."""

    return_orders: int = Field(default=3, ge=1)
    """Who ordered less often is no frequent returner."""
    return_share: Share = 0.3
    """From so many returns for each order on, somebody returns often."""

    support_days: Days = 90
    """How far back contacts with support count."""
    support_contacts: int = Field(default=2, ge=1)
    """From so many on, somebody needs support often."""

    app_days: Days = 30
    """Who opened the app in so many days uses it."""

    churn_medium: float = Field(default=1.5, gt=0)
    churn_high: float = Field(default=3.0, gt=0)
    """From so many expected gaps without an order on, the risk of losing a customer is medium, or high."""

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.churn_high <= self.churn_medium:
            raise ValueError("churn_high must be above churn_medium")
        return self

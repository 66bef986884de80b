"""Windows and shares of the value strategy, and its fit."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from segserver.strategies.api import Settings
from segserver.strategies.cel import Label

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class PurchaseModel(Settings):
    """BG/NBD: how often customers order, and when they stop (Fader, Hardie and Lee 2005)."""

    r: Positive
    alpha: Positive
    a: Positive
    b: Positive


class SpendModel(Settings):
    """Gamma-gamma: what their orders are worth (Fader and Hardie 2013)."""

    p: Positive
    q: Annotated[float, Field(gt=1, allow_inf_nan=False)]
    v: Positive


class ValueFit(Settings):
    """What ``segserver strategies fit value`` learned."""

    date: str
    customers: int
    purpose: str
    seed: int
    digest: str
    window_days: int
    """The window that scores were fitted over: one with another window needs another fit."""
    recency_days: Annotated[tuple[Number, ...], Field(min_length=4, max_length=4)]
    """Quintiles of the days since the last order."""
    frequency: Annotated[tuple[Number, ...], Field(min_length=4, max_length=4)]
    monetary: Annotated[tuple[Number, ...], Field(min_length=4, max_length=4)]
    profit: Annotated[tuple[Number, ...], Field(min_length=9, max_length=9)] | None = None
    """Deciles of the margin; none where margins are not recorded."""
    tiers: tuple[Number, ...]
    """From so much money in the window on, a customer is in the next tier."""
    abc: Annotated[tuple[Number, ...], Field(min_length=2, max_length=2)]
    """From so much money on, a customer is in class A, in class B."""
    purchases: PurchaseModel
    spend: SpendModel


class ValueSettings(Settings):
    """Settings of the value strategy."""

    window_days: int = Field(default=365, ge=1, le=3_650)
    """How far back orders count for scores, tiers and classes."""

    tiers: tuple[Label, ...] = ("bronze", "silver", "gold", "platinum")
    """Monetary tiers, from the least."""
    tier_shares: tuple[Share, ...] = (0.5, 0.8, 0.95)
    """The share of customers that is below each tier but the first."""

    abc_shares: tuple[Share, Share] = (0.8, 0.95)
    """The customers who bring the first 80 % of the money are class A, those of the next 15 % class B."""

    horizon_days: int = Field(default=365, ge=1, le=3_650)
    """How far ahead lifetime value looks."""
    yearly_discount: float = Field(default=0.1, ge=0, lt=1)
    """What a year takes off the worth of money."""
    margin_share: float = Field(default=1.0, gt=0, le=1)
    """How much of an order is earned: 1 makes lifetime value one of turnover."""
    high_value: Positive = 500.0
    """From so much lifetime value on, a customer is of high value."""

    fit: ValueFit | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if len(self.tier_shares) != len(self.tiers) - 1 or list(self.tier_shares) != sorted(
            set(self.tier_shares)
        ):
            raise ValueError("tier_shares has one share less than there are tiers, in rising order")
        if self.abc_shares[0] >= self.abc_shares[1]:
            raise ValueError("abc_shares must rise")
        if len(set(self.tiers)) < len(self.tiers):
            raise ValueError("two tiers have one label")
        if self.fit is not None and self.fit.window_days != self.window_days:
            raise ValueError(
                f"the fit is of {self.fit.window_days} days, and window_days is {self.window_days}: fit again"
            )
        if self.fit is not None and len(self.fit.tiers) != len(self.tier_shares):
            raise ValueError("the fit has another number of tiers: fit again")
        return self

"""Thresholds of the journey strategy, each with its default."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from segserver.strategies.vocabulary import OrderGapSettings

Days = Annotated[int, Field(ge=1, le=3_650)]
Gaps = Annotated[float, Field(gt=0, le=100)]


class JourneySettings(OrderGapSettings):
    """Settings of the journey strategy."""

    at_risk_gaps: Gaps = 2.0
    lapsed_gaps: Gaps = 3.0
    churned_gaps: Gaps = 6.0
    """From so many gaps without an order on, a customer is at risk, lapsed, churned."""

    loyal_orders: int = Field(default=5, ge=3)
    """From so many orders on, a repeat customer is a loyal one."""

    cart_hours: float = Field(default=1.0, ge=0)
    """A cart is abandoned when nothing was put in or ordered for so long,"""
    cart_days: float = Field(default=7.0, gt=0)
    """and forgotten after so long."""

    won_back_days: Days = 60
    """Whoever ordered in so many days,"""
    away_days: Days = 180
    """after none in so many days before, is won back."""

    support_hours: float = Field(default=24.0, ge=0)
    """Whoever had no answer from support for so long is waiting."""

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not self.at_risk_gaps < self.lapsed_gaps < self.churned_gaps:
            raise ValueError("at_risk_gaps, lapsed_gaps and churned_gaps must rise in this order")
        if self.cart_hours / 24 >= self.cart_days:
            raise ValueError("cart_days must be longer than cart_hours")
        return self

"""Prices: the grid, what a Wh costs all in, and the regulator's versioned tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .parameters import LEVELS, MarketParameters
from .values import BUY, ceil_div

if TYPE_CHECKING:
    from .state import MarketState

BPS = 10000
BANDS = 16


@dataclass(frozen=True)
class TariffHead:
    """Which version holds, and which was published to follow. `next_from` 0: none."""

    version: int = 0
    imbalance_steps: int = 0
    next_version: int = 0
    next_imbalance_steps: int = 0
    next_from: int = 0


@dataclass(frozen=True)
class Tables:
    """What a reputation costs or saves, basis points by band, band 0 the lowest: a buyer's surcharge, a
    seller's haircut, a buyer's rebate on the network fee."""

    surcharges: tuple[int, ...] = (0,) * BANDS
    haircuts: tuple[int, ...] = (0,) * BANDS
    rebates: tuple[int, ...] = (0,) * BANDS


@dataclass(frozen=True)
class Feeder:
    """A feeder's network fee [base units per Wh], and the share of each envelope it has room for now."""

    fee_per_wh: int = 0
    import_scale_bps: int = 0
    export_scale_bps: int = 0


@dataclass(frozen=True)
class Tariff:
    """The version that holds at some window."""

    version: int
    imbalance_steps: int
    tables: Tables


def get_tariff(market: MarketState, window: int) -> Tariff:
    """The tariff in force at a window."""
    head = market.tariff_head
    if head.next_from and head.next_from <= window:
        version, steps = head.next_version, head.next_imbalance_steps
    else:
        version, steps = head.version, head.imbalance_steps
    return Tariff(version, steps, market.tables.get(version, Tables()))


def adjustment_of(price: int, bps: int) -> int:
    """A surcharge or haircut on a price: rounded up, base units per Wh."""
    return ceil_div(price * bps, BPS)


def fee_after_rebate(fee_per_wh: int, rebate_bps: int) -> int:
    """A network fee less its rebate: rounded down, base units per Wh."""
    return fee_per_wh * (BPS - rebate_bps) // BPS


def all_in_price(side: int, price: int, adjustment_bps: int, fee_per_wh: int) -> int:
    """What a Wh costs a buyer with surcharge and fee, or brings a seller after the haircut [base units].

    This is the only place where money is rounded: every amount is Wh times this integer.
    """
    adjustment = adjustment_of(price, adjustment_bps)
    if side == BUY:
        return price + adjustment + fee_per_wh
    return price - adjustment


def effective_level(
    parameters: MarketParameters, side: int, limit_level: int, adjustment_bps: int, fee_per_wh: int
) -> int | None:
    """The level at which an order stands in the book so that its all-in price keeps the signed limit.

    The largest level whose all-in price is at most the limit for a buyer, the smallest whose all-in price is
    at least the limit for a seller; None if the grid has no such level.
    """
    limit = parameters.price(limit_level)
    floor, step = parameters.floor_price, parameters.price_step
    if side == BUY:
        # p + ceil(p s / 10000) <= limit - fee  <=>  p (10000 + s) <= 10000 (limit - fee), for the right side
        # is whole.
        if limit < fee_per_wh:
            return None
        price = BPS * (limit - fee_per_wh) // (BPS + adjustment_bps)
        if price < floor:
            return None
        return min((price - floor) // step, LEVELS - 1)
    # p - ceil(p h / 10000) >= limit  <=>  p (10000 - h) >= 10000 limit
    price = ceil_div(BPS * limit, BPS - adjustment_bps)
    level = ceil_div(max(price - floor, 0), step)
    return level if level < LEVELS else None


def unit_reserve(parameters: MarketParameters, side: int, limit_level: int, imbalance_steps: int) -> int:
    """The worst a Wh can cost its owner: a buyer's limit, or what its purchase costs a seller beyond it."""
    limit = parameters.price(limit_level)
    if side == BUY:
        return limit
    reserve = parameters.price(imbalance_steps) - limit
    if reserve < 0:
        # The registry publishes no tariff below level 256; without a tariff nobody can be enrolled.
        raise ArithmeticError("the imbalance price is below the limit: publish a tariff first")
    return reserve


def scaled_limit(market: MarketState, feeder: int, side: int, limit_wh: int) -> int:
    """The operating envelope [Wh per window] at the feeder's present scale."""
    word = market.feeders.get(feeder, Feeder())
    scale = word.import_scale_bps if side == BUY else word.export_scale_bps
    return limit_wh * scale // BPS

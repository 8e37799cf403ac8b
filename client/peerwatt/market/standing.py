"""What a score costs or saves: the terms of its band beside the neutral one and the next better one."""

from __future__ import annotations

from dataclasses import dataclass

from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import BANDS, WalletWord
from peerwatt.reference.reputation import POINTS_PER_BAND, SCORE_ONE, START_SCORE, band, rating
from peerwatt.reference.tariffs import all_in_price, fee_after_rebate
from peerwatt.reference.values import BUY, SELL


@dataclass(frozen=True)
class Terms:
    """The terms of one band.

    Attributes:
        rating: its letter.
        score_from: lowest score [1/65536 points].
        fee_per_wh: network fee after the rebate [base units/Wh].
        buying_per_wh: what a Wh costs all in, selling_per_wh: what one brings, at the last price [base units]; None
            without a price.
    """

    rating: str
    score_from: int
    surcharge_bps: int
    haircut_bps: int
    rebate_bps: int
    fee_per_wh: int
    buying_per_wh: int | None
    selling_per_wh: int | None


@dataclass(frozen=True)
class Standing:
    """An account's terms now, those of the score that a connection starts with, and those of the next band (None at
    the top). `price_per_wh`: the price they are reckoned at. `version`: of the tariff."""

    enrolled: bool
    version: int
    price_per_wh: int | None
    now: Terms
    neutral: Terms
    next: Terms | None


def read_standing(
    gateway: MarketGateway, account: str, wallet: WalletWord, window: int, price_per_wh: int | None
) -> Standing:
    """The terms of an account by the tariff in force at a window."""
    device = gateway.device(account)
    version, _ = gateway.tariff_head().at(window)
    surcharges, haircuts, rebates = (
        gateway.table(name, version).bands for name in ("surcharges", "haircuts", "rebates")
    )
    full_fee = gateway.feeder(device.feeder).fee_per_wh

    def terms_of(index: int) -> Terms:
        score_from = index * POINTS_PER_BAND * SCORE_ONE
        fee = fee_after_rebate(full_fee, rebates[index])
        buying = selling = None
        if price_per_wh is not None:
            buying = all_in_price(BUY, price_per_wh, surcharges[index], fee)
            selling = all_in_price(SELL, price_per_wh, haircuts[index], 0)
        return Terms(
            rating(score_from),
            score_from,
            surcharges[index],
            haircuts[index],
            rebates[index],
            fee,
            buying,
            selling,
        )

    own = band(wallet.score)
    return Standing(
        enrolled=bool(device.encode()),
        version=version,
        price_per_wh=price_per_wh,
        now=terms_of(own),
        neutral=terms_of(band(START_SCORE)),
        next=terms_of(own + 1) if own + 1 < BANDS else None,
    )

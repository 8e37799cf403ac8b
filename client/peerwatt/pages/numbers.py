"""Numbers as people read them: kWh, money with its currency, per cent, times of day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Protocol

WH_PER_KWH = 1000
MINUS = "\u2212"
# A number and its unit stay on one line.
STAY = "\u00a0"
NONE = "\u2013"
# Any sum of money of a market, with all its decimals.
EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)


class InCurrency(Protocol):
    """What says which money it is about."""

    @property
    def currency(self) -> str: ...
    @property
    def token_decimals(self) -> int: ...


def grouped(value: int | float | Decimal, decimals: int = 0) -> str:
    """A number with thousands separated and a true minus sign; a dash if it is not finite."""
    if not math.isfinite(value):
        return NONE
    number = value if isinstance(value, Decimal) else Decimal(value)
    text = f"{number.quantize(Decimal(1).scaleb(-decimals), context=EXACT):,f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def kwh_number(energy_wh: int) -> str:
    """Energy in kWh, three digits after the point below 1 kWh, else two below 100 kWh, else one."""
    size = abs(energy_wh)
    decimals = 3 if 0 < size < WH_PER_KWH else 2 if size < 100 * WH_PER_KWH else 1
    return grouped(EXACT.divide(Decimal(energy_wh), Decimal(WH_PER_KWH)), decimals)


def kwh_short(energy_wh: int) -> str:
    """Energy in kWh with two digits after the point, for columns."""
    return grouped(EXACT.divide(Decimal(energy_wh), Decimal(WH_PER_KWH)), 2)


def kwh_exact(energy_wh: int) -> str:
    """Energy in kWh, to the Wh."""
    return grouped(EXACT.divide(Decimal(energy_wh), Decimal(WH_PER_KWH)), 3)


def kwh(energy_wh: int) -> str:
    """Energy with its unit."""
    return f"0{STAY}kWh" if energy_wh == 0 else f"{kwh_number(energy_wh)}{STAY}kWh"


def percent(value: float, decimals: int = 1) -> str:
    """A percentage with its sign."""
    return NONE if not math.isfinite(value) else f"{grouped(value, decimals)}{STAY}%"


def share(part: int, whole: int, decimals: int = 1) -> str:
    """Part of a whole in per cent; a dash without a whole, "under" the last digit if less."""
    if whole == 0:
        return NONE
    rate = 100 * part / whole
    least = 10.0**-decimals
    return f"under {percent(least, decimals)}" if 0 < rate < least / 2 else percent(rate, decimals)


def plural(count: int, noun: str) -> str:
    """A number of things."""
    return f"{grouped(count)} {noun}" if count == 1 else f"{grouped(count)} {noun}s"


def clock(starts_at: str) -> str:
    """Time of day of an ISO time; the text itself if it is not one."""
    try:
        return datetime.fromisoformat(starts_at).strftime("%H:%M")
    except ValueError:
        return starts_at


def day(starts_at: str) -> str:
    """Date of an ISO time, such as 14 October 2026; the text itself if it is not one."""
    try:
        moment = datetime.fromisoformat(starts_at)
    except ValueError:
        return starts_at
    return f"{moment.day} {moment.strftime('%B %Y')}"


def duration(seconds: int) -> str:
    """A length of time in minutes up to three hours, in hours above."""
    minutes = seconds / 60
    if minutes <= 180:
        return f"{minutes:g} minutes"
    return f"{minutes / 60:.4g} hours"


def shorten(text: str, length: int) -> str:
    """A text of at most so many characters, its end cut off if need be."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "\u2026"


@dataclass(frozen=True)
class Money:
    """Amounts of a market's token. A unit of the currency is 10 ** decimals base units."""

    currency: str
    decimals: int

    @classmethod
    def of(cls, result: InCurrency) -> Money:
        """The money that something is in."""
        return cls(result.currency, result.token_decimals)

    def value(self, base_units: int | Decimal) -> Decimal:
        """Base units in the currency, exact."""
        return EXACT.scaleb(Decimal(base_units), -self.decimals)

    def per_kwh(self, price_per_wh: int | Decimal) -> Decimal:
        """A price in base units per Wh in currency per kWh, exact."""
        return self.value(EXACT.multiply(Decimal(price_per_wh), Decimal(WH_PER_KWH)))

    def number(self, base_units: int) -> str:
        """An amount without its currency."""
        return grouped(self.value(base_units), 2)

    def amount(self, base_units: int) -> str:
        """An amount with its currency."""
        return f"{self.number(base_units)}{STAY}{self.currency}"

    def price_number(self, price_per_wh: int | Decimal | None) -> str:
        """A price without its unit: one decimal where that is exact, else two; a dash without a price."""
        if price_per_wh is None:
            return NONE
        price = self.per_kwh(price_per_wh)
        return grouped(price, 1 if price == round(price, 1) else 2)

    def price(self, price_per_wh: int | Decimal | None) -> str:
        """A price with its unit; words without a price."""
        return (
            "no trade"
            if price_per_wh is None
            else f"{self.price_number(price_per_wh)}{STAY}{self.price_unit}"
        )

    @property
    def price_unit(self) -> str:
        """Such as NGN/kWh."""
        return f"{self.currency}/kWh"

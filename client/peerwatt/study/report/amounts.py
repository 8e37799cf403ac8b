"""Numbers as people read them: kWh, money with its currency, per cent, times of day."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from ..results import Summary, WindowResult

WH_PER_KWH = 1000
MINUS = "\u2212"
# A number and its unit stay on one line.
STAY = "\u00a0"
NONE = "\u2013"
# Any sum of money of a study, with all its decimals.
_EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)


def grouped(value: int | float | Decimal, decimals: int = 0) -> str:
    """A number with thousands separated and a true minus sign; a dash if it is not finite."""
    if not math.isfinite(value):
        return NONE
    number = value if isinstance(value, Decimal) else Decimal(value)
    text = f"{number.quantize(Decimal(1).scaleb(-decimals), context=_EXACT):,f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def kwh_number(energy_wh: int) -> str:
    """Energy in kWh, three digits after the point below 1 kWh, else two below 100 kWh, else one."""
    size = abs(energy_wh)
    decimals = 3 if 0 < size < WH_PER_KWH else 2 if size < 100 * WH_PER_KWH else 1
    return grouped(_EXACT.divide(Decimal(energy_wh), Decimal(WH_PER_KWH)), decimals)


def kwh_short(energy_wh: int) -> str:
    """Energy in kWh with two digits after the point, for columns."""
    return grouped(_EXACT.divide(Decimal(energy_wh), Decimal(WH_PER_KWH)), 2)


def kwh_exact(energy_wh: int) -> str:
    """Energy in kWh, to the Wh."""
    return grouped(_EXACT.divide(Decimal(energy_wh), Decimal(WH_PER_KWH)), 3)


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


def clocks(windows: Sequence[WindowResult], window_seconds: int) -> list[str]:
    """Times of day at which the windows start, and the end of the last one; the end is empty if unknown."""
    times = [clock(window.starts_at) for window in windows]
    try:
        end = datetime.fromisoformat(windows[-1].starts_at) + timedelta(seconds=window_seconds)
    except (IndexError, ValueError):
        return [*times, ""]
    return [*times, end.strftime("%H:%M")]


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
    """Amounts of the study's token. A unit of the currency is 10 ** decimals base units."""

    currency: str
    decimals: int

    @classmethod
    def of(cls, summary: Summary) -> Money:
        """The money of a study."""
        return cls(summary.currency, summary.token_decimals)

    def value(self, base_units: int | Decimal) -> Decimal:
        """Base units in the currency, exact."""
        return _EXACT.scaleb(Decimal(base_units), -self.decimals)

    def per_kwh(self, price_per_wh: int | Decimal) -> Decimal:
        """A price in base units per Wh in currency per kWh, exact."""
        return self.value(_EXACT.multiply(Decimal(price_per_wh), Decimal(WH_PER_KWH)))

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


def mean_price(windows: Iterable[WindowResult]) -> Decimal | None:
    """Clearing price weighted by the traded energy [base units/Wh]; None without a trade."""
    traded = [(w.price_per_wh, w.traded_wh) for w in windows if w.price_per_wh is not None]
    volume = sum(energy for _, energy in traded)
    if volume == 0:
        return None
    return _EXACT.divide(Decimal(sum(price * energy for price, energy in traded)), Decimal(volume))


def check_words(summary: Summary) -> tuple[tuple[bool, str], ...]:
    """What the study checked, each as (holds, words)."""
    money = Money.of(summary)
    return (
        (
            summary.parity_ok,
            "After every window the chain held exactly what the reference model computed."
            if summary.parity_ok
            else "The chain differs from the reference model: these figures prove nothing.",
        ),
        (
            summary.money_residual == 0,
            "Money adds up to the base unit: what was paid in was paid out."
            if summary.money_residual == 0
            else f"Money does not add up: {grouped(summary.money_residual)} base units "
            f"({money.amount(summary.money_residual)}) are left over.",
        ),
        (
            summary.energy_residual == 0,
            "Energy adds up to the Wh: bought = delivered + short + rounding."
            if summary.energy_residual == 0
            else f"Energy does not add up: {grouped(summary.energy_residual)} Wh are left over.",
        ),
    )

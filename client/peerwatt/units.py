"""Amounts as people write them, and as the market counts them: Wh, base units, levels of the price grid.

Everything is exact: an amount that is not a whole number of Wh or base units is refused, never rounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal

from .exceptions import BadAmount, OffGrid
from .integers import is_int

LEVELS = 256
WH_PER_KWH = 1000
# Registers stay at or below this.
MAX_ENERGY_WH = 2**48 - 1
# Longer numbers are typing errors. With at most 36 decimals of a token, money stays below 2^256.
MAX_DIGITS = 40
MAX_DECIMALS = 36
_NUMBER = re.compile(r"(-?)([0-9]+(?:\.[0-9]+)?)")
_LETTER = re.compile(r"[A-Za-z]")
_CURRENCY = re.compile(r"[A-Za-z][A-Za-z0-9]{0,10}")
# Room for any number of MAX_DIGITS times any power of ten used here.
_EXACT = Context(prec=4 * MAX_DIGITS)


@dataclass(frozen=True)
class PriceGrid:
    """The market's 256 prices, and the money they are in.

    Attributes:
        floor_price: price of level 0 [base units/Wh].
        price_step: from level to level [base units/Wh], > 0.
        token_decimals: a unit of the currency is 10 ** token_decimals base units.
        currency: its symbol, such as NGN.
    """

    floor_price: int
    price_step: int
    token_decimals: int
    currency: str

    def __post_init__(self) -> None:
        for name in ("floor_price", "price_step", "token_decimals"):
            value = getattr(self, name)
            if not is_int(value) or value < 0:
                raise BadAmount(f"{name} is {value!r}; give a whole number that is not negative")
        if self.price_step == 0 or self.price(LEVELS - 1) >= 2**64 or self.token_decimals > MAX_DECIMALS:
            raise BadAmount(
                f"no such price grid (floor_price={self.floor_price}, price_step={self.price_step}, "
                f"token_decimals={self.token_decimals}); read them from the deployed market and its token"
            )
        if not _CURRENCY.fullmatch(self.currency):
            raise BadAmount(f"currency is {self.currency!r}; give its symbol in letters, such as NGN")

    def price(self, level: int) -> int:
        """Price of a level [base units/Wh].

        Raises:
            BadAmount: not a level, 0 to 255.
        """
        if not is_int(level) or not 0 <= level < LEVELS:
            raise BadAmount(f"{level!r} is no price level; levels are 0 to {LEVELS - 1}")
        return self.floor_price + level * self.price_step

    def level(self, price: Decimal | int) -> int:
        """Level of a price.

        Args:
            price: [base units/Wh].
        Raises:
            OffGrid: between two levels, below the lowest or above the highest; names the two nearest.
        """
        steps, rest = divmod(int(_down(Decimal(price))) - self.floor_price, self.price_step)
        if rest == 0 and price == int(price) and 0 <= steps < LEVELS:
            return steps
        lower = min(max(steps, 0), LEVELS - 2)
        near = [f"{format_price(level, self)} (level {level})" for level in (lower, lower + 1)]
        raise OffGrid(
            f"{_plain(_per_kwh(price, self))} {self.currency}/kWh is not on the market's price grid "
            f"({format_price(0, self)} to {format_price(LEVELS - 1, self)} in steps of "
            f"{_plain(_per_kwh(self.price_step, self))}); the two nearest levels are {near[0]} and {near[1]}",
            price=price,
            nearest=(lower, lower + 1),
        )


def parse_energy(text: str) -> int:
    """Energy, such as `2.5 kWh` or `800 Wh`.

    Returns:
        Energy [Wh].
    Raises:
        BadAmount: no number, no unit, negative, too large, or not a whole number of Wh.
    """
    number, unit = _split(text, "2.5 kWh")
    factors = {"wh": 1, "kwh": WH_PER_KWH}
    if unit.lower() not in factors:
        raise BadAmount(f"{text!r} has {_name(unit)} of energy; write Wh or kWh")
    energy = _EXACT.multiply(number, Decimal(factors[unit.lower()]))
    energy_wh = _whole(energy, text, "Wh", f"the whole amount below it is {_plain(_down(energy))} Wh")
    if energy_wh > MAX_ENERGY_WH:
        raise BadAmount(f"{text!r} is more than a meter counts ({MAX_ENERGY_WH} Wh); check the unit")
    return energy_wh


def format_energy(energy_wh: int) -> str:
    """Energy for people: Wh below one kWh, else kWh, exact."""
    if abs(energy_wh) < WH_PER_KWH:
        return f"{energy_wh} Wh"
    return f"{_plain(_EXACT.divide(Decimal(energy_wh), Decimal(WH_PER_KWH)))} kWh"


def parse_money(text: str, grid: PriceGrid) -> int:
    """Money, such as `456.00 NGN`.

    Returns:
        Money [base units].
    Raises:
        BadAmount: no number, another currency, negative, or finer than the token's base unit.
    """
    number, unit = _split(text, f"456.00 {grid.currency}")
    if unit.lower() != grid.currency.lower():
        raise BadAmount(f"{text!r} is not in the market's money; write it like '456.00 {grid.currency}'")
    return _whole(
        number.scaleb(grid.token_decimals, _EXACT),
        text,
        f"base units of {grid.currency}",
        f"write at most {grid.token_decimals} decimals",
    )


def format_money(amount: int, grid: PriceGrid) -> str:
    """Money for people: at least two decimals where the token has them, exact.

    Args:
        amount: [base units], negative for a debt.
    """
    value = Decimal(amount).scaleb(-grid.token_decimals, _EXACT)
    return f"{_plain(value, min(2, grid.token_decimals))} {grid.currency}"


def parse_unit_price(text: str, grid: PriceGrid) -> int:
    """Any price, on the grid or not: `95 NGN/kWh`, `0.095 NGN/Wh`, or `95` for the same per kWh.

    Returns:
        Price [base units/Wh].
    Raises:
        BadAmount: no number, no price, another currency, negative, or finer than base units per Wh.
    """
    price = _parse_price(text, grid)
    return _whole(
        price,
        text,
        f"base units of {grid.currency} per Wh",
        f"the price below it is {_plain(_per_kwh(_down(price), grid))} {grid.currency}/kWh",
    )


def parse_price(text: str, grid: PriceGrid) -> int:
    """A price on the market's grid: `95 NGN/kWh`, `0.095 NGN/Wh`, or `95` for the same per kWh.

    Returns:
        Price level, 0 to 255.
    Raises:
        BadAmount: no number, no price, another currency, or negative.
        OffGrid: a price between the levels or outside them; the message names the two nearest.
    """
    return grid.level(_parse_price(text, grid))


def format_price(level: int, grid: PriceGrid, decimals: int = 0) -> str:
    """Price of a level for people, per kWh, exact, with at least so many decimals."""
    return format_unit_price(grid.price(level), grid, decimals)


def format_unit_price(price: int, grid: PriceGrid, decimals: int = 0) -> str:
    """A price [base units/Wh] for people, per kWh, exact, with at least so many decimals."""
    return f"{_plain(_per_kwh(price, grid), decimals)} {grid.currency}/kWh"


def format_share(bps: int) -> str:
    """Basis points for people, such as `0.25 %`."""
    return f"{_plain(Decimal(bps).scaleb(-2, _EXACT))} %"


def _parse_price(text: str, grid: PriceGrid) -> Decimal:
    number, unit = _split(text, f"95 {grid.currency}/kWh")
    money, slash, energy = (part.strip() for part in unit.partition("/"))
    if unit and not slash:
        raise BadAmount(f"{text!r} has the unit {unit!r}, which is no price; write '95 {grid.currency}/kWh'")
    if slash and money.lower() != grid.currency.lower():
        raise BadAmount(f"{text!r} is not in the market's money; write it like '95 {grid.currency}/kWh'")
    if slash and energy.lower() not in ("wh", "kwh"):
        raise BadAmount(f"{text!r} is per {energy!r}; write a price per kWh or per Wh")
    per_wh = number.scaleb(grid.token_decimals, _EXACT)
    return per_wh if energy.lower() == "wh" else _EXACT.divide(per_wh, Decimal(WH_PER_KWH))


def _split(text: str, example: str) -> tuple[Decimal, str]:
    """Number and unit; the unit is empty if there is none."""
    if not isinstance(text, str):
        raise BadAmount(f"{text!r} is not a text; write the amount with its unit, like {example!r}")
    # The unit starts with the first letter, so that 2.5kWh reads like 2.5 kWh.
    start = _LETTER.search(text)
    number = text[: start.start()] if start else text
    return _check_number(number.strip(), text, example), text[len(number) :].strip()


def _check_number(number: str, text: str, example: str) -> Decimal:
    if "," in number or "_" in number or "'" in number:
        raise BadAmount(f"{text!r} is ambiguous; write digits and a decimal point only, like {example!r}")
    parts = _NUMBER.fullmatch(number)
    if parts is None:
        raise BadAmount(f"{text!r} does not start with a number; write it like {example!r}")
    if parts[1]:
        raise BadAmount(f"{text!r} is negative; amounts are zero or more")
    if len(number) > MAX_DIGITS:
        raise BadAmount(f"the number has {len(number)} characters, at most {MAX_DIGITS} make sense; check it")
    return Decimal(number)


def _whole(value: Decimal, text: str, unit: str, advice: str) -> int:
    if value != value.to_integral_value():
        raise BadAmount(f"{text!r} is not a whole number of {unit}; {advice}")
    return int(value)


def _down(value: Decimal) -> Decimal:
    return value.to_integral_value("ROUND_FLOOR", _EXACT)


def _per_kwh(price: Decimal | int, grid: PriceGrid) -> Decimal:
    """Currency per kWh of base units per Wh."""
    return _EXACT.multiply(Decimal(price), Decimal(WH_PER_KWH)).scaleb(-grid.token_decimals, _EXACT)


def _plain(value: Decimal, decimals: int = 0) -> str:
    """Digits without exponent; decimals as far as they say something, but at least so many."""
    whole, _, rest = f"{value:f}".partition(".")
    rest = rest.rstrip("0").ljust(decimals, "0")
    return f"{whole}.{rest}" if rest else whole


def _name(unit: str) -> str:
    return f"the unit {unit!r}, which is none" if unit else "no unit"

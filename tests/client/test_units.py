"""Amounts as people write them: exact, or refused with the way out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerwatt.exceptions import BadAmount, OffGrid
from peerwatt.units import (
    LEVELS,
    PriceGrid,
    format_energy,
    format_money,
    format_price,
    format_share,
    format_unit_price,
    parse_energy,
    parse_money,
    parse_price,
    parse_unit_price,
)

GRID = PriceGrid(floor_price=60_000, price_step=500, token_decimals=6, currency="NGN")


@pytest.mark.parametrize(
    ("text", "energy_wh"),
    [
        ("2.5 kWh", 2_500),
        ("800 Wh", 800),
        ("1.2kwh", 1_200),
        ("  0.001 KWH ", 1),
        ("0 Wh", 0),
        ("007 wh", 7),
        ("2.500000 kWh", 2_500),
        ("281474976710655 Wh", 2**48 - 1),
    ],
)
def test_parse_energy__with_unit__exact(text: str, energy_wh: int) -> None:
    assert parse_energy(text) == energy_wh
    assert type(parse_energy(text)) is int


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2.5", "no unit of energy; write Wh or kWh"),
        ("5 MWh", "the unit 'MWh', which is none of energy"),
        ("5 mWh", "the unit 'mWh', which is none of energy"),
        ("1e3 Wh", "the unit 'e3 Wh'"),
        ("1,200 Wh", "ambiguous"),
        ("1,2 kWh", "ambiguous"),
        ("1_000 Wh", "ambiguous"),
        ("1'000 Wh", "ambiguous"),
        ("NaN kWh", "does not start with a number"),
        ("inf Wh", "does not start with a number"),
        ("-Infinity Wh", "does not start with a number"),
        ("", "does not start with a number"),
        ("kWh", "does not start with a number"),
        (".5 kWh", "does not start with a number"),
        ("5. kWh", "does not start with a number"),
        ("+5 kWh", "does not start with a number"),
        ("1 2 kWh", "does not start with a number"),
        ("1.2.3 kWh", "does not start with a number"),
        ("\u0663 Wh", "does not start with a number"),
        ("-1 Wh", "is negative; amounts are zero or more"),
        ("-0.5 kWh", "is negative"),
        ("0.0005 kWh", "not a whole number of Wh; the whole amount below it is 0 Wh"),
        ("1.0001 kWh", "the whole amount below it is 1000 Wh"),
        ("0.5 Wh", "not a whole number of Wh"),
        ("281474976710656 Wh", "more than a meter counts"),
        ("9" * 41 + " Wh", "41 characters, at most 40"),
        ("0." + "0" * 60 + "1 kWh", "at most 40"),
        (2.5, "is not a text"),
        (800, "is not a text"),
        (True, "is not a text"),
        (None, "is not a text"),
    ],
)
def test_parse_energy__anything_else__refused(text: Any, message: str) -> None:
    with pytest.raises(BadAmount, match=message):
        parse_energy(text)


@pytest.mark.parametrize(
    ("energy_wh", "text"),
    [
        (0, "0 Wh"),
        (999, "999 Wh"),
        (1_000, "1 kWh"),
        (2_500, "2.5 kWh"),
        (-1_250, "-1.25 kWh"),
        (100_000, "100 kWh"),
    ],
)
def test_format_energy__any__readable(energy_wh: int, text: str) -> None:
    assert format_energy(energy_wh) == text


@given(st.integers(0, 2**48 - 1))
def test_energy__formatted_and_parsed__same(energy_wh: int) -> None:
    assert parse_energy(format_energy(energy_wh)) == energy_wh


@pytest.mark.parametrize(
    "text", ["95 NGN/kWh", "0.095 NGN/Wh", "95", "95.000", "95ngn/kwh", "95 NGN / kWh", " 95 "]
)
def test_parse_price__on_the_grid__its_level(text: str) -> None:
    assert parse_price(text, GRID) == 70
    assert parse_unit_price(text, GRID) == 95_000


@pytest.mark.parametrize(
    ("text", "nearest", "message"),
    [
        ("95.3 NGN/kWh", (70, 71), r"95 NGN/kWh \(level 70\) and 95.5 NGN/kWh \(level 71\)"),
        ("95.4999999 NGN/kWh", (70, 71), r"95 NGN/kWh \(level 70\) and 95.5 NGN/kWh \(level 71\)"),
        ("95." + "0" * 30 + "1", (70, 71), r"95 NGN/kWh \(level 70\) and 95.5 NGN/kWh \(level 71\)"),
        ("60.1", (0, 1), r"60 NGN/kWh \(level 0\) and 60.5 NGN/kWh \(level 1\)"),
        ("59.5", (0, 1), r"60 NGN/kWh to 187.5 NGN/kWh in steps of 0.5"),
        ("0", (0, 1), r"60 NGN/kWh \(level 0\) and 60.5 NGN/kWh \(level 1\)"),
        ("188", (254, 255), r"187 NGN/kWh \(level 254\) and 187.5 NGN/kWh \(level 255\)"),
        ("187.50001", (254, 255), r"187 NGN/kWh \(level 254\) and 187.5 NGN/kWh \(level 255\)"),
        ("9" * 40, (254, 255), r"187 NGN/kWh \(level 254\) and 187.5 NGN/kWh \(level 255\)"),
    ],
)
def test_parse_price__off_the_grid__names_the_two_nearest_levels(
    text: str, nearest: tuple[int, int], message: str
) -> None:
    with pytest.raises(OffGrid, match=message) as refused:
        parse_price(text, GRID)
    assert refused.value.context["nearest"] == nearest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("95 NGN", "the unit 'NGN', which is no price"),
        ("95 kWh", "the unit 'kWh', which is no price"),
        ("95 EUR/kWh", "not in the market's money"),
        ("95 NGN/MWh", "is per 'MWh'"),
        ("95 NGN/", "is per ''"),
        ("95/kWh", "does not start with a number"),
        ("nan", "does not start with a number"),
        ("Infinity NGN/kWh", "does not start with a number"),
        ("-95", "is negative"),
        ("1,050", "ambiguous"),
        (95, "is not a text"),
        (95.0, "is not a text"),
    ],
)
def test_parse_price__no_price__refused(text: Any, message: str) -> None:
    with pytest.raises(BadAmount, match=message):
        parse_price(text, GRID)
    with pytest.raises(BadAmount, match=message):
        parse_unit_price(text, GRID)


def test_parse_unit_price__between_levels__accepted_unless_finer_than_a_base_unit() -> None:
    assert parse_unit_price("40.123 NGN/kWh", GRID) == 40_123
    with pytest.raises(BadAmount, match=r"base units of NGN per Wh; the price below it is 40\.123 NGN/kWh"):
        parse_unit_price("40.1239", GRID)


GRIDS = st.builds(
    PriceGrid,
    st.integers(0, 10**9),
    st.integers(1, 10**6),
    st.integers(0, 18),
    st.sampled_from(["NGN", "tNGN", "USDC"]),
)


@given(GRIDS, st.integers(0, LEVELS - 1))
def test_price__formatted_and_parsed__same(grid: PriceGrid, level: int) -> None:
    assert parse_price(format_price(level, grid), grid) == level
    assert parse_unit_price(format_unit_price(grid.price(level), grid), grid) == grid.price(level)


@given(GRIDS, st.integers(0, 2 * 10**9))
def test_level__any_price__on_the_grid_or_between_the_nearest(grid: PriceGrid, price: int) -> None:
    on_grid = {grid.price(level): level for level in range(LEVELS)}
    if price in on_grid:
        assert grid.level(price) == on_grid[price]
        return
    with pytest.raises(OffGrid) as refused:
        grid.level(price)
    lower, upper = refused.value.context["nearest"]
    if price < grid.price(0):
        assert (lower, upper) == (0, 1)
    elif price > grid.price(LEVELS - 1):
        assert (lower, upper) == (LEVELS - 2, LEVELS - 1)
    else:
        assert upper == lower + 1 and grid.price(lower) < price < grid.price(upper)


@pytest.mark.parametrize("level", [-1, 256, True, 1.0, "1"])
def test_price__no_level__refused(level: Any) -> None:
    with pytest.raises(BadAmount, match="is no price level; levels are 0 to 255"):
        GRID.price(level)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 500, 6, "NGN"), "floor_price is -1"),
        ((60_000, 0, 6, "NGN"), "no such price grid"),
        ((60_000, 500, 37, "NGN"), "no such price grid"),
        ((2**64 - 255, 1, 6, "NGN"), "no such price grid"),
        ((60_000.0, 500, 6, "NGN"), "floor_price is 60000.0"),
        ((60_000, True, 6, "NGN"), "price_step is True"),
        ((60_000, 500, 6, "1NGN"), "currency is '1NGN'"),
        ((60_000, 500, 6, "NG/N"), "currency is 'NG/N'"),
    ],
)
def test_grid__senseless__refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(BadAmount, match=message):
        PriceGrid(*arguments)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("456.00 NGN", 456_000_000), ("0.000001NGN", 1), ("1 ngn", 1_000_000), ("0 NGN", 0)],
)
def test_parse_money__with_currency__base_units(text: str, amount: int) -> None:
    assert parse_money(text, GRID) == amount


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("456", "not in the market's money; write it like '456.00 NGN'"),
        ("456 EUR", "not in the market's money"),
        ("456 NGN/kWh", "not in the market's money"),
        ("456.0000001 NGN", "not a whole number of base units of NGN; write at most 6 decimals"),
        ("-5 NGN", "is negative"),
        ("1,000 NGN", "ambiguous"),
        ("nan NGN", "does not start with a number"),
        (456, "is not a text"),
    ],
)
def test_parse_money__anything_else__refused(text: Any, message: str) -> None:
    with pytest.raises(BadAmount, match=message):
        parse_money(text, GRID)


def test_parse_money__longest_number__fits_a_token() -> None:
    assert parse_money("9" * 40 + " X", PriceGrid(0, 1, 36, "X")) < 2**256
    with pytest.raises(BadAmount, match="41 characters"):
        parse_money("9" * 41 + " X", PriceGrid(0, 1, 36, "X"))


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (456_000_000, 6, "456.00 NGN"),
        (456_000_001, 6, "456.000001 NGN"),
        (-500_000, 6, "-0.50 NGN"),
        (0, 6, "0.00 NGN"),
        (7, 0, "7 NGN"),
        (75, 1, "7.5 NGN"),
    ],
)
def test_format_money__any__exact(amount: int, decimals: int, text: str) -> None:
    assert format_money(amount, PriceGrid(0, 1, decimals, "NGN")) == text


@given(st.integers(0, 10**30), st.integers(0, 18))
def test_money__formatted_and_parsed__same(amount: int, decimals: int) -> None:
    grid = PriceGrid(0, 1, decimals, "NGN")
    assert parse_money(format_money(amount, grid), grid) == amount


@pytest.mark.parametrize(
    ("price", "decimals", "text"),
    [
        (95_000, 2, "95.00 NGN/kWh"),
        (95_500, 2, "95.50 NGN/kWh"),
        (94_861, 2, "94.861 NGN/kWh"),
        (95_000, 0, "95 NGN/kWh"),
    ],
)
def test_format_unit_price__least_decimals__padded_and_never_rounded(price: int, decimals: int, text: str) -> None:
    assert format_unit_price(price, GRID, decimals) == text


def test_format_price__least_decimals__those_of_its_level() -> None:
    assert format_price(71, GRID, 2) == "95.50 NGN/kWh"


@pytest.mark.parametrize(("bps", "text"), [(0, "0 %"), (25, "0.25 %"), (100, "1 %"), (10_000, "100 %")])
def test_format_share__basis_points__percent(bps: int, text: str) -> None:
    assert format_share(bps) == text

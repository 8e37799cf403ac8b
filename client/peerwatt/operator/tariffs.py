"""Tariffs: the one that holds, the one that was published, and the next one from a file or from options."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from peerwatt.exceptions import BadAmount, BadTable, ImbalanceOutOfBounds, ImbalanceTooLow, TariffTooSoon
from peerwatt.integers import is_int
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import BANDS, TableWord
from peerwatt.reference.publication import NOTICE_WINDOWS
from peerwatt.units import LEVELS, PriceGrid, format_unit_price, parse_unit_price

MAX_STEPS = 65_535
# Names in a file, and the highest entry that makes sense.
TABLES = {"surcharge_bps": 10_000, "haircut_bps": 9_999, "rebate_bps": 10_000}


class TariffFileError(ValueError):
    """The file has no tariff; the message names the entry."""


@dataclass(frozen=True)
class Tariff:
    """One version's numbers: imbalance price [base units/Wh], and tables of 16 bands [bps], the lowest first."""

    imbalance_price: int
    surcharge_bps: tuple[int, ...]
    haircut_bps: tuple[int, ...]
    rebate_bps: tuple[int, ...]

    def steps(self, grid: PriceGrid) -> int:
        """The imbalance price in steps above the floor."""
        return (self.imbalance_price - grid.floor_price) // grid.price_step

    def words(self) -> tuple[int, int, int]:
        """The tables as `publish_tariff` takes them."""
        return (
            TableWord(self.surcharge_bps).encode(),
            TableWord(self.haircut_bps).encode(),
            TableWord(self.rebate_bps).encode(),
        )

    def to_json(self) -> dict[str, Any]:
        """The tariff as commands print it."""
        return {
            "imbalance_price_per_wh": self.imbalance_price,
            "surcharge_bps": list(self.surcharge_bps),
            "haircut_bps": list(self.haircut_bps),
            "rebate_bps": list(self.rebate_bps),
        }


@dataclass(frozen=True)
class Published:
    """What is published: the version in force and the next one, which holds from window `next_from` on."""

    version: int
    now: Tariff | None
    next_version: int
    next: Tariff | None
    next_from: int
    retail: dict[int, int]


def read_published(gateway: MarketGateway, window: int) -> Published:
    """The tariffs of a market.

    Args:
        window: the one that is running.
    """
    head = gateway.tariff_head()
    version, steps = head.at(window)
    pending = head.next_from > window
    parameters = gateway.deployment.parameters

    def read(number: int, imbalance_steps: int) -> Tariff:
        price = parameters.floor_price + imbalance_steps * parameters.price_step
        tables = (gateway.table(name, number).bands for name in ("surcharges", "haircuts", "rebates"))
        return Tariff(price, *tables)

    prices = {number: int(gateway.registry.functions.retail(number).call()) for number in range(16)}
    return Published(
        version,
        read(version, steps) if version else None,
        head.next_version if pending else 0,
        read(head.next_version, head.next_imbalance_steps) if pending else None,
        head.next_from if pending else 0,
        {number: price for number, price in prices.items() if price},
    )


def read_tariff_file(path: Path, start: Tariff | None, grid: PriceGrid) -> Tariff:
    """A tariff from the `[tariff]` table of a TOML file, such as a parameters file: imbalance_price (per kWh), and any
    of surcharge_bps, haircut_bps, rebate_bps.

    Args:
        start: what holds where the file says nothing; None if everything has to be said.
    Raises:
        TariffFileError: no such file or table, or an entry that makes no sense.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise TariffFileError(f"{path} cannot be read ({error.strerror}); name another file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TariffFileError(f"{path} is not TOML ({error}); mend it") from None
    table = content.get("tariff")
    if not isinstance(table, dict):
        raise TariffFileError(f"{path} has no table [tariff]; write it with imbalance_price and the tables")
    unknown = set(table) - {"imbalance_price", *TABLES}
    if unknown:
        known = ", ".join(("imbalance_price", *TABLES))
        raise TariffFileError(f"{path}: [tariff] {', '.join(sorted(unknown))} is unknown; there are {known}")
    missing = {"imbalance_price", *TABLES} - set(table)
    if start is None and missing:
        raise TariffFileError(f"{path}: [tariff] {', '.join(sorted(missing))} is missing; the first tariff needs all")
    tariff = start or Tariff(0, *((0,) * BANDS for _ in TABLES))
    try:
        return _with_entries(tariff, table, grid)
    except BadAmount as error:
        raise TariffFileError(f"{path}: [tariff] {error}") from None


def _with_entries(tariff: Tariff, table: Mapping[str, Any], grid: PriceGrid) -> Tariff:
    for name in TABLES:
        row = table.get(name)
        if row is None:
            continue
        if not isinstance(row, list) or len(row) != BANDS or not all(is_int(bps) for bps in row):
            raise BadAmount(f"{name} is {row!r}; write {BANDS} whole numbers, the lowest band first")
        bands: dict[str, Any] = {name: tuple(row)}
        tariff = replace(tariff, **bands)
    if "imbalance_price" in table:
        price = table["imbalance_price"]
        text = price if isinstance(price, str) else f"{price:f}" if isinstance(price, Decimal) else str(price)
        tariff = replace(tariff, imbalance_price=parse_unit_price(text, grid))
    return tariff


def check_tariff(tariff: Tariff, published: Published, grid: PriceGrid) -> None:
    """Makes sure that the registry would take a tariff.

    Raises:
        TariffTooSoon, ImbalanceTooLow, ImbalanceOutOfBounds, BadTable: it would not; with the values.
        BadAmount: the imbalance price lies between two steps.
    """
    if published.next is not None:
        raise TariffTooSoon(next_version=published.next_version, next_from=published.next_from)
    price, written = tariff.imbalance_price, format_unit_price(tariff.imbalance_price, grid)
    lowest = max([grid.floor_price + LEVELS * grid.price_step, *published.retail.values()])
    highest = grid.floor_price + MAX_STEPS * grid.price_step
    if price < lowest:
        raise ImbalanceTooLow(
            f"the imbalance price {written} is below {format_unit_price(lowest, grid)}, which is above the grid of "
            "orders and not below any retail price; publish a higher one"
        )
    if price > highest:
        raise ImbalanceOutOfBounds(
            f"the imbalance price {written} is above {format_unit_price(highest, grid)}; lower it"
        )
    rest = (price - grid.floor_price) % grid.price_step
    if rest:
        near = " or ".join(format_unit_price(price - rest + more, grid) for more in (0, grid.price_step))
        raise BadAmount(f"the imbalance price {written} is between two steps; write {near}")
    for name, most in TABLES.items():
        row = getattr(tariff, name)
        if not all(0 <= bps <= most for bps in row):
            raise BadTable(f"{name} has {min(row)} to {max(row)}; write 0 to {most} basis points")
        for band, (before, after) in enumerate(pairwise(row), start=1):
            if after < before if name == "rebate_bps" else after > before:
                raise BadTable(f"{name} of band {band} is {after} after {before}, a better score would be worse off")


def holds_from(published: Published, window: int) -> int:
    """The window from which a tariff that is published now would hold: the first one at once."""
    return window if published.version == 0 else window + NOTICE_WINDOWS

"""The parameters file of a deployment (docs/deploy.md): read, checked, in integer units.

`local.toml` beside this module serves local chains; `load_parameters(path)` reads another file of the same form.
Prices in the file are in the currency per kWh, here base units of the token per Wh.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from peerwatt.exceptions import BadAmount
from peerwatt.market.deployment import MarketNumbers
from peerwatt.market.toml_table import Bounds, TomlTable, suggest
from peerwatt.units import LEVELS, MAX_DECIMALS, PriceGrid, format_unit_price

SHIPPED = "local.toml"
SECTIONS = ("chain_id", "token", "market", "roles", "tariff", "retail", "feeders")
ROLES = ("operator", "regulator", "balancing_account", "network_account")
BANDS = 16
MAX_BPS = 10_000
# Bounds of the contracts (docs/contract.md).
MARKET_BOUNDS = {
    "window_seconds": Bounds(60, 86_400, "seconds", 900),
    "lead_seconds": Bounds(0, 86_400, "seconds", 300),
    "report_deadline_seconds": Bounds(1, 2**32 - 1, "seconds", 259_200),
    "max_reading_age_seconds": Bounds(1, 2**32 - 1, "seconds", 345_600),
    "min_order_wh": Bounds(1, 2**24 - 1, "Wh", 50),
    "tolerance_bps": Bounds(0, MAX_BPS, "basis points", 200),
    "inertia_wh": Bounds(1, 2**32 - 1, "Wh", 50_000),
}
TARIFF_BOUNDS = {
    "surcharge_bps": Bounds(0, MAX_BPS, "basis points", 100),
    # A seller who loses all has no price level left.
    "haircut_bps": Bounds(0, MAX_BPS - 1, "basis points", 100),
    "rebate_bps": Bounds(0, MAX_BPS, "basis points", 0),
}
SCALE_BOUNDS = Bounds(0, MAX_BPS, "basis points", MAX_BPS)
METER_CLASS_BOUNDS = Bounds(0, 63, "as class", 1)
MIN_IMBALANCE_STEPS, MAX_IMBALANCE_STEPS = LEVELS, 65_535
MAX_RETAIL_CLASSES = 16
MAX_FEEDERS = 2**16
# Of the local token's strings [bytes].
MAX_TOKEN_NAME, MAX_TOKEN_SYMBOL = 25, 5


class ParametersError(ValueError):
    """The parameters file has missing, unknown or senseless entries.

    Attributes:
        problems: all of them, each with its field, its value, the bound and what to write instead.
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = tuple(problems)
        if len(problems) == 1:
            super().__init__(f"{source}: {problems[0]}")
        else:
            super().__init__("\n  ".join([f"{source} has {len(problems)} problems:", *problems]))


@dataclass(frozen=True)
class TokenParameters:
    """The market's money. Without an address a local token is deployed."""

    symbol: str
    decimals: int
    name: str
    address: str | None


@dataclass(frozen=True)
class TariffParameters:
    """The first tariff: imbalance price in steps of the grid, and basis points by reputation band, lowest first."""

    imbalance_steps: int
    surcharge_bps: tuple[int, ...]
    haircut_bps: tuple[int, ...]
    rebate_bps: tuple[int, ...]


@dataclass(frozen=True)
class RetailParameters:
    """What a class of homes pays its supplier [base units/Wh]."""

    name: str
    price_per_wh: int


@dataclass(frozen=True)
class FeederParameters:
    """Network fee of a feeder [base units/Wh], and the share of each envelope that it has room for."""

    name: str
    fee_per_wh: int
    import_scale_bps: int
    export_scale_bps: int


@dataclass(frozen=True)
class Parameters:
    """Everything a deployment is made from.

    Attributes:
        source: name of the file, for messages.
        chain_id: the chain it is for; None: any local one.
        meter_classes: bitmap of the meter classes accepted.
        predecessor: registry of an older market whose scores connections keep.
        roles: holders by role, as far as the file names them.
        retail, feeders: the class's or feeder's number is its place.
    """

    source: str
    chain_id: int | None
    token: TokenParameters
    numbers: MarketNumbers
    meter_classes: int
    predecessor: str | None
    roles: dict[str, str]
    tariff: TariffParameters
    retail: tuple[RetailParameters, ...]
    feeders: tuple[FeederParameters, ...]

    @property
    def is_shipped(self) -> bool:
        """Whether these are the ones for local chains that come with the package."""
        return self.source == SHIPPED

    @property
    def grid(self) -> PriceGrid:
        """The market's prices and their currency."""
        return PriceGrid(
            self.numbers.floor_price, self.numbers.price_step, self.token.decimals, self.token.symbol
        )

    @property
    def imbalance_price(self) -> int:
        """What a missing Wh costs [base units/Wh]."""
        return self.numbers.floor_price + self.tariff.imbalance_steps * self.numbers.price_step


def load_parameters(path: Path | None = None) -> Parameters:
    """The parameters of a file, checked without looking at any chain.

    Args:
        path: None reads the ones shipped for local chains.
    Raises:
        ParametersError: the file can't be read, or entries are missing, unknown or senseless; all of them are named.
    """
    source = SHIPPED if path is None else str(path.absolute()) if str(path) == SHIPPED else str(path)
    try:
        if path is None:
            text = resources.files(__package__).joinpath(source).read_text(encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise ParametersError(source, [f"can't be read ({error.strerror}); name another file"]) from error
    except ValueError as error:
        raise ParametersError(source, [f"is not TOML ({error}); correct that place"]) from error
    problems: list[str] = []
    parameters = _Reader(source, content, problems).read()
    if problems:
        raise ParametersError(source, problems)
    return parameters


class _Reader:
    """Reads the whole file; what it returns counts only if it noted no problem."""

    def __init__(self, source: str, content: dict[str, Any], problems: list[str]) -> None:
        self.source = source
        self.content = content
        self.problems = problems

    def read(self) -> Parameters:
        for key in sorted(self.content.keys() - set(SECTIONS)):
            self.problems.append(f"{key} is unknown; {suggest(key, SECTIONS)}")
        token = self._read_token()
        units = self._units(token)
        market = self._table("market")
        numbers = self._read_numbers(market, units)
        classes = market.wholes("meter_classes", METER_CLASS_BOUNDS)
        if not classes:
            market.note("meter_classes is empty, nobody could join; name a class, such as [0, 1]")
        predecessor = market.address("predecessor")
        market.close()
        tariff, imbalance_price = self._read_tariff(market, numbers, units)
        return Parameters(
            source=self.source,
            chain_id=self._read_chain_id(),
            token=token,
            numbers=numbers,
            meter_classes=sum(1 << number for number in set(classes)),
            predecessor=predecessor,
            roles=self._read_roles(),
            tariff=tariff,
            retail=self._read_retail(imbalance_price, units),
            feeders=self._read_feeders(market, numbers, units),
        )

    def _table(self, name: str) -> TomlTable:
        if name not in self.content and name != "roles":
            self.problems.append(f"[{name}] is missing; add it, as in the example of docs/deploy.md")
            # Its keys are missing too; the one line says it.
            return TomlTable(f"[{name}]", {}, [])
        return TomlTable(f"[{name}]", self.content.get(name, {}), self.problems)

    def _rows(self, name: str, most: int, need: str) -> list[TomlTable]:
        rows = self.content.get(name, [])
        if not isinstance(rows, list):
            self.problems.append(f"{name} is one table; write [[{name}]], with double brackets")
            return []
        if not rows:
            self.problems.append(f"[[{name}]] is missing, {need}; add at least one")
        if len(rows) > most:
            self.problems.append(f"there are {len(rows)} [[{name}]]; the market has room for {most}")
        return [TomlTable(f"[[{name}]] {number}", row, self.problems) for number, row in enumerate(rows)]

    def _read_chain_id(self) -> int | None:
        chain_id = self.content.get("chain_id")
        if chain_id is None:
            return None
        root = TomlTable("", {"chain_id": chain_id}, self.problems)
        return root.whole("chain_id", Bounds(1, 2**63 - 1, "as EIP-155 id", 1))

    def _read_token(self) -> TokenParameters:
        table = self._table("token")
        symbol = table.text("symbol")
        decimals = table.whole("decimals", Bounds(0, MAX_DECIMALS, "decimals", 6))
        address = table.address("address")
        name = table.text("name", f"peerwatt {symbol}")
        if table.has("symbol", "decimals"):
            try:
                PriceGrid(0, 1, decimals, symbol)
            except BadAmount as error:
                table.note(f"symbol: {error}", "symbol")
        local = address is None and table.has("address")
        if local and len(symbol.encode()) > MAX_TOKEN_SYMBOL:
            table.note(f"symbol is {symbol!r}; a local token's has at most {MAX_TOKEN_SYMBOL} letters", "symbol")
        if local and len(name.encode()) > MAX_TOKEN_NAME:
            table.note(f"name is {name!r}; a local token's has at most {MAX_TOKEN_NAME} bytes")
        if address is not None and "name" in self.content["token"]:
            table.note("names an address and a name; leave the name out, the token at the address has its own")
        table.close()
        self._token = table
        return TokenParameters(symbol, decimals, name, address)

    def _units(self, token: TokenParameters) -> PriceGrid:
        """What prices are read in; with a token that makes no sense, in something that takes any price."""
        if self._token.has("symbol", "decimals"):
            return PriceGrid(0, 1, token.decimals, token.symbol)
        return PriceGrid(0, 1, 12, "NGN")

    def _read_numbers(self, table: TomlTable, units: PriceGrid) -> MarketNumbers:
        wholes = {key: table.whole(key, bounds) for key, bounds in MARKET_BOUNDS.items()}
        floor, step = table.price("floor_price", units), table.price("price_step", units)
        if table.has("price_step") and step == 0:
            table.note("price_step is 0, all levels would have one price; write a step above 0", "price_step")
        if table.has("floor_price", "price_step") and floor + MAX_IMBALANCE_STEPS * step >= 2**64:
            table.note(
                f"floor_price and {MAX_IMBALANCE_STEPS} price_steps come to 2^64 base units per Wh or more; lower them",
                "floor_price",
            )
        return MarketNumbers(floor_price=floor, price_step=step, **wholes)

    def _read_roles(self) -> dict[str, str]:
        table = self._table("roles")
        found = {role: table.address(role) for role in ROLES}
        table.close()
        return {role: address for role, address in found.items() if address is not None}

    def _read_tariff(
        self, market: TomlTable, numbers: MarketNumbers, units: PriceGrid
    ) -> tuple[TariffParameters, int | None]:
        """The tariff, and its imbalance price [base units/Wh] if that can be relied on."""
        table = self._table("tariff")
        price = table.price("imbalance_price", units)
        tables = {key: table.wholes(key, bounds, BANDS) for key, bounds in TARIFF_BOUNDS.items()}
        steps = MIN_IMBALANCE_STEPS
        if market.has("floor_price", "price_step") and table.has("imbalance_price"):
            steps = self._check_imbalance(table, price, numbers, units)
        for key, row in tables.items():
            rising = key == "rebate_bps"
            worse = [i for i, (a, b) in enumerate(pairwise(row), 1) if (b < a if rising else b > a)]
            if table.has(key) and worse:
                band = worse[0]
                table.note(
                    f"{key}[{band}] is {row[band]} after {row[band - 1]}, a better band would be worse off; "
                    f"let them {'rise' if rising else 'fall'} or stay"
                )
        table.close()
        return TariffParameters(steps, **tables), price if table.has("imbalance_price") else None

    def _check_imbalance(self, table: TomlTable, price: int, numbers: MarketNumbers, units: PriceGrid) -> int:
        floor, step = numbers.floor_price, numbers.price_step
        steps, rest = divmod(price - floor, step)
        low, high = (floor + n * step for n in (MIN_IMBALANCE_STEPS, MAX_IMBALANCE_STEPS))
        written = format_unit_price(price, units)
        if not low <= price <= high:
            table.note(
                f"imbalance_price is {written}; write {format_unit_price(low, units)} (a step above the highest level) "
                f"to {format_unit_price(high, units)}",
                "imbalance_price",
            )
        elif rest:
            near = " or ".join(format_unit_price(price - rest + more, units) for more in (0, step))
            table.note(f"imbalance_price is {written}, between two steps; write {near}", "imbalance_price")
        return steps

    def _read_retail(self, imbalance_price: int | None, units: PriceGrid) -> tuple[RetailParameters, ...]:
        found = []
        for table in self._rows("retail", MAX_RETAIL_CLASSES, "nobody could join"):
            name, price = table.text("name", ""), table.price("price", units)
            if table.has("price") and price == 0:
                table.note("price is 0, which closes the class; write what its homes pay the supplier")
            if table.has("price") and imbalance_price is not None and price > imbalance_price:
                table.note(
                    f"price is {format_unit_price(price, units)}, above the imbalance price of "
                    f"{format_unit_price(imbalance_price, units)}; lower it or raise that one"
                )
            table.close()
            found.append(RetailParameters(name, price))
        return tuple(found)

    def _read_feeders(
        self, market: TomlTable, numbers: MarketNumbers, units: PriceGrid
    ) -> tuple[FeederParameters, ...]:
        top = numbers.floor_price + (LEVELS - 1) * numbers.price_step
        found = []
        for table in self._rows("feeders", MAX_FEEDERS, "nobody could trade"):
            name, fee = table.text("name", ""), table.price("fee", units, 0)
            scales = [table.whole(f"{way}_scale_bps", SCALE_BOUNDS, MAX_BPS) for way in ("import", "export")]
            if table.has("fee") and market.has("floor_price", "price_step") and fee > top:
                table.note(
                    f"fee is {format_unit_price(fee, units)}, above the top level, {format_unit_price(top, units)}; "
                    "nobody could buy: lower it"
                )
            table.close()
            found.append(FeederParameters(name, fee, *scales))
        return tuple(found)

"""The tables that an audit writes: columns, types, units. docs/audit-data.md has them too, and a test compares."""

from __future__ import annotations

from dataclasses import dataclass

INTEGER, MONEY, TEXT, TIME, FLAG = "int64", "decimal128(38, 0)", "text", "timestamp[ms, UTC]", "bool"
WH, BASE, BASE_PER_WH, BPS, POINTS = "Wh", "base units", "base units per Wh", "1/10000", "1/65536 points"


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        kind: `INTEGER`, `MONEY`, `TEXT`, `TIME` or `FLAG`.
        unit: empty if it has none.
        optional: whether a row may have no value.
    """

    name: str
    kind: str
    what: str
    unit: str = ""
    optional: bool = False


@dataclass(frozen=True)
class TableSchema:
    """One file: what a row is, and its columns."""

    name: str
    what: str
    columns: tuple[Column, ...]


_PLACE = (
    Column("block", INTEGER, "number of the block"),
    Column("time", TIME, "of the block"),
    Column("transaction", TEXT, "hash"),
    Column("log_index", INTEGER, "of the log, in its block"),
)
_WINDOW = (
    Column("window", INTEGER, "number of the window"),
    Column("window_start", TIME, "when the window begins"),
)
_ACCOUNT = Column("account", TEXT, "whose")
_METER_CLASS = Column("meter_class", INTEGER, "of the meter: 0 hardware-signed, 1 edge-signed", optional=True)

TABLES = (
    TableSchema(
        "orders",
        "an order as it was accepted",
        (
            *_PLACE,
            _ACCOUNT,
            Column("nonce", INTEGER, "of the order; its slot is nonce % 16"),
            Column("side", TEXT, "`buy` or `sell`"),
            Column("first_window", INTEGER, "first window it was accepted for"),
            Column("windows", INTEGER, "how many windows from there"),
            Column("energy_wh", INTEGER, "ordered in each window", WH),
            Column("limit_level", INTEGER, "signed limit, all included: price level"),
            Column("limit_per_wh", MONEY, "signed limit", BASE_PER_WH),
            Column("effective_level", INTEGER, "level in the book, so that the all-in price keeps the limit"),
            Column("effective_per_wh", MONEY, "price at that level", BASE_PER_WH),
            Column("adjustment_bps", INTEGER, "surcharge of a buyer, haircut of a seller", BPS),
            Column("fee_per_wh", MONEY, "network fee of a buyer", BASE_PER_WH),
            Column("imbalance_per_wh", MONEY, "what a seller pays for energy it does not deliver", BASE_PER_WH),
            Column("tariff_version", INTEGER, "tariff that held when it was accepted"),
            Column("rated", FLAG, "whether a buyer's consumption moves its score"),
        ),
    ),
    TableSchema(
        "cancels",
        "an order cut short, or a nonce burnt",
        (
            *_PLACE,
            _ACCOUNT,
            Column("kind", TEXT, "`cut`: the order ends earlier; `burn`: the nonce can't be used any more"),
            Column("nonce", INTEGER, "of the order that was cut, or burnt"),
            Column("first_window", INTEGER, "first window of the order; empty for a burn", optional=True),
            Column("windows", INTEGER, "how many windows are left of it; empty for a burn", optional=True),
        ),
    ),
    TableSchema(
        "settlements",
        "one order in one window, settled: a line of the ledger",
        (
            *_PLACE,
            _ACCOUNT,
            *_WINDOW,
            Column("side", TEXT, "`buy` or `sell`"),
            Column("nonce", INTEGER, "of the order"),
            Column("cause", TEXT, "`reported`, `taken`, `defaulted`, `revoked` or `unfilled`"),
            Column("energy_wh", INTEGER, "ordered", WH),
            Column("fill_wh", INTEGER, "bought or sold", WH),
            Column("growth_wh", INTEGER, "what the meter counted; empty without a report", WH, True),
            Column("delivered_wh", INTEGER, "of a seller's fill, what its meter counted; 0 for buyers", WH),
            Column("shortfall_wh", INTEGER, "of a seller's fill, what its meter did not count; 0 for buyers", WH),
            Column("price_per_wh", MONEY, "clearing price; empty if nothing was traded", BASE_PER_WH, True),
            Column("adjustment_per_wh", MONEY, "a buyer's surcharge, a seller's haircut", BASE_PER_WH, True),
            Column("fee_per_wh", MONEY, "network fee of a buyer", BASE_PER_WH),
            Column("imbalance_per_wh", MONEY, "price of a seller's shortfall", BASE_PER_WH),
            Column("paid", MONEY, "from the account", BASE),
            Column("received", MONEY, "to the account", BASE),
            Column("balancing", MONEY, "to the balancing account", BASE),
            Column("network", MONEY, "to the network account", BASE),
            Column("released", MONEY, "reserve that ended", BASE),
            Column("score_before", INTEGER, "reputation before", POINTS),
            Column("score_after", INTEGER, "reputation after", POINTS),
            _METER_CLASS,
        ),
    ),
    TableSchema(
        "windows",
        "a cleared window, as it is at the audited block",
        (
            *_PLACE,
            *_WINDOW,
            Column("level", INTEGER, "price level; 0 if nothing was traded"),
            Column("price_per_wh", MONEY, "clearing price; empty if nothing was traded", BASE_PER_WH, True),
            Column("kind", TEXT, "`no_trade`, `all_crossing`, `offers_rationed` or `bids_rationed`"),
            Column("rationed_num", INTEGER, "share of the rationed orders: numerator"),
            Column("rationed_den", INTEGER, "share of the rationed orders: denominator"),
            Column("supply_wh", INTEGER, "offered", WH),
            Column("demand_wh", INTEGER, "bid", WH),
            Column("traded_wh", INTEGER, "traded", WH),
            Column("delay_s", INTEGER, "how long after its end it was cleared; 0 if before", "s"),
            Column("left_wh", INTEGER, "ordered energy that is not settled yet", WH),
            Column("net_wh", INTEGER, "bought less sold by the settled orders", WH),
            Column("rounding_wh", INTEGER, "bought and not sold, by rounding; empty until all is settled", WH, True),
        ),
    ),
    TableSchema(
        "transfers",
        "a deposit or a withdrawal",
        (
            *_PLACE,
            Column("kind", TEXT, "`deposit` or `withdrawal`"),
            _ACCOUNT,
            Column("recipient", TEXT, "who got the tokens; empty for a deposit", optional=True),
            Column("amount", MONEY, "tokens moved", BASE),
        ),
    ),
    TableSchema(
        "readings",
        "one window of a meter's report",
        (
            *_PLACE,
            _ACCOUNT,
            Column("meter", TEXT, "that signed the report"),
            Column("register", TEXT, "`import` or `export`"),
            *_WINDOW,
            Column("register_wh", INTEGER, "register at the end of the window", WH),
            Column("growth_wh", INTEGER, "what it grew by in the window", WH),
        ),
    ),
    TableSchema(
        "participants",
        "a change of what an account may do; it holds until the account's next row",
        (
            *_PLACE,
            _ACCOUNT,
            Column("change", TEXT, "`bound` (enrolled, or a new meter), `terms`, `revoked` or `moved_out`"),
            Column("connection", TEXT, "pseudonym of the place in the grid", optional=True),
            Column("meter", TEXT, "bound meter; empty when none is", optional=True),
            Column("import_limit_wh", INTEGER, "most that it may buy in a window", WH),
            Column("export_limit_wh", INTEGER, "most that it may sell in a window", WH),
            Column("feeder", INTEGER, "feeder of the connection"),
            Column("status", TEXT, "`off`, `consuming` or `feeding_in`"),
            _METER_CLASS,
            Column("retail_class", INTEGER, "class of the supplier's price"),
        ),
    ),
    TableSchema(
        "tariffs",
        "one band of a published tariff",
        (
            *_PLACE,
            Column("version", INTEGER, "of the tariff"),
            Column("from_window", INTEGER, "first window it holds for; empty if it held at once", optional=True),
            Column("imbalance_per_wh", MONEY, "what a seller pays for energy it does not deliver", BASE_PER_WH),
            Column("band", INTEGER, "of the score, 0 the lowest to 15"),
            Column("surcharge_bps", INTEGER, "on a buyer's price", BPS),
            Column("haircut_bps", INTEGER, "off a seller's price", BPS),
            Column("rebate_bps", INTEGER, "off a buyer's network fee", BPS),
        ),
    ),
    TableSchema(
        "feeders",
        "a change of a feeder; it holds until the feeder's next row",
        (
            *_PLACE,
            Column("feeder", INTEGER, "number"),
            Column("fee_per_wh", MONEY, "network fee", BASE_PER_WH),
            Column("import_scale_bps", INTEGER, "share of the import limits that holds now", BPS),
            Column("export_scale_bps", INTEGER, "share of the export limits that holds now", BPS),
        ),
    ),
    TableSchema(
        "events",
        "a log of the market or its registry",
        (
            *_PLACE,
            Column("contract", TEXT, "`EnergyMarket` or `EnergyRegistry`"),
            Column("name", TEXT, "of the event (contract.md)"),
            Column("account", TEXT, "the account it is about; empty if it is about none", optional=True),
            Column("arguments", TEXT, "as JSON, packed words as their fields; integers are written in full"),
        ),
    ),
)


def describe_schema() -> str:
    """The tables as Markdown, for docs/audit-data.md."""
    parts = []
    for table in TABLES:
        rows = [
            f"| `{one.name}` | {one.kind}{', optional' if one.optional else ''} | {one.unit} | {one.what} |"
            for one in table.columns
        ]
        head = "| column | type | unit | what |\n|---|---|---|---|"
        parts.append("\n".join([f"### {table.name}.parquet", "", f"A row: {table.what}.", "", head, *rows]))
    return "\n\n".join(parts) + "\n"

"""The shapes of what is read. Money and prices are decimal texts of base units, energies Wh, times Unix seconds.

The names are those of the command line's JSON where both tell the same.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field


def _to_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


Money = Annotated[str, BeforeValidator(_to_text), Field(pattern="^-?[0-9]+$", description="Base units.")]
Side = Literal["buy", "sell"]


class Told(BaseModel):
    """`block`: the newest block that the answer knows; `final_block`: the newest that stays, -1 if there is none."""

    block: int
    final_block: int


class Connection(BaseModel):
    """A connection: limits per window, as certified and at the feeder's present scale (the operating envelope)."""

    meter: str
    feeder: int
    status: Literal["off", "consuming", "feeding_in"]
    meter_class: int
    retail_class: int
    import_limit_wh: int
    export_limit_wh: int
    import_scale_bps: int
    export_scale_bps: int
    import_envelope_wh: int
    export_envelope_wh: int


class Participant(BaseModel):
    """An account. `score` in 1/65536 points; `connection` null: not enrolled now."""

    account: str
    balance: Money
    reserved: Money
    free: Money
    score: int
    rating: str | None
    rated: bool
    connection: Connection | None
    open_windows: int


class Order(BaseModel):
    """An order with windows that are still to settle."""

    nonce: int
    side: Side
    first_window: int
    last_window: int
    energy_wh: int
    limit_level: int
    limit_per_wh: Money
    effective_level: int
    rated: bool
    open_windows: list[int]


class ParticipantInFull(Participant, Told):
    """An account with its orders, and where its registers were read last (windows: at their start)."""

    orders: list[Order]
    exported_wh: int
    exported_window: int
    imported_wh: int
    imported_window: int


class Participants(Told):
    """Some accounts by address; `next` is the `after` of the following page, null at the end."""

    participants: list[Participant]
    next: str | None


class Envelopes(Told):
    """Connections by account; `next` as of participants."""

    envelopes: list[Envelope]
    next: str | None


class Envelope(Connection):
    """A connection and whose it is."""

    account: str


class ClearedWindow(BaseModel):
    """A cleared window with orders. `amount`: the traded energy at the clearing price."""

    window: int
    start_s: int
    end_s: int
    kind: Literal["no_trade", "all_crossing", "offers_rationed", "bids_rationed"]
    level: int | None
    price_per_wh: Money | None
    traded_wh: int
    amount: Money
    supply_wh: int
    demand_wh: int
    block_number: int
    transaction_hash: str


class Windows(Told):
    """Cleared windows with orders, the newest first; `next` is the `before` of the following page, null at the end."""

    currency: str
    decimals: int
    cleared_window: int
    windows: list[ClearedWindow]
    next: int | None


class Window(Told):
    """A window. `phase`: open (takes orders), gated (not cleared yet), cleared; `result` null: no orders, or not
    cleared."""

    window: int
    start_s: int
    end_s: int
    gate_s: int
    phase: Literal["open", "gated", "cleared"]
    result: ClearedWindow | None


class Level(BaseModel):
    """A price level with orders. `demand_wh`: bid at the level or above; `supply_wh`: offered there or below."""

    level: int
    price_per_wh: Money
    bid_wh: int
    offer_wh: int
    demand_wh: int
    supply_wh: int


class Preview(BaseModel):
    """What a book would clear at now. The rationed orders get `filled_wh` of their `rationed_wh`."""

    kind: Literal["no_trade", "all_crossing", "offers_rationed", "bids_rationed"]
    level: int | None
    price_per_wh: Money | None
    traded_wh: int
    supply_wh: int
    demand_wh: int
    filled_wh: int
    rationed_wh: int


class Book(Told):
    """A window's orders by level, the highest price first; `preview` null: it is cleared."""

    window: int
    phase: Literal["open", "gated", "cleared"]
    book: list[Level]
    preview: Preview | None


class Price(BaseModel):
    """The price of a window that traded."""

    window: int
    start_s: int
    price_per_wh: Money
    traded_wh: int


class Prices(Told):
    """Prices, the newest window first; `next` is the `before` of the following page. A page may be short before the
    end."""

    currency: str
    decimals: int
    last_price_per_wh: Money | None
    prices: list[Price]
    next: int | None


class Trade(BaseModel):
    """A window with an order of the account: docs/cli.md, `peerwatt statement`. Null: not known yet, or does not
    apply."""

    window: int
    start_s: int
    end_s: int
    side: Side
    status: Literal["open", "cleared", "reported", "taken", "defaulted", "revoked", "unfilled"]
    mark: str
    ordered_wh: int
    limit_level: int
    filled_wh: int | None
    price_per_wh: Money | None
    imported_wh: int | None
    exported_wh: int | None
    delivered_wh: int | None
    shortfall_wh: int | None
    energy_amount: Money | None
    adjustment_amount: Money | None
    fee_amount: Money | None
    shortfall_amount: Money | None
    paid_amount: Money | None
    received_amount: Money | None
    score_before: int | None
    score_after: int | None
    block_number: int | None
    transaction_hash: str | None


class Trades(Told):
    """An account's windows, the newest first; `next` is the `before` of the following page, null at the end."""

    account: str
    currency: str
    decimals: int
    windows: list[Trade]
    next: int | None


class Terms(BaseModel):
    """What a band of the score costs or saves; prices all in at the last price, null without one."""

    rating: str
    score_from: int
    surcharge_bps: int
    haircut_bps: int
    rebate_bps: int
    fee_per_wh: Money
    buying_per_wh: Money | None
    selling_per_wh: Money | None


class Move(BaseModel):
    """A window that moved a score."""

    window: int
    start_s: int
    side: Side
    status: str
    filled_wh: int | None
    delivered_wh: int | None
    imported_wh: int | None
    score_before: int
    score_after: int
    transaction_hash: str


class Reputation(Told):
    """A score [1/65536 points], its terms, and the newest windows that moved it."""

    account: str
    currency: str
    decimals: int
    enrolled: bool
    score: int
    rating: str
    rated: bool
    last_price_per_wh: Money | None
    tariff_version: int
    now: Terms
    neutral: Terms
    next: Terms | None
    score_to_next: int | None
    moves: list[Move]


class Version(BaseModel):
    """A version of the tariff: basis points by band, the lowest score first."""

    version: int
    imbalance_per_wh: Money
    surcharges_bps: list[int]
    haircuts_bps: list[int]
    rebates_bps: list[int]


class Retail(BaseModel):
    """The utility's price for a class."""

    retail_class: int
    price_per_wh: Money


class Feeder(BaseModel):
    """A feeder's network fee and present scales."""

    feeder: int
    fee_per_wh: Money
    import_scale_bps: int
    export_scale_bps: int


class Tariffs(Told):
    """The tariff in force at `window` (null before the first) and the published next one."""

    currency: str
    decimals: int
    window: int
    version: Version | None
    next: Version | None
    next_from_window: int | None
    next_from_s: int | None
    retail: list[Retail]
    network_fees: list[Feeder]


class Totals(Told):
    """Sums of the community. Windows, energies and amounts after `traded_amount` are of settled orders: one window of
    one order counts once."""

    currency: str
    decimals: int
    participants: int
    accounts: int
    deposited: Money
    reserved: Money
    cleared_window: int
    windows: int
    traded_wh: int
    traded_amount: Money
    settled_windows: int
    ordered_wh: int
    bought_wh: int
    sold_wh: int
    delivered_wh: int
    shortfall_wh: int
    energy_bought_amount: Money
    energy_sold_amount: Money
    surcharge_amount: Money
    haircut_amount: Money
    fee_amount: Money
    shortfall_amount: Money
    paid_amount: Money
    received_amount: Money
    differences: Annotated[int, Field(description="Logs that say something else than the rules give; 0 is right.")]


Envelopes.model_rebuild()

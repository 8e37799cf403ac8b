"""What a study run found: the data behind summary, report and every figure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Summary:
    """The fields of `summary.json`; each one is defined in docs/study.md.

    Energies in Wh, money in base units of the token, gas in units of gas, times in seconds.
    """

    consumers: int
    prosumers: int
    windows: int
    window_seconds: int
    seed: int
    scenario: str
    participant_windows: int
    demand_wh: int
    traded_wh: int
    delivered_wh: int
    shortfall_wh: int
    rounding_wh: int
    baseline_cost: int
    market_cost: int
    bill_reduction_pct: float
    bill_reduction_consumers_pct: float
    bill_reduction_prosumers_pct: float
    reliability_pct: float
    forecast_nrmse_load: float
    forecast_nrmse_pv: float
    gas_setup: int
    gas_order: int
    gas_clear: int
    gas_settle: int
    gas_per_participant_window: float
    gas_clear_per_window: float
    seconds_total: float
    seconds_chain: float
    money_residual: int
    energy_residual: int
    parity_ok: bool
    audit_ok: bool
    audit_digest: str
    currency: str
    token_decimals: int

    def to_dict(self) -> dict[str, Any]:
        """The summary as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class WindowResult:
    """One window of the market.

    Attributes:
        index: 0-based in the study. window: number on the chain. starts_at: ISO local time with zone.
        demand_wh: metered imports of all homes. bids_wh, offers_wh: in the book at the gate.
        price_per_wh: clearing price [base units/Wh], None without a trade. traded_wh: volume of the clearing.
        bought_wh, sold_wh: fills. delivered_wh, shortfall_wh, rounding_wh: after settlement.
        bid_curve, offer_curve: (price level, Wh at that level), by level.
    """

    index: int
    window: int
    starts_at: str
    demand_wh: int
    bids_wh: int
    offers_wh: int
    price_per_wh: int | None
    traded_wh: int
    bought_wh: int
    sold_wh: int
    delivered_wh: int
    shortfall_wh: int
    rounding_wh: int
    bid_curve: tuple[tuple[int, int], ...]
    offer_curve: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class HomeResult:
    """One home over the whole study.

    Attributes:
        baseline_cost, market_cost: bills without and with the market [base units], positive when the home pays.
        score_before, score_after: reputation in points 0..10000. rating: letters after.
        bought_wh, sold_wh: fills. delivered_wh: what the meter showed of what was sold.
        windows_with_order: settled windows with an order.
    """

    id: str
    kind: str
    category: str
    account: str
    baseline_cost: int
    market_cost: int
    score_before: float
    score_after: float
    rating: str
    bought_wh: int
    sold_wh: int
    delivered_wh: int
    windows_with_order: int


@dataclass(frozen=True)
class MoneyFlows:
    """Where the buyers' money went [base units]. Paid = the sum of the rest, less what sellers paid for imbalance.

    Attributes:
        buyers_paid: by all bids, all in. sellers_received: for delivered Wh.
        network_fees: to the network account. surcharges, haircuts: to the balancing account.
        imbalance_paid: by sellers beyond the clearing price. imbalance_received: full imbalance price of shortfalls.
        rounding: price of the rounding Wh.
    """

    buyers_paid: int
    sellers_received: int
    network_fees: int
    surcharges: int
    haircuts: int
    imbalance_paid: int
    imbalance_received: int
    rounding: int


@dataclass(frozen=True)
class StudyResult:
    """Everything a run found."""

    summary: Summary
    windows: tuple[WindowResult, ...]
    homes: tuple[HomeResult, ...]
    flows: MoneyFlows
    floor_price: int
    price_step: int
    retail_prices: dict[str, int]
    feed_in_price: int
    imbalance_price: int
    notes: tuple[str, ...] = field(default=())

"""Cleared windows, prices and tariffs as the market logged and stores them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from peerwatt.market.clock import MarketClock
from peerwatt.market.events import Event, decode_logs, get_topic
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.history import Head, find_block, read_events, read_head, read_ranges, topic_of_number
from peerwatt.market.words import KINDS, NO_TRADE, ResultWord

RECENT_SPAN = 512


@dataclass(frozen=True)
class ClearedWindow:
    """The clearing of one window, as logged.

    Attributes:
        result: as it was then: `left_wh` is the energy of all its orders.
        supply_wh, demand_wh, traded_wh: offered, bid and traded [Wh].
        price_per_wh: clearing price [base units], None without a trade.
    """

    window: int
    result: ResultWord
    supply_wh: int
    demand_wh: int
    traded_wh: int
    price_per_wh: int | None
    block_number: int
    transaction_hash: str

    @property
    def amount(self) -> int:
        """The traded energy at the clearing price [base units], before surcharges, haircuts and fees."""
        return self.traded_wh * (self.price_per_wh or 0)

    def to_json(self, clock: MarketClock) -> dict[str, Any]:
        """As commands and bridge tell it; money in base units, times in Unix seconds."""
        return {
            "window": self.window,
            "start_s": clock.start_s(self.window),
            "end_s": clock.end_s(self.window),
            "kind": KINDS[self.result.kind],
            "level": None if self.price_per_wh is None else self.result.level,
            "price_per_wh": self.price_per_wh,
            "traded_wh": self.traded_wh,
            "amount": self.amount,
            "supply_wh": self.supply_wh,
            "demand_wh": self.demand_wh,
            "block_number": self.block_number,
            "transaction_hash": self.transaction_hash,
        }


@dataclass(frozen=True)
class TariffNow:
    """The regulator's tariff at some window, and the published next one.

    Attributes:
        imbalance_price: [base units/Wh].
        next_version, next_from, next_imbalance_price: None if none is published; `next_from` is a window.
    """

    version: int
    imbalance_price: int
    next_version: int | None
    next_from: int | None
    next_imbalance_price: int | None


def to_cleared_window(gateway: MarketGateway, event: Event) -> ClearedWindow:
    """A `WindowCleared` event with its price."""
    args, parameters = event.args, gateway.deployment.parameters
    result = ResultWord.decode(args["result"])
    price = None if result.kind == NO_TRADE else parameters.floor_price + result.level * parameters.price_step
    return ClearedWindow(
        args["window"],
        result,
        args["supply_wh"],
        args["demand_wh"],
        args["traded_wh"],
        price,
        event.block_number,
        event.transaction_hash,
    )


def read_clearings(gateway: MarketGateway, head: Head, from_window: int | None = None) -> Iterator[ClearedWindow]:
    """Every cleared window with orders up to a block, in their sequence.

    Args:
        from_window: the first one wanted. No block before its gate is read, since none can have cleared it.
    """
    first = gateway.deployment.block
    if from_window is not None:
        parameters = gateway.deployment.parameters
        gate_s = from_window * parameters.window_seconds - parameters.lead_seconds
        first = find_block(gateway.w3, gate_s, first, head.number)
    for event in read_events(gateway, ["WindowCleared"], head.number, first=first):
        cleared = to_cleared_window(gateway, event)
        if from_window is None or cleared.window >= from_window:
            yield cleared


def read_recent(
    gateway: MarketGateway, head: Head, count: int, *, lookback_s: int, traded_only: bool = False
) -> list[ClearedWindow]:
    """The newest cleared windows with orders, the newest first; reads back no further than it has to.

    Args:
        count: at most so many.
        lookback_s: gives up at blocks older than that [s before the head].
        traded_only: leave out windows without a trade.
    """
    found: list[ClearedWindow] = []
    deployment = gateway.deployment
    topics = [get_topic("WindowCleared")]
    for part in read_ranges(
        gateway.w3, deployment.market, topics, deployment.block, head.number, newest_first=True, span=RECENT_SPAN
    ):
        events = list(decode_logs(part.logs))
        for event in reversed(events):
            cleared = to_cleared_window(gateway, event)
            if cleared.traded_wh or not traded_only:
                found.append(cleared)
        if len(found) >= count:
            break
        if part.first > deployment.block and read_head(gateway.w3, part.first).time_s < head.time_s - lookback_s:
            break
    return found[:count]


def read_clearing(gateway: MarketGateway, head: Head, window: int) -> ClearedWindow | None:
    """The clearing of one window; None if it had no orders or is not cleared."""
    parameters = gateway.deployment.parameters
    gate_s = window * parameters.window_seconds - parameters.lead_seconds
    first = find_block(gateway.w3, gate_s, gateway.deployment.block, head.number)
    events = read_events(gateway, ["WindowCleared"], head.number, first=first, indexed=[topic_of_number(window)])
    return next((to_cleared_window(gateway, event) for event in events), None)


def read_tariff(gateway: MarketGateway, window: int) -> TariffNow:
    """The tariff in force at a window, and the next one."""
    parameters, head = gateway.deployment.parameters, gateway.tariff_head()

    def price(steps: int) -> int:
        return parameters.floor_price + steps * parameters.price_step

    version, steps = head.at(window)
    pending = head.next_from > window
    return TariffNow(
        version,
        price(steps) if version else 0,
        head.next_version if pending else None,
        head.next_from if pending else None,
        price(head.next_imbalance_steps) if pending else None,
    )


def read_fees(gateway: MarketGateway, feeders: Iterable[int]) -> dict[int, int]:
    """Network fees [base units/Wh] of the feeders up to the first that was never set up; feeder 0 may be unused."""
    fees: dict[int, int] = {}
    for feeder in feeders:
        word = gateway.feeder(feeder)
        if word.encode():
            fees[feeder] = word.fee_per_wh
        elif feeder:
            break
    return fees

"""A second clearing, by another method: single orders sorted by price, stepped through one after the other.

The contract and the reference add up a histogram and search its levels. This one never adds up a level before it has
walked there, knows the orders one by one, and takes them from the log of acceptances and cancels. Where both come to
the same price, traded energy and shares, a mistake would have to be made twice, in two ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from peerwatt.reference.auction import ALL_CROSSING, BIDS_RATIONED, NO_TRADE, OFFERS_RATIONED, Result
from peerwatt.reference.offers import SLOTS, Order
from peerwatt.reference.state import Event
from peerwatt.reference.values import BUY

# A level and the Wh of one order at it.
Step = tuple[int, int]


@dataclass(frozen=True)
class Cleared:
    """What a window clears to.

    Attributes:
        traded_wh: [Wh].
        level, kind, num, den: as in a result (docs/contract.md).
    """

    traded_wh: int
    level: int
    kind: int
    num: int
    den: int


def clear_by_merit_order(bids: Iterable[Step], offers: Iterable[Step]) -> Cleared:
    """The clearing of single orders: the dearest bid meets the cheapest offer, until the two no longer agree.

    Between the last Wh that was traded and the first that was not lies the price: not below what the last Wh cost nor
    below what the next bid would have paid, not above what the last Wh was worth nor above what the next offer asks.
    """
    falling = sorted(bids, key=lambda step: -step[0])
    rising = sorted(offers, key=lambda step: step[0])
    wants, gives = iter(falling), iter(rising)
    bid, offer = next(wants, None), next(gives, None)
    traded_wh, worth, cost = 0, 0, 0
    while bid is not None and offer is not None and bid[0] >= offer[0]:
        matched_wh = min(bid[1], offer[1])
        traded_wh, worth, cost = traded_wh + matched_wh, bid[0], offer[0]
        bid = (bid[0], bid[1] - matched_wh) if bid[1] > matched_wh else next(wants, None)
        offer = (offer[0], offer[1] - matched_wh) if offer[1] > matched_wh else next(gives, None)
    if traded_wh == 0:
        return Cleared(0, 0, NO_TRADE, 0, 0)
    lowest = cost if bid is None else max(cost, bid[0])
    highest = worth if offer is None else min(worth, offer[0])
    if lowest < highest:
        return Cleared(traded_wh, (lowest + highest) // 2, ALL_CROSSING, 0, 0)
    if offer is not None and offer[0] == lowest:
        below = sum(wh for level, wh in rising if level < lowest)
        at = sum(wh for level, wh in rising if level == lowest)
        return Cleared(traded_wh, lowest, OFFERS_RATIONED, traded_wh - below, at)
    above = sum(wh for level, wh in falling if level > lowest)
    at = sum(wh for level, wh in falling if level == lowest)
    return Cleared(traded_wh, lowest, BIDS_RATIONED, traded_wh - above, at)


class MeritOrders:
    """The single orders of a market, followed through its log, and each window cleared once more.

    Attributes:
        windows: how many were cleared here.
        disagreements: window, and what both methods say, where they differ.
    """

    def __init__(self) -> None:
        self.windows = 0
        self.disagreements: list[tuple[int, str]] = []
        self._orders: dict[tuple[str, int], Order] = {}
        self._ended: list[Order] = []

    def follow(self, events: Iterable[Event]) -> None:
        """Takes orders from the log, and clears the windows that it says were cleared."""
        for event in events:
            if event.name in ("OrderPlaced", "OrderCancelled"):
                self._take(str(event.values["account"]), event.values["order"])
            elif event.name == "WindowCleared":
                self._clear(event)

    def _take(self, account: str, order: object) -> None:
        assert isinstance(order, Order)
        # A burn leaves the slot's order as it is, and a slot that was never used empty.
        slot = max(order.nonce, order.burnt) % SLOTS
        before = self._orders.get((account, slot))
        if before is not None and before.nonce != order.nonce:
            # A slot is free for its next order when this one is settled: not before its windows were cleared.
            self._ended.append(before)
        self._orders[account, slot] = order

    def _clear(self, event: Event) -> None:
        window, result = event.values["window"], event.values["result"]
        assert isinstance(window, int) and isinstance(result, Result)
        # Windows are cleared in their sequence: what has ended is in none of the next ones.
        self._orders = {place: order for place, order in self._orders.items() if window < order.first + order.count}
        self._ended = [order for order in self._ended if window < order.first + order.count]
        live = [order for order in (*self._orders.values(), *self._ended) if window in order.windows]
        bids = [(order.effective_level, order.energy_wh) for order in live if order.side == BUY]
        offers = [(order.effective_level, order.energy_wh) for order in live if order.side != BUY]
        cleared = clear_by_merit_order(bids, offers)
        found = Cleared(_int(event.values["traded_wh"]), result.level, result.kind, result.num, result.den)
        self.windows += 1
        if cleared != found:
            self.disagreements.append((window, f"merit order: {cleared}, chain: {found}"))


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value

"""How the orders of an account stand: what waits for clearing, what was filled, what is settled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from peerwatt.market.gateway import MarketGateway
from peerwatt.market.mirror import Mirror
from peerwatt.market.words import ResultWord
from peerwatt.reference import auction, offers

WAITING, CLEARED, SETTLED, CANCELLED = "waiting for clearing", "cleared", "settled", "cancelled"


@dataclass(frozen=True)
class OrderStatus:
    """An order in its slot.

    Attributes:
        order: as it was accepted, less the windows that were cancelled.
        waiting, cleared, settled: how many of its windows wait for clearing, are cleared and wait for settlement, are
            settled.
        filled_wh: that it got in the windows cleared so far [Wh].
        reserved: that it still sets aside [base units].
    """

    order: offers.Order
    waiting: int
    cleared: int
    settled: int
    filled_wh: int
    reserved: int

    @property
    def status(self) -> str:
        """Where its next window stands."""
        if self.order.count == 0:
            return CANCELLED
        if self.waiting == self.order.count:
            return WAITING
        return SETTLED if self.settled == self.order.count else CLEARED


def read_statuses(gateway: MarketGateway, mirror: Mirror, ended_since: int = 0) -> list[OrderStatus]:
    """The orders in the slots of an account, by their first window.

    Args:
        ended_since: leave out settled and cancelled orders that ended before this window.
    """
    known = [order for order in mirror.market.orders.values() if order.nonce and _matters(mirror, order, ended_since)]
    cleared = mirror.book.cleared
    windows = {window for order in known for window in order.windows if window <= cleared}
    results = {window: gateway.result(window) for window in sorted(windows)}
    return [get_status(mirror, order, results) for order in sorted(known, key=lambda order: (order.first, order.nonce))]


def get_status(mirror: Mirror, order: offers.Order, results: Mapping[int, ResultWord]) -> OrderStatus:
    """An order's status, given the results of its cleared windows."""
    live = set(mirror.state.live_windows(order.nonce % offers.SLOTS))
    waiting = sum(window > mirror.market.cleared for window in live)
    unit_reserve = order.unit_reserve(mirror.market.parameters) if live else 0
    return OrderStatus(
        order=order,
        waiting=waiting,
        cleared=len(live) - waiting,
        settled=order.count - len(live),
        filled_wh=sum(_fills(order, results)),
        reserved=len(live) * order.energy_wh * unit_reserve,
    )


def _fills(order: offers.Order, results: Mapping[int, ResultWord]) -> Iterator[int]:
    for window in order.windows:
        word = results.get(window)
        if word is not None and word.exists:
            result = auction.Result(word.level, word.kind, word.num, word.den)
            yield auction.fill(result, order.side, order.effective_level, order.energy_wh)


def _matters(mirror: Mirror, order: offers.Order, ended_since: int) -> bool:
    if mirror.state.live_windows(order.nonce % offers.SLOTS):
        return True
    return order.first + max(order.count, 1) - 1 >= ended_since

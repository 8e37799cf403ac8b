"""Homes that order directly on the contract, and what they ordered, cleared and settled by brute force."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import boa

from contracts.helpers import bands, pack
from contracts.helpers_auction import BUY, LEVELS, Limit, brute_force
from contracts.helpers_gas import (
    DEADLINE_SECONDS,
    FLOOR_PRICE,
    IMBALANCE_STEPS,
    MONEY,
    PRICE_STEP,
    WINDOW_SECONDS,
    Chain,
    Home,
)
from peerwatt.market.relay import DueItem, pack_hints
from peerwatt.market.relay import pack as pack_items

YEAR_SECONDS = 365 * 86_400


@dataclass
class Placed:
    """An order as it stands."""

    home: Home
    nonce: int
    first: int
    last: int
    limit: Limit
    windows: set[int] = field(default_factory=set)


class Village:
    """Homes that order directly on the contract, and the list of what they ordered."""

    def __init__(self, chain: Chain, homes: int) -> None:
        self.chain, self.market, self.env = chain, chain.market, boa.env
        # Nothing on top of the price, so that an order's level is its limit.
        with self.env.prank(chain.registry):
            self.market.set_tariff(pack((0, 1), (16, IMBALANCE_STEPS)), 1, *[bands([0] * 16)] * 3)
            self.market.set_feeder(1, pack((64, 10_000), (80, 10_000)))
        self.homes = [Home.make(number, BUY) for number in range(homes)]
        for home in self.homes:
            chain.enrol(home)
        self.orders: list[Placed] = []
        self.cleared = self.market.book_state() & (2**32 - 1)

    def place(self, home: Home, side: int, first: int, last: int, energy_wh: int, level: int, slot: int) -> None:
        nonce = home.next_nonce(slot)
        with self.env.prank(home.account):
            self.market.place(home.meter, side, first, last, energy_wh, level, nonce)
        begin = max(first, self.chain.next_window)
        windows = set(range(begin, last + 1))
        self.orders.append(Placed(home, nonce, begin, last, Limit(side, level, energy_wh), windows))

    def cancel(self, order: Placed, from_window: int) -> None:
        with self.env.prank(order.home.account):
            self.market.cancel(order.nonce, from_window)
        cut = max(from_window, self.chain.next_window + 1)
        order.windows = {window for window in order.windows if window < cut}

    def book(self, window: int) -> list[Placed]:
        return [order for order in self.orders if window in order.windows]

    def clear(self, max_windows: int) -> int:
        """Clears, and holds every window of it against brute force."""
        done: int = self.market.clear(max_windows)
        logs = {log.window: log for log in self.market.get_logs() if type(log).__name__ == "WindowCleared"}
        upto = self.market.book_state() & (2**32 - 1)
        # Beyond the last order there are only idle windows, perhaps a year of them: a few are enough.
        last = max((order.last for order in self.orders), default=self.cleared)
        for window in range(self.cleared + 1, min(upto, last + 3) + 1):
            book = [order.limit for order in self.book(window)]
            outcome = brute_force(book)
            word = self.market.results(window)
            if not book:
                assert word == 0 and window not in logs
                continue
            end = (window + 1) * WINDOW_SECONDS
            assert word == (
                outcome.word
                | max(0, self.chain.now - end) << 106
                | (outcome.supply_wh + outcome.demand_wh) << 138
                | 1 << 235
            )
            event = logs.pop(window)
            assert (event.result, event.supply_wh, event.demand_wh, event.traded_wh) == (
                word,
                outcome.supply_wh,
                outcome.demand_wh,
                outcome.traded_wh,
            )
        assert not logs
        self.cleared = upto
        return done

    def settle_by_default(self) -> None:
        """After the deadline: buyers pay their fill, sellers the utility for theirs; to the base unit."""
        self.chain.now = (self.cleared + 1) * WINDOW_SECONDS + DEADLINE_SECONDS + YEAR_SECONDS
        expected = {home.account: MONEY for home in self.homes}
        for window in sorted({window for order in self.orders for window in order.windows}):
            orders = self.book(window)
            outcome = brute_force([order.limit for order in orders])
            price = FLOOR_PRICE + outcome.level * PRICE_STEP
            imbalance = FLOOR_PRICE + IMBALANCE_STEPS * PRICE_STEP
            for order, wh in zip(orders, outcome.fills, strict=True):
                cost = price if order.limit.side == BUY else imbalance - price
                expected[order.home.account] -= wh * cost
        for home in self.homes:
            mine = sorted(
                (order for order in self.orders if order.home is home and order.windows),
                key=lambda order: order.first,
            )
            if mine:
                slots = pack_hints(order.nonce & 15 for order in mine)
                self.market.relay(pack_items([DueItem(home.account, 255, slots)]), True)
        left = {home.account: self.market.wallets(home.account) for home in self.homes}
        assert {account: word & (2**104 - 1) for account, word in left.items()} == expected
        assert {word >> 104 & (2**104 - 1) for word in left.values()} == {0}


def live(village: Village, rnd: random.Random, steps: int) -> dict[str, int]:
    """A random life of orders, cancels, clears in time and late; returns how often what happened."""
    seen = dict.fromkeys(("standing", "single", "cancel", "late", "several", "idle"), 0)
    chain = village.chain
    slots = {home.account: 0 for home in village.homes}
    for _ in range(steps):
        for home in rnd.sample(village.homes, 5):
            first = chain.next_window + rnd.randrange(4)
            last = first + rnd.choice((0, 0, 1, 3, 8))
            mine = [order for order in village.orders if order.home is home]
            if slots[home.account] == 16 or any(
                set(range(first, last + 1)) & set(range(order.first, order.last + 1)) for order in mine
            ):
                continue
            level = rnd.choice((40, 41, 42, 44, 47, rnd.randrange(LEVELS)))
            wh = rnd.choice((50, 50, 100, 150, rnd.randint(50, 10_000)))
            village.place(home, rnd.randrange(2), first, last, wh, level, slots[home.account])
            slots[home.account] += 1
            seen["standing" if last > first else "single"] += 1
        cut = chain.next_window + 1 + rnd.randrange(3)
        open_orders = [order for order in village.orders if max(order.windows, default=0) >= cut]
        if open_orders and rnd.randrange(2):
            village.cancel(rnd.choice(open_orders), cut)
            seen["cancel"] += 1
        chain.now += WINDOW_SECONDS * rnd.choice((0, 1, 1, 2, 3)) + rnd.randrange(WINDOW_SECONDS)
        if chain.next_window - 1 > village.cleared and rnd.randrange(3):
            late = chain.now > (village.cleared + 2) * WINDOW_SECONDS
            done = village.clear(rnd.choice((1, 2, 255)))
            seen["late"] += late
            seen["several"] += done > 1
        if rnd.randrange(12) == 0:
            chain.now += 40 * WINDOW_SECONDS
            village.clear(255)
            seen["idle"] += 1
    last = max(max(order.windows, default=0) for order in village.orders)
    chain.now = (last + 1) * WINDOW_SECONDS
    while village.cleared < last:
        village.clear(255)
    return seen

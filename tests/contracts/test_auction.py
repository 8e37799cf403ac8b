"""The contract's clearing against a brute-force one, for single books and for whole markets."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import boa
import pytest

from contracts.auction_books import BOOKS
from contracts.helpers import bands, pack, refused
from contracts.helpers_auction import (
    ALL_CROSSING,
    BIDS_RATIONED,
    BUY,
    LEVELS,
    SELL,
    Limit,
    Outcome,
    brute_force,
    draw_book,
    find_prices,
    find_violations,
)
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
from peerwatt.reference.auction import clear_book, fill, split

SHORT_CAMPAIGN = 400
BATCH = 40
YEAR_SECONDS = 365 * 86_400
MAX_TRANSACTION_GAS = 2**24


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with boa.env.anchor():
        yield Chain(reading_age_seconds=YEAR_SECONDS)


def describe(outcome: Outcome) -> tuple[int, int, int]:
    return outcome.level, outcome.kind, outcome.traded_wh


@pytest.mark.parametrize("name", BOOKS)
def test_find_price__book_by_hand__as_worked_out(chain: Chain, name: str) -> None:
    expected, orders, fills = BOOKS[name]
    book = [Limit(*order) for order in orders]
    outcome = brute_force(book)
    assert (describe(outcome), list(outcome.fills)) == (expected, fills)
    assert find_prices(chain.market, [book]) == [(outcome.word, outcome.traded_wh)]
    assert_reference(book, outcome)


def test_find_price__every_gap__midpoint_rounded_down(chain: Chain) -> None:
    books = [[Limit(SELL, low, 7), Limit(BUY, 255, 7)] for low in range(LEVELS - 1)]
    found = [price for part in range(0, 255, 51) for price in find_prices(chain.market, books[part : part + 51])]
    assert [word & 255 for word, _ in found] == [(low + 255) // 2 for low in range(LEVELS - 1)]
    assert {(word >> 8, traded) for word, traded in found} == {(ALL_CROSSING, 7)}


def test_find_price__all_levels_touched__brute_force(chain: Chain) -> None:
    rnd = random.Random(256)
    books = [[Limit(rnd.randrange(2), level, rnd.randint(1, 2**24 - 1)) for level in range(LEVELS)] for _ in range(8)]
    assert find_prices(chain.market, books) == [
        (outcome.word, outcome.traded_wh) for outcome in map(brute_force, books)
    ]


@pytest.mark.fuzz
def test_find_price__random_books__brute_force(chain: Chain) -> None:
    size = int(os.environ.get("PEERWATT_FUZZ") or SHORT_CAMPAIGN)
    rnd = random.Random(1)
    kinds = [0, 0, 0, 0]
    violations = []
    for start in range(0, size, BATCH):
        books = [draw_book(rnd) for _ in range(min(BATCH, size - start))]
        for book, found in zip(books, find_prices(chain.market, books), strict=True):
            outcome = brute_force(book)
            kinds[outcome.kind] += 1
            wrong = find_violations(book, outcome)
            if found != (outcome.word, outcome.traded_wh):
                wrong.append(f"the contract finds {found}, brute force {outcome}")
            if wrong:
                violations.append((book, wrong))
            assert_reference(book, outcome)
    print(f"\n{size:,} books, by kind of result {kinds}; {len(violations)} violations")
    assert not violations
    assert min(kinds) > size // 20


def assert_reference(book: list[Limit], outcome: Outcome) -> None:
    """The reference model clears the book as brute force does."""
    levels: dict[int, tuple[int, int]] = {}
    for side, level, energy_wh in book:
        bid, offer = levels.get(level, (0, 0))
        levels[level] = (bid + energy_wh, offer) if side == BUY else (bid, offer + energy_wh)
    clearing = clear_book(*split(levels))
    result = clearing.result
    assert (result.level, result.kind, result.num, result.den) == (
        outcome.level,
        outcome.kind,
        outcome.num,
        outcome.den,
    )
    assert (clearing.traded_wh, clearing.supply_wh, clearing.demand_wh) == (
        outcome.traded_wh,
        outcome.supply_wh,
        outcome.demand_wh,
    )
    assert tuple(fill(result, *order) for order in book) == outcome.fills


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
        for window in range(self.cleared + 1, upto + 1):
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


def test_clear__random_lives__brute_force_to_the_base_unit(chain: Chain) -> None:
    happened: dict[str, int] = {}
    for seed in range(4):
        with boa.env.anchor():
            village = Village(chain, homes=12)
            for what, count in live(village, random.Random(seed), steps=14).items():
                happened[what] = happened.get(what, 0) + count
            village.settle_by_default()
    assert min(happened.values()) > 0, happened


def test_clear__same_orders_in_another_sequence__same_result(chain: Chain) -> None:
    rnd = random.Random(3)
    book = [(number, rnd.randrange(2), rnd.randint(50, 900), rnd.randint(100, 110)) for number in range(12)]
    words = set()
    for seed in range(3):
        with boa.env.anchor():
            village = Village(chain, homes=12)
            window = chain.next_window
            for number, side, energy_wh, level in random.Random(seed).sample(book, len(book)):
                village.place(village.homes[number], side, window, window, energy_wh, level, 0)
            chain.to_gate(window)
            village.clear(1)
            words.add(village.market.results(window))
    assert len(words) == 1


def test_clear__late__book_as_it_stood_at_the_gate(chain: Chain) -> None:
    with boa.env.anchor():
        village = Village(chain, homes=3)
        buyer, seller, other = village.homes
        window = chain.next_window
        village.place(buyer, BUY, window, window + 3, 100, 60, 0)
        village.place(seller, SELL, window, window + 3, 80, 40, 0)
        chain.to_end(window)
        # Gated windows are out of reach: neither of these touches the window that nobody cleared in time.
        village.cancel(village.orders[0], window)
        village.place(other, BUY, window, window + 3, 500, 200, 0)
        assert village.clear(1) == 1
        assert village.market.results(window) & 0x3FF == 60 | BIDS_RATIONED << 8
        assert village.market.results(window) >> 106 & (2**32 - 1) == 5
        chain.now = (window + 9) * WINDOW_SECONDS
        assert village.clear(2) == 2
        assert village.market.results(window + 2) >> 106 & (2**32 - 1) == 6 * WINDOW_SECONDS


def test_clear__max_windows__clears_so_many(chain: Chain) -> None:
    with boa.env.anchor():
        village = Village(chain, homes=2)
        window = chain.next_window
        village.place(village.homes[0], BUY, window, window + 9, 100, 60, 0)
        village.place(village.homes[1], SELL, window, window + 9, 80, 40, 0)
        chain.to_gate(window + 9)
        with refused("auction: nothing to clear"):
            village.market.clear(0)
        assert [village.clear(many) for many in (1, 3, 4, 255)] == [1, 3, 4, 2]
        with refused("auction: nothing to clear"):
            village.market.clear(1)


def test_clear__idle_windows__one_jump(chain: Chain) -> None:
    with boa.env.anchor():
        village = Village(chain, homes=2)
        chain.now += 1_000 * WINDOW_SECONDS
        assert village.market.clear(255) == 1
        assert [type(log).__name__ for log in village.market.get_logs()] == ["BookJumped"]
        village.cleared = chain.next_window - 1
        assert village.market.book_state() & (2**32 - 1) == village.cleared
        # The ring is four laps on: what lies in it is read as nothing.
        window = chain.next_window
        village.place(village.homes[0], BUY, window, window, 100, 60, 0)
        village.place(village.homes[1], SELL, window, window, 80, 40, 0)
        chain.to_gate(window)
        village.clear(1)
        village.settle_by_default()


def test_clear__ring_lapped__old_entries_read_as_nothing(chain: Chain) -> None:
    with boa.env.anchor():
        village = Village(chain, homes=9)
        window = chain.next_window
        for lap in range(3):
            first = window + 256 * lap
            if lap:
                chain.now = (first - 2) * WINDOW_SECONDS
                village.clear(255)
            # Others each time: who sold and did not report can't order again before the deadline.
            buyer, seller, other = village.homes[3 * lap : 3 * lap + 3]
            village.place(buyer, BUY, first, first + 4, 100 + lap, 60, 0)
            village.place(seller, SELL, first, first, 80 + lap, 60, 0)
            village.place(other, SELL, first + 1, first + 2, 90, 60 + lap, 0)
            chain.to_gate(first + 5)
            village.clear(255)


def test_clear__year_of_silence__caught_up_within_a_transaction(chain: Chain) -> None:
    with boa.env.anchor():
        village = Village(chain, homes=20)
        window = chain.next_window
        # The longest horizon, each home at a level of its own for every window it can have.
        for number, home in enumerate(village.homes):
            village.place(home, number % 2, window, window + 218 + number % 2, 1_000, 100 + number, 0)
        chain.now += YEAR_SECONDS
        gas = []
        while village.cleared < chain.next_window - 1:
            village.clear(255)
            gas.append(village.market._computation.get_gas_used())
        # The windows with orders, and the jump over the rest of the year.
        assert len(gas) == 1
        assert max(gas) < MAX_TRANSACTION_GAS, gas
        chain.now -= YEAR_SECONDS
        assert village.market.results(window + 219) != 0
        assert village.market.results(window + 220) == 0

"""The contract's clearing against a brute-force one, for single books and for whole markets."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import boa
import pytest

from contracts.auction_books import BOOKS
from contracts.helpers import refused
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
from contracts.helpers_gas import WINDOW_SECONDS, Chain
from contracts.helpers_village import YEAR_SECONDS, Village, live
from peerwatt.reference.auction import clear_book, fill, split

SHORT_CAMPAIGN = 400
BATCH = 40
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


def test_clear__last_window_without_orders__is_told(chain: Chain) -> None:
    with boa.env.anchor():
        village = Village(chain, homes=2)
        window = chain.next_window
        for first in (window, window + 5):
            village.place(village.homes[0], BUY, first, first, 100, 60, first)
        chain.to_gate(window + 3)
        told = []
        for many in (1, 1, 255):
            village.market.clear(many)
            told.append([(type(log).__name__, log.window) for log in village.market.get_logs()])
        assert told == [[("WindowCleared", window)], [("BookJumped", window + 1)], [("BookJumped", window + 3)]]


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
        village = Village(chain, homes=6)
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

"""Clearing from the definition: order by order and level by level, for the contract to be held against.

Nothing here knows a histogram, a difference array or a merit order: the book is the list of its orders.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

LEVELS = 256
BUY, SELL = 0, 1
NO_TRADE, ALL_CROSSING, OFFERS_RATIONED, BIDS_RATIONED = 0, 1, 2, 3

# Calls the contract's own pricing for many books at once: the number of words of each book, then its levels as
# level [0,8), bid [8,56), offer [56,104). Result and traded Wh of each come back.
FIND_PRICES = """
@external
@pure
def find_prices(words: DynArray[uint256, 8192]) -> DynArray[uint256, 1024]:
    found: DynArray[uint256, 1024] = []
    at: uint256 = 0
    for _: uint256 in range(512):
        if at >= len(words):
            break
        depth: uint256[256] = empty(uint256[256])
        levels: uint256 = 0
        demand: uint256 = 0
        count: uint256 = words[at]
        for i: uint256 in range(count, bound=256):
            word: uint256 = words[at + 1 + i]
            depth[word & 255] = word >> 8
            levels |= 1 << (word & 255)
            demand += (word >> 8) & (2**48 - 1)
        at += count + 1
        result: uint256 = 0
        traded: uint256 = 0
        result, traded = auction._find_price(depth, levels, demand)
        found.append(result)
        found.append(traded)
    return found
"""


class Limit(NamedTuple):
    """An order as clearing sees it."""

    side: int
    level: int
    energy_wh: int


@dataclass(frozen=True)
class Outcome:
    """A window's clearing. `fills` are of the book's orders, in their sequence [Wh]."""

    level: int
    kind: int
    num: int
    den: int
    traded_wh: int
    supply_wh: int
    demand_wh: int
    fills: tuple[int, ...]

    @property
    def word(self) -> int:
        """The price part of the contract's result word."""
        return self.level | self.kind << 8 | self.num << 10 | self.den << 58


def brute_force(book: Sequence[Limit]) -> Outcome:
    """The clearing of a book by the rule of docs/market.md, tried at every level."""

    def offered(level: int) -> int:
        return sum(wh for side, at, wh in book if side == SELL and at <= level)

    def bid(level: int) -> int:
        return sum(wh for side, at, wh in book if side == BUY and at >= level)

    supply, demand = offered(LEVELS - 1), bid(0)
    low = next(level for level in range(LEVELS) if bid(level + 1) <= offered(level))
    traded = min(offered(low), bid(low))
    if traded == 0:
        return Outcome(0, NO_TRADE, 0, 0, 0, supply, demand, (0,) * len(book))

    num = den = 0
    if offered(low) == bid(low + 1):
        high = next(level for level in range(low + 1, LEVELS) if any(at == level for _, at, _ in book))
        price, kind = (low + high) // 2, ALL_CROSSING
    elif offered(low) > bid(low):
        price, kind = low, OFFERS_RATIONED
        num, den = bid(low) - offered(low - 1), offered(low) - offered(low - 1)
    else:
        price, kind = low, BIDS_RATIONED
        num, den = offered(low) - bid(low + 1), bid(low) - bid(low + 1)

    def fill(side: int, level: int, wh: int) -> int:
        worse = level < price if side == BUY else level > price
        if worse:
            return 0
        if level != price:
            return wh
        if side == BUY and kind == ALL_CROSSING:
            return 0
        if side == BUY and kind == BIDS_RATIONED:
            return -(-wh * num // den)
        if side == SELL and kind == OFFERS_RATIONED:
            return wh * num // den
        return wh

    fills = tuple(fill(*order) for order in book)
    return Outcome(price, kind, num, den, traded, supply, demand, fills)


def find_violations(book: Sequence[Limit], outcome: Outcome) -> list[str]:
    """What a clearing must fulfil whatever rule found it; empty when it does."""
    wrong = []
    most = max(
        min(
            sum(wh for side, at, wh in book if side == SELL and at <= level),
            sum(wh for side, at, wh in book if side == BUY and at >= level),
        )
        for level in {at for _, at, _ in book} | {0}
    )
    if outcome.traded_wh != most:
        wrong.append(f"trades {outcome.traded_wh} Wh where {most} are possible")
    bought = sum(fill for order, fill in zip(book, outcome.fills, strict=True) if order.side == BUY)
    sold = sum(fill for order, fill in zip(book, outcome.fills, strict=True) if order.side == SELL)
    rationed = sum(
        1
        for order in book
        if order.level == outcome.level
        and (order.side, outcome.kind) in ((BUY, BIDS_RATIONED), (SELL, OFFERS_RATIONED))
    )
    if not sold <= outcome.traded_wh <= bought:
        wrong.append(f"sold {sold} <= traded {outcome.traded_wh} <= bought {bought} does not hold")
    if bought - sold > max(0, rationed - 1):
        wrong.append(f"{bought - sold} Wh of rounding with {rationed} rationed orders")
    for order, fill in zip(book, outcome.fills, strict=True):
        if not 0 <= fill <= order.energy_wh:
            wrong.append(f"{order} fills {fill}")
        if outcome.kind == NO_TRADE:
            continue
        better = order.level > outcome.level if order.side == BUY else order.level < outcome.level
        worse = order.level < outcome.level if order.side == BUY else order.level > outcome.level
        if (better and fill != order.energy_wh) or (worse and fill != 0):
            wrong.append(f"{order} fills {fill} at level {outcome.level}")
    return wrong


def pack_book(book: Sequence[Limit]) -> list[int]:
    """A book as `find_prices` takes it."""
    sums: dict[int, int] = {}
    for side, level, energy_wh in book:
        sums[level] = sums.get(level, 0) + (energy_wh << (48 * side))
    return [len(sums), *(level | word << 8 for level, word in sums.items())]


def find_prices(market: Any, books: Sequence[Sequence[Limit]]) -> list[tuple[int, int]]:
    """The contract's result word and traded Wh of each book."""
    words = [word for book in books for word in pack_book(book)]
    if not hasattr(market, "inject") or not hasattr(market.inject, "find_prices"):
        market.inject_function(FIND_PRICES)
    found = market.inject.find_prices(words)
    return list(zip(found[::2], found[1::2], strict=True))


def draw_book(rnd: random.Random) -> list[Limit]:
    """A random book; small energies and few levels, so that ties and exact crossings are common."""
    shape = rnd.randrange(10)
    spread = rnd.choice((1, 2, 3, 8, 40, 256))
    start = rnd.randint(0, LEVELS - spread)
    most = rnd.choice((1, 2, 5, 1_000, 2**24 - 1))
    sides = {0: (BUY,), 1: (SELL,)}.get(shape, (BUY, SELL))
    book = [
        Limit(rnd.choice(sides), start + rnd.randrange(spread), rnd.randint(1, most)) for _ in range(rnd.randrange(25))
    ]
    if shape in (2, 3):
        # Let what crosses be exactly equal, with a gap above it.
        wh = sum(order.energy_wh for order in book if order.side == SELL)
        top = max((order.level for order in book), default=0)
        book = [order for order in book if order.side == SELL]
        if wh and top < LEVELS - 1:
            book.append(Limit(BUY, rnd.randint(top + 1, LEVELS - 1), wh))
    if rnd.randrange(60) == 0:
        book += [Limit(rnd.randrange(2), level, rnd.randint(1, most)) for level in range(LEVELS)]
    rnd.shuffle(book)
    return book

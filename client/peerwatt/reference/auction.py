"""Clearing: one uniform price for each window, found in its book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .parameters import LEVELS
from .reasons import require
from .values import BUY, ceil_div

if TYPE_CHECKING:
    from .offers import Levels, Order
    from .state import MarketState

NO_TRADE, ALL_CROSSING, OFFERS_RATIONED, BIDS_RATIONED = 0, 1, 2, 3


@dataclass(frozen=True)
class BookState:
    """The newest cleared window, the Wh x windows accepted beyond it, and whether orders are stopped."""

    cleared: int
    open_wh: int = 0
    closed: bool = False
    paused: bool = False


@dataclass(frozen=True)
class Result:
    """What clearing a window gave, and what is left of it to settle.

    `level` is the price, `kind` who is rationed (num / den). `left_wh` is the energy of the orders not yet
    settled, `net_wh` what the settled ones bought less what they sold.
    """

    level: int
    kind: int
    num: int = 0
    den: int = 0
    delay_seconds: int = 0
    left_wh: int = 0
    net_wh: int = 0

    def is_rationed_at(self, level: int) -> bool:
        """Whether orders at a level got only a share, on one of the sides."""
        return level == self.level and self.kind in (OFFERS_RATIONED, BIDS_RATIONED)


@dataclass(frozen=True)
class Clearing:
    """A window's result and the energy behind it [Wh]."""

    result: Result
    supply_wh: int
    demand_wh: int
    traded_wh: int


def clear_book(bids: Mapping[int, int], offers: Mapping[int, int]) -> Clearing:
    """The clearing of a book, given the Wh bid and offered at each level.

    S(l) is what is offered at or below l, D(l) what is bid at or above l. The price lies at the first level
    that supplies all that is bid above it. Where that leaves nothing over, any level up to the next order
    would clear the same energy, and the price is the middle; else the orders at the price itself share what
    is left.
    """
    supply, demand = sum(offers.values()), sum(bids.values())
    touched = sorted({level for side in (bids, offers) for level, wh in side.items() if wh > 0})
    # Walking up: S(lo) grows by what is offered at each level, what is bid above it shrinks by what is bid at it.
    lo, s_lo, s_below, d_lo, d_above = LEVELS - 1, 0, 0, demand, demand
    for level in touched:
        lo, s_below, d_lo = level, s_lo, d_above
        s_lo, d_above = s_lo + offers.get(level, 0), d_above - bids.get(level, 0)
        if d_above <= s_lo:
            break
    traded = min(s_lo, d_lo)
    if traded == 0:
        result = Result(level=0, kind=NO_TRADE)
    elif s_lo == d_above:
        hi = next(level for level in touched if level > lo)
        result = Result(level=(lo + hi) // 2, kind=ALL_CROSSING)
    elif s_lo > d_lo:
        result = Result(level=lo, kind=OFFERS_RATIONED, num=d_lo - s_below, den=offers[lo])
    else:
        result = Result(level=lo, kind=BIDS_RATIONED, num=s_lo - d_above, den=bids[lo])
    return Clearing(replace(result, left_wh=supply + demand), supply, demand, traded)


def fill(result: Result, side: int, level: int, energy_wh: int) -> int:
    """What an order at an effective level got [Wh]: a rationed buyer's fill rounds up, a seller's down."""
    if result.kind == NO_TRADE:
        return 0
    if level == result.level:
        if result.kind == OFFERS_RATIONED and side != BUY:
            return energy_wh * result.num // result.den
        if result.kind == BIDS_RATIONED and side == BUY:
            return ceil_div(energy_wh * result.num, result.den)
        if result.kind == ALL_CROSSING and side == BUY:
            return 0
        return energy_wh
    better = level > result.level if side == BUY else level < result.level
    return energy_wh if better else 0


def fill_of(market: MarketState, order: Order, window: int) -> int:
    """The fill of an order in a cleared window; in a closed market the windows never cleared give nothing."""
    if window > market.book_state.cleared:
        return 0
    return fill(market.results[window], order.side, order.effective_level, order.energy_wh)


def split(levels: Levels) -> tuple[dict[int, int], dict[int, int]]:
    """The bids and the offers of a book."""
    bids = {level: bid for level, (bid, _) in levels.items() if bid}
    offers = {level: offer for level, (_, offer) in levels.items() if offer}
    return bids, offers


def clear(market: MarketState, now: int, max_windows: int) -> int:
    """Clears the next gated windows, at most so many; with nothing open, jumps to the newest gated one.

    The clock decides what is in the book, not the call: a late clearing uses the book of the gate.

    The log tells each window that had orders, and where a call ended if its last window had none.

    Returns:
        How many windows it cleared; a jump counts as one.
    """
    require(not market.book_state.closed, "auction: market closed")
    gated = market.parameters.gated_at(now)
    done = 0
    while done < max_windows and market.book_state.cleared < gated:
        if market.book_state.open_wh == 0:
            market.book_state = replace(market.book_state, cleared=gated)
        else:
            _clear_next(market, now)
        done += 1
    require(done > 0, "auction: nothing to clear")
    # A jump ends at a window that has no result either.
    if market.book_state.cleared not in market.results:
        market.emit("BookJumped", window=market.book_state.cleared)
    return done


def _clear_next(market: MarketState, now: int) -> None:
    state = market.book_state
    window = state.cleared + 1
    clearing = clear_book(*split(market.books.get(window, {})))
    market.book_state = replace(state, cleared=window, open_wh=state.open_wh - clearing.result.left_wh)
    if clearing.result.left_wh == 0:
        return
    delay = max(0, now - market.parameters.end_of(window))
    result = replace(clearing.result, delay_seconds=delay)
    market.results[window] = result
    market.emit(
        "WindowCleared",
        window=window,
        result=result,
        supply_wh=clearing.supply_wh,
        demand_wh=clearing.demand_wh,
        traded_wh=clearing.traded_wh,
    )

"""The promises about what happened: prices, deliveries, money and energy, scores, registers, nonces.

Part of `invariants`, which collects all that is always true. The promises are numbered as in docs/market.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from .auction import clear_book, fill_of, split
from .offers import SLOTS, Order, get_calendar
from .past import Violations, WindowSums, add_up_windows
from .reputation import FULL_SCORE
from .settlement import DEFAULTED, REPORTED
from .state import MarketState
from .values import BUY


def open_windows(market: MarketState) -> Iterator[tuple[str, int, Order, int]]:
    """Every order still to settle, window by window: account, slot, order, window."""
    for (account, slot), order in market.orders.items():
        settled = get_calendar(market, account).settled
        for window in order.windows:
            if window > settled:
                yield account, slot, order, window


def by_window(market: MarketState) -> dict[int, WindowSums]:
    """What was settled in each window that is not forgotten; windows without any are absent."""
    windows = {window: sums.copy() for window, sums in market.past.windows.items()}
    add_up_windows(windows, market.ledger, market.results)
    return windows


def expect(found: object, expected: object, what: str) -> Violations:
    return [] if found == expected else [f"{what}: {found}, not {expected}"]


def fills_bracket_the_volume(market: MarketState) -> Violations:
    """Promise 7: sellers' fills <= V <= buyers' fills, and they differ by less than one Wh for each rationed
    order."""
    windows = by_window(market)
    for _, _, order, window in open_windows(market):
        result = market.results.get(window)
        if result is None:
            continue
        sums = windows.setdefault(window, WindowSums())
        if order.side == BUY:
            sums.bought_wh += fill_of(market, order, window)
        else:
            sums.sold_wh += fill_of(market, order, window)
        sums.at_price += result.is_rationed_at(order.effective_level)
    found: Violations = []
    for window in market.results:
        clearing = clear_book(*split(market.books.get(window, {})))
        sums = windows.get(window, WindowSums())
        if not sums.sold_wh <= clearing.traded_wh <= sums.bought_wh:
            volumes = (sums.sold_wh, clearing.traded_wh, sums.bought_wh)
            found.append(f"window {window}: sold, traded and bought {volumes} Wh")
        if sums.bought_wh - sums.sold_wh > max(sums.at_price - 1, 0):
            found.append(f"window {window}: {sums.bought_wh - sums.sold_wh} Wh lost in rounding")
    return found


def nobody_pays_above_the_limit(market: MarketState) -> Violations:
    """Promise 4: a buyer's all-in price is at most the signed limit, a seller's at least; no order costs more
    than its reserve."""
    found: Violations = []
    for entry in market.ledger:
        limit = market.parameters.price(entry.order.limit_level)
        paid, received = entry.payment.paid, entry.payment.received
        where = f"{entry.account} in window {entry.window}"
        if entry.order.side == BUY and paid > entry.fill_wh * limit:
            found.append(f"{where} paid {paid} for {entry.fill_wh} Wh at {limit}")
        if entry.order.side != BUY and received < entry.delivered_wh * limit:
            found.append(f"{where} got {received} for {entry.delivered_wh} Wh at {limit}")
        if paid > entry.released:
            found.append(f"{where} paid {paid}, reserved {entry.released}")
    return found


def only_metered_energy_is_paid(market: MarketState) -> Violations:
    """Promise 6: a seller is paid for no Wh that its meter did not count, nor for more than its fill."""
    return [
        f"{entry.account} delivered {entry.delivered_wh} of {entry.fill_wh} Wh, metered {entry.growth_wh}"
        for entry in market.ledger
        if not 0 <= entry.delivered_wh <= min(entry.fill_wh, entry.growth_wh or 0)
    ]


def money_is_conserved(market: MarketState) -> Violations:
    """Promise 7: in a finished window payments = receipts + network account + balancing account."""
    windows = by_window(market)
    found: Violations = []
    for window, result in market.results.items():
        if result.left_wh == 0:
            sums = windows.get(window, WindowSums())
            balancing = sums.balancing + result.net_wh * market.parameters.price(result.level)
            spent = sums.received + sums.network + balancing
            found += expect(sums.paid, spent, f"payments of window {window}")
    return found


def energy_is_conserved(market: MarketState) -> Violations:
    """Promise 7: in a finished window Wh bought = delivered + shortfall + rounding."""
    windows = by_window(market)
    found: Violations = []
    for window, result in market.results.items():
        if result.left_wh:
            continue
        sums = windows.get(window, WindowSums())
        shortfall = sums.sold_wh - sums.delivered_wh
        rounding = market.rounding_wh.get(window)
        if rounding is None:
            found.append(f"window {window} was finished but not closed")
        else:
            supplied = sums.delivered_wh + shortfall + rounding
            found += expect(sums.bought_wh, supplied, f"Wh bought in window {window}")
    return found


def scores_are_in_range(market: MarketState) -> Violations:
    """A score lies between 0 and 10000 points."""
    return [
        f"{account}: score {wallet.score}"
        for account, wallet in market.wallets.items()
        if not 0 <= wallet.score <= FULL_SCORE
    ]


def scores_move_by_metering_alone(market: MarketState) -> Violations:
    """Promise 9: only a reported or missing reading of a seller or a rated buyer moves a score."""
    return [
        f"{entry.account}: score {entry.score_before} to {entry.score_after} in window {entry.window}"
        for entry in market.ledger
        if entry.score_before != entry.score_after
        and (entry.cause not in (REPORTED, DEFAULTED) or (entry.order.side == BUY and not entry.order.rated))
    ]


def registers_only_grow(market: MarketState) -> Violations:
    """Promise 5: from one binding of a meter to the next, reports raise a register and its time."""
    return market.past.readings.copy().follow(market.log)


def nonces_only_grow(market: MarketState) -> Violations:
    """A slot's orders have its number as remainder and growing nonces, none of them burnt before: no
    replay."""
    found = market.past.nonces.copy().follow(market.log)
    for (account, number), order in market.orders.items():
        if any(nonce and nonce % SLOTS != number for nonce in (order.nonce, order.burnt)):
            found.append(f"{account}: nonces {order.nonce}, {order.burnt} in slot {number}")
    return found

"""What is always true of a market: each function looks for violations and returns them in words.

They recompute from orders, ledger and log what the acts keep up to date, so they are slow: call them between
the acts, not in them. The promises are numbered as in docs/market.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from .auction import clear_book, split
from .offers import CALENDAR_WINDOWS, Levels, add_to_levels, get_calendar
from .past import Moves, Violations, WindowSums
from .promises import (
    by_window,
    energy_is_conserved,
    expect,
    fills_bracket_the_volume,
    money_is_conserved,
    nobody_pays_above_the_limit,
    nonces_only_grow,
    only_metered_energy_is_paid,
    open_windows,
    registers_only_grow,
    scores_are_in_range,
    scores_move_by_metering_alone,
)
from .state import MarketState
from .values import BUY


def free_money_never_negative(market: MarketState) -> Violations:
    """Promise 2: what a live order could cost is in its owner's wallet."""
    return [
        f"{account}: balance {wallet.balance}, reserved {wallet.reserved}"
        for account, wallet in market.wallets.items()
        if not 0 <= wallet.reserved <= wallet.balance
    ]


def reserves_match_orders(market: MarketState) -> Violations:
    """Promise 2: a wallet reserves the worst case of each of its open windows, no more and no less."""
    worst: Counter[str] = Counter()
    for account, _, order, _ in open_windows(market):
        worst[account] += order.energy_wh * order.unit_reserve(market.parameters)
    return [
        violation
        for account in worst.keys() | market.wallets.keys()
        for violation in expect(market.wallet(account).reserved, worst[account], f"reserve of {account}")
    ]


def tokens_cover_free_money(market: MarketState) -> Violations:
    """Promise 3: all free money could leave at once."""
    free = sum(wallet.free for wallet in market.wallets.values())
    if market.token_balance >= free:
        return []
    return [f"free money {free} is more than the tokens {market.token_balance}"]


def _moves(market: MarketState) -> Moves:
    moves = market.past.moves.copy()
    moves.follow(market.log, market.parameters)
    return moves


def tokens_follow_deposits(market: MarketState) -> Violations:
    """Nothing but deposits and withdrawals moves tokens."""
    totals = _moves(market).totals
    return expect(market.token_balance, totals["Deposited"] - totals["Withdrawn"], "tokens")


def balances_follow_log(market: MarketState) -> Violations:
    """Every balance is its deposits less withdrawals, its settlements, and for the two accounts what was
    credited."""
    expected = _moves(market).balances
    for account, tally in market.past.accounts.items():
        expected[account] += tally.received - tally.paid
    for entry in market.ledger:
        expected[entry.account] += entry.payment.received - entry.payment.paid
    return [
        violation
        for account in expected.keys() | market.wallets.keys()
        for violation in expect(market.wallet(account).balance, expected[account], f"balance of {account}")
    ]


def _owed(market: MarketState) -> int:
    """What sellers were paid before their buyers paid, less what buyers paid before their sellers [base
    units]."""
    return -sum(
        result.net_wh * market.parameters.price(result.level)
        for result in market.results.values()
        if result.left_wh
    )


def escrow_accounts_for_the_difference(market: MarketState) -> Violations:
    """Balances differ from tokens by the escrow of the windows not finished, to the base unit."""
    balances = sum(wallet.balance for wallet in market.wallets.values())
    return expect(balances - market.token_balance, _owed(market), "balances less tokens")


def escrow_is_backed_by_buyers(market: MarketState) -> Violations:
    """What sellers were paid in advance is reserved by buyers who can't get out any more."""
    backing = sum(
        order.energy_wh * order.unit_reserve(market.parameters)
        for _, _, order, window in open_windows(market)
        if order.side == BUY and window <= market.book_state.cleared
    )
    owed = _owed(market)
    return [] if owed <= backing else [f"{owed} paid in advance, buyers reserve {backing}"]


def calendars_match_orders(market: MarketState) -> Violations:
    """A calendar has exactly the windows of the account's orders beyond its settled pointer."""
    windows: dict[str, set[int]] = defaultdict(set)
    for account, _, _, window in open_windows(market):
        windows[account].add(window)
    return [
        violation
        for account in windows.keys() | market.calendars.keys()
        for violation in expect(
            get_calendar(market, account).open, windows.get(account, set()), f"calendar of {account}"
        )
    ]


def calendars_fit(market: MarketState) -> Violations:
    """Open windows lie within the calendar's 224 bits, and the pointer never passes what is cleared."""
    found = [
        f"{account}: settled {calendar.settled}, cleared {market.cleared}"
        for account, calendar in market.calendars.items()
        if calendar.settled > market.cleared
    ]
    for account, calendar in market.calendars.items():
        if any(not 0 < window - calendar.settled <= CALENDAR_WINDOWS for window in calendar.open):
            found.append(f"{account}: open {sorted(calendar.open)} after {calendar.settled}")
    return found


def one_order_per_window(market: MarketState) -> Violations:
    """Promise 5: an account has one order in a window, and settles it once."""
    times = Counter((account, window) for account, _, _, window in open_windows(market))
    times.update((entry.account, entry.window) for entry in market.ledger)
    found = [f"{account} has {n} orders in window {window}" for (account, window), n in times.items() if n > 1]
    past = market.past.accounts
    return found + [
        f"{account} has an order in window {window}, and has settled window {past[account].last}"
        for account, window in times
        if account in past and window <= past[account].last
    ]


def left_matches_unsettled(market: MarketState) -> Violations:
    """A result counts down the energy of exactly the orders not yet settled."""
    left: Counter[int] = Counter()
    for _, _, order, window in open_windows(market):
        left[window] += order.energy_wh
    return [
        violation
        for window, result in market.results.items()
        for violation in expect(result.left_wh, left[window], f"left_wh of window {window}")
    ]


def net_matches_settled(market: MarketState) -> Violations:
    """A result's net is what its settled orders bought less what they sold; at the end never negative."""
    windows = by_window(market)
    found: Violations = []
    for window, result in market.results.items():
        sums = windows.get(window, WindowSums())
        found += expect(result.net_wh, sums.bought_wh - sums.sold_wh, f"net_wh of window {window}")
        if result.left_wh == 0 and result.net_wh < 0:
            found.append(f"window {window} ended with {result.net_wh} Wh")
    return found


def _books(market: MarketState) -> dict[int, Levels]:
    """The book of every window, recomputed from the orders that are in it and those that were settled."""
    levels = {window: sums.levels for window, sums in by_window(market).items()}
    for _, _, order, window in open_windows(market):
        add_to_levels(levels.setdefault(window, {}), order, order.energy_wh)
    return levels


def books_match_orders(market: MarketState) -> Violations:
    """Each window's book is the sum of its orders."""
    expected = _books(market)
    return [
        violation
        for window in expected.keys() | market.books.keys()
        for violation in expect(market.books.get(window, {}), expected.get(window, {}), f"book of {window}")
    ]


def open_wh_matches_books(market: MarketState) -> Violations:
    """`open_wh` is the energy in the books beyond the newest cleared window."""
    expected = sum(
        bid + offer
        for window, levels in _books(market).items()
        if window > market.book_state.cleared
        for bid, offer in levels.values()
    )
    return expect(market.book_state.open_wh, expected, "open_wh")


def results_match_books(market: MarketState) -> Violations:
    """Promise 1: the price follows from the book alone; a window has a result if and only if it had
    orders."""
    found: Violations = []
    books = _books(market)
    for window in books.keys() | market.results.keys():
        result = market.results.get(window)
        due = window <= market.book_state.cleared and bool(books.get(window))
        if (result is not None) != due:
            found.append(f"window {window}: result {result}, orders {books.get(window)}")
        elif result is not None:
            cleared = clear_book(*split(books[window])).result
            got = (result.level, result.kind, result.num, result.den)
            expected = (cleared.level, cleared.kind, cleared.num, cleared.den)
            found += expect(got, expected, f"result of window {window}")
    return found


def words_fit(market: MarketState) -> Violations:
    """Every field fits the bits that its word has for it."""
    found = [
        f"{account}: {wallet}"
        for account, wallet in market.wallets.items()
        if max(wallet.balance, wallet.reserved) >= 2**104
    ]
    found += [
        f"window {window}: {result}"
        for window, result in market.results.items()
        if max(result.num, result.den, result.left_wh) >= 2**48 or abs(result.net_wh) >= 2**49
    ]
    if not 0 <= market.book_state.open_wh < 2**64:
        found.append(f"open_wh {market.book_state.open_wh}")
    return found


INVARIANTS: tuple[Callable[[MarketState], Violations], ...] = (
    free_money_never_negative,
    reserves_match_orders,
    tokens_cover_free_money,
    tokens_follow_deposits,
    balances_follow_log,
    escrow_accounts_for_the_difference,
    escrow_is_backed_by_buyers,
    calendars_match_orders,
    calendars_fit,
    one_order_per_window,
    left_matches_unsettled,
    net_matches_settled,
    books_match_orders,
    open_wh_matches_books,
    results_match_books,
    fills_bracket_the_volume,
    nobody_pays_above_the_limit,
    only_metered_energy_is_paid,
    money_is_conserved,
    energy_is_conserved,
    scores_are_in_range,
    scores_move_by_metering_alone,
    registers_only_grow,
    nonces_only_grow,
    words_fit,
)


def check_all(market: MarketState) -> Violations:
    """Violations of all invariants, each with the invariant's name before it."""
    return [f"{check.__name__}: {violation}" for check in INVARIANTS for violation in check(market)]

"""Following a market for years in the memory of a day: what is over is checked, added up and forgotten.

Acts read neither log nor ledger, nor what is left of a window in which all is settled. `forget_lines` and
`forget_windows` move them into `MarketState.past`, after the invariants that are about single lines and single
windows were asked about them. The invariants then say of such a market what they would have said of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from . import invariants, promises
from .auction import Result
from .past import Past, Violations, add_up_accounts, add_up_windows
from .state import MarketState

_Check = Callable[[MarketState], Violations]
# What each line of the ledger is asked, and each window that is over.
OF_LINES: tuple[_Check, ...] = (
    promises.nobody_pays_above_the_limit,
    promises.only_metered_energy_is_paid,
    promises.scores_move_by_metering_alone,
)
OF_WINDOWS: tuple[_Check, ...] = (
    invariants.results_match_books,
    invariants.books_match_orders,
    invariants.net_matches_settled,
    invariants.left_matches_unsettled,
    invariants.words_fit,
    promises.fills_bracket_the_volume,
    promises.money_is_conserved,
    promises.energy_is_conserved,
)


@dataclass(frozen=True)
class Over:
    """A window that is over: its result, None if it had no orders, and its rounding [Wh]."""

    window: int
    result: Result | None
    rounding_wh: int | None


def forget_lines(market: MarketState) -> None:
    """Empties log and ledger. Not in the middle of an act: a refused one shortens them again."""
    past, log, ledger = market.past, market.log, market.ledger
    for event in log:
        past.events[event.name] += 1
    past.moves.follow(log, market.parameters)
    _keep(past, promises.registers_only_grow, past.readings.follow(log))
    _keep(past, promises.nonces_only_grow, past.nonces.follow(log))
    if ledger:
        for check in OF_LINES:
            _keep(past, check, check(market))
        _keep(past, invariants.one_order_per_window, add_up_accounts(past.accounts, ledger))
        add_up_windows(past.windows, ledger, market.results)
    market.log, market.ledger = [], []


def forget_windows(market: MarketState) -> list[Over]:
    """Drops books and results that no act can touch any more.

    Call it after `forget_lines`: a window whose settled orders are still in the ledger would seem to have had
    none.

    Returns:
        The windows dropped, in their sequence.
    """
    over = [window for window in sorted(market.books.keys() | market.results.keys()) if _is_over(market, window)]
    if not over:
        return []
    part = _split_off(market, over)
    for check in OF_WINDOWS:
        _keep(market.past, check, check(part))
    market.past.books += len(part.books)
    market.past.results += len(part.results)
    market.past.rounding_wh += sum(part.rounding_wh.values())
    return [Over(window, part.results.get(window), part.rounding_wh.get(window)) for window in over]


def _is_over(market: MarketState, window: int) -> bool:
    # The newest cleared window is the one from which the next is rolled on.
    if window >= market.book_state.cleared:
        return False
    result = market.results.get(window)
    return result.left_wh == 0 if result is not None else not market.books.get(window)


def _split_off(market: MarketState, over: Iterable[int]) -> MarketState:
    """Takes windows out of a market, into one in which nothing else is left."""
    part = MarketState(
        parameters=market.parameters,
        address=market.address,
        balancing_account=market.balancing_account,
        network_account=market.network_account,
        book_state=market.book_state,
    )
    tables: list[tuple[dict[int, Any], dict[int, Any]]] = [
        (market.books, part.books),
        (market.results, part.results),
        (market.rounding_wh, part.rounding_wh),
        (market.past.windows, part.past.windows),
    ]
    for window in over:
        for whole, taken in tables:
            if window in whole:
                taken[window] = whole.pop(window)
    return part


def _keep(past: Past, check: _Check, found: Violations) -> None:
    if found:
        past.violations.setdefault(check.__name__, []).extend(found)

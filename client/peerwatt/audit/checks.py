"""The named checks of an audit: what each one proves, how often it was made, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from peerwatt.reference import Market, invariants, promises
from peerwatt.reference.state import MarketState

# Of one check; the rest is counted.
SHOWN = 20


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: stable, for programs.
        promise: number of the promise in docs/market.md that it is about, None for none.
        what: what it proves, for people.
        count: how many things were checked.
        violations: the first ones, in words.
        violations_count: all of them.
        unchecked: what could not be checked, and why; None if nothing.
    """

    name: str
    promise: int | None
    what: str
    count: int
    violations: tuple[str, ...] = ()
    violations_count: int = 0
    unchecked: str | None = None

    @classmethod
    def made(
        cls,
        name: str,
        promise: int | None,
        what: str,
        count: int,
        violations: list[str] | tuple[str, ...] = (),
        unchecked: str | None = None,
    ) -> Check:
        """A check with what it found, however much it is."""
        return cls(name, promise, what, count, tuple(violations[:SHOWN]), len(violations), unchecked)

    @property
    def status(self) -> str:
        """`violated`, `unchecked` or `holds`."""
        if self.violations_count:
            return "violated"
        return "holds" if self.unchecked is None else "unchecked"


def _wallets(market: Market) -> int:
    return len(market.wallets)


def _settled(market: Market) -> int:
    return sum(tally.lines for tally in market.past.accounts.values())


def _sales(market: Market) -> int:
    return sum(tally.sales for tally in market.past.accounts.values())


def _finished(market: Market) -> int:
    return market.past.results + sum(result.left_wh == 0 for result in market.results.values())


def _windows(market: Market) -> int:
    return market.past.results + len(market.results)


def _books(market: Market) -> int:
    return market.past.books + len(market.books)


def _accounts(market: Market) -> int:
    return len(market.calendars)


def _events(*names: str) -> Callable[[Market], int]:
    return lambda market: sum(market.past.events[name] for name in names)


_moves = _events("Deposited", "Withdrawn")
_Invariant = Callable[[MarketState], list[str]]
# Promise, what it proves, what is counted.
PROMISES: dict[_Invariant, tuple[int | None, str, Callable[[Market], int]]] = {
    invariants.results_match_books: (1, "the price of each window follows from its book alone", _windows),
    invariants.books_match_orders: (1, "each book is the sum of its orders", _books),
    invariants.open_wh_matches_books: (1, "the energy still to clear is that of the books", _books),
    invariants.free_money_never_negative: (2, "no wallet reserves more than it holds", _wallets),
    invariants.reserves_match_orders: (2, "reserves are the worst case of the open orders", _wallets),
    invariants.tokens_cover_free_money: (3, "all free money could leave at once", _wallets),
    invariants.tokens_follow_deposits: (3, "deposits and withdrawals alone move tokens", _moves),
    invariants.escrow_is_backed_by_buyers: (3, "what sellers got in advance is reserved by buyers", _windows),
    promises.nobody_pays_above_the_limit: (4, "no buyer paid more and no seller got less than signed", _settled),
    invariants.one_order_per_window: (5, "one order for each account and window, settled once", _settled),
    promises.registers_only_grow: (5, "registers only grow", _events("ReportSettled")),
    promises.nonces_only_grow: (5, "no order was replayed", _events("OrderPlaced", "OrderCancelled")),
    promises.only_metered_energy_is_paid: (6, "sellers are paid for metered energy only", _sales),
    promises.money_is_conserved: (7, "payments = receipts + network + balancing account", _finished),
    promises.energy_is_conserved: (7, "Wh bought = delivered + shortfall + rounding", _finished),
    promises.fills_bracket_the_volume: (7, "fills differ by less than one Wh for each rationed order", _windows),
    invariants.net_matches_settled: (7, "each window's net is that of its settled orders", _windows),
    invariants.balances_follow_log: (7, "each balance is its deposits, withdrawals and settlements", _wallets),
    invariants.escrow_accounts_for_the_difference: (7, "balances less tokens are the escrow, exactly", _windows),
    invariants.left_matches_unsettled: (8, "what is left to settle is counted exactly", _windows),
    invariants.calendars_match_orders: (8, "no open window is forgotten", _accounts),
    invariants.calendars_fit: (8, "an idle home can always order", _accounts),
    promises.scores_are_in_range: (9, "scores lie between 0 and 10,000", _wallets),
    promises.scores_move_by_metering_alone: (9, "scores move by metered delivery alone", _settled),
    invariants.words_fit: (None, "every value fits its storage word", _wallets),
}


def check_promises(market: Market) -> Iterator[Check]:
    """Each invariant of the reference as a check, on the market as the replay left it, with an empty log and ledger."""
    for invariant, (promise, what, count) in PROMISES.items():
        name = invariant.__name__
        found = [*market.past.violations.get(name, ()), *invariant(market)]
        yield Check.made(name, promise, what, count(market), found)

"""A market that forgets what is over goes on as one that does not, and says the same of its promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from client.reference_village import NOW_WINDOW, WINDOW, Village, account
from client.test_reference_life import Life
from peerwatt.reference import BUY, SELL, DueItem, Market
from peerwatt.reference.forgetting import OF_LINES, OF_WINDOWS, Over, forget_lines, forget_windows
from peerwatt.reference.invariants import check_all
from peerwatt.reference.past import Tally, add_up_accounts

HISTORY = ("log", "ledger", "books", "results", "rounding_wh", "past")


@pytest.mark.parametrize("seed", range(3))
def test_forget__random_life__goes_on_as_if_all_were_remembered(seed: int) -> None:
    whole, life = Life(seed), Life(seed)
    over: list[Over] = []
    for step in range(1, 801):
        whole.step()
        life.step()
        forget_lines(life.market)
        if step % 7 == 0:
            over += forget_windows(life.market)
        if step % 20 == 0:
            assert check_all(life.market) == []
    for one in fields(Market):
        if one.name not in HISTORY:
            assert getattr(life.market, one.name) == getattr(whole.market, one.name), one.name
    market, past = whole.market, life.market.past
    tallies: dict[str, Tally] = {}
    assert add_up_accounts(tallies, market.ledger) == [] and past.accounts == tallies
    assert past.events == Counter(event.name for event in market.log) and past.violations == {}
    assert past.rounding_wh + sum(life.market.rounding_wh.values()) == sum(market.rounding_wh.values())
    # What was forgotten and what is left is all there ever was.
    assert past.results == sum(one.result is not None for one in over) > 10
    assert {one.window for one in over}.isdisjoint(life.market.books.keys() | life.market.results)
    assert {one.window for one in over} | life.market.books.keys() == market.books.keys()
    results = {one.window: one.result for one in over if one.result is not None}
    assert {**results, **life.market.results} == market.results
    assert past.books + len(life.market.books) == len(market.books)
    assert past.windows.keys() == {window for window in past.windows if window in life.market.results}


def settled_village() -> Village:
    """Two windows, both cleared and settled; a third one cleared after them."""
    village = Village(2)
    first = NOW_WINDOW + 1
    village.relay(
        village.order(account(0), BUY, first, first + 1, 500, 60),
        village.order(account(1), SELL, first, first + 1, 400, 20),
    )
    village.now += 4 * WINDOW
    village.market.clear(village.now, 9)
    due = DueItem(account(0), village.market.hints(account(0)), 2)
    assert village.relay(village.report(account(1), SELL, [0, 350, 400]), due) == [0, 0]
    return village


def forget(market: Market) -> list[Over]:
    forget_lines(market)
    return forget_windows(market)


def test_forget__settled_windows__gone() -> None:
    market = settled_village().market
    results = dict(market.results)
    over = forget(market)
    assert [(one.window, one.result, one.rounding_wh) for one in over] == [
        (NOW_WINDOW + 1, results[NOW_WINDOW + 1], 0),
        (NOW_WINDOW + 2, results[NOW_WINDOW + 2], 0),
    ]
    assert not any((market.log, market.ledger, market.books, market.results, market.rounding_wh, market.past.windows))
    assert (market.past.books, market.past.results) == (2, 2) and check_all(market) == []
    assert forget(market) == []


def test_forget_windows__newest_or_unsettled__stay() -> None:
    village = Village(2)
    first = NOW_WINDOW + 1
    village.relay(village.order(account(0), BUY, first, first + 1, 500, 60))
    village.now += 2 * WINDOW
    village.market.clear(village.now, 9)
    assert forget(village.market) == [] and len(village.market.results) == 2
    assert village.relay(DueItem(account(0), village.market.hints(account(0)), 2)) == [0]
    # Live totals are those of the newest cleared window.
    assert [one.window for one in forget(village.market)] == [first]
    assert list(village.market.results) == [first + 1] and check_all(village.market) == []


def _line(market: Market) -> None:
    entry = next(entry for entry in market.ledger if entry.order.side == SELL)
    worse = replace(entry.payment, received=0, paid=10**9)
    corrupt = replace(entry, delivered_wh=10**6, payment=worse, cause="revoked", score_after=-1)
    market.ledger[market.ledger.index(entry)] = corrupt


def _twice(market: Market) -> None:
    market.ledger.append(market.ledger[-1])


def _log(market: Market) -> None:
    market.log.extend([event for event in market.log if event.name in ("OrderPlaced", "ReportSettled")])


def _result(market: Market) -> None:
    for window, result in market.results.items():
        market.results[window] = replace(result, level=result.level + 1, net_wh=result.net_wh + 2**50)


def _rounding(market: Market) -> None:
    market.rounding_wh = {window: 10**6 for window in market.rounding_wh}


def _orders(market: Market) -> None:
    # An order comes up again for a window that is over.
    key = account(1), 0
    market.calendars[key[0]] = replace(market.calendars[key[0]], settled=NOW_WINDOW)


@pytest.mark.parametrize(
    ("corrupt", "names"),
    [
        (_line, {check.__name__ for check in OF_LINES} | {"money_is_conserved", "balances_follow_log"}),
        (_twice, {"one_order_per_window", "net_matches_settled", "books_match_orders"}),
        (_log, {"nonces_only_grow", "registers_only_grow"}),
        (_result, {"results_match_books", "net_matches_settled", "words_fit"}),
        (_rounding, {"energy_is_conserved"}),
    ],
)
def test_forget__corrupted__kept_as_a_violation(corrupt: Callable[[Market], None], names: set[str]) -> None:
    market = settled_village().market
    corrupt(market)
    forget(market)
    found = set(market.past.violations) | {text.partition(":")[0] for text in check_all(market)}
    assert names <= found and all(market.past.violations.values())


def test_forget__order_of_a_forgotten_window__found() -> None:
    market = settled_village().market
    forget(market)
    _orders(market)
    found = {text.partition(":")[0] for text in check_all(market)}
    assert {"one_order_per_window", "books_match_orders", "results_match_books"} <= found


def test_forget__checks__ask_every_closed_window() -> None:
    names = {check.__name__ for check in OF_WINDOWS}
    assert {"fills_bracket_the_volume", "left_matches_unsettled", "energy_is_conserved"} < names
    market = settled_village().market
    # A window that lost its book is asked about before it goes.
    market.books = {window: {} for window in market.books}
    forget(market)
    assert {"books_match_orders", "fills_bracket_the_volume"} <= set(market.past.violations)

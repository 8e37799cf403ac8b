"""The second clearing against the first, and against books told by hand."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerwatt.audit.merit_order import Cleared, MeritOrders, clear_by_merit_order
from peerwatt.reference.auction import ALL_CROSSING, BIDS_RATIONED, NO_TRADE, OFFERS_RATIONED, Result, clear_book
from peerwatt.reference.offers import Order
from peerwatt.reference.state import Event

STEPS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)), max_size=9)


@pytest.mark.parametrize(
    ("bids", "offers", "expected"),
    [
        ([], [], Cleared(0, 0, NO_TRADE, 0, 0)),
        ([(3, 10)], [(4, 10)], Cleared(0, 0, NO_TRADE, 0, 0)),
        ([(9, 10)], [(4, 10)], Cleared(10, 6, ALL_CROSSING, 0, 0)),
        ([(9, 10), (5, 1)], [(4, 10)], Cleared(10, 7, ALL_CROSSING, 0, 0)),
        ([(9, 5)], [(4, 7), (4, 3)], Cleared(5, 4, OFFERS_RATIONED, 5, 10)),
        ([(9, 5), (7, 8)], [(4, 7)], Cleared(7, 7, BIDS_RATIONED, 2, 8)),
        ([(5, 4)], [(5, 4)], Cleared(4, 5, BIDS_RATIONED, 4, 4)),
    ],
)
def test_clear__book_told_by_hand(
    bids: list[tuple[int, int]], offers: list[tuple[int, int]], expected: Cleared
) -> None:
    assert clear_by_merit_order(bids, offers) == expected


@pytest.mark.fuzz
@given(STEPS, STEPS)
def test_clear__any_book__as_the_histogram(bids: list[tuple[int, int]], offers: list[tuple[int, int]]) -> None:
    levels: list[Counter[int]] = [Counter(), Counter()]
    for side, steps in zip(levels, (bids, offers), strict=True):
        for level, energy_wh in steps:
            side[level] += energy_wh
    clearing = clear_book(*levels)
    result = clearing.result
    expected = Cleared(clearing.traded_wh, result.level, result.kind, result.num, result.den)
    assert clear_by_merit_order(bids, offers) == expected


def test_follow__wrong_price_in_the_log__disagreement_with_both_results() -> None:
    merit = MeritOrders()
    orders = [
        Order(nonce=1, first=5, count=2, energy_wh=10, effective_level=9, side=0),
        Order(nonce=1, first=5, count=1, energy_wh=10, effective_level=4, side=1),
    ]
    merit.follow(Event("OrderPlaced", {"account": f"0x{i}", "order": order}) for i, order in enumerate(orders))
    right = {"window": 5, "result": Result(6, ALL_CROSSING), "traded_wh": 10}
    merit.follow([Event("WindowCleared", right)])
    assert (merit.windows, merit.disagreements) == (1, [])
    merit.follow([Event("WindowCleared", {**right, "result": Result(7, ALL_CROSSING)})])
    ((window, text),) = merit.disagreements
    assert window == 5 and "level=6" in text and "level=7" in text

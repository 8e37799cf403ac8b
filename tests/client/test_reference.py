"""The reference model: a trade worked by hand, clearing and levels against brute force, a random life."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from client.reference_village import (
    BALANCING,
    NETWORK,
    NOW_WINDOW,
    START,
    STRANGER,
    WINDOW,
    Village,
    account,
    meter,
)
from peerwatt.reference import BUY, SELL, ZERO_ADDRESS, DueItem, Market, Refused
from peerwatt.reference.attribution import UTILITY, attribute, attribution
from peerwatt.reference.auction import Result, clear_book, fill
from peerwatt.reference.invariants import INVARIANTS, check_all
from peerwatt.reference.participants import Agent
from peerwatt.reference.reputation import FULL_SCORE, SCORE_ONE, START_SCORE, move_score, rating
from peerwatt.reference.tariffs import all_in_price, effective_level


def test_trade__surcharge_haircut_fee_shortfall_rounding__as_worked_by_hand() -> None:
    village = Village(3)
    market = village.market
    buyer, other, seller = account(0), account(1), account(2)
    window = NOW_WINDOW + 1
    # Buyers sign 600: 570 + ceil(17.1) + 5 = 593 fits, 580 + 18 + 5 does not. Seller: 400, 420 - 11 = 409.
    assert village.relay(
        village.order(buyer, BUY, window, window, 700, 50),
        village.order(other, BUY, window, window, 701, 50),
        village.order(seller, SELL, window, window, 1000, 30),
    ) == [0, 0, 0]
    assert market.book(window) == {47: (1401, 0), 32: (0, 1000)}
    assert market.wallet(buyer).reserved == 700 * 600
    assert market.wallet(seller).reserved == 1000 * (3100 - 400)
    village.now += 2 * WINDOW
    assert market.clear(village.now, 9) == 2
    assert market.results[window] == Result(47, 3, 1000, 1401, delay_seconds=0, left_wh=2401)

    growths = [0] * (window - NOW_WINDOW) + [900]
    paid_first = village.report(seller, SELL, growths)
    assert village.relay(paid_first) == [0]
    assert market.wallet(seller).balance == 10**9 + 900 * (570 - 15) - 100 * (3100 - 570)
    assert market.wallet(seller).score == START_SCORE + 23_831_273
    assert market.results[window].net_wh == -1000
    assert check_all(market) == []
    assert village.relay(DueItem(buyer, market.hints(buyer), 9), DueItem(other, market.hints(other), 9)) == [
        0,
        0,
    ]
    assert market.wallet(buyer).balance == 10**9 - 500 * 593
    assert market.wallet(other).balance == 10**9 - 501 * 593
    assert market.wallet(NETWORK).balance == 1001 * 5
    assert market.wallet(BALANCING).balance == 900 * 15 + 100 * 3100 + 1001 * 18 + 1 * 570
    assert market.rounding_wh == {window: 1}
    assert {market.wallet(home).reserved for home in (buyer, other, seller)} == {0}
    assert attribution(market, window) == {
        (seller, buyer): 450,
        (seller, other): 450,
        (UTILITY, buyer): 50,
        (UTILITY, other): 51,
    }
    assert check_all(market) == []
    assert village.relay(paid_first) == [28]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_effective_level__random_prices__as_a_search_finds(side: int) -> None:
    choose = random.Random(side)
    parameters = Village(0).market.parameters
    for _ in range(600):
        grid = replace(
            parameters, floor_price=choose.choice([0, 1, 7, 500]), price_step=choose.choice([1, 3, 10, 999])
        )
        limit, fee = choose.randrange(256), choose.choice([0, 1, 13, 400]) if side == BUY else 0
        bps = choose.choice([0, 1, 250, 9999]) if side == SELL else choose.choice([0, 1, 333, 10_000])
        keeps = []
        for level in range(256):
            price = all_in_price(side, grid.price(level), bps, fee)
            if price <= grid.price(limit) if side == BUY else price >= grid.price(limit):
                keeps.append(level)
        expected = None if not keeps else max(keeps) if side == BUY else min(keeps)
        assert effective_level(grid, side, limit, bps, fee) == expected


def test_clear_book__small_random_books__most_energy_and_fair_to_all() -> None:
    choose = random.Random(1)
    kinds = set()
    for _ in range(4000):
        bids = [(choose.randrange(7), choose.randrange(1, 6)) for _ in range(choose.randrange(5))]
        offers = [(choose.randrange(7), choose.randrange(1, 6)) for _ in range(choose.randrange(5))]
        clearing = clear_book(
            {at: sum(wh for level, wh in bids if level == at) for at, _ in bids},
            {at: sum(wh for level, wh in offers if level == at) for at, _ in offers},
        )
        result = clearing.result
        kinds.add(result.kind)
        most = max(
            min(sum(wh for at, wh in bids if at >= price), sum(wh for at, wh in offers if at <= price))
            for price in range(8)
        )
        assert clearing.traded_wh == most
        bought = [fill(result, BUY, at, wh) for at, wh in bids]
        sold = [fill(result, SELL, at, wh) for at, wh in offers]
        assert sum(sold) <= most <= sum(bought) <= sum(sold) + max(0, len(bids) + len(offers) - 1)
        if most == 0:
            assert sum(bought) == 0
            continue
        for side, orders, fills in ((BUY, bids, bought), (SELL, offers, sold)):
            for (at, wh), got in zip(orders, fills, strict=True):
                better = at > result.level if side == BUY else at < result.level
                assert got == wh if better else got in range(wh + 1)
                assert got == 0 or better or at == result.level
    assert kinds == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("bids", "offers", "expected"),
    [
        ({}, {5: 100}, (0, 0, 0, 0)),
        ({5: 100}, {6: 100}, (0, 0, 0, 0)),
        ({9: 100}, {2: 100}, (5, 1, 0, 0)),
        ({3: 100, 2: 50}, {2: 100}, (2, 1, 0, 0)),
        ({9: 60}, {2: 30, 4: 70}, (4, 2, 30, 70)),
        ({9: 60, 4: 100}, {2: 90}, (4, 3, 30, 100)),
        ({255: 5}, {255: 5}, (255, 3, 5, 5)),
    ],
)
def test_clear_book__worked_books__level_kind_and_ration(
    bids: dict[int, int], offers: dict[int, int], expected: tuple[int, int, int, int]
) -> None:
    result = clear_book(bids, offers).result
    assert (result.level, result.kind, result.num, result.den) == expected


def test_score__moves__towards_the_target_and_never_past_it() -> None:
    assert move_score(START_SCORE, 10_000, 10_000, 10_000) == 7500 * SCORE_ONE
    assert move_score(FULL_SCORE, 10_000, 1, 1) == FULL_SCORE
    assert move_score(1, 0, 1, 2**32 - 1) == 0
    assert [rating(points * SCORE_ONE) for points in (0, 624, 625, 5000, 9375, 10_000)] == [
        "D", "D", "C", "BBB+", "AAA", "AAA",
    ]  # fmt: skip


def test_attribute__random_pools__rows_and_columns_add_up() -> None:
    choose = random.Random(2)
    for _ in range(300):
        bought = {f"b{i}": choose.randrange(1, 99) for i in range(choose.randrange(1, 6))}
        left, supplied = sum(bought.values()), {}
        for i in range(choose.randrange(5)):
            supplied[f"s{i}"] = choose.randrange(left + 1)
            left -= supplied[f"s{i}"]
        shares = attribute(supplied, bought)
        rows = {**supplied, UTILITY: left}
        assert {name: sum(wh for (s, _), wh in shares.items() if s == name) for name in rows} == rows
        assert {name: sum(wh for (_, b), wh in shares.items() if b == name) for name in bought} == bought
    with pytest.raises(ValueError, match="1 Wh more supplied than bought"):
        attribute({"s": 2}, {"b": 1})


@pytest.mark.parametrize("amount", [True, 1.0, "1", None])
def test_amounts__not_an_int__refused_with_type_error(amount: object) -> None:
    market = Village(1).market
    with pytest.raises(TypeError, match="is an int, not"):
        market.deposit(START, account(0), amount)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="energy_wh is an int, not"):
        market.place(START, account(0), meter(0), BUY, 1, 2, amount, 0, 16)  # type: ignore[arg-type]


def test_relay__strict_with_one_bad_item__undone_whole() -> None:
    village = Village(2)
    window = NOW_WINDOW + 1
    good = village.order(account(0), BUY, window, window + 3, 700, 50)
    bad = replace(village.order(account(1), BUY, window, window, 700, 50), signer=STRANGER)
    before = village.market.snapshot()
    with pytest.raises(Refused, match="signing: bad signature") as refusal:
        village.market.relay(village.now, [good, bad], strict=True)
    assert refusal.value.code == 6
    assert village.market.snapshot() == before
    assert village.relay(bad, good, good) == [6, 0, 13]
    skipped = [event.values for event in village.market.log if event.name == "ItemSkipped"]
    assert skipped == [
        {"account": account(1), "index": 0, "reason": 6},
        {"account": account(0), "index": 2, "reason": 13},
    ]


def test_agent__zero_address_or_expired__authorises_nothing() -> None:
    village = Village(1)
    home, agent = account(0), STRANGER
    item = village.order(home, BUY, NOW_WINDOW + 1, NOW_WINDOW + 1, 100, 50)
    assert village.relay(replace(item, signer=ZERO_ADDRESS)) == [6]
    assert village.relay(replace(item, agent=agent, signer=agent)) == [7]
    caps = Agent(expiry=START + 1, max_buy_level=50, min_sell_level=0, max_reserve=100 * 600 - 1)
    village.registry.authorise(START, home, agent, caps)
    assert village.relay(replace(item, agent=agent, signer=agent)) == [8]
    village.registry.authorise(START, home, agent, replace(caps, max_reserve=100 * 600))
    assert village.relay(replace(item, agent=agent, signer=home)) == [6]
    assert village.relay(replace(item, agent=agent, signer=agent)) == [0]


def _corrupt_wallet(market: Market) -> None:
    market.wallets[account(0)] = replace(market.wallet(account(0)), reserved=10**10)


def _corrupt_tokens(market: Market) -> None:
    market.token_balance = 0


def _corrupt_result(market: Market) -> None:
    window, result = next(iter(market.results.items()))
    market.results[window] = replace(result, level=result.level + 1, left_wh=-1, net_wh=-1)


def _corrupt_orders(market: Market) -> None:
    for key, order in list(market.orders.items()):
        market.orders[key] = replace(order, count=order.count + 1, nonce=order.nonce + 1)
    market.orders[account(0), 15] = market.orders[account(0), 0]


def _corrupt_pointer(market: Market) -> None:
    home, calendar = next(iter(market.calendars.items()))
    market.calendars[home] = replace(calendar, settled=market.cleared + 1)


def _corrupt_ledger(market: Market) -> None:
    entry = next(entry for entry in market.ledger if entry.order.side == SELL)
    worse = replace(entry.payment, received=0, paid=10**9)
    corrupt = replace(entry, delivered_wh=10**6, payment=worse, cause="revoked", score_after=-1)
    market.ledger.append(corrupt)
    market.rounding_wh[entry.window] = 10**6
    market.wallets[account(0)] = replace(market.wallet(account(0)), score=FULL_SCORE + 1, balance=2**104)


def _corrupt_backing(market: Market) -> None:
    market.orders = {key: replace(order, count=0) for key, order in market.orders.items()}
    market.results = {window: replace(result, net_wh=-1) for window, result in market.results.items()}


def _corrupt_log(market: Market) -> None:
    market.log.extend([event for event in market.log if event.name in ("OrderPlaced", "ReportSettled")])


def test_invariants__each__sees_a_corrupted_market() -> None:
    seen: set[str] = set()
    corruptions: list[Callable[[Market], None]] = [
        _corrupt_wallet,
        _corrupt_tokens,
        _corrupt_result,
        _corrupt_orders,
        _corrupt_pointer,
        _corrupt_ledger,
        _corrupt_backing,
        _corrupt_log,
    ]
    for corrupt in corruptions:
        village = Village(2)
        first = NOW_WINDOW + 1
        village.relay(
            village.order(account(0), BUY, first, first + 1, 500, 60),
            village.order(account(1), SELL, first, first + 1, 400, 20),
        )
        village.now += 2 * WINDOW
        village.market.clear(village.now, 9)
        due = DueItem(account(0), village.market.hints(account(0)), 1)
        assert village.relay(village.report(account(1), SELL, [0, 350]), due) == [0, 0]
        assert check_all(village.market) == []
        corrupt(village.market)
        violations = check_all(village.market)
        assert violations
        seen |= {violation.partition(":")[0] for violation in violations}
    assert seen == {check.__name__ for check in INVARIANTS}


def test_day__260_homes_10_windows__relayed_and_settled_in_a_second() -> None:
    village = Village(260)
    first = NOW_WINDOW + 1
    homes = [account(number) for number in range(260)]
    started = time.perf_counter()
    orders = [
        village.order(home, SELL if i < 14 else BUY, first, first + 9, 300 + i, 30 + i % 40)
        for i, home in enumerate(homes)
    ]
    for batch in range(0, 260, 20):
        assert set(village.relay(*orders[batch : batch + 20])) == {0}
    village.now += 12 * WINDOW
    village.market.clear(village.now, 20)
    for i, home in enumerate(homes):
        item = (
            village.report(home, SELL, [0] + [290 + i] * 10)
            if i < 14
            else DueItem(home, village.market.hints(home), 10)
        )
        assert village.relay(item) == [0]
    assert time.perf_counter() - started < 2
    assert len(village.market.ledger) == 2600
    assert check_all(village.market) == []

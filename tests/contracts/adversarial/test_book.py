"""Attacks on the book and its clearing: too early, twice, never, too wide a book, and the way out of a dead one."""

from __future__ import annotations

import boa

from contracts.adversarial.scene import BUY, DAY, GAS_CAP, HIGH, LOW, SELL, Scene
from contracts.helpers import pack, refused
from contracts.helpers_gas import Home as GasHome
from contracts.helpers_gas import chain_of_its_own, split
from twin.chain import STRANGER, Setup
from twin.twin import fresh

# A refund comes after the gas was used: at most a fifth of it.
BEFORE_REFUND = 5 / 4


def test_clear__before_the_gate__refused(scene: Scene) -> None:
    # Whoever clears early shuts out the orders that are still to come.
    seller, buyer = scene.homes("seller", "buyer")
    scene.to_gate(scene.next)
    scene.cleared()
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.to_gate(window, -1)
    with scene.unharmed(seller, buyer), scene.untouched():
        assert scene.twin.clear() == "auction: nothing to clear"
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.to_gate(window)
    scene.cleared()
    assert scene.twin.market.results[window].kind != 0


def test_clear__twice__price_stays(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.trade(seller, buyer)
    result = scene.market.view("results", window)
    with scene.unharmed(seller, buyer), scene.untouched():
        assert scene.twin.clear() == "auction: nothing to clear"
        assert scene.twin.clear(1) == "auction: nothing to clear"
    assert scene.market.view("results", window) == result


def test_clear__out_of_order__always_the_oldest_first(scene: Scene) -> None:
    # Nobody picks the window: neither one that suits him, nor none at all that counts as progress.
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first + 5, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, first, first + 5, 1_000, HIGH))
    scene.to_end(first + 5)
    with scene.untouched():
        assert scene.twin.clear(0) == "auction: nothing to clear"
    for window in range(first, first + 6):
        assert scene.cleared(1) == 1
        assert scene.twin.market.cleared == window
        assert scene.market.view("results", window) != 0
        assert scene.market.view("results", window + 1) == 0


def test_clear__orders_relayed_in_another_sequence__same_price(scene: Scene) -> None:
    # A relayer or validator that arranges the orders arranges nothing.
    seller, rival, buyer, other = homes = scene.homes("seller", "rival", "buyer", "other")
    window = scene.next
    orders = [
        scene.twin.offer_item(seller, window, window, 700, 90),
        scene.twin.offer_item(rival, window, window, 900, 110),
        scene.twin.bid_item(buyer, window, window, 800, 160),
        scene.twin.bid_item(other, window, window, 600, 160),
    ]
    found = set()
    for sequence in (orders, orders[::-1], orders[2:] + orders[:2]):
        with boa.env.anchor():
            boa.env.evm.patch.timestamp = scene.twin.now
            for order in sequence:
                assert scene.market.send(STRANGER.address, "relay", order.pack(), True).reason is None
            boa.env.evm.patch.timestamp = (window + 1) * 900
            assert scene.market.send(STRANGER.address, "clear", 255).reason is None
            wallets = tuple(scene.market.view("wallets", home.account.address) for home in homes)
            found.add((scene.market.view("results", window), wallets))
    assert len(found) == 1


def test_book__of_251_touched_levels__clears_in_one_transaction() -> None:
    # An attacker touches every level it can reach, with an order of its own.
    with chain_of_its_own(tariff=False) as chain:
        # Without surcharge, haircut and fee an order stands at its limit level: all levels are within reach.
        with chain.env.prank(chain.registry):
            chain.market.set_tariff(pack((0, 1), (16, 500)), 1, 0, 0, 0)
            chain.market.set_feeder(1, pack((64, 10_000), (80, 10_000)))
        homes = [GasHome.make(number, SELL if number % 2 else BUY) for number in range(251)]
        for home in homes:
            chain.enrol(home)
        window = chain.next_window
        orders = [home.order(chain.domain, window, window, 50, 2 + n) for n, home in enumerate(homes)]
        for batch in split(orders, most=90):
            chain.relay(batch)
        assert int(chain.market.touched(window & 255)).bit_count() == 251
        chain.to_gate(window)
        used = chain.clear(1)
        assert used <= 2_500_000, used
        assert chain.market.results(window) != 0


def test_clear__a_year_of_silence__caught_up_in_a_few_transactions() -> None:
    # Nobody clears for a year while orders stand in the ring to its end: no call may need more than a transaction has.
    with chain_of_its_own() as chain:
        homes = [GasHome.make(number, SELL if number % 2 else BUY) for number in range(60)]
        for home in homes:
            chain.enrol(home)
        first = chain.next_window
        # Every order begins and ends elsewhere, at a level of its own.
        orders = [
            home.order(chain.domain, first + n, first + 200 - n, 1_000, 60 + 2 * n) for n, home in enumerate(homes)
        ]
        for batch in split(orders, most=60):
            chain.relay(batch)
        chain.now = chain.now + 365 * DAY
        calls = 0
        while int(chain.market.book_state()) & (2**32 - 1) < (chain.now + 300) // 900:
            used = chain.clear(32)
            assert used * BEFORE_REFUND < GAS_CAP, used
            calls += 1
        assert calls <= 8, calls
        assert int(chain.market.book_state()) >> 32 & (2**64 - 1) == 0


def test_rationed_buyers__many_of_the_smallest__cost_no_more_than_their_number(scene: Scene) -> None:
    # Rounding up serves each rationed bid a Wh too much at most: 10,000 bids of one Wh would turn that into a market
    # of its own. The smallest order forbids them; the smallest orders there are prove the bound.
    (seller,) = scene.homes("seller")
    buyers = scene.homes(*(f"buyer {number}" for number in range(24)))
    window = scene.next
    tiny = scene.twin.bid_item(buyers[0], window, window, 1, HIGH)
    scene.skips("offers: energy out of bounds", tiny, victims=[seller, buyers[0]])
    scene.done(scene.twin.offer(seller, window, window, 613, LOW))
    for buyer in buyers:
        scene.done(scene.twin.bid(buyer, window, window, 50, HIGH))
    scene.to_end(window)
    scene.cleared()
    assert scene.twin.market.results[window].kind == 3
    scene.settle(scene.twin.report_item(seller, [0, 613]), *(scene.twin.due_item(buyer) for buyer in buyers))
    rounding = scene.twin.market.rounding_wh[window]
    assert 0 < rounding < len(buyers)
    paid = [entry.payment.paid for entry in scene.twin.market.ledger if entry.account != seller.low]
    assert max(paid) - min(paid) == 0
    assert max(paid) <= 50 * scene.twin.market.parameters.price(HIGH)


def test_smallest_order__many_rationed_sellers__sell_no_more_than_is_bought(scene: Scene) -> None:
    sellers = scene.homes(*(f"seller {number}" for number in range(12)))
    (buyer,) = scene.homes("buyer")
    window = scene.next
    for seller in sellers:
        scene.done(scene.twin.offer(seller, window, window, 50, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 313, HIGH))
    scene.to_end(window)
    scene.cleared()
    assert scene.twin.market.results[window].kind == 2
    scene.settle(*(scene.twin.report_item(seller, [0, 50]) for seller in sellers), scene.twin.due_item(buyer))
    delivered = sum(entry.delivered_wh for entry in scene.twin.market.ledger)
    assert 313 - len(sellers) < delivered <= 313
    assert scene.twin.market.rounding_wh[window] == 313 - delivered


def test_wind_down__forced_while_the_book_is_being_cleared__refused(scene: Scene) -> None:
    # Whoever stands to lose by a clearing would rather have all windows filled with nothing.
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first + 3, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, first, first + 3, 1_000, HIGH))
    with scene.unharmed(seller, buyer):
        scene.twin.travel_to(first + 4)
        assert scene.twin.announce_wind_down() == "auction: clear first"
        scene.twin.travel_to(first, 7 * DAY)
        assert scene.twin.wind_down() == "auction: no notice"
        scene.done(scene.twin.announce_wind_down())
        scene.twin.travel(DAY - 1)
        assert scene.twin.wind_down() == "auction: notice too young"
    # One call of clear by anybody, and the notice is worth nothing.
    assert scene.cleared(1) == 1
    scene.twin.travel(1)
    with scene.unharmed(seller, buyer):
        assert scene.twin.wind_down() == "auction: no notice"
    scene.cleared()
    assert scene.twin.market.results[first].kind != 0


def test_wind_down__old_notice_used_after_a_clear__refused(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first + 3, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, first, first + 3, 1_000, HIGH))
    scene.twin.travel_to(first, 7 * DAY)
    scene.done(scene.twin.announce_wind_down())
    scene.twin.travel(DAY)
    scene.cleared(1)
    # A week of silence again: the notice of the week before announced another silence.
    scene.twin.travel(8 * DAY)
    with scene.unharmed(seller, buyer):
        assert scene.twin.wind_down() == "auction: no notice"
    scene.done(scene.twin.announce_wind_down())
    scene.twin.travel(DAY)
    scene.done(scene.twin.wind_down())


def test_wind_down__put_off_by_renewing_the_notice__refused(scene: Scene) -> None:
    # A notice made anew every day would never be a day old: the way out of a dead book would stay shut.
    (victim,) = scene.homes("victim")
    first = scene.next
    scene.done(scene.twin.bid(victim, first, first + 3, 1_000, HIGH))
    scene.twin.travel_to(first, 7 * DAY)
    scene.done(scene.twin.announce_wind_down())
    scene.twin.travel(DAY - 1)
    assert scene.twin.announce_wind_down() == "auction: already announced"
    scene.twin.travel(1)
    scene.done(scene.twin.wind_down())
    scene.settle_all(victim)
    assert scene.wallet(victim).reserved == 0


def test_wind_down__of_an_empty_book__refused(scene: Scene) -> None:
    # A market where nobody trades for a week is asleep, not dead.
    (victim,) = scene.homes("victim")
    scene.twin.travel(30 * DAY)
    with scene.unharmed(victim), scene.untouched():
        assert scene.twin.announce_wind_down() == "auction: nothing open"
        assert scene.twin.wind_down() == "auction: nothing open"


def test_closed_book__traded_on__refused_and_all_money_leaves(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first + 9, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, first, first + 9, 1_000, HIGH))
    scene.to_gate(first + 1)
    scene.cleared(1)
    scene.twin.travel(9 * DAY)
    scene.done(scene.twin.announce_wind_down())
    scene.twin.travel(DAY)
    scene.done(scene.twin.wind_down())
    assert scene.twin.clear() == "auction: market closed"
    assert scene.twin.wind_down() == "auction: market closed"
    order = scene.twin.bid_item(buyer, scene.next, scene.next, 1_000, HIGH)
    scene.skips("offers: market closed", order, victims=[seller, buyer])
    # The window cleared before stands; the others fill nothing, and their reserves are free.
    scene.settle_all(buyer, seller)
    fills = [entry.fill_wh for entry in scene.twin.market.ledger if entry.account == buyer.low]
    assert fills[1:] == [0] * (len(fills) - 1)
    for home in (seller, buyer):
        assert scene.wallet(home).reserved == 0
        scene.done(scene.twin.withdraw(home, scene.free(home)))


def test_bid__without_a_seller__costs_nothing(scene: Scene) -> None:
    # A buyer alone is not charged, and need not report, whatever the relayer does.
    (buyer,) = scene.homes("buyer")
    window = scene.next
    scene.done(scene.twin.bid(buyer, window, window, 1_000, 255))
    scene.to_end(window)
    scene.cleared()
    before = scene.wallet(buyer)
    scene.settle_all(buyer)
    after = scene.wallet(buyer)
    assert (after.balance, after.score, after.reserved) == (before.balance, before.score, 0)


def test_market__with_parameters_that_break_a_promise__not_deployed() -> None:
    # The deployer's numbers are the first thing an attacker would choose.
    for changed in (
        {"window_seconds": 59},
        {"price_step": 0},
        {"min_order_wh": 0},
        {"min_order_wh": 2**24},
        {"inertia_wh": 0},
        {"tolerance_bps": 10_001},
        {"report_deadline_seconds": 0},
        {"floor_price": 2**64 - 1},
        {"lead_seconds": 86_401},
    ):
        with refused("market: senseless parameter"), fresh(Setup(**changed)):
            pass

"""Attacks with orders: against the clock, the slots, the envelope, the limit price and the reserve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.adversarial.scene import BUY, DAY, HIGH, LOW, MONEY, SELL, Scene, terms
from peerwatt.market.words import SCORE_ONE
from peerwatt.reference.tariffs import Tables
from twin.chain import STRANGER


def test_order__after_the_gate__refused(scene: Scene) -> None:
    (mallory,) = scene.homes("mallory")
    window = scene.next
    late = scene.twin.bid_item(mallory, window, window, 1_000, 255)
    scene.to_gate(window, -1)
    scene.settle(scene.twin.offer_item(mallory, window + 1, window + 1, 1_000, LOW))
    scene.to_gate(window)
    scene.skips("offers: gate closed", late, victims=[mallory])
    assert scene.twin.bid(mallory, window, window, 1_000, 255) == "offers: gate closed"


def test_order__into_an_uncleared_window_after_its_gate__refused(scene: Scene) -> None:
    # The clock closes a book, not the clearing: a late `clear` gives nobody a second look at it.
    seller, buyer, mallory = scene.homes("seller", "buyer", "mallory")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.to_end(window, 20 * 60)
    with scene.unharmed(seller, buyer, mallory):
        assert scene.twin.bid(mallory, window, window, 1_000, 255) == "offers: gate closed"
    scene.cleared()
    assert scene.twin.market.results[window].left_wh == 2_000


def test_order__with_an_early_first_window__gets_only_what_is_open(scene: Scene) -> None:
    # A relayer that holds an order back gets it into the windows that remain, and into none that has begun.
    (victim,) = scene.homes("victim")
    first = scene.next
    order = scene.twin.bid_item(victim, first, first + 4, 1_000, 100)
    scene.to_gate(first + 2)
    scene.settle(order)
    kept = scene.order(victim, order.nonce)
    assert (kept.first, kept.count) == (first + 3, 2)
    assert scene.wallet(victim).reserved == 2 * 1_000 * scene.twin.market.parameters.price(100)


def test_order__past_the_ring__refused(scene: Scene) -> None:
    # Slot 255 windows ahead would be the one that the newest cleared window still sits in.
    mallory, victim = scene.homes("mallory", "victim")
    scene.done(scene.twin.bid(victim, scene.next, scene.next + 9, 1_000, 100))
    first = scene.next
    scene.to_gate(first + 40)
    # Nobody cleared for 41 windows: the ring ends 255 after the newest cleared window, the calendar later.
    ring = scene.twin.market.cleared + 255
    ends = scene.twin.order_item(mallory, BUY, ring - 9, ring, 1_000, 255)
    with scene.unharmed(victim):
        scene.skips("offers: beyond the horizon", ends, victims=[mallory])
        last = min(ring - 1, scene.twin.market.cleared + 224)
        scene.done(scene.twin.bid(mallory, last, last, 1_000, 255))


def test_order__just_inside_the_ring__overwrites_nothing(scene: Scene) -> None:
    seller, victim, mallory = scene.homes("seller", "victim", "mallory")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(victim, window, window, 1_000, HIGH))
    # With nobody clearing, settled stays behind and the calendar ends first; after a clear both are far ahead.
    scene.to_end(window)
    scene.cleared()
    before = scene.market.view("results", window)
    scene.settle_all(victim)
    scene.settle(scene.twin.report_item(seller, [0] * (window - 2_000_000) + [1_000]))
    last = scene.twin.market.cleared + 224
    with scene.unharmed(seller, victim):
        scene.done(scene.twin.bid(mallory, last - 1, last, 1_000, 255))
        assert scene.twin.market.results[window].left_wh == 0
    assert before != 0


def test_order__past_the_calendar__refused(scene: Scene) -> None:
    # Whoever leaves a window unsettled can't order more than 224 windows beyond it, and harms only itself.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.trade(seller, buyer)
    settled = window - 1
    scene.to_gate(window + 100)
    scene.cleared()
    order = scene.twin.offer_item(seller, settled + 224, settled + 225, 1_000, LOW)
    scene.skips("offers: beyond the horizon", order, victims=[seller, buyer])
    scene.done(scene.twin.bid(seller, settled + 224, settled + 224, 1_000, LOW))
    # An idle home's pointer moves up by itself: nobody must settle anything for it.
    (idle,) = scene.homes("idle")
    last = scene.twin.market.cleared + 224
    scene.done(scene.twin.bid(idle, last, last, 1_000, LOW))


def test_order__accepted_before__not_replayed(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    order = scene.twin.bid_item(buyer, scene.next, scene.next + 9, 1_000, HIGH)
    scene.settle(order)
    scene.skips("offers: nonce used", order, victims=[buyer])
    # Nor after the windows it got are settled, though windows that it names are still to come.
    first = order.first
    scene.settle(scene.twin.cancel_item(buyer, order.nonce, first + 3))
    scene.to_end(first + 2)
    scene.cleared()
    scene.settle_all(buyer)
    scene.skips("offers: nonce used", order, victims=[buyer, seller])


def test_order__resubmitted_after_its_cancel__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    order = scene.twin.bid_item(victim, scene.next + 1, scene.next + 9, 1_000, HIGH)
    scene.settle(order, scene.twin.cancel_item(victim, order.nonce))
    assert scene.wallet(victim).reserved == 0
    scene.skips("offers: nonce used", order, victims=[victim])


def test_order__burnt_before_it_came__refused(scene: Scene) -> None:
    # A home that signed an order and thinks better of it burns the number before the order is anywhere.
    (victim,) = scene.homes("victim")
    order = scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 255)
    scene.done(scene.twin.cancel(victim, order.nonce))
    scene.skips("offers: nonce used", order, victims=[victim])


def test_order__second_one_for_the_same_window__refused(scene: Scene) -> None:
    # One Wh sold twice through two slots; also a bid against one's own offer in one window.
    (mallory,) = scene.homes("mallory")
    first = scene.next
    scene.done(scene.twin.offer(mallory, first, first + 5, 1_000, LOW))
    for window in (first, first + 5):
        again = scene.twin.offer_item(mallory, window, window, 1_000, LOW)
        scene.skips("offers: window taken", again, victims=[mallory])
        bid = scene.twin.bid_item(mallory, window - 1, window, 1_000, HIGH)
        scene.skips("offers: window taken", bid, victims=[mallory])


def test_order__into_a_slot_in_use__refused(scene: Scene) -> None:
    # Overwriting an open order's slot would lose the word that its settlement needs.
    (mallory,) = scene.homes("mallory")
    first = scene.next
    scene.done(scene.twin.place(mallory, SELL, first, first, 1_000, LOW, nonce=17))
    again = scene.twin.order_item(mallory, BUY, first + 3, first + 3, 1_000, LOW, nonce=33)
    scene.skips("offers: slot in use", again, victims=[mallory])


def test_order__of_zero_energy__refused(scene: Scene) -> None:
    (mallory,) = scene.homes("mallory")
    for energy_wh in (0, 1, 49):
        order = scene.twin.bid_item(mallory, scene.next, scene.next, energy_wh, 255)
        scene.skips("offers: energy out of bounds", order, victims=[mallory])
        assert scene.twin.bid(mallory, scene.next, scene.next, energy_wh, 255) == "offers: energy out of bounds"


def test_order__of_more_than_24_bits_of_energy__refused(scene: Scene) -> None:
    (mallory,) = scene.homes("mallory", terms=terms(import_limit_wh=2**24 - 1, export_limit_wh=2**24 - 1))
    with scene.unharmed(mallory):
        for energy_wh in (2**24, 2**24 + 1_000, 2**32 - 1):
            for side in (BUY, SELL):
                outcome = scene.twin.place(mallory, side, scene.next, scene.next, energy_wh, 255)
                assert outcome == "offers: energy out of bounds"


def test_order__windows_reversed__refused(scene: Scene) -> None:
    (mallory,) = scene.homes("mallory")
    order = scene.twin.bid_item(mallory, scene.next + 5, scene.next + 4, 1_000, 255)
    scene.skips("offers: windows reversed", order, victims=[mallory])


def test_order__of_a_third_side__refused(scene: Scene) -> None:
    (mallory,) = scene.homes("mallory")
    order = replace(scene.twin.bid_item(mallory, scene.next, scene.next, 1_000, 255), side=2)
    scene.skips("offers: bad side", order, victims=[mallory])


def test_offer__by_a_meter_silent_for_days__refused(scene: Scene) -> None:
    (mallory,) = scene.homes("mallory")
    scene.twin.travel(2 * DAY + 1)
    offer = scene.twin.offer_item(mallory, scene.next + 5, scene.next + 5, 1_000, LOW)
    scene.skips("meters: reading too old", offer, victims=[mallory])
    # The age counts from the reading's own time: an old reading brought now refreshes too little.
    scene.settle(scene.twin.report_item(mallory, [], first=2_000_001))
    scene.twin.travel(900)
    scene.skips("meters: reading too old", offer, victims=[mallory])
    scene.settle(scene.twin.report_item(mallory, [], first=scene.twin.now_window))
    scene.settle(offer)


def test_order__over_the_operating_envelope__refused(scene: Scene) -> None:
    (mallory,) = scene.homes("mallory", terms=terms(import_limit_wh=3_000, export_limit_wh=2_000))
    for side, limit in ((BUY, 3_000), (SELL, 2_000)):
        over = scene.twin.order_item(mallory, side, scene.next, scene.next, limit + 1, 100)
        scene.skips("meters: over the envelope", over, victims=[mallory])
    scene.done(scene.twin.set_feeder_scale(1, 5_000, 2_500))
    for side, limit in ((BUY, 1_500), (SELL, 500)):
        over = scene.twin.order_item(mallory, side, scene.next, scene.next, limit + 1, 100)
        scene.skips("meters: over the envelope", over, victims=[mallory])


def test_envelope_cut__after_acceptance__leaves_the_sale(scene: Scene) -> None:
    # A cut aimed at a seller that has sold already would turn its delivery into a shortfall.
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, first, first, 1_000, HIGH))
    with scene.unharmed(buyer):
        before = scene.wallet(seller), scene.order(seller, seller.nonce)
        scene.done(scene.twin.set_feeder_scale(1, 0, 0))
        scene.done(scene.twin.set_terms(seller, terms(export_limit_wh=0, status=0)))
        assert (scene.wallet(seller), scene.order(seller, seller.nonce)) == before
    scene.to_end(first)
    scene.cleared()
    free = scene.free(seller)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    assert scene.free(seller) > free


def test_order__against_the_status__refused(scene: Scene) -> None:
    (mallory,) = scene.homes("mallory")
    for status, sides in ((1, (SELL,)), (0, (BUY, SELL))):
        scene.done(scene.twin.set_terms(mallory, terms(status=status)))
        for side in sides:
            order = scene.twin.order_item(mallory, side, scene.next, scene.next, 1_000, 100)
            scene.skips("participants: status forbids", order, victims=[mallory])


@pytest.mark.parametrize("side", [BUY, SELL])
def test_order__without_the_money_for_the_worst_case__refused(scene: Scene, side: int) -> None:
    parameters = scene.twin.market.parameters
    unit = parameters.price(100) if side == BUY else parameters.price(300) - parameters.price(100)
    (mallory,) = scene.homes("mallory", money=10 * 1_000 * unit)
    first = scene.next
    order = scene.twin.order_item(mallory, side, first, first + 10, 1_000, 100)
    scene.skips("wallets: not enough free money", order, victims=[mallory])
    # The same money does not back two orders.
    scene.done(scene.twin.place(mallory, side, first, first + 9, 1_000, 100))
    assert scene.free(mallory) == 0
    more = scene.twin.order_item(mallory, side, first + 20, first + 20, 50, 100)
    scene.skips("wallets: not enough free money", more, victims=[mallory])


def test_limit__rounded_past_by_one_unit__never(scene: Scene) -> None:
    # Prices that round past a limit, on either side: one unit beyond each bound, in many bands and levels.
    buyer, seller = scene.homes("buyer", "seller", money=10**15)
    parameters = scene.twin.market.parameters
    window = scene.next + 1
    for band in (0, 7, 8, 15):
        for home in (buyer, seller):
            scene.force_score(home, (625 * band + 1) * SCORE_ONE)
        for level in (0, 1, 20, 21, 97, 200, 254, 255):
            limit = parameters.price(level)
            placed = scene.twin.place(buyer, BUY, window, window, 50, level)
            order = scene.order(buyer, buyer.nonce)

            def buyers(at: int, bps: int = order.adjustment_bps, fee: int = order.fee_per_wh) -> int:
                price = parameters.price(at)
                return price + -(-price * bps // 10_000) + fee

            if placed is None:
                assert buyers(order.effective_level) <= limit < buyers(order.effective_level + 1)
                scene.done(scene.twin.cancel(buyer, buyer.nonce))
                assert scene.order(buyer, buyer.nonce).count == 0
            else:
                assert placed == "offers: no price level"
            placed = scene.twin.place(seller, SELL, window, window, 50, level)
            order = scene.order(seller, seller.nonce)

            def sellers(at: int, bps: int = order.adjustment_bps) -> int:
                price = parameters.price(at)
                return price - -(-price * bps // 10_000)

            if placed is None:
                effective = order.effective_level
                assert sellers(effective) >= limit
                assert effective == 0 or sellers(effective - 1) < limit
                scene.done(scene.twin.cancel(seller, seller.nonce))
            else:
                assert placed == "offers: no price level"


def test_bid__network_fee_above_its_limit__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.set_feeder_fee(1, 2**64 - 1))
    bid = scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 255)
    scene.skips("offers: no price level", bid, victims=[victim])


def test_tariff__changed_between_signing_and_acceptance__limit_holds(scene: Scene) -> None:
    # The relayer waits for a dearer tariff: the home stands lower in the book, and never pays more than it signed.
    buyer, seller = scene.homes("buyer", "seller", money=10**14)
    steep = Tables((9_000,) * 16, (1_000,) * 16, (0,) * 16)
    scene.done(scene.twin.publish_tariff(400, steep))
    start = scene.twin.now_window
    scene.twin.travel_to(start + 200)
    scene.cleared()
    bid = scene.twin.bid_item(buyer, start + 258, start + 258, 1_000, 255)
    cheap = scene.twin.bid_item(buyer, start + 259, start + 259, 1_000, 255)
    scene.settle(cheap)
    scene.twin.travel_to(start + 256)
    scene.settle(bid)
    scene.settle(scene.twin.report_item(seller, [], first=scene.twin.now_window))
    scene.done(scene.twin.offer(seller, start + 258, start + 259, 1_000, 0))
    then, now = scene.order(buyer, cheap.nonce), scene.order(buyer, bid.nonce)
    assert (then.version, now.version, now.adjustment_bps) == (1, 2, 9_000)
    assert now.effective_level < then.effective_level
    scene.to_end(start + 259)
    scene.cleared()
    limit = 1_000 * scene.twin.market.parameters.price(255)
    for home_wh in (1, 2):
        before = scene.wallet(buyer).balance
        scene.settle(scene.twin.due_item(buyer, max_windows=1))
        assert 0 < before - scene.wallet(buyer).balance <= limit, home_wh


def test_fee_raise__after_acceptance__leaves_the_order(scene: Scene) -> None:
    buyer, seller = scene.homes("buyer", "seller")
    window = scene.next
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    with scene.unharmed(buyer, seller):
        scene.done(scene.twin.set_feeder_fee(1, 2**64 - 1))
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.to_end(window)
    scene.cleared()
    before = scene.wallet(buyer).balance
    scene.settle_all(buyer)
    assert before - scene.wallet(buyer).balance <= 1_000 * scene.twin.market.parameters.price(HIGH)


def test_imbalance_price__below_retail__refused(scene: Scene) -> None:
    # Below retail it would pay to sell what one does not have and let the utility deliver it.
    tables = scene.twin.market.tables[1]
    seller, buyer = scene.homes("seller", "buyer")
    highest = 211_000
    needed = -(-(highest - 61_500) // 500)
    with scene.unharmed(seller, buyer), scene.untouched():
        assert scene.twin.publish_tariff(needed - 1, tables) == "tariffs: imbalance too low"
        assert scene.twin.publish_tariff(255, tables) == "tariffs: imbalance too low"
        above = scene.twin.market.parameters.price(300) + 1
        assert scene.twin.set_retail(0, above) == "tariffs: retail above imbalance"
    # While a lower imbalance price is on its way, retail must fit under that one too.
    scene.done(scene.twin.publish_tariff(needed, tables))
    with scene.untouched():
        assert scene.twin.set_retail(0, highest + 1) == "tariffs: retail above imbalance"
        assert scene.twin.publish_tariff(400, tables) == "tariffs: too soon"


def test_tariff__published_by_a_stranger_or_at_once__never(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    tables = scene.twin.market.tables[1]
    with scene.unharmed(seller, buyer), scene.untouched():
        assert scene.twin.publish_tariff(400, tables, STRANGER) == "roles: not the regulator"
        unfair = Tables(tuple(reversed(tables.surcharges)), tables.haircuts, tables.rebates)
        assert scene.twin.publish_tariff(400, unfair) == "tariffs: bad table"
    # The regulator's own comes after the longest order that could be open: nobody's exposure changes under him.
    scene.done(scene.twin.publish_tariff(65_535, tables))
    scene.done(scene.twin.offer(seller, scene.next, scene.next, 1_000, LOW))
    assert scene.order(seller, seller.nonce).imbalance_steps == 300
    assert scene.twin.market.tariff_head.next_from == scene.twin.now_window + 256
    assert MONEY - scene.free(seller) == 1_000 * (300 - LOW) * 500

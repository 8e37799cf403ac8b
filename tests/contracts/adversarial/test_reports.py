"""Attacks with meter reports: forged, replayed, shifted, and such that claim what was not delivered."""

from __future__ import annotations

from dataclasses import replace

from contracts.adversarial.scene import BUY, HIGH, LOW, SELL, Scene
from peerwatt.reference import Terms
from peerwatt.reference.reasons import CODES
from twin.chain import STRANGER, Setup
from twin.keys import Home, Key
from twin.twin import fresh

BAD = "signing: bad signature"
START_WINDOW = 2_000_000
OPENING_WH = 500


def _sold(scene: Scene, windows: int = 1) -> tuple[Home, Home, int]:
    """A seller and a buyer who traded, and the first of their windows."""
    seller, buyer = scene.homes("seller", "buyer")
    return seller, buyer, scene.trade(seller, buyer, windows)


def test_report__zero_wh_that_claims_delivery__pays_nothing(scene: Scene) -> None:
    # An earlier prototype paid a seller for reporting at all.
    seller, buyer, first = _sold(scene)
    before = scene.wallet(seller)
    price = scene.twin.market.parameters.price(scene.twin.market.results[first].level)
    with scene.unharmed(buyer):
        scene.settle(scene.twin.report_item(seller, [0, 0]))
    after = scene.wallet(seller)
    penalty = 1_000 * (scene.twin.market.parameters.price(300) - price)
    assert before.balance - after.balance == penalty
    assert after.score < before.score


def test_report__less_than_sold__pays_what_the_meter_counted(scene: Scene) -> None:
    seller, buyer, first = _sold(scene)
    parameters, result = scene.twin.market.parameters, scene.twin.market.results[first]
    order = scene.order(seller, seller.nonce)
    before = scene.wallet(seller).balance
    with scene.unharmed(buyer):
        scene.settle(scene.twin.report_item(seller, [0, 400]))
    price = parameters.price(result.level)
    received = 400 * (price - -(-price * order.adjustment_bps // 10_000))
    assert scene.wallet(seller).balance - before == received - 600 * (parameters.price(300) - price)


def test_report__more_than_sold__pays_the_fill_only(scene: Scene) -> None:
    seller, buyer, first = _sold(scene)
    before = scene.wallet(seller).balance
    scene.settle(scene.twin.report_item(seller, [0, 2**32 - 1]))
    parameters, order = scene.twin.market.parameters, scene.order(seller, seller.nonce)
    price = parameters.price(scene.twin.market.results[first].level)
    assert scene.wallet(seller).balance - before == 1_000 * (price - -(-price * order.adjustment_bps // 10_000))
    scene.settle_all(buyer)


def test_report__by_another_meter__refused(scene: Scene) -> None:
    seller, buyer, _ = _sold(scene)
    forged = [
        scene.twin.report_item(seller, [0, 1_000], signer=key)
        for key in (buyer.meter, seller.account, seller.agent, STRANGER)
    ]
    scene.skips(BAD, *forged, victims=[seller, buyer])
    # A report of the buyer's own meter carried for the seller.
    other = scene.twin.report_item(buyer, [0, 1_000], side=SELL)
    scene.skips(BAD, replace(other, account=seller.account.address), victims=[seller, buyer])
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))


def test_report__by_the_zero_address__refused(scene: Scene) -> None:
    seller, buyer, _ = _sold(scene)
    good = scene.twin.report_item(seller, [0, 1_000])
    for r, vs in ((0, 0), (0, good.vs), (good.r, 0), (2**256 - 1, good.vs), (1, 1 << 255)):
        scene.skips(BAD, replace(good, r=r, vs=vs), victims=[seller, buyer])
    # Nobody's meter is the zero address: not the one of an account that never enrolled either.
    nobody = replace(good, account=STRANGER.address, r=0, vs=0)
    scene.skips("participants: not enrolled", nobody, victims=[seller, buyer])


def test_report__growth_changed_on_the_way__refused(scene: Scene) -> None:
    seller, buyer, _ = _sold(scene, windows=2)
    good = scene.twin.report_item(seller, [0, 300, 900])
    forged = [
        replace(good, growths_wh=(0, 900, 300)),
        replace(good, growths_wh=(0, 1_000, 1_000)),
        replace(good, growths_wh=(0, 300)),
        replace(good, opening_wh=good.opening_wh + 1),
        replace(good, first=good.first + 1),
        replace(good, side=BUY),
    ]
    scene.skips(BAD, *forged, victims=[seller, buyer])
    scene.settle(good)


def test_report__replayed__refused(scene: Scene) -> None:
    seller, buyer, _ = _sold(scene)
    report = scene.twin.report_item(seller, [0, 1_000])
    scene.settle(report)
    scene.skips("meters: reading not newer", report, victims=[seller, buyer])
    # After more windows were sold it is old still.
    again = scene.trade(seller, buyer)
    scene.skips("meters: reading not newer", report, victims=[seller, buyer])
    register = scene.twin.market.export_register(seller.low).window
    scene.settle(scene.twin.report_item(seller, [0] * (again - register) + [5]))


def test_report__prefix_and_rest_of_the_same_reading__pays_once(scene: Scene) -> None:
    # Two reports that overlap: the windows read before are ignored, and the registers must meet.
    seller, _, first = _sold(scene, windows=3)
    scene.settle(scene.twin.report_item(seller, [0, 1_000, 1_000]))
    before = scene.wallet(seller).balance
    whole = scene.twin.report_item(
        seller, [0, 1_000, 1_000, 600], first=START_WINDOW, opening_wh=OPENING_WH
    )
    scene.settle(whole)
    paid = scene.wallet(seller).balance - before
    parameters, order = scene.twin.market.parameters, scene.order(seller, seller.nonce)
    price = parameters.price(scene.twin.market.results[first].level)
    received = 600 * (price - -(-price * order.adjustment_bps // 10_000))
    assert paid == received - 400 * (parameters.price(300) - price)


def test_report__overlapping_with_another_register__refused(scene: Scene) -> None:
    seller, buyer, _ = _sold(scene, windows=3)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    for opening, growths in ((OPENING_WH - 300, [0, 1_000, 1_000]), (OPENING_WH, [0, 400, 1_000, 1_000])):
        other = scene.twin.report_item(seller, growths, first=START_WINDOW, opening_wh=opening)
        scene.skips("meters: opening differs", other, victims=[seller, buyer])


def test_report__out_of_sequence__refused(scene: Scene) -> None:
    # A later window's report first would leave the earlier one without its registers.
    seller, buyer, first = _sold(scene, windows=3)
    later = scene.twin.report_item(seller, [1_000], first=first + 2, opening_wh=3_000)
    scene.skips("meters: starts after an open window", later, victims=[seller, buyer])


def test_report__skipping_a_window_with_an_offer__refused(scene: Scene) -> None:
    # A seller that delivered nothing would rather not have that window read.
    seller, buyer, first = _sold(scene, windows=2)
    skipping = scene.twin.report_item(seller, [1_000], first=first + 1, opening_wh=OPENING_WH)
    scene.skips("meters: starts after an open window", skipping, victims=[seller, buyer])
    # Not by a reading of one word either, which would move the register past it.
    reading = scene.twin.report_item(seller, [], first=first + 1, opening_wh=OPENING_WH)
    scene.skips("meters: starts after an open window", reading, victims=[seller, buyer])
    # Windows without an order may be skipped.
    scene.settle(scene.twin.report_item(seller, [1_000, 1_000], first=first, opening_wh=9_999))


def test_report__decreasing_register__refused(scene: Scene) -> None:
    # A meter turned back would sell the same Wh again.
    seller, buyer, _ = _sold(scene)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    again = scene.trade(seller, buyer)
    back = scene.twin.report_item(seller, [1_000], first=again, opening_wh=OPENING_WH + 999)
    scene.skips("meters: register decreases", back, victims=[seller, buyer])
    # A decrease between two words can't be said: growths are never negative.
    wrapped = scene.twin.report_item(seller, [1_000], first=again, opening_wh=OPENING_WH + 1_000)
    scene.skips(BAD, replace(wrapped, growths_wh=(2**32 - 1_000,)), victims=[seller, buyer])


def test_report__register_over_48_bits__refused(scene: Scene) -> None:
    # Past 48 bits the word would wrap, and the register begin anew.
    seller, buyer, first = _sold(scene)
    for opening in (2**48 - 1_000, 2**48, 2**63, 2**64 - 1_001):
        over = scene.twin.report_item(seller, [1_000], first=first, opening_wh=opening)
        scene.skips("meters: register overflow", over, victims=[seller, buyer])
    scene.settle(scene.twin.report_item(seller, [999], first=first, opening_wh=2**48 - 1_000))
    assert scene.twin.market.export_register(seller.low).register_wh == 2**48 - 1


def test_report__of_a_window_not_ended__refused(scene: Scene) -> None:
    # Paid before delivery, and the growth of the rest of the window unread.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.twin.travel_to(window, 899)
    scene.cleared()
    early = scene.twin.report_item(seller, [1_000], first=window)
    scene.skips("meters: window not ended", early, victims=[seller, buyer])
    reading = scene.twin.report_item(seller, [], first=window + 1)
    scene.skips("meters: window not ended", reading, victims=[seller, buyer])
    scene.twin.travel(1)
    scene.settle(early)


def test_report__of_a_window_not_cleared__refused(scene: Scene) -> None:
    # The register would be past the window before anybody knows what it had to deliver.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.to_end(window)
    report = scene.twin.report_item(seller, [1_000], first=window)
    scene.skips("meters: window not cleared", report, victims=[seller, buyer])
    scene.cleared()
    scene.settle(report)


def test_report__of_a_third_side_or_too_long__refused(scene: Scene) -> None:
    seller, buyer, _ = _sold(scene)
    good = scene.twin.report_item(seller, [0, 1_000])
    scene.skips("meters: bad side", replace(good, side=2), victims=[seller, buyer])
    long = replace(good, growths_wh=(0,) * 225)
    scene.skips("meters: report too long", long, victims=[seller, buyer])


def test_import_report__of_a_seller_or_a_buyer__cannot_hurt_the_seller(scene: Scene) -> None:
    # An earlier prototype settled the pair by the smaller of both meters: a buyer's lie cost the seller.
    seller, buyer = scene.homes("seller", "buyer")
    scene.done(scene.twin.rate(buyer, True))
    window = scene.trade(seller, buyer)
    with scene.unharmed(seller):
        scene.settle(scene.twin.report_item(buyer, [0, 0], side=BUY))
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    parameters, order = scene.twin.market.parameters, scene.order(seller, seller.nonce)
    price = parameters.price(scene.twin.market.results[window].level)
    entry = next(entry for entry in scene.twin.market.ledger if entry.account == seller.low)
    assert entry.payment.received == 1_000 * (price - -(-price * order.adjustment_bps // 10_000))
    # The buyer took nothing and paid all, and only its own score fell.
    assert scene.wallet(buyer).score < 5_000 << 16 < scene.wallet(seller).score


def test_import_report__settles_an_offer__refused(scene: Scene) -> None:
    # Consumption is not delivery: the import register must never pay a sale.
    seller, buyer, _ = _sold(scene)
    imports = scene.twin.report_item(seller, [0, 1_000], side=BUY)
    scene.skips("settlement: wrong side", imports, victims=[seller, buyer])


def test_export_report__settles_a_rated_bid__refused(scene: Scene) -> None:
    # A home that chose to be rated can't get its windows settled without being read.
    seller, buyer = scene.homes("seller", "buyer")
    scene.done(scene.twin.rate(buyer, True))
    scene.trade(seller, buyer)
    exports = scene.twin.report_item(buyer, [0, 0], side=SELL)
    scene.skips("settlement: wrong side", exports, victims=[seller, buyer])


def test_meter__bound_twice__refused(scene: Scene) -> None:
    # One register, two sellers: each Wh would be paid twice.
    seller, buyer, _ = _sold(scene)
    mallory = Home.named("mallory")
    with scene.unharmed(seller, buyer):
        outcome = scene.twin.enrol(mallory, meter=seller.meter.address, meter_signer=seller.meter)
        assert outcome == "enrolment: meter bound before"
        swap = scene.twin.swap_meter(buyer, new_meter=seller.meter)
        assert swap == "enrolment: meter bound before"
    # Not even once its first account has moved on to another meter.
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    old = seller.meter
    scene.done(scene.twin.swap_meter(seller))
    assert scene.twin.enrol(mallory, meter=old.address, meter_signer=old) == "enrolment: meter bound before"


def test_old_meter__reports_after_the_swap__refused(scene: Scene) -> None:
    seller, buyer, _ = _sold(scene)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    old = seller.meter
    scene.done(scene.twin.swap_meter(seller))
    again = scene.trade(seller, buyer)
    report = scene.twin.report_item(
        seller, [1_000], first=again, opening_wh=9_999, signer=old, meter=old.address
    )
    scene.skips(BAD, report, victims=[seller, buyer])


def test_meter__reports_in_two_markets__one_message_counts_in_one(scene: Scene) -> None:
    # The same Wh sold in two markets. A report names its market; that no meter is certified for two of them
    # is the operators' word, and the balance at the feeder's head shows it.
    seller, _, _ = _sold(scene)
    report = scene.twin.report_item(seller, [0, 1_000])
    with fresh(Setup(min_order_wh=51)) as other:
        assert other.domain.verifying_contract != scene.market.address
        scene.done(other.enrol(seller))
        other.now = scene.twin.now
        other.clear()
        before = other.contracts.market.view("exports_of", seller.account.address)
        assert other.relay(report) == [CODES[BAD]]
        assert other.contracts.market.view("exports_of", seller.account.address) == before
    scene.settle(report)


def test_report__by_a_key_that_is_nobodys_meter__refused(scene: Scene) -> None:
    # A meter of a class that the market does not accept, or not certified at all, never gets in.
    seller, buyer, _ = _sold(scene)
    mallory = Home.named("mallory")
    uncertified = Terms(20_000, 20_000, 1, 2, meter_class=5, retail_class=0)
    with scene.unharmed(seller, buyer):
        assert scene.twin.enrol(mallory, uncertified) == "enrolment: class not accepted"
        assert scene.twin.enrol(mallory, caller=STRANGER) == "roles: not the operator"
        assert scene.twin.enrol(mallory, meter_signer=Key.named("no meter")) == BAD
        assert scene.twin.enrol(mallory, meter=mallory.account.address, meter_signer=mallory.account) == (
            "enrolment: bad meter"
        )
    forged = scene.twin.report_item(mallory, [], first=scene.twin.now_window, opening_wh=0)
    scene.skips("participants: not enrolled", forged, victims=[seller, buyer])

"""Attacks on settlement: by hints, by haste, by silence, by doing it twice, and around revocation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.adversarial.scene import BUY, DAY, HIGH, LOW, MONEY, SELL, Scene, terms
from peerwatt.market.relay import pack_hints
from twin.chain import BALANCING
from twin.keys import Home

WRONG = "settlement: wrong order hint"
NOT_DUE = "settlement: nothing due"
DEADLINE = 3 * DAY


def test_hints__relayer_picks_another_slot_for_a_window__refused(scene: Scene) -> None:
    # An earlier prototype took the relayer's word for the order that settles a window: a dear or an old one.
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.place(seller, SELL, first, first, 1_000, LOW, nonce=17))
    scene.done(scene.twin.place(seller, SELL, first + 1, first + 1, 2_000, LOW + 50, nonce=18))
    scene.done(scene.twin.bid(buyer, first, first + 1, 1_000, HIGH))
    scene.to_end(first + 1)
    scene.cleared()
    good = scene.twin.report_item(seller, [0, 1_000, 1_000])
    assert good.hints == pack_hints([1, 2])
    for slots in ([2, 1], [1, 1], [2, 2], [1, 3], [0, 1, 2], []):
        scene.skips(WRONG, replace(good, hints=pack_hints(slots)), victims=[seller, buyer])
    scene.settle(good)


def test_hints__settled_order_of_an_earlier_window__refused(scene: Scene) -> None:
    # The slot of a settled order still says what it was: it covers none of the windows that are open.
    seller, buyer = scene.homes("seller", "buyer")
    scene.done(scene.twin.place(buyer, BUY, scene.next + 40, scene.next + 40, 1_000, LOW, nonce=19))
    scene.trade(seller, buyer)
    scene.settle_all(buyer)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    scene.trade(seller, buyer)
    due = scene.twin.due_item(buyer)
    old = (due.hints - 1) % 16
    scene.skips(WRONG, replace(due, hints=old), replace(due, hints=19 % 16), victims=[seller, buyer])
    scene.settle(due)


def test_hints__wrong_in_the_middle__settles_no_more_than_the_right_ones(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first + 1, 1_000, LOW))
    for number in (17, 18):
        window = first + number - 17
        scene.done(scene.twin.place(buyer, BUY, window, window, 1_000, HIGH, nonce=number))
    scene.to_end(first + 1)
    scene.cleared()
    with scene.unharmed(seller):
        scene.settle(scene.twin.due_item(buyer, hints=pack_hints([1, 7])))
    # The second window waits, with its reserve, for the right hint.
    assert scene.wallet(buyer).reserved == 1_000 * scene.twin.market.parameters.price(HIGH)
    scene.settle_all(buyer)
    assert scene.wallet(buyer).reserved == 0


def test_settlement__twice__refused(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.trade(seller, buyer)
    report = scene.twin.report_item(seller, [0, 1_000])
    scene.settle(report, scene.twin.due_item(buyer))
    scene.skips(NOT_DUE, *(scene.twin.due_item(home) for home in (seller, buyer)), victims=[seller, buyer])
    # A newer reading that covers the settled window again: the register moves, no money does.
    scene.twin.travel(900)
    scene.cleared()
    before = scene.wallet(seller)
    scene.settle(scene.twin.report_item(seller, [0, 9_000], first=first, opening_wh=1_500))
    assert scene.wallet(seller) == before


def test_settlement__within_one_batch_twice__second_skipped(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    scene.trade(seller, buyer)
    report, due = scene.twin.report_item(seller, [0, 1_000]), scene.twin.due_item(buyer)
    assert scene.twin.relay(report, report, due, due) == [0, 28, 0, 34]
    limit = 1_000 * scene.twin.market.parameters.price(HIGH)
    assert MONEY - scene.wallet(buyer).balance <= limit


def test_due__before_the_windows_end__refused(scene: Scene) -> None:
    # A buyer charged before delivery could not have cancelled in time to keep its money working.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.to_gate(window)
    scene.skips(NOT_DUE, scene.twin.due_item(buyer), victims=[seller, buyer])
    scene.cleared()
    scene.twin.travel_to(window, 899)
    scene.skips(NOT_DUE, scene.twin.due_item(buyer), scene.twin.due_item(seller), victims=[seller, buyer])
    scene.twin.travel(1)
    scene.settle_all(buyer)


def test_due__called_on_a_rated_buyer_or_seller_early__refused(scene: Scene) -> None:
    # A default a second early would take the seller's payment and the rated buyer's score.
    seller, buyer = scene.homes("seller", "buyer")
    scene.done(scene.twin.rate(buyer, True))
    window = scene.trade(seller, buyer)
    scene.to_end(window, DEADLINE - 1)
    due = [scene.twin.due_item(home) for home in (seller, buyer)]
    scene.skips(NOT_DUE, *due, victims=[seller, buyer])
    scene.settle(scene.twin.report_item(seller, [0, 1_000]), scene.twin.report_item(buyer, [0, 1_000], side=BUY))
    assert min(scene.wallet(home).score for home in (seller, buyer)) > 5_000 << 16


def test_due__deadline_counts_from_a_late_clear__not_shortened(scene: Scene) -> None:
    # Whoever holds the clearing back for three days must not make everybody default at once.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.to_end(window, 5 * DAY)
    scene.cleared()
    scene.skips(NOT_DUE, scene.twin.due_item(seller), victims=[seller, buyer])
    scene.twin.travel(DEADLINE - 1)
    scene.skips(NOT_DUE, scene.twin.due_item(seller), victims=[seller, buyer])
    scene.settle(scene.twin.report_item(seller, [1_000], first=window))


def test_order__far_ahead__hides_no_nearer_window(scene: Scene) -> None:
    # Settling the near window moved the account's pointer up to the far one: what it then ordered in between
    # stood in the book and in nobody's calendar, never to be settled.
    seller, buyer = scene.homes("seller", "buyer")
    far = scene.next + 40
    scene.done(scene.twin.bid(buyer, far, far, 1_000, LOW))
    for _ in range(2):
        window = scene.trade(seller, buyer)
        register = scene.twin.market.export_register(seller.low).window
        scene.settle_all(buyer)
        scene.settle(scene.twin.report_item(seller, [0] * (window - register) + [1_000]))
        assert scene.twin.market.results[window].left_wh == 0
        calendar = scene.market.view("calendars", buyer.account.address)
        assert calendar >> 224 <= scene.twin.market.cleared
    assert scene.wallet(buyer).reserved == 1_000 * scene.twin.market.parameters.price(LOW)


def test_silence__of_a_seller__blocks_nobody(scene: Scene) -> None:
    # A seller that never reports: its buyer pays and is free at the window's end, and the reserve pays the utility.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.trade(seller, buyer)
    with scene.unharmed(seller):
        scene.settle_all(buyer)
    assert scene.wallet(buyer).reserved == 0
    scene.to_end(window, DEADLINE)
    before = scene.wallet(seller).balance
    utility = scene.wallet(BALANCING).balance
    scene.settle_all(seller)
    parameters = scene.twin.market.parameters
    price = parameters.price(scene.twin.market.results[window].level)
    assert before - scene.wallet(seller).balance == 1_000 * (parameters.price(300) - price)
    assert scene.wallet(BALANCING).balance - utility == 1_000 * parameters.price(300)
    assert scene.wallet(seller).reserved == 0


def test_default__of_one_window__does_not_doom_the_next(scene: Scene) -> None:
    # In an earlier prototype a missed reading broke the chain of registers for good.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.trade(seller, buyer)
    scene.to_end(window, DEADLINE)
    scene.settle_all(seller, buyer)
    score = scene.wallet(seller).score
    scene.settle(scene.twin.report_item(seller, [], first=scene.twin.now_window, opening_wh=5_000))
    scene.cleared()
    again = scene.trade(seller, buyer)
    before = scene.wallet(seller).balance
    scene.settle(scene.twin.report_item(seller, [1_000], first=again, opening_wh=5_000))
    assert scene.wallet(seller).balance > before
    assert scene.wallet(seller).score > score


def test_growth__in_a_defaulted_window__pays_nothing(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.trade(seller, buyer)
    scene.to_end(window, DEADLINE)
    scene.settle_all(seller, buyer)
    before = scene.wallet(seller)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    assert scene.wallet(seller) == before
    # And is not carried over into the next sale.
    scene.settle(scene.twin.report_item(seller, [], first=scene.twin.now_window, opening_wh=1_500))
    scene.cleared()
    again = scene.trade(seller, buyer)
    before = scene.wallet(seller)
    scene.settle(scene.twin.report_item(seller, [0], first=again, opening_wh=1_500))
    assert scene.wallet(seller).balance < before.balance


def test_buyer__who_takes_nothing__pays_all_the_same(scene: Scene) -> None:
    # Take or pay: an option to buy for nothing would leave the seller with the risk.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.trade(seller, buyer)
    # An unrated buyer may show that it took nothing: that changes nothing.
    before = scene.wallet(buyer)
    scene.settle(scene.twin.report_item(buyer, [0, 0], side=BUY))
    after = scene.wallet(buyer)
    order = scene.order(buyer, buyer.nonce)
    price = scene.twin.market.parameters.price(scene.twin.market.results[window].level)
    unit = price + -(-price * order.adjustment_bps // 10_000) + order.fee_per_wh
    assert before.balance - after.balance == 1_000 * unit
    assert after.score == before.score


def _revoked(scene: Scene, seconds: int) -> tuple[Home, Home, int]:
    """A seller revoked so many seconds after the start of the first of its three windows, all sold."""
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first + 9, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, first, first + 9, 1_000, HIGH))
    scene.twin.travel_to(first, seconds)
    scene.done(scene.twin.revoke(seller.connection))
    return seller, buyer, first


def test_revocation__of_a_seller_with_sales__harms_no_buyer(scene: Scene) -> None:
    # 10 minutes into the first window two are gated; the rest is cancelled. What is gated stays sold.
    seller, buyer, first = _revoked(scene, 600)
    assert scene.order(seller, seller.nonce).count == 2
    scene.to_end(first + 9)
    scene.cleared()
    utility, before = scene.wallet(BALANCING).balance, scene.wallet(seller)
    scene.settle(scene.twin.due_item(seller))
    price = scene.twin.market.parameters.price(scene.twin.market.results[first].level)
    assert scene.wallet(BALANCING).balance - utility == 2 * 1_000 * price
    after = scene.wallet(seller)
    assert (after.balance, after.reserved, after.score) == (before.balance, 0, before.score)
    scene.settle_all(buyer)
    assert scene.wallet(buyer).reserved == 0


def test_revoked_meter__reports_after_its_revocation__paid_for_nothing(scene: Scene) -> None:
    # A false meter goes on signing: windows from its revocation on pay it nothing, whatever it says.
    seller, buyer, first = _revoked(scene, 600)
    scene.to_end(first + 1)
    scene.cleared()
    before = scene.wallet(seller).balance
    scene.settle(scene.twin.report_item(seller, [0, 1_000, 1_000]))
    assert scene.wallet(seller).balance == before
    offer = scene.twin.offer_item(seller, scene.next, scene.next, 1_000, LOW)
    scene.skips("participants: not enrolled", offer, victims=[seller, buyer])


def test_revoked_seller__windows_that_ended_before__settle_as_usual(scene: Scene) -> None:
    # The operator can't take by revocation what a meter delivered before it.
    seller, _, first = _revoked(scene, 900 + 600)
    scene.cleared()
    before = scene.wallet(seller).balance
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    assert scene.wallet(seller).balance > before
    # Nor does revocation save a seller from the penalty of a window that it failed before.
    rest = scene.wallet(seller)
    scene.to_end(first + 2)
    scene.cleared()
    scene.settle(scene.twin.due_item(seller))
    assert scene.wallet(seller).balance == rest.balance


def test_revocation__does_not_pardon_a_failed_window(scene: Scene) -> None:
    seller, buyer, _ = _revoked(scene, 900 + 600)
    scene.cleared()
    scene.skips(NOT_DUE, scene.twin.due_item(seller), victims=[seller, buyer])
    before = scene.wallet(seller).balance
    scene.settle(scene.twin.report_item(seller, [0, 0]))
    assert scene.wallet(seller).balance < before


def test_revoked_buyer__gated_windows_stay_paid(scene: Scene) -> None:
    # A buyer whose meter is gone still owes what it bought: its seller delivered.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.to_gate(window)
    with scene.unharmed(seller):
        scene.done(scene.twin.revoke(buyer.connection))
    scene.to_end(window)
    scene.cleared()
    before = scene.wallet(seller).balance
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    scene.settle_all(buyer)
    assert scene.wallet(seller).balance > before
    assert scene.wallet(buyer).balance < MONEY


@pytest.mark.parametrize("act", ["swap", "move out", "enrol again"])
def test_binding__changed_with_an_open_window__refused(scene: Scene, act: str) -> None:
    # A new register, or a new owner, under a sale that the old one has to deliver.
    seller, buyer = scene.homes("seller", "buyer")
    scene.trade(seller, buyer)
    heir = Home.named("heir")
    with scene.unharmed(seller, buyer):
        if act == "swap":
            assert scene.twin.swap_meter(seller) == "participants: open windows"
            seller.meters -= 1
        elif act == "move out":
            assert scene.twin.move_out(seller.connection) == "participants: open windows"
        else:
            outcome = scene.twin.enrol(heir, connection=seller.connection)
            assert outcome == "enrolment: connection taken"
            outcome = scene.twin.enrol(seller, terms(), connection=heir.connection, meter=heir.meter.address)
            assert outcome == "enrolment: already enrolled"
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    assert scene.twin.move_out(seller.connection) is None


def test_nonce__used_before_moving_out__refused_after_moving_in(scene: Scene) -> None:
    # Numbers belong to the account, for ever: an old order does not live again with a new connection.
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next + 1
    order = scene.twin.bid_item(seller, first, first + 9, 1_000, LOW)
    scene.settle(order, scene.twin.cancel_item(seller, order.nonce))
    scene.done(scene.twin.move_out(seller.connection))
    scene.done(scene.twin.enrol(seller, meter=(meter := seller.next_meter()).address, meter_signer=meter))
    seller.meter = meter
    # Signed for the old meter it is nothing any more; nor may its number come back, signed for the new one.
    scene.skips("signing: bad signature", order, victims=[seller, buyer])
    again = scene.twin.order_item(seller, BUY, first, first, 1_000, LOW, nonce=order.nonce)
    scene.skips("offers: nonce used", again, victims=[seller, buyer])

"""Attacks with cancels: at the last second, late, again, by the wrong window."""

from __future__ import annotations

from contracts.adversarial.scene import BUY, HIGH, LOW, SELL, Scene
from twin.chain import STRANGER

NOTHING = "offers: nothing to cancel"


def test_cancel__at_the_last_second__takes_nothing_from_the_next_gate(scene: Scene) -> None:
    # A seller that pulls out when nobody can answer any more moves the price for all others.
    seller, mallory = scene.homes("seller", "mallory")
    window = scene.next
    for home in (seller, mallory):
        scene.done(scene.twin.offer(home, window, window, 1_000, LOW))
    scene.to_gate(window, -1)
    assert scene.next == window
    scene.skips(NOTHING, scene.twin.cancel_item(mallory, mallory.nonce), victims=[seller, mallory])
    with scene.unharmed(seller, mallory):
        assert scene.twin.cancel(mallory, mallory.nonce) == NOTHING


def test_cancel__more_than_a_window_before_the_gate__gives_the_reserve_back(scene: Scene) -> None:
    # The other side of the same rule: until then nobody's money is held against his will.
    (home,) = scene.homes("home")
    window = scene.next + 1
    scene.done(scene.twin.offer(home, window, window, 1_000, LOW))
    free = scene.free(home)
    scene.to_gate(window - 1, -1)
    scene.done(scene.twin.cancel(home, home.nonce))
    assert scene.free(home) > free
    assert scene.wallet(home).reserved == 0


def test_cancel__twenty_minutes_after_an_uncleared_gate__refused(scene: Scene) -> None:
    # A late clear must not be a second chance: what was gated is sold, whoever clears it and whenever.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.to_end(window, 20 * 60)
    for home in (seller, buyer):
        scene.skips(NOTHING, scene.twin.cancel_item(home, home.nonce), victims=[seller, buyer])
    scene.cleared()
    assert scene.twin.market.results[window].delay_seconds == 20 * 60
    free = scene.free(seller)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    assert scene.free(seller) > free
    scene.settle_all(buyer)
    assert scene.wallet(buyer).reserved == 0


def test_cancel__replayed__cuts_nothing_more(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    first = scene.next
    order = scene.twin.bid_item(victim, first, first + 20, 1_000, HIGH)
    cancel = scene.twin.cancel_item(victim, order.nonce, first + 10)
    scene.settle(order, cancel)
    assert scene.order(victim, order.nonce).count == 10
    scene.skips(NOTHING, cancel, victims=[victim])
    # Nor does it touch the slot's next order.
    other = scene.twin.order_item(victim, BUY, first + 30, first + 30, 1_000, HIGH, nonce=order.nonce + 17)
    scene.settle(other)
    scene.skips(NOTHING, cancel, victims=[victim])


def test_cancel__of_a_future_number__burns_and_leaves_the_live_order(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    first = scene.next + 1
    order = scene.twin.order_item(victim, BUY, first, first + 9, 1_000, HIGH, nonce=17)
    future = scene.twin.cancel_item(victim, 17 + 3 * 16)
    scene.settle(order)
    wallet, kept = scene.wallet(victim), scene.order(victim, 17)
    scene.settle(future)
    after = scene.order(victim, 17)
    assert (scene.wallet(victim), after.count, after.burnt) == (wallet, kept.count, 17 + 3 * 16)
    scene.skips(NOTHING, future, victims=[victim])
    # Everything up to the burnt number is dead, the live order is not.
    scene.settle(scene.twin.cancel_item(victim, 17))
    dead = scene.twin.order_item(victim, SELL, first + 2, first + 3, 1_000, LOW, nonce=17 + 2 * 16)
    scene.skips("offers: nonce used", dead, victims=[victim])
    scene.settle(scene.twin.order_item(victim, SELL, first + 2, first + 3, 1_000, LOW, nonce=17 + 4 * 16))


def test_cancel__kept_back_by_the_relayer__expires(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    first = scene.next
    scene.settle(scene.twin.bid_item(victim, first + 20, first + 25, 1_000, HIGH))
    cancel = scene.twin.cancel_item(victim, victim.nonce, deadline=scene.twin.now + 900)
    scene.twin.travel(901)
    scene.skips("offers: cancel expired", cancel, victims=[victim])


def test_cancel__of_settled_and_gated_windows__keeps_them(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first + 9, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, first, first + 9, 1_000, HIGH))
    scene.to_gate(first + 3)
    scene.cleared()
    scene.done(scene.twin.cancel(buyer, buyer.nonce, 0))
    # Four windows are gated, the fifth is within one window of its gate.
    assert scene.order(buyer, buyer.nonce).count == 5
    scene.to_end(first + 4)
    scene.cleared()
    tokens = scene.tokens(scene.market.address)
    scene.settle_all(buyer)
    scene.settle(scene.twin.report_item(seller, [0] + [1_000] * 5))
    assert scene.tokens(scene.market.address) == tokens
    assert scene.wallet(buyer).reserved == 0


def test_cancel__relayed_before_its_order__costs_the_order_and_no_money(scene: Scene) -> None:
    # A relayer that holds an order and its cancel can bring the cancel first. Both were signed: the order is
    # burnt whole, which its maker sees at once and mends with a new number.
    (victim,) = scene.homes("victim")
    first = scene.next
    order = scene.twin.bid_item(victim, first, first + 9, 1_000, HIGH)
    cancel = scene.twin.cancel_item(victim, order.nonce, first + 5)
    wallet = scene.wallet(victim)
    scene.settle(cancel)
    scene.skips("offers: nonce used", order, victims=[victim])
    assert scene.wallet(victim) == wallet
    scene.settle(scene.twin.bid_item(victim, first, first + 4, 1_000, HIGH))


def test_revoked_window__pulled_out_by_the_seller_alone__never(scene: Scene) -> None:
    # Revocation frees a seller of its sale without a penalty: nobody but the operator may do it.
    seller, buyer = scene.homes("seller", "buyer")
    scene.done(scene.twin.offer(seller, scene.next, scene.next + 3, 1_000, LOW))
    with scene.unharmed(seller, buyer), scene.untouched():
        for caller in (seller.account, STRANGER):
            assert scene.twin.revoke(seller.connection, caller) == "roles: not the operator"
            outcome = scene.market.send(caller.address, "revoke", seller.account.address)
            assert outcome.reason == "participants: only the registry"

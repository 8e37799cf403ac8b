"""Attacks on reputation: bought, multiplied, shed, or ruined by somebody else."""

from __future__ import annotations

from contracts.adversarial.scene import BUY, DAY, HIGH, LOW, SELL, Scene
from twin.chain import BALANCING, NETWORK
from twin.keys import Home

START_SCORE = 5_000 << 16


def test_self_trade__without_delivery__lowers_the_score(scene: Scene) -> None:
    # Both sides of a trade in one hand: paper moves no score, the meter does.
    seller, buyer = scene.homes("mallory sells", "mallory buys")
    scene.trade(seller, buyer)
    scene.settle(scene.twin.report_item(seller, [0, 0]), scene.twin.due_item(buyer))
    assert scene.wallet(seller).score < START_SCORE
    assert scene.wallet(buyer).score == START_SCORE


def test_self_trade__with_delivery__earns_what_any_delivery_earns_and_costs_the_fees(scene: Scene) -> None:
    # What is left of the attack: real energy, fed in and metered, at a price. That is what the score means.
    seller, buyer, honest, customer = scene.homes("mallory sells", "mallory buys", "honest", "customer")
    scene.trade(honest, customer)
    scene.settle(scene.twin.report_item(honest, [0, 1_000]), scene.twin.due_item(customer))
    before = scene.wallet(seller).balance + scene.wallet(buyer).balance
    funds = sum(scene.wallet(key).balance for key in (BALANCING, NETWORK))
    window = scene.trade(seller, buyer)
    register = scene.twin.market.export_register(seller.low).window
    scene.settle(
        scene.twin.report_item(seller, [0] * (window - register) + [1_000]), scene.twin.due_item(buyer)
    )
    assert scene.wallet(seller).score == scene.wallet(honest).score > START_SCORE
    lost = before - scene.wallet(seller).balance - scene.wallet(buyer).balance
    assert lost == sum(scene.wallet(key).balance for key in (BALANCING, NETWORK)) - funds > 0


def test_self_trade__same_wh_reported_again__earns_nothing_more(scene: Scene) -> None:
    # The register only grows: one metered kWh moves the score once, however often it is traded on paper.
    seller, buyer = scene.homes("mallory sells", "mallory buys")
    scene.trade(seller, buyer)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]), scene.twin.due_item(buyer))
    score = scene.wallet(seller).score
    window = scene.trade(seller, buyer)
    scene.settle(scene.twin.report_item(seller, [0], first=window, opening_wh=1_500))
    assert scene.wallet(seller).score < score


def test_sybils__a_crowd_of_new_accounts__adds_up_to_nothing(scene: Scene) -> None:
    # A thousand connections would each be certified by the operator, and each begin where everybody begins: a score
    # is a price tag on one home's own orders. It is never summed, lent, or counted as a vote.
    (victim,) = scene.homes("victim")
    with scene.unharmed(victim):
        crowd = scene.homes(*(f"sybil {number}" for number in range(8)), money=10**9)
    assert {scene.wallet(home).score for home in crowd} == {START_SCORE}
    window = scene.next
    for home in (victim, *crowd):
        scene.done(scene.twin.bid(home, window, window, 50, 60))
    terms = {
        (order.adjustment_bps, order.fee_per_wh, order.effective_level)
        for order in (scene.order(home, home.nonce) for home in (victim, *crowd))
    }
    # The crowd's number bought none of it better terms than one home has.
    assert len(terms) == 1
    # And none of them comes without the operator.
    uncertified = Home.named("sybil without a certificate")
    assert scene.twin.enrol(uncertified, caller=uncertified.account) == "roles: not the operator"


def test_score__shed_with_a_new_wallet_or_meter__kept(scene: Scene) -> None:
    # After a default: a new meter, a new account, a move out and in again. The score is the connection's.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.trade(seller, buyer)
    scene.to_end(window, 3 * DAY)
    scene.settle_all(seller, buyer)
    score = scene.wallet(seller).score
    assert score < START_SCORE
    scene.done(scene.twin.swap_meter(seller))
    assert scene.wallet(seller).score == score
    scene.done(scene.twin.move_out(seller.connection))
    heir = Home.named("the seller's other wallet")
    scene.done(scene.twin.enrol(heir, connection=seller.connection))
    assert scene.wallet(heir).score == score
    # The account that left has none of its own to take along.
    assert scene.wallet(seller).score == 0


def test_score__ruined_by_a_counterparty__never(scene: Scene) -> None:
    # A rival that buys and takes nothing, or sells and delivers nothing, moves its own score alone.
    victim, rival, buyer = scene.homes("victim", "rival", "buyer")
    scene.done(scene.twin.rate(buyer, True))
    window = scene.next
    scene.done(scene.twin.offer(victim, window, window, 1_000, LOW))
    scene.done(scene.twin.offer(rival, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 2_000, HIGH))
    scene.to_end(window)
    scene.cleared()
    scene.settle(scene.twin.report_item(victim, [0, 1_000]))
    with scene.unharmed(victim):
        scene.settle(scene.twin.report_item(rival, [0, 0]))
        scene.settle(scene.twin.report_item(buyer, [0, 0], side=BUY))
    assert scene.wallet(rival).score < START_SCORE < scene.wallet(victim).score


def test_score__farmed_with_the_smallest_trades__no_faster_than_with_large_ones(scene: Scene) -> None:
    # A score moves by its share of the inertia: cutting a delivery into pieces gains a rounding unit each.
    small, large, buyer, other = scene.homes("small", "large", "buyer", "other")
    scene.trade(small, buyer, windows=20, wh=50)
    scene.settle(scene.twin.report_item(small, [0] + [50] * 20), scene.twin.due_item(buyer))
    window = scene.trade(large, other, wh=1_000)
    register = scene.twin.market.export_register(large.low).window
    scene.settle(scene.twin.report_item(large, [0] * (window - register) + [1_000]))
    gained = [scene.wallet(home).score - START_SCORE for home in (small, large)]
    # Compounding in pieces can only be slower or as fast; a hundredth is far above the rounding.
    assert 0 < gained[0] <= gained[1] * 101 // 100


def test_rated_buyer__silent_until_the_deadline__loses_its_score_and_nothing_of_others(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    scene.done(scene.twin.rate(buyer, True))
    window = scene.trade(seller, buyer)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    scene.to_end(window, 3 * DAY)
    with scene.unharmed(seller):
        scene.settle_all(buyer)
    assert scene.wallet(buyer).score < START_SCORE
    assert scene.wallet(buyer).reserved == 0


def test_low_score__sells_below_its_limit__never(scene: Scene) -> None:
    # The haircut of a bad name comes out of the price, and never takes a seller below what it signed.
    seller, buyer = scene.homes("seller", "buyer")
    scene.force_score(seller, 0)
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    order = scene.order(seller, seller.nonce)
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.to_end(window)
    scene.cleared()
    before = scene.wallet(seller).balance
    scene.settle(scene.twin.report_item(seller, [0, 1_000]))
    assert order.adjustment_bps == 911 and order.effective_level > LOW
    assert scene.wallet(seller).balance - before >= 1_000 * scene.twin.market.parameters.price(LOW)
    assert order.side == SELL

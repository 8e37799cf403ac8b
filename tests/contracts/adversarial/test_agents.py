"""Attacks by and through agent keys: what a home's energy management can and cannot do."""

from __future__ import annotations

from contracts.adversarial.scene import BUY, HIGH, LOW, SELL, Scene
from twin.chain import STRANGER

CAPS = "participants: over the agent's caps"
NOT_AUTHORISED = "participants: agent not authorised"


def test_agent__bids_the_top_level_against_its_friend__refused(scene: Scene) -> None:
    # A key stolen from the home's computer buys dear from a friend, or sells cheap to one.
    victim, friend = scene.homes("victim", "friend")
    scene.done(scene.twin.authorise(victim, max_buy_level=120, min_sell_level=60))
    first = scene.next
    scene.done(scene.twin.offer(friend, first, first, 1_000, 240))
    for side, level in ((BUY, 255), (BUY, 121), (SELL, 0), (SELL, 59)):
        order = scene.twin.order_item(victim, side, first, first, 1_000, level, by_agent=True)
        scene.skips(CAPS, order, victims=[victim, friend])
    scene.settle(scene.twin.order_item(victim, BUY, first, first, 1_000, 120, by_agent=True))


def test_agent__reserves_more_than_its_cap_in_many_orders__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    price = scene.twin.market.parameters.price(100)
    scene.done(scene.twin.authorise(victim, max_reserve=3 * 1_000 * price))
    first = scene.next
    # What the owner reserved itself counts too.
    scene.done(scene.twin.bid(victim, first, first, 1_000, 100))
    scene.settle(scene.twin.order_item(victim, BUY, first + 1, first + 2, 1_000, 100, by_agent=True))
    more = scene.twin.order_item(victim, BUY, first + 3, first + 3, 50, 100, by_agent=True)
    scene.skips(CAPS, more, victims=[victim])
    assert scene.wallet(victim).reserved == 3 * 1_000 * price


def test_agent__after_its_revocation__earlier_signature_refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.authorise(victim))
    order = scene.twin.order_item(victim, BUY, scene.next, scene.next, 1_000, HIGH, by_agent=True)
    scene.done(scene.twin.bid(victim, scene.next + 5, scene.next + 9, 1_000, 100))
    cancel = scene.twin.cancel_item(victim, victim.nonce, by_agent=True)
    scene.done(scene.twin.authorise(victim, expiry=0))
    scene.skips(NOT_AUTHORISED, order, cancel, victims=[victim])


def test_agent__after_its_expiry__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.authorise(victim, expiry=scene.twin.now + 600))
    order = scene.twin.order_item(victim, BUY, scene.next + 5, scene.next + 5, 1_000, HIGH, by_agent=True)
    scene.twin.travel(600)
    scene.skips(NOT_AUTHORISED, order, victims=[victim])


def test_agent__message_never_relayed__void_after_a_direct_revocation(scene: Scene) -> None:
    # Somebody keeps the signed Agent message back and brings it after the owner revoked the key.
    (victim,) = scene.homes("victim")
    nonce = scene.twin.registry.agent_nonces.get(victim.low, 0)
    scene.done(scene.twin.authorise(victim, expiry=0))
    with scene.unharmed(victim):
        assert scene.twin.authorise_signed(victim, nonce=nonce) == "participants: nonce used"
    order = scene.twin.order_item(victim, BUY, scene.next, scene.next, 1_000, HIGH, by_agent=True)
    scene.skips(NOT_AUTHORISED, order, victims=[victim])


def test_agent__message_replayed_after_revocation__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.authorise_signed(victim, nonce=0, expiry=2_000_000_000))
    scene.done(scene.twin.authorise_signed(victim, nonce=1, expiry=0))
    with scene.unharmed(victim):
        outcome = scene.twin.authorise_signed(victim, nonce=0, expiry=2_000_000_000)
        assert outcome == "participants: nonce used"
    assert scene.market.view("agents", victim.account.address, victim.agent.address) & (2**64 - 1) == 0


def test_agent__appoints_or_widens_itself__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.authorise(victim, max_buy_level=10))
    with scene.unharmed(victim):
        for signer in (victim.agent, STRANGER):
            outcome = scene.twin.authorise_signed(victim, max_buy_level=255, signer=signer)
            assert outcome == "signing: bad signature"
        outcome = scene.twin.authorise(victim, agent=victim.account.address)
        assert outcome == "participants: bad agent"
    bid = scene.twin.order_item(victim, BUY, scene.next, scene.next, 1_000, 11, by_agent=True)
    scene.skips(CAPS, bid, victims=[victim])


def test_agent__withdraws_rates_or_swaps_the_meter__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.authorise(victim))
    bad = "signing: bad signature"
    with scene.unharmed(victim):
        agent = victim.agent
        assert scene.twin.withdraw_signed(victim, 1, agent.address, signer=agent) == bad
        assert scene.twin.withdraw(agent, 1) == "wallets: not enough free money"
        assert scene.twin.rate_signed(victim, True, signer=agent) == bad
        assert scene.twin.swap_meter(victim, account_signer=agent) == bad


def test_agent__of_one_home_for_another__refused(scene: Scene) -> None:
    victim, mallory = scene.homes("victim", "mallory")
    scene.done(scene.twin.authorise(mallory))
    order = scene.twin.order_item(
        victim, SELL, scene.next, scene.next, 1_000, LOW, signer=mallory.agent, agent=mallory.agent.address
    )
    scene.skips(NOT_AUTHORISED, order, victims=[victim, mallory])


def test_agent__named_but_the_owner_signed__refused(scene: Scene) -> None:
    # And the other way round: no signature counts for somebody who did not make it.
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.authorise(victim))
    named = scene.twin.order_item(
        victim, BUY, scene.next, scene.next, 1_000, HIGH, signer=victim.account, agent=victim.agent.address
    )
    unnamed = scene.twin.order_item(victim, BUY, scene.next, scene.next, 1_000, HIGH, signer=victim.agent)
    scene.skips("signing: bad signature", named, unnamed, victims=[victim])


def test_agent__sells_without_delivering__loses_no_more_than_its_cap(scene: Scene) -> None:
    # The dearest that a stolen key can do at a time: a sale that the meter will not deliver.
    victim, friend = scene.homes("victim", "friend")
    cap = 1_000 * 500 * (300 - LOW)
    scene.done(scene.twin.authorise(victim, max_reserve=cap))
    window = scene.next
    scene.settle(scene.twin.order_item(victim, SELL, window, window, 1_000, LOW, by_agent=True))
    scene.done(scene.twin.bid(friend, window, window, 1_000, HIGH))
    more = scene.twin.order_item(victim, SELL, window + 1, window + 1, 50, 150, by_agent=True)
    scene.skips(CAPS, more, victims=[victim, friend])
    before = scene.wallet(victim).balance
    scene.to_end(window, 3 * 86_400)
    scene.cleared()
    scene.settle(scene.twin.report_item(victim, [0] * (window + 1 - 2_000_000)))
    assert 0 < before - scene.wallet(victim).balance <= cap

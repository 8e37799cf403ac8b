"""Attacks on the registry, its roles, its setters in the market, and its records."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.adversarial.scene import HIGH, LOW, Scene, terms
from contracts.helpers import refused
from twin.chain import BALANCING, CONTRACTS, NETWORK, OPERATOR, REGULATOR, STRANGER, Contract, compiled
from twin.keys import Home, Key

ONLY = "participants: only the registry"
ZERO = "0x" + "00" * 20


def _setters(victim: Home) -> list[tuple[str, tuple[Any, ...]]]:
    account = victim.account.address
    return [
        ("bind", (account, 0, 0, 0, 0)),
        ("set_device", (account, 2**240 - 1)),
        ("revoke", (account,)),
        ("set_tariff", (1 | 65_535 << 16, 1, 0, 0, 0)),
        ("set_feeder", (1, 0)),
        ("set_agent", (account, STRANGER.address, 2**208 - 1)),
        ("set_rated", (account, True)),
        ("set_paused", (True,)),
        ("close_book", ()),
        ("set_fund_accounts", (STRANGER.address, STRANGER.address)),
    ]


def test_setters__called_by_a_stranger_or_a_role__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.bid(victim, scene.next, scene.next + 3, 1_000, HIGH))
    for key in (STRANGER, victim.account, OPERATOR, REGULATOR, BALANCING):
        for function, arguments in _setters(victim):
            with scene.unharmed(victim), scene.untouched():
                assert scene.market.send(key.address, function, *arguments).reason == ONLY


def test_registry__deployed_by_a_stranger_for_this_market__changes_nothing(scene: Scene) -> None:
    # Anybody can deploy a registry that names the market, with himself in all its roles.
    (victim,) = scene.homes("victim")
    me = STRANGER.address
    rogue = Contract(
        compiled(CONTRACTS / "EnergyRegistry.vy").deploy(scene.market.address, me, me, 7, me, me, ZERO)
    )
    with scene.unharmed(victim), scene.untouched():
        assert rogue.send(me, "set_paused", True).reason == ONLY
        assert rogue.send(me, "set_feeder_fee", 1, 0).reason == ONLY
        assert rogue.send(victim.account.address, "rate", True).reason == ONLY
        # A hand-over of its fund accounts moves no fund account of the market.
        assert rogue.send(me, "offer_role", 2, me).reason is None
        assert rogue.send(me, "accept_role", 2).reason == ONLY
        outcome = rogue.send(victim.account.address, "authorise", me, 2**64 - 1, 255, 0, 2**128 - 1)
        assert outcome.reason == ONLY


def test_registry__meant_for_another_market__enrols_nobody(scene: Scene) -> None:
    # A registry whose market is another contract: what is signed for this market is nothing there.
    mallory, victim = Home.named("mallory"), scene.homes("victim")[0]
    me = STRANGER.address
    rogue = Contract(
        compiled(CONTRACTS / "EnergyRegistry.vy").deploy(scene.token.address, me, me, 7, me, me, ZERO)
    )
    with scene.unharmed(victim), scene.untouched():
        message = (mallory.account.address, mallory.meter.address, 0, 0, scene.twin.now + 60)
        signed = rogue.send(me, "enrol", mallory.connection, (1, 1, 1, 2, 0, 0), message, 1, 1, 1, 1)
        assert signed.reason is not None
        assert rogue.send(me, "set_paused", True).reason is not None
    assert scene.market.view("devices", mallory.account.address) == 0


@pytest.mark.parametrize("role", [0, 1, 2, 3])
def test_role__taken_without_an_offer_or_given_without_acceptance__never(scene: Scene, role: int) -> None:
    holder = (OPERATOR, REGULATOR, BALANCING, NETWORK)[role]
    heir = Key.named("heir")
    with scene.untouched():
        assert scene.twin.offer_role(role, STRANGER, STRANGER) == "roles: not the holder"
        assert scene.twin.accept_role(role, STRANGER) == "roles: not offered"
        scene.done(scene.twin.offer_role(role, heir, holder))
        # Offered is not yet given; and not to anybody who comes first.
        assert scene.twin.accept_role(role, STRANGER) == "roles: not offered"
        assert scene.twin.registry.holders[role] == holder.low
        scene.done(scene.twin.offer_role(role, None, holder))
        assert scene.twin.accept_role(role, heir) == "roles: not offered"
    scene.done(scene.twin.offer_role(role, heir, holder))
    scene.done(scene.twin.accept_role(role, heir))
    # Taken once, the offer is used up, and the old holder is nobody.
    assert scene.twin.accept_role(role, heir) == "roles: not offered"
    assert scene.twin.offer_role(role, holder, holder) == "roles: not the holder"


def test_fund_accounts__emptied_to_zero__never(scene: Scene) -> None:
    # Fees credited to the zero address would be lost, and the market's books would not show it.
    seller, buyer = scene.homes("seller", "buyer")
    for role, holder in ((2, BALANCING), (3, NETWORK)):
        scene.done(scene.twin.offer_role(role, None, holder))
    for bad in ((ZERO, NETWORK.address), (BALANCING.address, ZERO)):
        parameters = (scene.token.address, STRANGER.address, *scene.twin.setup.numbers, *bad)
        with refused("market: senseless parameter"):
            compiled(CONTRACTS / "EnergyMarket.vy").deploy(*parameters)
    scene.trade(seller, buyer)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]), scene.twin.due_item(buyer))
    assert scene.market.view("wallets", ZERO) == 0
    assert scene.wallet(BALANCING).balance > 0 < scene.wallet(NETWORK).balance


def test_operator__registers_of_an_enrolment__settle_nothing(scene: Scene) -> None:
    # The operator writes registers when it binds a meter: that must never pay or charge a window.
    seller, buyer = scene.homes("seller", "buyer")
    scene.trade(seller, buyer)
    scene.settle(scene.twin.report_item(seller, [0, 1_000]), scene.twin.due_item(buyer))
    before = scene.wallet(seller), scene.wallet(buyer)
    scene.done(scene.twin.swap_meter(seller, exported_wh=2**47))
    assert (scene.wallet(seller), scene.wallet(buyer)) == before
    # What the new meter showed when it came is where it starts from, not what it delivered.
    window = scene.trade(seller, buyer)
    held = scene.wallet(seller).balance
    scene.settle(scene.twin.report_item(seller, [0], first=window, opening_wh=2**47 + 5))
    assert scene.wallet(seller).balance < held


def test_operator__alone__enrols_and_swaps_nobody(scene: Scene) -> None:
    # Both the account and the meter must have signed; nobody is bound to a market against his will.
    victim, mallory = scene.homes("victim")[0], Home.named("mallory")
    bad = "signing: bad signature"
    with scene.unharmed(victim), scene.untouched():
        assert scene.twin.enrol(mallory, account_signer=OPERATOR) == bad
        assert scene.twin.enrol(mallory, meter_signer=OPERATOR) == bad
        assert scene.twin.enrol(mallory, consented=True) == bad
        assert scene.twin.enrol(mallory, deadline=scene.twin.now - 1) == "enrolment: message expired"
        assert scene.twin.swap_meter(victim, account_signer=OPERATOR) == bad
        assert scene.twin.swap_meter(victim, consented=True) == bad
        assert scene.twin.swap_meter(victim, old_meter=STRANGER.address) == "enrolment: not the old meter"
    victim.meters = 1


def test_enrolment__of_a_home_by_somebody_else__refused(scene: Scene) -> None:
    mallory, victim = Home.named("mallory"), scene.homes("victim")[0]
    with scene.unharmed(victim), scene.untouched():
        for caller in (STRANGER, REGULATOR, mallory.account):
            not_operator = "roles: not the operator"
            assert scene.twin.enrol(mallory, caller=caller) == not_operator
            assert scene.twin.set_terms(victim, terms(export_limit_wh=0), caller) == not_operator
            assert scene.twin.move_out(victim.connection, caller) == not_operator
            assert scene.twin.set_feeder_scale(1, 0, 0, caller) == not_operator
        for caller in (STRANGER, OPERATOR):
            assert scene.twin.set_feeder_fee(1, 0, caller) == "roles: not the regulator"
            assert scene.twin.set_retail(0, 0, caller) == "roles: not the regulator"
            assert scene.twin.accept_classes(0, caller) == "roles: not the regulator"


def test_rating__replayed_or_kept_back__refused(scene: Scene) -> None:
    # To be rated shows one's consumption: nobody may switch it on again behind the home's back.
    (victim,) = scene.homes("victim")
    deadline = scene.twin.now + 3_600
    scene.done(scene.twin.rate_signed(victim, True, nonce=0, deadline=deadline))
    scene.done(scene.twin.rate(victim, False))
    with scene.unharmed(victim):
        again = scene.twin.rate_signed(victim, True, nonce=0, deadline=deadline)
        assert again == "participants: nonce used"
        assert scene.twin.rate_signed(victim, True, signer=STRANGER) == "signing: bad signature"
        late = scene.twin.rate_signed(victim, True, deadline=scene.twin.now - 1)
        assert late == "participants: message expired"
    assert scene.wallet(victim).rated is False


def test_rating__switched_on_after_the_bid__leaves_the_bid(scene: Scene) -> None:
    # An order keeps the flag of its acceptance: it settles without a report, as its maker signed it.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.next
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    scene.done(scene.twin.rate(buyer, True))
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.to_end(window)
    scene.cleared()
    score = scene.wallet(buyer).score
    scene.settle_all(buyer)
    assert scene.wallet(buyer).score == score

"""Attacks on who may order, cancel and settle: strangers, forged and borrowed signatures."""

from __future__ import annotations

from dataclasses import replace

import boa

from contracts.adversarial.scene import BUY, HIGH, LOW, MONEY, SELL, Scene
from contracts.helpers import ROOT, load
from peerwatt.market.relay import OrderItem, ReportItem, pack
from peerwatt.signing import Cancel, Domain, Order, Report, Signature, Withdrawal, sign
from peerwatt.signing.signature import CURVE_ORDER
from twin.chain import STRANGER
from twin.keys import Key

MOCKS = ROOT / "tests" / "contracts" / "mocks"
BAD = "signing: bad signature"


def test_order__signed_by_a_stranger__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    order = scene.twin.order_item(victim, BUY, scene.next, scene.next, 1_000, 255, signer=STRANGER)
    scene.skips(BAD, order, victims=[victim])
    # The same order by its owner is a good one.
    scene.settle(scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 255))


def test_order__stranger_names_itself_as_agent__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    order = scene.twin.order_item(
        victim, BUY, scene.next, scene.next, 1_000, 255, signer=STRANGER, agent=STRANGER.address
    )
    scene.skips("participants: agent not authorised", order, victims=[victim])


def test_order__repriced_by_the_relayer__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    good = scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 100)
    forged = [
        replace(good, limit_level=255),
        replace(good, energy_wh=20_000),
        replace(good, side=SELL),
        replace(good, last=good.last + 50),
        replace(good, first=good.first - 1),
        replace(good, nonce=good.nonce + 1),
    ]
    scene.skips(BAD, *forged, victims=[victim])
    scene.settle(good)


def test_order__carried_for_another_account__refused(scene: Scene) -> None:
    victim, mallory = scene.homes("victim", "mallory")
    order = scene.twin.offer_item(mallory, scene.next, scene.next, 1_000, 0)
    scene.skips(BAD, replace(order, account=victim.account.address), victims=[victim, mallory])


def test_order__of_nobody_with_an_empty_signature__refused(scene: Scene) -> None:
    # A signature that recovers to nothing gives the zero address: it must never be somebody.
    zero = "0x" + "00" * 20
    (victim,) = scene.homes("victim")
    blank = OrderItem(zero, 17, scene.next, scene.next, 1_000, 255, BUY, 0, 0)
    scene.skips("participants: not enrolled", blank, victims=[victim])
    scene.skips(BAD, replace(blank, account=victim.account.address), victims=[victim])
    cancel = replace(scene.twin.cancel_item(victim, 17), account=zero, r=0, vs=0)
    scene.skips(BAD, cancel, replace(cancel, account=victim.account.address), victims=[victim])
    report = ReportItem(victim.account.address, SELL, scene.twin.now_window, 500, (), 0, 0)
    scene.skips(BAD, report, victims=[victim])
    scene.skips("participants: not enrolled", replace(report, account=zero), victims=[victim])


def test_signature__with_the_high_s__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    good = scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 100)
    # The same signature in other clothes: s becomes the order of the curve less s, and v turns over.
    s, parity = good.vs & (2**255 - 1), good.vs >> 255
    scene.skips(BAD, replace(good, vs=CURVE_ORDER - s | (1 - parity) << 255), victims=[victim])
    amount = 1_000
    signature = _withdrawal_signature(scene, victim.account, amount)
    high = (signature.r, CURVE_ORDER - signature.s | (28 - signature.v) << 255)
    with scene.unharmed(victim):
        refused = scene.market.send(
            STRANGER.address,
            "withdraw_signed",
            victim.account.address,
            victim.account.address,
            amount,
            0,
            scene.twin.now + 60,
            *high,
        )
        assert refused.reason == BAD
    scene.settle(good)


def _withdrawal_signature(scene: Scene, key: Key, amount: int) -> Signature:
    return key.sign(Withdrawal(key.address, key.address, amount, 0, scene.twin.now + 60), scene.twin.domain)


def test_signature__for_another_market__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    elsewhere = Domain(scene.twin.domain.chain_id, STRANGER.address)
    order = scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 100)
    signature = victim.account.sign(order.to_message(victim.meter.address), elsewhere)
    scene.skips(BAD, replace(order, r=signature.r, vs=signature.vs), victims=[victim])
    message = Report(victim.meter.address, SELL, scene.twin.now_window, (500,))
    signature = victim.meter.sign(message, elsewhere)
    report = ReportItem.from_message(victim.account.address, message, signature)
    scene.skips(BAD, report, victims=[victim])


def test_signature__for_another_chain__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    order = scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 100)
    elsewhere = Domain(scene.twin.domain.chain_id + 1, scene.market.address)
    signature = victim.account.sign(order.to_message(victim.meter.address), elsewhere)
    scene.skips(BAD, replace(order, r=signature.r, vs=signature.vs), victims=[victim])
    # The chain splits and takes another id: what was signed for the old one is void on the new one, and only there.
    boa.env.evm.patch.chain_id = scene.twin.domain.chain_id + 1
    outcome = scene.market.send(STRANGER.address, "relay", order.pack(), True)
    assert outcome.reason == BAD
    boa.env.evm.patch.chain_id = scene.twin.domain.chain_id
    scene.settle(order)


def test_signature__of_one_message_used_for_another__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    order = scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 100)
    scene.settle(order)
    deadline = scene.twin.now + 60
    cancel = scene.twin.cancel_item(victim, order.nonce, deadline=deadline)
    scene.skips(BAD, replace(cancel, r=order.r, vs=order.vs), victims=[victim])
    # The home's own consent to a cancel is no consent to a withdrawal.
    message = Cancel(victim.account.address, order.nonce, 0, deadline)
    signature = sign(message, scene.twin.domain, victim.account.secret)
    with scene.unharmed(victim):
        assert scene.twin.withdraw_signed(victim, 1, STRANGER.address, deadline=deadline, signature=signature) == BAD


def test_delegated_account__code_calls_its_signature_invalid__key_still_signs(scene: Scene) -> None:
    # EIP-7702: a home's account took on code. Checkers that ask such an account's code refuse its own signature.
    home, seller = scene.homes("delegating", "seller")
    delegate = load(MOCKS / "RefusingDelegate.vy")
    code = bytes.fromhex("ef0100") + bytes.fromhex(delegate.address[2:])
    boa.env.set_code(home.account.address, code)
    assert boa.env.get_code(home.account.address) == code
    scene.settle(scene.twin.bid_item(home, scene.next, scene.next, 1_000, HIGH))
    assert scene.wallet(home).reserved > 0
    # Calls of its own go on as before, too.
    scene.done(scene.twin.bid(home, scene.next + 1, scene.next + 1, 1_000, HIGH))
    assert delegate.asked() == 0
    # And the code gives nobody else a say.
    stranger = scene.twin.order_item(home, BUY, scene.next + 2, scene.next + 2, 1_000, HIGH, signer=STRANGER)
    scene.skips(BAD, stranger, victims=[home, seller])


def test_direct_order__of_another_meter__refused(scene: Scene) -> None:
    victim, mallory = scene.homes("victim", "mallory")
    with scene.unharmed(victim, mallory):
        for meter in (victim.meter.address, STRANGER.address):
            outcome = scene.twin.place(mallory, SELL, scene.next, scene.next, 1_000, LOW, meter=meter)
            assert outcome == "meters: not the bound meter"
    signed = scene.twin.order_item(
        mallory, SELL, scene.next, scene.next, 1_000, LOW, meter=victim.meter.address
    )
    scene.skips(BAD, signed, victims=[victim, mallory])


def test_order__by_somebody_not_enrolled__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    rich = Key.named("rich stranger")
    scene.done(scene.twin.deposit(rich, MONEY))
    message = Order(rich.address, victim.meter.address, BUY, scene.next, scene.next, 1_000, 255, 17)
    signature = rich.sign(message, scene.twin.domain)
    scene.twin.accounts.add(rich.low)
    scene.skips("participants: not enrolled", OrderItem.from_message(message, signature), victims=[victim])


def test_cancel__by_a_stranger__refused(scene: Scene) -> None:
    victim, mallory = scene.homes("victim", "mallory")
    order = scene.twin.bid_item(victim, scene.next + 3, scene.next + 9, 1_000, 100)
    scene.settle(order)
    forged = scene.twin.cancel_item(victim, order.nonce, signer=STRANGER)
    scene.skips(BAD, forged, victims=[victim])
    agent = scene.twin.cancel_item(victim, order.nonce, signer=STRANGER, agent=STRANGER.address)
    scene.skips("participants: agent not authorised", agent, victims=[victim])
    # Another home's own cancel of the same number burns a number of its own.
    with scene.unharmed(victim):
        scene.settle(scene.twin.cancel_item(mallory, order.nonce))


def test_relayed_word__junk_in_bits_without_meaning__changes_nothing(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    order = scene.twin.bid_item(victim, scene.next, scene.next, 1_000, 100)
    words = pack([order])
    words[1] |= (2**48 - 1) << 208
    boa.env.evm.patch.timestamp = scene.twin.now
    with boa.env.anchor():
        scene.market.send(STRANGER.address, "relay", words, True)
        with_junk = scene.belongings(victim)
    scene.settle(order)
    assert scene.belongings(victim) == with_junk
    # Nor does it make another order of the one accepted.
    refused = scene.market.send(STRANGER.address, "relay", words, True)
    assert refused.reason == "offers: nonce used"

"""Attacks on money in the market: withdrawals, permits, allowances, the accounts that are only credited."""

from __future__ import annotations

import boa

from contracts.adversarial.scene import DAY, HIGH, LOW, MONEY, Scene
from peerwatt.signing import Withdrawal
from peerwatt.signing.permit import Permit, TokenDomain
from twin.chain import BALANCING, DEPLOYER, NETWORK, STRANGER
from twin.keys import Key

NOT_FREE = "wallets: not enough free money"
BAD = "signing: bad signature"


def test_withdrawal__of_reserved_money__refused(scene: Scene) -> None:
    # A buyer that leaves with the money between gate and settlement.
    seller, buyer = scene.homes("seller", "buyer")
    window = scene.next
    scene.done(scene.twin.offer(seller, window, window, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, window, window, 1_000, HIGH))
    for at in (0, 900, 3 * DAY):
        scene.twin.travel(at)
        for home in (seller, buyer):
            with scene.unharmed(seller, buyer):
                assert scene.twin.withdraw(home, scene.free(home) + 1) == NOT_FREE
                assert scene.twin.withdraw(home, 2**255) == NOT_FREE
                assert scene.twin.withdraw_signed(home, scene.free(home) + 1) == NOT_FREE
    # What is free leaves at any time, and the trade is settled all the same.
    scene.done(scene.twin.withdraw(buyer, scene.free(buyer)))
    scene.cleared()
    scene.settle_all(buyer)
    assert scene.wallet(buyer).reserved == 0


def test_withdrawal__while_paused__goes_through(scene: Scene) -> None:
    # A regulator's pause that held money would be a seizure.
    seller, buyer = scene.homes("seller", "buyer")
    scene.trade(seller, buyer)
    scene.done(scene.twin.set_paused(True))
    scene.settle(scene.twin.report_item(seller, [0, 1_000]), scene.twin.due_item(buyer))
    for home in (seller, buyer):
        half = scene.free(home) // 2
        scene.done(scene.twin.withdraw(home, half))
        scene.done(scene.twin.withdraw_signed(home, scene.free(home)))
        assert scene.free(home) == 0
    assert scene.tokens(seller.account.address) > MONEY


def test_pause__stops_orders_and_enrolments_alone(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    first = scene.next
    scene.done(scene.twin.offer(seller, first, first + 3, 1_000, LOW))
    scene.done(scene.twin.bid(buyer, first, first + 3, 1_000, HIGH))
    scene.done(scene.twin.set_paused(True))
    order = scene.twin.bid_item(buyer, first + 9, first + 9, 1_000, HIGH)
    scene.skips("offers: paused", order, victims=[seller, buyer])
    scene.done(scene.twin.cancel(buyer, scene.order(buyer, buyer.nonce - 1).nonce, first + 2))
    scene.to_end(first + 3)
    scene.cleared()
    scene.twin.travel(3 * DAY)
    scene.settle_all(seller, buyer)
    assert scene.wallet(seller).reserved == scene.wallet(buyer).reserved == 0
    assert scene.twin.set_paused(False, STRANGER) == "roles: not the regulator"


def test_withdrawal__replayed__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    scene.done(scene.twin.withdraw_signed(victim, 1_000, nonce=0))
    with scene.unharmed(victim):
        assert scene.twin.withdraw_signed(victim, 1_000, nonce=0) == "wallets: nonce used"
        # Nor one signed ahead, out of its turn.
        assert scene.twin.withdraw_signed(victim, 1_000, nonce=2) == "wallets: nonce used"


def test_withdrawal__to_another_recipient__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    deadline = scene.twin.now + 60
    message = Withdrawal(victim.account.address, victim.account.address, 1_000, 0, deadline)
    signature = victim.account.sign(message, scene.twin.domain)
    with scene.unharmed(victim, STRANGER):
        for recipient, amount in ((STRANGER.address, 1_000), (victim.account.address, MONEY)):
            outcome = scene.twin.withdraw_signed(
                victim, amount, recipient, deadline=deadline, signature=signature
            )
            assert outcome == BAD
        assert scene.twin.withdraw_signed(victim, 1, STRANGER.address, signer=STRANGER) == BAD
        assert scene.twin.withdraw(STRANGER, 1) == NOT_FREE
    scene.done(scene.twin.withdraw_signed(victim, 1_000, deadline=deadline, signature=signature))


def test_withdrawal__kept_back_past_its_deadline__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    with scene.unharmed(victim):
        outcome = scene.twin.withdraw_signed(victim, 1_000, deadline=scene.twin.now - 1)
        assert outcome == "wallets: message expired"


def test_withdrawal__into_the_market_or_to_nobody__refused(scene: Scene) -> None:
    # Tokens sent to the market itself would belong to nobody.
    (victim,) = scene.homes("victim")
    with scene.unharmed(victim):
        for recipient in (scene.market.address, "0x" + "00" * 20):
            assert scene.twin.withdraw(victim, 1_000, recipient) == "wallets: bad recipient"
        assert scene.twin.withdraw(victim, 0) == "wallets: zero amount"


def test_permit__used_by_somebody_else_first__deposit_goes_through(scene: Scene) -> None:
    # Whoever sees the permit in the queue brings it to the token himself, to make the deposit fail.
    (victim,) = scene.homes("victim")
    before = scene.wallet(victim).balance
    assert scene.twin.deposit_permit(victim, 5_000, used_before=True) == 5_000
    assert scene.wallet(victim).balance - before == 5_000


def test_permit__replayed__takes_nothing(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    v, r, s, deadline = _permit(scene, victim.account, 5_000)
    scene.token.send(DEPLOYER.address, "mint", victim.account.address, 20_000)
    call = (victim.account.address, 5_000, deadline, v, r, s)
    # Outside the twin: the same bytes twice, and whatever they did is undone again.
    with boa.env.anchor():
        boa.env.evm.patch.timestamp = scene.twin.now
        assert scene.market.send(STRANGER.address, "deposit_permit", *call).reason is None
        with scene.unharmed(victim):
            outcome = scene.market.send(STRANGER.address, "deposit_permit", *call)
            assert outcome.reason == "wallets: bad permit"


def _permit(scene: Scene, key: Key, amount: int) -> tuple[int, bytes, bytes, int]:
    """A permit of an amount, as the token takes it, and its deadline."""
    deadline = scene.twin.now + 60
    nonce = scene.token.view("nonces", key.address)
    message = Permit(key.address, scene.market.address, amount, nonce, deadline)
    where = TokenDomain("Test Naira", "1", scene.twin.domain.chain_id, scene.token.address)
    signature = key.sign(message, where)
    return signature.v, signature.r.to_bytes(32, "big"), signature.s.to_bytes(32, "big"), deadline


def test_permit__forged_or_of_another_amount__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    with scene.unharmed(victim):
        outcome = scene.twin.deposit_permit(victim, 5_000, signer=STRANGER, minted=False)
        assert outcome == "wallets: bad permit"
        outcome = scene.twin.deposit_permit(victim, 5_000, permitted=4_999, minted=False)
        assert outcome == "wallets: bad permit"
        outcome = scene.twin.deposit_permit(victim, 5_000, deadline=scene.twin.now - 1, minted=False)
        assert outcome == "wallets: bad permit"


def test_allowance__left_standing__no_part_of_it_pulled_in_by_a_stranger(scene: Scene) -> None:
    # A home allows the market a year's money and deposits by the week: a stranger must not bring the rest in.
    (victim,) = scene.homes("victim")
    scene.twin.mint(victim.account, 10_000)
    zero = bytes(32)
    with scene.unharmed(victim):
        for amount in (1, 5_000, 9_999, 10_001):
            call = (victim.account.address, amount, scene.twin.now + 60, 27, zero, zero)
            outcome = scene.market.send(STRANGER.address, "deposit_permit", *call)
            assert outcome.reason == "wallets: bad permit"
    scene.twin.mint(victim.account, 0, allowance=2**256 - 1)
    with scene.unharmed(victim):
        call = (victim.account.address, 10_000, scene.twin.now + 60, 27, zero, zero)
        assert scene.market.send(STRANGER.address, "deposit_permit", *call).reason == "wallets: bad permit"


def test_allowance__of_exactly_the_amount__pulled_in_by_a_stranger_stays_the_owners(scene: Scene) -> None:
    # An allowance used up whole looks like a permit that somebody used first. A stranger can bring that deposit
    # forward; it is credited to the owner, who takes it out again at once.
    (victim,) = scene.homes("victim")
    scene.twin.mint(victim.account, 10_000)
    before = scene.free(victim)
    assert scene.twin.deposit_permit(victim, 10_000, minted=False, signer=STRANGER) == 10_000
    assert scene.free(victim) == before + 10_000
    scene.done(scene.twin.withdraw(victim, 10_000))
    assert scene.tokens(victim.account.address) == 10_000
    assert scene.free(STRANGER) == 0


def test_deposit__of_more_than_one_has_or_zero__refused(scene: Scene) -> None:
    (victim,) = scene.homes("victim")
    with scene.unharmed(victim):
        scene.twin.mint(victim.account, 0, allowance=0)
        assert scene.twin.deposit(victim, 1_000, minted=False) == "wallets: transfer failed"
        assert scene.twin.deposit(victim, 0) == "wallets: zero amount"


def test_deposit__that_would_overflow_a_balance__refused(scene: Scene) -> None:
    # A balance beyond 104 bits would spill into the reserves next to it.
    victim, whale = scene.homes("victim", "whale")
    with scene.unharmed(victim, whale):
        scene.twin.mint(whale.account, 2**103)
        for amount in (2**102, 2**103):
            outcome = scene.market.send(whale.account.address, "deposit", amount)
            assert outcome.reason == "wallets: balance too large"
        scene.twin.mint(whale.account, 0, allowance=0)
        scene.token.send(whale.account.address, "transfer", STRANGER.address, 2**103)


def test_dust__one_base_unit__moves_as_one(scene: Scene) -> None:
    home, other = scene.homes("home", "other")
    with scene.unharmed(other):
        for _ in range(3):
            before = scene.free(home)
            assert scene.twin.deposit(home, 1) == 1
            scene.done(scene.twin.withdraw(home, 1))
            assert scene.free(home) == before


def test_fund_accounts__debited_by_anybody_else__never(scene: Scene) -> None:
    # Shortfalls, revocations, rounding: the utility's and the network's wallets are only ever credited.
    seller, buyer = scene.homes("seller", "buyer")
    scene.trade(seller, buyer)
    funds = (BALANCING, NETWORK)
    low = [scene.wallet(key).balance for key in funds]

    def grown() -> None:
        now = [scene.wallet(key).balance for key in funds]
        assert all(after >= before for before, after in zip(low, now, strict=True))
        low[:] = now

    scene.settle(scene.twin.report_item(seller, [0, 300]))
    grown()
    scene.settle_all(buyer)
    grown()
    window = scene.trade(seller, buyer)
    scene.done(scene.twin.revoke(seller.connection))
    scene.to_end(window, 3 * DAY)
    scene.settle_all(seller, buyer)
    grown()
    assert scene.twin.withdraw_signed(BALANCING, 1, STRANGER.address, signer=STRANGER) == BAD
    assert all(scene.wallet(key).balance > 0 and scene.wallet(key).reserved == 0 for key in funds)
    # They are ordinary wallets of their owners.
    scene.done(scene.twin.withdraw(BALANCING, scene.free(BALANCING)))


def test_seller__paid_before_its_buyers__takes_nobodys_free_money(scene: Scene) -> None:
    # A seller that is settled first and leaves at once: all others can still take out all that is free.
    seller, buyer, other = scene.homes("seller", "buyer", "other")
    scene.trade(seller, buyer, windows=4)
    scene.settle(scene.twin.report_item(seller, [0] + [1_000] * 4))
    for home in (seller, other, buyer):
        scene.done(scene.twin.withdraw(home, scene.free(home)))
        assert scene.free(home) == 0
    scene.settle_all(buyer)
    for home in (buyer, BALANCING, NETWORK):
        if scene.free(home):
            scene.done(scene.twin.withdraw(home, scene.free(home)))
    assert scene.tokens(scene.market.address) == 0

"""Attacks by the token itself: it calls back, keeps a fee, changes balances, answers false, or feigns permits.

These run on the contracts alone: the reference knows of a token only what the market measures of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import ROOT
from peerwatt.market.words import WalletWord
from peerwatt.signing import Domain, Withdrawal
from twin.chain import START, STRANGER, Contract, Setup, deploy
from twin.keys import Key

TOKEN = ROOT / "tests" / "contracts" / "mocks" / "AttackToken.vy"
MALLORY, VICTIM = Key.named("mallory"), Key.named("victim")
MONEY = 10**9


class Bank:
    """A market in a token that misbehaves, with a victim's money in it."""

    def __init__(self) -> None:
        contracts = deploy(Setup(token=TOKEN))
        self.market, self.token = contracts.market, contracts.token
        boa.env.evm.patch.timestamp = START
        self.domain = Domain(boa.env.evm.patch.chain_id, self.market.address)
        for key in (VICTIM, MALLORY):
            self.allow(key, MONEY)
        self.must(VICTIM, "deposit", MONEY)

    def allow(self, key: Key, amount: int) -> None:
        """Gives somebody tokens and lets the market take them."""
        for sender, function, other in ((STRANGER, "mint", key.address), (key, "approve", self.market.address)):
            assert self.token.send(sender.address, function, other, amount).reason is None

    def must(self, key: Key, function: str, *arguments: Any) -> None:
        outcome = self.market.send(key.address, function, *arguments)
        assert outcome.reason is None, outcome.reason

    def misbehave(self, fee_bps: int = 0, answers_false: bool = False, moves_nothing: bool = False) -> None:
        outcome = self.token.send(STRANGER.address, "misbehave", fee_bps, answers_false, moves_nothing)
        assert outcome.reason is None

    def call_back(self, contract: Contract, function: str, *arguments: Any) -> None:
        """Lets the token's next transfer call a contract."""
        data = getattr(contract.deployed, function).prepare_calldata(*arguments)
        assert self.token.send(STRANGER.address, "call_back", contract.address, data).reason is None

    def balance(self, key: Key) -> int:
        return WalletWord.decode(self.market.view("wallets", key.address)).balance

    def tokens(self, address: str) -> int:
        return int(self.token.view("balanceOf", address))

    def covered(self) -> None:
        """The market holds what it owes."""
        assert self.tokens(self.market.address) >= self.balance(VICTIM) + self.balance(MALLORY)
        assert self.balance(VICTIM) == MONEY

    def hook_failed(self) -> None:
        assert self.token.view("hooks") == 1
        assert self.token.view("hook_went_through") is False

    def signed_withdrawal(self, key: Key, recipient: str, amount: int) -> tuple[Any, ...]:
        deadline = START + 60
        message = Withdrawal(key.address, recipient, amount, 0, deadline)
        signature = key.sign(message, self.domain)
        return key.address, recipient, amount, 0, deadline, signature.r, signature.vs


@pytest.fixture
def bank() -> Iterator[Bank]:
    with boa.env.anchor():
        yield Bank()


def test_token__calls_back_during_a_deposit__nothing_counted_twice(bank: Bank) -> None:
    # The market credits what its balance grew by: a deposit inside a deposit would be counted in both.
    other = Key.named("mallory's friend")
    bank.allow(other, 5_000)
    bank.call_back(bank.market, "deposit_permit", other.address, 5_000, START, 27, bytes(32), bytes(32))
    bank.must(MALLORY, "deposit", MONEY)
    bank.hook_failed()
    assert bank.balance(MALLORY) == MONEY
    assert bank.balance(other) == 0
    bank.covered()


def test_token__calls_back_during_a_withdrawal__paid_once(bank: Bank) -> None:
    bank.must(MALLORY, "deposit", MONEY)
    bank.call_back(
        bank.market, "withdraw_signed", *bank.signed_withdrawal(MALLORY, MALLORY.address, MONEY)
    )
    bank.must(MALLORY, "withdraw", MONEY, MALLORY.address)
    bank.hook_failed()
    assert (bank.balance(MALLORY), bank.tokens(MALLORY.address)) == (0, MONEY)
    bank.covered()


@pytest.mark.parametrize(
    ("function", "arguments"), [("clear", (255,)), ("relay", ([], False)), ("deposit", (1,))]
)
def test_token__calls_back_into_another_act__refused(bank: Bank, function: str, arguments: tuple[Any, ...]) -> None:
    boa.env.evm.patch.timestamp = START + 9_000
    bank.call_back(bank.market, function, *arguments)
    bank.must(MALLORY, "deposit", MONEY)
    bank.hook_failed()
    bank.covered()


def test_token__reads_a_wallet_in_the_middle_of_a_withdrawal__not_misled(bank: Bank) -> None:
    # Another contract that trusts the market's views must not see money that is leaving.
    bank.must(MALLORY, "deposit", MONEY)
    bank.call_back(bank.market, "wallets", MALLORY.address)
    bank.must(MALLORY, "withdraw", MONEY, MALLORY.address)
    assert bank.token.view("hooks") == 1
    if bank.token.view("hook_went_through"):
        answer = int.from_bytes(bank.token.view("hook_answer"), "big")
        assert WalletWord.decode(answer).balance == 0
    bank.covered()


def test_token__keeps_a_fee__credited_what_arrived(bank: Bank) -> None:
    bank.misbehave(fee_bps=250)
    bank.must(MALLORY, "deposit", MONEY)
    assert bank.balance(MALLORY) == MONEY - MONEY * 250 // 10_000
    bank.covered()
    bank.must(MALLORY, "withdraw", bank.balance(MALLORY), MALLORY.address)
    bank.covered()


def test_token__keeps_everything_or_moves_nothing__refused(bank: Bank) -> None:
    for behaviour in ({"fee_bps": 10_000}, {"moves_nothing": True}):
        bank.misbehave(**behaviour)  # type: ignore[arg-type]
        with boa.env.anchor():
            outcome = bank.market.send(MALLORY.address, "deposit", MONEY)
        assert outcome.reason == "wallets: nothing received"
        assert bank.balance(MALLORY) == 0
        bank.covered()


def test_token__answers_false__nothing_credited_or_debited(bank: Bank) -> None:
    # An old token that answers false instead of reverting: money out of thin air, or gone without being sent.
    bank.must(MALLORY, "deposit", MONEY // 2)
    bank.misbehave(answers_false=True, moves_nothing=True)
    assert bank.market.send(MALLORY.address, "deposit", 1_000).reason == "wallets: transfer failed"
    outcome = bank.market.send(MALLORY.address, "withdraw", 1_000, MALLORY.address)
    assert outcome.reason == "wallets: transfer failed"
    assert bank.balance(MALLORY) == MONEY // 2
    bank.covered()


def test_token__raises_the_markets_balance__nobody_can_claim_it(bank: Bank) -> None:
    # A rebase, a gift, an airdrop: the next depositor is credited his own tokens and no more.
    holding = bank.tokens(bank.market.address)
    assert bank.token.send(STRANGER.address, "rebase", bank.market.address, holding * 2).reason is None
    bank.must(MALLORY, "deposit", 1_000)
    assert bank.balance(MALLORY) == 1_000
    outcome = bank.market.send(MALLORY.address, "withdraw", 1_001, MALLORY.address)
    assert outcome.reason == "wallets: not enough free money"
    bank.covered()


def test_tokens__sent_straight_to_the_market__credited_to_nobody(bank: Bank) -> None:
    assert bank.token.send(MALLORY.address, "transfer", bank.market.address, 5_000).reason is None
    assert bank.balance(MALLORY) == 0
    bank.allow(MALLORY, 1_000)
    bank.must(MALLORY, "deposit", 1_000)
    assert bank.balance(MALLORY) == 1_000
    bank.covered()


def test_token__takes_a_call_to_a_permit_it_does_not_know__refused(bank: Bank) -> None:
    # Wrapped ether answers any call: a forged permit "succeeds". Only the allowance tells.
    rich = Key.named("rich")
    bank.allow(rich, 10_000)
    for amount in (9_999, 5_000, 1):
        call = (rich.address, amount, START + 60, 27, bytes(32), bytes(32))
        assert bank.market.send(MALLORY.address, "deposit_permit", *call).reason == "wallets: bad permit"
    assert bank.tokens(rich.address) == 10_000
    bank.covered()


def test_token__moves_its_victims_balance_mid_transfer__others_keep_theirs(bank: Bank) -> None:
    # During mallory's deposit tokens of somebody else arrive: they count for mallory, they are missing from nobody.
    bank.call_back(bank.token, "mint", bank.market.address, 7_000)
    bank.must(MALLORY, "deposit", 1_000)
    bank.covered()
    outcome = bank.market.send(MALLORY.address, "withdraw", bank.balance(MALLORY) + 1, MALLORY.address)
    assert outcome.reason == "wallets: not enough free money"

"""The gateway on an embedded chain: deployment, acts of a home with its own key, refusals as exceptions, events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from eth_account import Account
from web3 import Web3

from peerwatt.exceptions import REASONS
from peerwatt.market.deployment import ManifestError, MarketNumbers, Roles, deploy_market, predict_address
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.senders import KeyAccount, NodeAccount
from peerwatt.market.transactions import get_reason
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.refusals.base import MarketError

NUMBERS = MarketNumbers(900, 300, 61_500, 500, 3 * 86400, 4 * 86400, 50, 200, 50_000)
KEY = Account.from_key(b"\x07" * 32)


@pytest.fixture(scope="module")
def chain() -> EmbeddedChain:
    return EmbeddedChain()


@pytest.fixture(scope="module")
def roles(chain: EmbeddedChain) -> Roles:
    return Roles(*chain.accounts[:4])


@pytest.fixture(scope="module")
def gateway(chain: EmbeddedChain, roles: Roles) -> Iterator[MarketGateway]:
    operator = NodeAccount(chain.accounts[0])
    deployed = MarketGateway(chain.w3, deploy_market(chain.w3, operator, NUMBERS, roles))
    wei = Web3.to_wei(1, "ether")
    chain.w3.eth.send_transaction({"from": chain.accounts[0], "to": KEY.address, "value": wei})
    deployed.act(operator, deployed.token.functions.mint(KEY.address, 1_000))
    yield deployed


def refusal(reason: str) -> type[MarketError]:
    return REASONS[reason]


def test_deploy__numbers_without_sense__refused(chain: EmbeddedChain, roles: Roles) -> None:
    before = chain.w3.eth.block_number
    with pytest.raises(refusal("market: senseless parameter")):
        deploy_market(chain.w3, NodeAccount(chain.accounts[0]), replace(NUMBERS, price_step=0), roles)
    assert chain.w3.eth.block_number >= before


def test_deploy__manifest__is_checked_against_the_chain(gateway: MarketGateway) -> None:
    gateway.deployment.check(gateway.w3)
    with pytest.raises(ManifestError, match="is for chain 5"):
        replace(gateway.deployment, chain_id=5).check(gateway.w3)
    wrong = replace(gateway.deployment, market=gateway.deployment.token)
    with pytest.raises(ManifestError, match=r"EnergyMarket at .* has code hash"):
        wrong.check(gateway.w3)


def test_deploy__registry__knows_the_market(gateway: MarketGateway) -> None:
    assert gateway.registry.functions.market().call() == gateway.deployment.market
    assert gateway.market.functions.registry().call() == gateway.deployment.registry


def test_predict_address__known_vector__matches() -> None:
    # The first contract of the account in the yellow paper's often-quoted example.
    assert predict_address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0", 0) == Web3.to_checksum_address(
        "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    )


def test_home__own_key__deposits_and_withdraws(gateway: MarketGateway) -> None:
    home = KeyAccount(KEY)
    receipt = gateway.deposit(home, 600)
    [deposited] = [event for event in gateway.get_events(receipt) if event.name == "Deposited"]
    assert deposited.args == {"account": KEY.address, "amount": 600}
    assert gateway.wallet(KEY.address).balance == 600
    gateway.withdraw(home, 600)
    assert (gateway.wallet(KEY.address).balance, gateway.token_balance(KEY.address)) == (0, 1_000)


@pytest.mark.parametrize("kind", [KeyAccount(KEY), None], ids=["own key", "node's account"])
def test_withdraw__more_than_free__typed_exception(gateway: MarketGateway, kind: KeyAccount | None) -> None:
    sender = kind or NodeAccount(gateway.w3.eth.accounts[5])
    with pytest.raises(refusal("wallets: not enough free money")):
        gateway.withdraw(sender, 1)


def test_place__not_enrolled__reason_of_the_registry_arrives(gateway: MarketGateway) -> None:
    window = gateway.now_s() // 900 + 3
    with pytest.raises(refusal("participants: not enrolled")):
        gateway.place(KeyAccount(KEY), KEY.address, 0, window, window, 100, 100, 1)


def test_relay__malformed__typed_exception(gateway: MarketGateway) -> None:
    with pytest.raises(refusal("relay: unknown item")):
        gateway.relay(NodeAccount(gateway.w3.eth.accounts[4]), [9 << 248])


def test_relay__bad_item__skipped_and_logged(gateway: MarketGateway) -> None:
    item = (4 << 248) | int(KEY.address, 16) | (1 << 224)
    receipt = gateway.relay(NodeAccount(gateway.w3.eth.accounts[4]), [item])
    [skipped] = gateway.get_events(receipt)
    assert skipped.name == "ItemSkipped"
    assert skipped.args == {"account": KEY.address, "index": 0, "reason": 34}
    with pytest.raises(refusal("settlement: nothing due")):
        gateway.relay(NodeAccount(gateway.w3.eth.accounts[4]), [item], strict=True)


def test_get_reason__node_dialects__same_reason() -> None:
    for text in (
        "execution reverted: offers: gate closed",
        "('execution reverted: offers: gate closed', '0x08c379a0')",
        "VM Exception while processing transaction: revert offers: gate closed",
    ):
        assert get_reason(ValueError(text)) == "offers: gate closed"

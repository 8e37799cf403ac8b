"""Verification of a deployed market: each way to be another one than meant is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from web3 import Web3

from peerwatt.market.deployment import Deployment, Roles, deploy_market
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.parameters import load_parameters
from peerwatt.market.senders import NodeAccount
from peerwatt.market.verification import VerificationFailed, verify
from peerwatt.node.embedded import EmbeddedChain

SOMEBODY = Web3.to_checksum_address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")


@pytest.fixture(scope="module")
def gateway() -> MarketGateway:
    chain = EmbeddedChain()
    owner, roles = NodeAccount(chain.accounts[0]), Roles(*chain.accounts[:4])
    return MarketGateway(chain.w3, deploy_market(chain.w3, owner, load_parameters().numbers, roles))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: replace(d, parameters=replace(d.parameters, min_order_wh=51)), "parameters.min_order_wh"),
        (lambda d: replace(d, roles=replace(d.roles, operator=SOMEBODY)), f"operator is .* not {SOMEBODY}"),
        (lambda d: replace(d, roles=replace(d.roles, network_account=SOMEBODY)), "the market's network account"),
        (lambda d: replace(d, token=d.market), "parameters.token"),
        (lambda d: replace(d, registry=d.market), "the code of EnergyRegistry is not the shipped one"),
        (lambda d: replace(d, lens=d.market), "the code of MarketLens is not the shipped one"),
        (lambda d: replace(d, chain_id=5), "signing.CHAIN_ID .* signing.DOMAIN"),
    ],
)
def test_verify__other_market_than_meant__difference_named(
    gateway: MarketGateway, change: Callable[[Deployment], Deployment], expected: str
) -> None:
    with pytest.raises(VerificationFailed, match=expected):
        verify(MarketGateway(gateway.w3, change(gateway.deployment)), meter_classes=0b11)


def test_verify__other_arguments_of_the_registry__difference_named(gateway: MarketGateway) -> None:
    verify(gateway, meter_classes=3)
    with pytest.raises(VerificationFailed, match="meter_classes is 3, not 1"):
        verify(gateway, meter_classes=1)
    with pytest.raises(VerificationFailed, match=r"enrolment\.predecessor"):
        verify(gateway, meter_classes=3, predecessor=SOMEBODY)

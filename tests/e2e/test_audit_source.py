"""A market's history over HTTP, from both engines; a call through a contract wallet among it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from eth_utils.crypto import keccak
from web3 import Web3

from cli.village import IMBALANCE, NUMBERS, TABLES
from e2e.tools import RunningNode
from peerwatt.audit.ahead import ReadAhead
from peerwatt.audit.crosscheck import crosscheck
from peerwatt.audit.headers import encode_header, hash_header
from peerwatt.audit.proofs import (
    receipt_proof,
    transaction_proof,
    verify_receipt_proof,
    verify_transaction_proof,
)
from peerwatt.audit.rpc import HttpTransport
from peerwatt.audit.source import read_history
from peerwatt.audit.transport import Request
from peerwatt.market.deployment import Deployment, Roles, deploy_market
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.senders import NodeAccount
from peerwatt.units import PriceGrid, parse_unit_price

# Calls the address in the first 20 bytes of its calldata with the rest, and reverts if that fails.
FORWARDER = bytes.fromhex("6014360380601460003760006000916000600060003560601c5af1602357600060" + "00fd5b00")
INIT = bytes([0x60, len(FORWARDER), 0x60, 12, 0x60, 0, 0x39, 0x60, len(FORWARDER), 0x60, 0, 0xF3])


@dataclass(frozen=True)
class Scene:
    """A market on a local chain.

    Attributes:
        wallet: a contract that consented to something.
        digest: what it consented to.
    """

    node: RunningNode
    deployment: Deployment
    wallet: str
    digest: bytes


@pytest.fixture(scope="module")
def scene(local_chain: RunningNode) -> Iterator[Scene]:
    w3 = local_chain.w3
    operator, regulator, balancing, network, relayer = w3.eth.accounts[:5]
    deployment = deploy_market(w3, NodeAccount(operator), NUMBERS, Roles(operator, regulator, balancing, network))
    gateway = MarketGateway(w3, deployment)
    grid = PriceGrid(NUMBERS.floor_price, NUMBERS.price_step, 6, "NGN")
    steps = (parse_unit_price(IMBALANCE, grid) - grid.floor_price) // grid.price_step
    gateway.act(NodeAccount(regulator), gateway.registry.functions.publish_tariff(steps, *TABLES))
    gateway.act(NodeAccount(operator), gateway.token.functions.mint(relayer, 7))
    gateway.act(NodeAccount(relayer), gateway.token.functions.transfer(deployment.market, 7))
    created = w3.eth.send_transaction({"from": relayer, "data": Web3.to_hex(INIT + FORWARDER)})
    wallet = w3.eth.wait_for_transaction_receipt(created)["contractAddress"]
    assert wallet is not None
    digest = bytes(keccak(text="something"))
    call = gateway.registry.encode_abi("consent", [digest])
    sent = w3.eth.send_transaction(
        {"from": relayer, "to": wallet, "data": Web3.to_hex(hexstr=deployment.registry + call[2:])}
    )
    assert w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
    yield Scene(local_chain, deployment, wallet.lower(), digest)


@pytest.fixture(scope="module")
def transport(scene: Scene) -> Iterator[HttpTransport]:
    with HttpTransport(scene.node.url) as transport:
        yield transport


def test_history__over_http__call_through_a_wallet_as_far_as_the_engine_tells(
    scene: Scene, transport: HttpTransport
) -> None:
    history = read_history(transport, scene.deployment, check_headers=True)
    chunks = list(ReadAhead(history))
    transactions = [one for chunk in chunks for one in chunk.transactions]
    assert all(one.authentic for one in transactions)
    (through,) = [one for one in transactions if one.to == scene.wallet]
    assert scene.digest in (*through.logs[0].topics, through.logs[0].data)
    if scene.node.engine == "anvil":
        (call,) = through.calls or ()
        assert (call.contract, call.caller) == (scene.deployment.registry.lower(), scene.wallet)
        assert call.data[4:] == scene.digest
    else:
        # The eth-tester engine does not trace.
        assert through.calls is None
    assert all(one.calls is not None for one in transactions if one != through)
    (gift,) = [one for chunk in chunks for one in chunk.transfers]
    assert int.from_bytes(gift.data, "big") == 7


def test_crosscheck__node_with_itself__agrees(scene: Scene, transport: HttpTransport) -> None:
    with HttpTransport(scene.node.url) as other:
        assert list(crosscheck(read_history(transport, scene.deployment), other))


def test_proofs__every_block_of_the_chain__proven(scene: Scene, transport: HttpTransport) -> None:
    numbers = range(int(scene.node.w3.eth.block_number) + 1)
    requests: list[Request] = [("eth_getBlockByNumber", [hex(number), True]) for number in numbers]
    requests += [("eth_getBlockReceipts", [hex(number)]) for number in numbers]
    answers: list[Any] = transport.many(requests)
    for block, receipts in zip(answers[: len(numbers)], answers[len(numbers) :], strict=True):
        assert f"0x{hash_header(block).hex()}" == block["hash"]
        header = encode_header(block)
        for index, raw in enumerate(block["transactions"]):
            receipt = verify_receipt_proof(header, receipt_proof(block, receipts, index), index)
            assert len(receipt.logs) == len(receipts[index]["logs"])
            signed = verify_transaction_proof(header, transaction_proof(block, index), index)
            assert f"0x{signed.hash.hex()}" == raw["hash"] and signed.sender == raw["from"].lower()

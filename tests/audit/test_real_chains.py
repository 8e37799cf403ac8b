"""A history, headers and proofs of blocks that a real machine made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_typing import BlockNumber
from eth_utils.crypto import keccak
from trie import HexaryTrie
from web3 import Web3

from cli.village import ADA, BOLA, Village
from peerwatt import artifacts
from peerwatt.audit.authentic import is_authentic
from peerwatt.audit.crosscheck import crosscheck
from peerwatt.audit.failures import SourceContradiction
from peerwatt.audit.headers import decode_header, encode_header, hash_header
from peerwatt.audit.proofs import (
    BadProof,
    check_receipts,
    receipt_proof,
    transaction_proof,
    verify_receipt_proof,
    verify_transaction_proof,
)
from peerwatt.audit.source import read_history
from peerwatt.audit.transport import InProcess, Request, RpcError, ask
from peerwatt.market.senders import KeyAccount
from peerwatt.node.accounts import dev_accounts
from peerwatt.node.chain import LocalChain
from peerwatt.node.methods import Node
from peerwatt.node.view import view_node

Json = dict[str, Any]


@pytest.fixture(scope="module")
def village() -> Iterator[Village]:
    village = Village((ADA, BOLA))
    first = village.window + 2
    village.offer(ADA, first, first + 1, "2 kWh", "100 NGN/kWh")
    village.bid(BOLA, first, first, "1 kWh", "150 NGN/kWh")
    village.travel_to(first)
    village.clear()
    village.gateway.withdraw(KeyAccount(Account.from_key(BOLA.account_key)), village.money("200 NGN"))
    yield village


@pytest.fixture(scope="module")
def transport(village: Village) -> InProcess:
    return InProcess(view_node(village.chain).answer, "eth-tester")


@pytest.fixture(scope="module")
def busy() -> InProcess:
    """A node whose newest block has 20 transactions with logs, and one of another type without."""
    node = Node(LocalChain())
    sender, receiver = (account.address for account in dev_accounts()[:2])
    token = artifacts.load("SettlementToken")
    deployment = Web3().eth.contract(abi=token.abi, bytecode=token.bytecode).constructor("naira", "NGN", 6)
    common = {"from": sender, "gas": hex(3_000_000)}
    sent = node.answer("eth_sendTransaction", [{**common, "data": deployment.data_in_transaction}])
    address = node.answer("eth_getTransactionReceipt", [sent])["contractAddress"]
    contract = Web3().eth.contract(Web3.to_checksum_address(address), abi=token.abi)
    node.answer("evm_setAutomine", [False])
    for amount in range(20):
        mint = contract.encode_abi("mint", [receiver, amount])
        node.answer("eth_sendTransaction", [{**common, "to": address, "data": mint, "gas": hex(100_000)}])
    legacy = {"from": receiver, "to": sender, "value": "0x1", "gasPrice": hex(10**10)}
    node.answer("eth_sendTransaction", [legacy])
    node.answer("evm_mine", [])
    return InProcess(node.answer, "peerwatt node")


def test_history__village__as_web3_tells_it(village: Village, transport: InProcess) -> None:
    history = read_history(transport, village.deployment, check_headers=True)
    chunks = list(history)
    transactions = [one for chunk in chunks for one in chunk.transactions]
    assert history.last.number == village.w3.eth.block_number
    addresses = [village.deployment.market, village.deployment.registry]
    expected = village.w3.eth.get_logs({"fromBlock": village.deployment.block, "address": addresses})
    found = [log for one in transactions for log in one.logs]
    assert [(log.block, log.index, log.data, log.topics) for log in found] == [
        (log["blockNumber"], log["logIndex"], bytes(log["data"]), tuple(map(bytes, log["topics"]))) for log in expected
    ]
    assert all(one.authentic for one in transactions)
    assert all(one.calls is not None for one in transactions)
    market = bytes.fromhex(village.deployment.market[2:]).rjust(32, b"\0")
    moved = [
        int.from_bytes(log.data, "big") * (1 if log.topics[2] == market else -1)
        for chunk in chunks
        for log in chunk.transfers
    ]
    assert moved == [village.money("500 NGN")] * 2 + [-village.money("200 NGN")]
    assert sum(moved) == village.gateway.token.functions.balanceOf(village.deployment.market).call()


def test_crosscheck__same_node_twice__agrees(village: Village, transport: InProcess) -> None:
    history = read_history(transport, village.deployment)
    assert len(list(crosscheck(history, transport))) == 1


def test_headers__all_blocks__hash_to_their_hashes(village: Village, transport: InProcess) -> None:
    blocks = transport.many(
        [("eth_getBlockByNumber", [hex(number), False]) for number in range(village.w3.eth.block_number + 1)]
    )
    for raw in blocks:
        assert f"0x{hash_header(raw).hex()}" == raw["hash"]
        header = decode_header(encode_header(raw))
        assert (header.number, header.time_s) == (int(raw["number"], 16), int(raw["timestamp"], 16))
        assert f"0x{header.parent_hash.hex()}" == raw["parentHash"]
        assert f"0x{header.hash.hex()}" == raw["hash"]


@pytest.mark.parametrize("encoded", [b"", b"\x80", b"\xc0", rlp.encode([b"1", b"2"]), b"\xff\xff"])
def test_decode_header__no_header__refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="no block header"):
        decode_header(encoded)


def facts(transport: InProcess) -> tuple[Json, list[Json]]:
    requests: list[Request] = [("eth_getBlockByNumber", ["latest", True]), ("eth_getBlockReceipts", ["latest"])]
    block, receipts = transport.many(requests)
    assert len(receipts) == 21 and {raw["type"] for raw in receipts} == {"0x0", "0x2"}
    return block, receipts


def test_proofs__each_transaction_of_a_block__proven(busy: InProcess) -> None:
    block, receipts = facts(busy)
    header = encode_header(block)
    assert keccak(header) == bytes.fromhex(block["hash"][2:])
    for index, raw in enumerate(block["transactions"]):
        receipt = verify_receipt_proof(header, receipt_proof(block, receipts, index), index)
        assert receipt.succeeded == (receipts[index]["status"] == "0x1")
        assert [(f"0x{data.hex()}", len(topics)) for _, topics, data in receipt.logs] == [
            (log["data"], len(log["topics"])) for log in receipts[index]["logs"]
        ]
        signed = verify_transaction_proof(header, transaction_proof(block, index), index)
        assert f"0x{signed.hash.hex()}" == raw["hash"] and is_authentic(raw)
        assert (signed.sender, f"0x{signed.data.hex()}") == (raw["from"].lower(), raw["input"])


def test_proofs__for_something_else__prove_nothing(busy: InProcess) -> None:
    block, receipts = facts(busy)
    header, proof = encode_header(block), receipt_proof(block, receipts, 3)
    broken = [*proof[:-1], proof[-1][:-1] + bytes([proof[-1][-1] ^ 1])]
    for what in ((header, proof, 4), (header, proof[1:], 3), (header, broken, 3), (header, [], 3), (b"", proof, 3)):
        with pytest.raises(BadProof):
            verify_receipt_proof(*what)
    with pytest.raises(BadProof):
        verify_transaction_proof(header, proof, 3)
    # Far beyond the last one: the trie proves that there is none.
    with pytest.raises(BadProof):
        verify_receipt_proof(header, proof, 10_000)


def test_receipts__changed__do_not_fit_the_header(busy: InProcess) -> None:
    block, receipts = facts(busy)
    assert check_receipts(block, receipts)
    index = next(index for index, receipt in enumerate(receipts) if receipt["logs"])
    log = {**receipts[index]["logs"][0], "data": f"0x{6:064x}"}
    forged = [*receipts[:index], {**receipts[index], "logs": [log]}, *receipts[index + 1 :]]
    assert not check_receipts(block, forged)
    assert not check_receipts(block, receipts[:-1])
    with pytest.raises(SourceContradiction, match=r"block 2: its entries give the root 0x\w+, its receiptsRoot"):
        receipt_proof(block, forged, index)
    with pytest.raises(SourceContradiction, match="does not hash to"):
        receipt_proof({**block, "timestamp": "0x1"}, receipts, index)
    with pytest.raises(ValueError, match="there is none with index 99"):
        transaction_proof(block, 99)


def test_view__calls_and_state__as_web3_tells_them(village: Village, transport: InProcess) -> None:
    market, number = village.deployment.market, int(village.w3.eth.block_number)
    query = {"to": village.deployment.token, "data": f"0x70a08231{market[2:].lower().rjust(64, '0')}"}
    for block in (number, number - 1):
        held = village.gateway.token.functions.balanceOf(market).call(block_identifier=BlockNumber(block))
        assert int(ask(transport, "eth_call", query, hex(block)), 16) == held
    assert ask(transport, "eth_getCode", market, hex(number)) == village.w3.eth.get_code(market).to_0x_hex()
    proof = ask(transport, "eth_getProof", market, ["0x0"], hex(number))
    root = bytes.fromhex(ask(transport, "eth_getBlockByNumber", hex(number), False)["stateRoot"][2:])
    nodes = [rlp.decode(bytes.fromhex(node[2:])) for node in proof["accountProof"]]
    account = rlp.decode(HexaryTrie.get_from_proof(root, keccak(bytes.fromhex(market[2:])), nodes))
    assert account[3] == keccak(village.w3.eth.get_code(market))
    with pytest.raises(RpcError, match=f"there is no block 9999; the newest one is {number}"):
        ask(transport, "eth_call", query, hex(9999))


def test_view__snapshot_taken_back__blocks_are_gone(village: Village, transport: InProcess) -> None:
    mark, number = village.chain.take_snapshot(), int(village.w3.eth.block_number)
    village.fund(ADA.account)
    newest = ask(transport, "eth_getBlockByNumber", "latest", True)
    one = newest["transactions"][0]["hash"]
    assert ask(transport, "eth_getTransactionByHash", one)["blockNumber"] == newest["number"]
    village.chain.revert_to(mark)
    assert int(ask(transport, "eth_blockNumber"), 16) == number
    gone: list[Request] = [("eth_getTransactionByHash", [one]), ("eth_getBlockByHash", [newest["hash"], False])]
    assert transport.many(gone) == [None, None]
    assert ask(transport, "eth_getBlockByNumber", newest["number"], False) is None


def test_history__manifest_of_another_block__refused(village: Village, transport: InProcess) -> None:
    forged = replace(village.deployment, block_hash="0x" + "11" * 32)
    with pytest.raises(SourceContradiction, match="the manifest says 0x1111"):
        read_history(transport, forged)

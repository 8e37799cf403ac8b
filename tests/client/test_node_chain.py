"""The eth-tester engine without HTTP: clock, blocks, pool, snapshots, state file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from peerwatt.node.accounts import dev_accounts
from peerwatt.node.chain import LocalChain
from peerwatt.node.clock import ChainClock
from peerwatt.node.errors import InvalidParams, NodeSetupError, RpcError
from peerwatt.node.methods import Node
from peerwatt.node.store import Store

START_S = 1_800_000_000
A, B = (account.address for account in dev_accounts()[:2])
GWEI = 10**9
# Programs that a call without receiver runs: what they return.
TIMESTAMP = "0x4260005260206000f3"
# Emits one log with topic 1; deployed by the init code before it.
LOGGER = "0x67600160006000a10060005260086018f3"


class Wall:
    """A wall clock that tests move."""

    def __init__(self) -> None:
        self.time_s = START_S

    def __call__(self) -> int:
        return self.time_s


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def node(wall: Wall) -> Node:
    return Node(LocalChain(clock=ChainClock(wall_s=wall)))


def rpc(node: Node, method: str, *params: Any) -> Any:
    return node.answer(method, list(params))


def time_of(node: Node, block: str = "latest") -> int:
    return int(rpc(node, "eth_getBlockByNumber", block)["timestamp"], 16)


def pay(node: Node, wei: int = 1, **more: Any) -> str:
    return str(rpc(node, "eth_sendTransaction", {"from": A, "to": B, "value": hex(wei), **more}))


def balance(node: Node, account: str, block: str = "latest") -> int:
    return int(rpc(node, "eth_getBalance", account, block), 16)


def raw(nonce: int, *, wei: int = 1, price: int = 2 * GWEI, **more: Any) -> str:
    fields = {"to": B, "value": wei, "nonce": nonce, "gas": 21_000, "gasPrice": price, "chainId": 31337, **more}
    return "0x" + Account.sign_transaction(fields, dev_accounts()[0].key).raw_transaction.hex()


def test_clock__after_each_kind_of_travel__ticks_on(node: Node, wall: Wall) -> None:
    for travel, shift_s in (
        (("evm_increaseTime", 3600), 3600),
        (("evm_setNextBlockTimestamp", START_S + 10_000), None),
        (("evm_setNextBlockTimestamp", hex(START_S + 20_000)), None),
    ):
        before = time_of(node)
        rpc(node, *travel)
        rpc(node, "evm_mine")
        expected = before + shift_s if shift_s else int(str(travel[1]), 0)
        assert time_of(node) == expected
        wall.time_s += 100
        pay(node)
        assert time_of(node) == expected + 100


def test_clock__many_blocks_in_a_second__each_one_second_later(node: Node, wall: Wall) -> None:
    rpc(node, "anvil_mine", "0x5")
    assert time_of(node) == START_S + 5
    wall.time_s += 3
    rpc(node, "evm_mine")
    assert time_of(node) == START_S + 6
    rpc(node, "evm_increaseTime", 60)
    rpc(node, "evm_mine")
    assert time_of(node) == START_S + 66, "an hour is an hour from the newest block"


def test_mine__with_options__times_and_numbers(node: Node) -> None:
    rpc(node, "evm_mine", START_S + 50)
    assert time_of(node) == START_S + 50
    rpc(node, "evm_mine", {"timestamp": START_S + 100, "blocks": 3})
    assert [time_of(node, hex(number)) - START_S for number in (2, 3, 4)] == [100, 101, 102]
    rpc(node, "anvil_mine", 2, 60)
    assert [time_of(node, hex(number)) - START_S for number in (5, 6)] == [162, 222]
    rpc(node, "anvil_setBlockTimestampInterval", 7)
    rpc(node, "anvil_mine", 2)
    assert time_of(node) == START_S + 236
    assert rpc(node, "anvil_removeBlockTimestampInterval") is True
    with pytest.raises(InvalidParams, match=f"timestamp 5 is not after the newest block's, {START_S + 236}"):
        rpc(node, "evm_setNextBlockTimestamp", 5)
    with pytest.raises(InvalidParams, match="10001 blocks are too many"):
        rpc(node, "anvil_mine", 10_001)


def test_time__call_estimate_pending_and_next_block__are_one(node: Node, wall: Wall) -> None:
    wall.time_s += 500
    rpc(node, "evm_increaseTime", 1000)
    seen = int(rpc(node, "eth_call", {"data": TIMESTAMP}), 16)
    assert seen == START_S + 1500 == time_of(node, "pending")
    # Invalid before that second.
    gated = f"0x63{seen:08x}421015600c57fe5b00"
    assert int(rpc(node, "eth_estimateGas", {"from": A, "data": gated}), 16) > 53_000
    rpc(node, "evm_mine")
    assert time_of(node) == seen
    later = rpc(node, "eth_call", {"data": TIMESTAMP}, "0x0")
    assert int(later, 16) == START_S, "a call on an older block sees its time"


def test_snapshot__revert__restores_blocks_state_clock_and_pool(node: Node, wall: Wall) -> None:
    rpc(node, "evm_setAutomine", False)
    waiting = pay(node, 5)
    mark = rpc(node, "evm_snapshot")
    before = rpc(node, "eth_getBlockByNumber", "latest"), balance(node, B)
    rpc(node, "evm_increaseTime", 86_400)
    rpc(node, "evm_mine")
    second = rpc(node, "evm_snapshot")
    rpc(node, "anvil_setBalance", B, "0x1")
    assert rpc(node, "eth_getTransactionReceipt", waiting)["status"] == "0x1"
    assert rpc(node, "evm_revert", mark) is True
    assert (rpc(node, "eth_getBlockByNumber", "latest"), balance(node, B)) == before
    assert rpc(node, "eth_getTransactionReceipt", waiting) is None
    assert rpc(node, "eth_getTransactionByHash", waiting)["blockNumber"] is None
    assert time_of(node, "pending") == START_S + 1
    assert rpc(node, "evm_revert", mark) is False and rpc(node, "evm_revert", second) is False
    rpc(node, "evm_mine")
    assert rpc(node, "eth_getTransactionReceipt", waiting)["blockNumber"] == "0x1"
    assert balance(node, B) == before[1] + 5


def test_revert__other_blocks_after__forgotten_ones_stay_forgotten(node: Node) -> None:
    mark = rpc(node, "evm_snapshot")
    blocks = rpc(node, "eth_newBlockFilter")
    gone = pay(node, 7)
    gone_block = rpc(node, "eth_getBlockByNumber", "latest")["hash"]
    assert rpc(node, "eth_getFilterChanges", blocks) == [gone_block]
    rpc(node, "evm_revert", mark)
    kept = pay(node, 8)
    assert rpc(node, "eth_getTransactionByHash", gone) is None
    assert rpc(node, "eth_getBlockByHash", gone_block) is None
    with pytest.raises(InvalidParams, match="no block with hash"):
        rpc(node, "eth_getLogs", {"blockHash": gone_block})
    assert rpc(node, "eth_getFilterChanges", blocks) == [rpc(node, "eth_getBlockByNumber", "latest")["hash"]]
    assert rpc(node, "eth_getTransactionByHash", kept)["blockNumber"] == "0x1"


def test_pool__gaps_and_replacements__are_kept_in_sequence(node: Node) -> None:
    rpc(node, "evm_setAutomine", False)
    third = rpc(node, "eth_sendRawTransaction", raw(2))
    first = rpc(node, "eth_sendRawTransaction", raw(0))
    assert rpc(node, "txpool_status") == {"pending": "0x1", "queued": "0x1"}
    assert rpc(node, "eth_getTransactionCount", A, "pending") == "0x1"
    with pytest.raises(RpcError, match="replacement transaction underpriced"):
        rpc(node, "eth_sendRawTransaction", raw(0, wei=2))
    replaced = rpc(node, "eth_sendRawTransaction", raw(0, wei=3, price=3 * GWEI))
    with pytest.raises(RpcError, match="already known"):
        rpc(node, "eth_sendRawTransaction", raw(2))
    second = rpc(node, "eth_sendRawTransaction", raw(1))
    pending = rpc(node, "eth_getBlockByNumber", "pending")
    assert (pending["transactions"], pending["hash"], pending["number"]) == ([replaced, second, third], None, "0x1")
    assert balance(node, B, "pending") == balance(node, B) + 5
    rpc(node, "evm_mine")
    assert rpc(node, "eth_getBlockByNumber", "latest")["transactions"] == [replaced, second, third]
    assert rpc(node, "eth_getTransactionByHash", first) is None
    assert rpc(node, "txpool_status") == {"pending": "0x0", "queued": "0x0"}


def test_pool__base_fee_above_the_limit__waits_until_it_falls(node: Node) -> None:
    rpc(node, "evm_setAutomine", False)
    base_fee = int(rpc(node, "eth_getBlockByNumber", "pending")["baseFeePerGas"], 16)
    fees = {"maxFeePerGas": hex(base_fee), "maxPriorityFeePerGas": "0x0"}
    # A block that is full raises the base fee of the next one.
    large = {"from": B, "to": A, "data": "0x" + "ff" * 300_000, "gas": hex(12_100_000), "gasPrice": hex(2 * GWEI)}
    for _ in range(3):
        rpc(node, "eth_sendTransaction", large)
    rpc(node, "evm_mine")
    with pytest.raises(RpcError, match="max fee per gas less than block base fee"):
        pay(node, **fees)
    rpc(node, "evm_mine")
    rpc(node, "evm_mine")
    assert rpc(node, "eth_getTransactionReceipt", pay(node, **fees)) is None
    rpc(node, "evm_mine")
    assert len(rpc(node, "eth_getBlockReceipts", "latest")) == 1


@pytest.mark.parametrize(
    ("transaction", "words"),
    [
        (raw(0, chainId=1), "invalid chain id for signer: have 1 want 31337"),
        (raw(0, gas=20_999), "intrinsic gas too low: gas 20999, minimum needed 21000"),
        (raw(0, gas=60_000_001), "exceeds block gas limit"),
        (raw(0, wei=10**30), r"insufficient funds for gas \* price \+ value"),
        (raw(0, price=1), "max fee per gas less than block base fee: maxFeePerGas: 1, baseFee: 875000000"),
        (raw(0, data="0x" + "ff" * 100, gas=22_000), "intrinsic gas too low: gas 22000, minimum needed 25000"),
        ("0x", "can't be decoded"),
        ("0x7f1234", "can't be decoded|no kind"),
        ("0xc0", "can't be decoded"),
        (raw(0)[:-2], "can't be decoded"),
    ],
)
def test_send__what_can_never_be_included__is_refused_in_geths_words(node: Node, transaction: str, words: str) -> None:
    with pytest.raises(RpcError, match=words):
        rpc(node, "eth_sendRawTransaction", transaction)
    assert rpc(node, "eth_blockNumber") == "0x0"


def test_send__used_nonce__is_refused(node: Node) -> None:
    rpc(node, "eth_sendRawTransaction", raw(0))
    with pytest.raises(RpcError, match="nonce too low: next nonce 1, tx nonce 0"):
        rpc(node, "eth_sendRawTransaction", raw(0, wei=9))
    with pytest.raises(RpcError, match=r"nonce too low|already known"):
        rpc(node, "eth_sendRawTransaction", raw(0))


def test_state_file__opened_again__goes_on_where_it_stopped(tmp_path: Path, wall: Wall) -> None:
    path = tmp_path / "chain.db"
    node = Node(LocalChain(Store(path), clock=ChainClock(wall_s=wall)))
    created = rpc(node, "eth_getTransactionReceipt", rpc(node, "eth_sendTransaction", {"from": A, "data": LOGGER}))
    contract = created["contractAddress"]
    logged = rpc(node, "eth_sendTransaction", {"from": A, "to": contract})
    rpc(node, "anvil_impersonateAccount", contract)
    rpc(node, "anvil_setBalance", contract, hex(10**18))
    borrowed = rpc(node, "eth_sendTransaction", {"from": contract, "to": B, "value": "0x9"})
    rpc(node, "evm_increaseTime", 5000)
    rpc(node, "evm_mine")
    rpc(node, "anvil_setBalance", B, "0x7")
    kept = [
        rpc(node, "eth_getBlockByNumber", "latest", True),
        rpc(node, "eth_getTransactionReceipt", logged),
        rpc(node, "eth_getTransactionByHash", borrowed),
        rpc(node, "eth_getLogs", {"fromBlock": "0x0", "address": contract}),
        rpc(node, "eth_getCode", contract),
    ]
    assert kept[2]["from"] == contract and len(kept[3]) == 1
    with pytest.raises(NodeSetupError, match="in use by another node"):
        Store(path)
    node.chain.close()
    wall.time_s += 60
    again = Node(LocalChain(Store(path), clock=ChainClock(wall_s=wall)))
    assert kept == [
        rpc(again, "eth_getBlockByNumber", "latest", True),
        rpc(again, "eth_getTransactionReceipt", logged),
        rpc(again, "eth_getTransactionByHash", borrowed),
        rpc(again, "eth_getLogs", {"fromBlock": "0x0", "address": contract}),
        rpc(again, "eth_getCode", contract),
    ]
    assert balance(again, B) == 7, "what was set by hand is kept too"
    assert time_of(again, "pending") == time_of(again) + 60, "the clock ran on meanwhile"
    pay(again)
    assert balance(again, B) == 8
    again.chain.close()


def test_state_file__another_chain_or_no_chain__is_refused(tmp_path: Path) -> None:
    path, text, folder = tmp_path / "chain.db", tmp_path / "notes.txt", tmp_path / "missing" / "chain.db"
    LocalChain(Store(path)).close()
    text.write_text("not a chain " * 100)
    store = Store(path)
    with pytest.raises(NodeSetupError, match="has chain 31337, asked for 5; leave out --chain-id 5"):
        LocalChain(store, chain_id=5)
    with pytest.raises(NodeSetupError, match="started already; leave out --time"):
        LocalChain(store, start_s=START_S)
    store.close()
    with pytest.raises(NodeSetupError, match=r"notes.txt is no chain of the eth-tester engine"):
        Store(text)
    assert text.read_text().startswith("not a chain"), "a file that is something else is left alone"
    with pytest.raises(NodeSetupError, match="can't be used for the chain"):
        Store(folder)

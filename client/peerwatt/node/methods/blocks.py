"""What a node says about itself, and blocks."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from peerwatt.node.chain import Block
from peerwatt.node.encode import Json, base_fee_of, block_json, data, effective_gas_price, quantity, receipt_json
from peerwatt.node.errors import InvalidParams
from peerwatt.node.methods.registry import Node, method
from peerwatt.node.methods.transactions import PRIORITY_FEE_WEI
from peerwatt.node.params import read_data, read_quantity, read_selector

MAX_HISTORY = 1024


@method("web3_clientVersion")
def client_version(node: Node) -> str:
    return node.version


@method("web3_sha3")
def sha3(node: Node, content: Any) -> str:
    return data(keccak(read_data(content, "the data")))


@method("net_version")
def net_version(node: Node) -> str:
    return str(node.chain.chain_id)


@method("net_listening")
def net_listening(node: Node) -> bool:
    return True


@method("net_peerCount")
def net_peer_count(node: Node) -> str:
    return "0x0"


@method("eth_chainId")
def chain_id(node: Node) -> str:
    return quantity(node.chain.chain_id)


@method("eth_syncing")
def syncing(node: Node) -> bool:
    return False


@method("eth_blockNumber")
def block_number(node: Node) -> str:
    return quantity(node.chain.height)


@method("eth_gasPrice")
def gas_price(node: Node) -> str:
    return quantity(base_fee_of(node.chain.header_for("latest")) + PRIORITY_FEE_WEI)


@method("eth_maxPriorityFeePerGas")
def max_priority_fee(node: Node) -> str:
    return quantity(PRIORITY_FEE_WEI)


@method("eth_blobBaseFee")
def blob_base_fee(node: Node) -> str:
    return "0x1"


@method("eth_feeHistory")
def fee_history(node: Node, count: Any, newest: Any = "latest", percentiles: Any = None) -> Json:
    asked = read_quantity(count, "the number of blocks")
    if not 1 <= asked <= MAX_HISTORY:
        raise InvalidParams(f"the number of blocks is {asked}; give 1 to {MAX_HISTORY}")
    if not isinstance(percentiles or [], list):
        raise InvalidParams("the percentiles are no list")
    selector = read_selector(newest, node.chain)
    last = node.chain.height if isinstance(selector, str) else selector
    found = [node.chain.block(number) for number in range(max(0, last + 1 - asked), last + 1)]
    blocks = [block for block in found if block is not None]
    after = node.chain.block(last + 1)
    next_header = node.chain.header_for("latest") if after is None else after.header
    fees = [base_fee_of(header) for header in [*(block.header for block in blocks), next_header]]
    history: Json = {
        "oldestBlock": quantity(blocks[0].number),
        "baseFeePerGas": [quantity(fee) for fee in fees],
        "gasUsedRatio": [block.header.gas_used / block.header.gas_limit for block in blocks],
        "baseFeePerBlobGas": ["0x1"] * len(fees),
        "blobGasUsedRatio": [0.0] * len(blocks),
    }
    if percentiles:
        history["reward"] = [_rewards(block, percentiles) for block in blocks]
    return history


def _rewards(block: Block, percentiles: list[Any]) -> list[str]:
    """Tips per gas at percentiles of the block's gas."""
    base_fee = base_fee_of(block.header)
    before, tips = 0, []
    for transaction, receipt in zip(block.transactions, block.receipts, strict=True):
        tips.append((effective_gas_price(transaction, base_fee) - base_fee, int(receipt.gas_used) - before))
        before = int(receipt.gas_used)
    rewards = []
    for percentile in percentiles:
        left, reward = before * float(percentile) / 100, 0
        for tip, gas in sorted(tips):
            left, reward = left - gas, tip
            if left <= 0:
                break
        rewards.append(quantity(reward))
    return rewards


@method("eth_getBlockByNumber")
def block_by_number(node: Node, number: Any, full: Any = False) -> Json | None:
    selector = read_selector(number, node.chain)
    block = node.chain.block(selector)
    return None if block is None else block_json(block, full=bool(full), pending=selector == "pending")


@method("eth_getBlockByHash")
def block_by_hash(node: Node, block_hash: Any, full: Any = False) -> Json | None:
    block = node.chain.block_by_hash(read_data(block_hash, "the block hash", 32))
    return None if block is None else block_json(block, full=bool(full))


@method("eth_getBlockTransactionCountByNumber")
def count_by_number(node: Node, number: Any) -> str | None:
    block = node.chain.block(read_selector(number, node.chain))
    return None if block is None else quantity(len(block.transactions))


@method("eth_getBlockTransactionCountByHash")
def count_by_hash(node: Node, block_hash: Any) -> str | None:
    block = node.chain.block_by_hash(read_data(block_hash, "the block hash", 32))
    return None if block is None else quantity(len(block.transactions))


@method("eth_getUncleCountByBlockNumber")
def uncles_by_number(node: Node, number: Any) -> str | None:
    return None if node.chain.block(read_selector(number, node.chain)) is None else "0x0"


@method("eth_getUncleCountByBlockHash")
def uncles_by_hash(node: Node, block_hash: Any) -> str | None:
    return None if node.chain.block_by_hash(read_data(block_hash, "the block hash", 32)) is None else "0x0"


@method("eth_getBlockReceipts")
def block_receipts(node: Node, number: Any) -> list[Json] | None:
    # Some clients give the hash alone, without the object of EIP-1898.
    if isinstance(number, str) and len(number) == 66:
        block = node.chain.block_by_hash(read_data(number, "the block hash", 32))
    else:
        selector = read_selector(number, node.chain)
        block = node.chain.block("latest" if selector == "pending" else selector)
    return None if block is None else [receipt_json(block, index) for index in range(len(block.transactions))]

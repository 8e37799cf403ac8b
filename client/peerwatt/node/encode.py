"""Blocks, transactions, receipts and logs as JSON-RPC writes them."""

from __future__ import annotations

from typing import Any

import rlp
from eth.abc import BlockHeaderAPI, SignedTransactionAPI
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from peerwatt.node.chain import Block

Json = dict[str, Any]
LEGACY_TYPE, ACCESS_LIST_TYPE, DYNAMIC_FEE_TYPE, SET_CODE_TYPE = 0, 1, 2, 4
EMPTY_NONCE = "0x0000000000000000"


def quantity(number: int) -> str:
    """A number: hex without leading zeros."""
    return hex(int(number))


def data(content: bytes) -> str:
    """Bytes: two digits each."""
    return "0x" + bytes(content).hex()


def word(number: int) -> str:
    """A 256-bit word in full length."""
    return f"0x{int(number):064x}"


def address(account: bytes) -> ChecksumAddress:
    """A checksummed address."""
    return to_checksum_address(bytes(account))


def header_json(header: Any, *, pending: bool) -> Json:
    """The fields of a block that are in its header."""
    return {
        "number": quantity(header.block_number),
        "hash": None if pending else data(header.hash),
        "parentHash": data(header.parent_hash),
        "nonce": None if pending else EMPTY_NONCE,
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": f"0x{header.bloom:0512x}",
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": address(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "totalDifficulty": "0x0",
        "mixHash": data(header.mix_hash),
        "extraData": data(header.extra_data),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "withdrawalsRoot": data(header.withdrawals_root),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "requestsHash": data(header.requests_hash),
    }


def block_json(block: Block, *, full: bool, pending: bool = False) -> Json:
    """A block; its transactions in full, or their hashes only."""
    transactions: list[Any] = [
        transaction_json(transaction, None if pending else (block, index)) if full else data(transaction.hash)
        for index, transaction in enumerate(block.transactions)
    ]
    return {
        **header_json(block.header, pending=pending),
        "size": quantity(len(rlp.encode(block.block))),
        "transactions": transactions,
        "uncles": [],
        "withdrawals": [],
    }


def base_fee_of(header: BlockHeaderAPI) -> int:
    """What a unit of gas costs at least in a block [wei]."""
    return int(header.base_fee_per_gas or 0)


def transaction_type(transaction: SignedTransactionAPI) -> int:
    """EIP-2718 type; 0 for a legacy transaction."""
    return transaction.type_id or LEGACY_TYPE


def effective_gas_price(transaction: SignedTransactionAPI, base_fee: int) -> int:
    """What a unit of gas costs its sender [wei]."""
    return min(int(transaction.max_fee_per_gas), base_fee + int(transaction.max_priority_fee_per_gas))


def transaction_json(transaction: SignedTransactionAPI, place: tuple[Block, int] | None) -> Json:
    """A transaction with its place in the chain; None while it waits."""
    kind = transaction_type(transaction)
    block, index = place if place else (None, None)
    fields: Json = {
        "type": quantity(kind),
        "hash": data(transaction.hash),
        "nonce": quantity(transaction.nonce),
        "blockHash": data(block.header.hash) if block else None,
        "blockNumber": quantity(block.number) if block else None,
        "transactionIndex": None if index is None else quantity(index),
        "from": address(transaction.sender),
        "to": address(transaction.to) if transaction.to else None,
        "value": quantity(transaction.value),
        "gas": quantity(transaction.gas),
        "input": data(transaction.data),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
        "v": quantity(transaction.v if kind == LEGACY_TYPE else transaction.y_parity),  # type: ignore[attr-defined]
    }
    if kind == LEGACY_TYPE:
        chain = {} if transaction.chain_id is None else {"chainId": quantity(transaction.chain_id)}
        return {**fields, **chain, "gasPrice": quantity(transaction.gas_price)}
    fields["yParity"] = fields["v"]
    fields["chainId"] = quantity(transaction.chain_id or 0)
    fields["accessList"] = [
        {"address": address(account), "storageKeys": [word(key) for key in keys]}
        for account, keys in transaction.access_list
    ]
    if kind == ACCESS_LIST_TYPE:
        return {**fields, "gasPrice": quantity(transaction.gas_price)}
    limit = int(transaction.max_fee_per_gas)
    price = effective_gas_price(transaction, base_fee_of(block.header)) if block else limit
    fields["gasPrice"] = quantity(price)
    fields["maxFeePerGas"] = quantity(limit)
    fields["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas)
    if kind == SET_CODE_TYPE:
        fields["authorizationList"] = [
            {
                "chainId": quantity(entry.chain_id),
                "address": address(entry.address),
                "nonce": quantity(entry.nonce),
                "yParity": quantity(entry.y_parity),
                "r": quantity(entry.r),
                "s": quantity(entry.s),
            }
            for entry in transaction.authorization_list
        ]
    return fields


def receipt_json(block: Block, index: int) -> Json:
    """The receipt of a block's transaction."""
    transaction, receipt = block.transactions[index], block.receipts[index]
    before = int(block.receipts[index - 1].gas_used) if index else 0
    created = None
    if not transaction.to:
        created = address(keccak(rlp.encode([bytes(transaction.sender), transaction.nonce]))[12:])
    return {
        "type": quantity(transaction_type(transaction)),
        "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
        "transactionHash": data(transaction.hash),
        "transactionIndex": quantity(index),
        "blockHash": data(block.header.hash),
        "blockNumber": quantity(block.number),
        "from": address(transaction.sender),
        "to": address(transaction.to) if transaction.to else None,
        "contractAddress": created,
        "cumulativeGasUsed": quantity(receipt.gas_used),
        "gasUsed": quantity(int(receipt.gas_used) - before),
        "effectiveGasPrice": quantity(effective_gas_price(transaction, base_fee_of(block.header))),
        "logsBloom": f"0x{receipt.bloom:0512x}",
        "logs": logs_json(block, index),
    }


def logs_json(block: Block, only: int | None = None) -> list[Json]:
    """The logs of a block, or of one of its transactions."""
    entries: list[Json] = []
    position = 0
    for index, (transaction, receipt) in enumerate(zip(block.transactions, block.receipts, strict=True)):
        for log in receipt.logs:
            if only is None or only == index:
                entries.append(
                    {
                        "address": address(log.address),
                        "topics": [word(topic) for topic in log.topics],
                        "data": data(log.data),
                        "blockHash": data(block.header.hash),
                        "blockNumber": quantity(block.number),
                        "blockTimestamp": quantity(block.header.timestamp),
                        "transactionHash": data(transaction.hash),
                        "transactionIndex": quantity(index),
                        "logIndex": quantity(position),
                        "removed": False,
                    }
                )
            position += 1
    return entries

"""Accounts' state, and calls."""

from __future__ import annotations

from typing import Any

from eth_typing import Address

from peerwatt.node.encode import Json, address, data, quantity, word
from peerwatt.node.errors import InvalidParams
from peerwatt.node.execution import estimate_gas, run_call
from peerwatt.node.methods.registry import Node, method
from peerwatt.node.params import read_address, read_call, read_quantity, read_selector
from peerwatt.node.proofs import prove

NOBODY = Address(bytes(20))


@method("eth_getBalance")
def balance(node: Node, account: Any, block: Any = "latest") -> str:
    who = read_address(account)
    return quantity(node.chain.state(read_selector(block, node.chain)).get_balance(who))


@method("eth_getCode")
def code(node: Node, account: Any, block: Any = "latest") -> str:
    who = read_address(account)
    return data(node.chain.state(read_selector(block, node.chain)).get_code(who))


@method("eth_getStorageAt")
def storage_at(node: Node, account: Any, slot: Any, block: Any = "latest") -> str:
    who, position = read_address(account), read_quantity(slot, "the slot")
    return word(node.chain.state(read_selector(block, node.chain)).get_storage(who, position))


@method("eth_getTransactionCount")
def transaction_count(node: Node, account: Any, block: Any = "latest") -> str:
    who, selector = read_address(account), read_selector(block, node.chain)
    if selector == "pending":
        return quantity(node.chain.pool.next_nonce(who, node.chain.state("latest").get_nonce(who)))
    return quantity(node.chain.state(selector).get_nonce(who))


@method("eth_getProof")
def proof(node: Node, account: Any, slots: Any, block: Any = "latest") -> Json:
    who = read_address(account)
    if not isinstance(slots, list):
        raise InvalidParams("the storage slots are no list")
    positions = [read_quantity(slot, "a storage slot") for slot in slots]
    state_root = node.chain.header_for(read_selector(block, node.chain)).state_root
    found = prove(node.chain.database, state_root, who, positions)
    return {
        "address": address(who),
        "balance": quantity(found.account.balance),
        "codeHash": data(found.account.code_hash),
        "nonce": quantity(found.account.nonce),
        "storageHash": data(found.account.storage_root),
        "accountProof": [data(node) for node in found.nodes],
        "storageProof": [
            {"key": word(entry.slot), "value": quantity(entry.value), "proof": [data(node) for node in entry.nodes]}
            for entry in found.storage
        ],
    }


@method("eth_call")
def call(node: Node, transaction: Any, block: Any = "latest", overrides: Any = None) -> str:
    _refuse_overrides(overrides)
    asked, selector = read_call(transaction, NOBODY), read_selector(block, node.chain)
    return data(run_call(node.chain, asked, selector))


@method("eth_estimateGas")
def estimate(node: Node, transaction: Any, block: Any = "latest", overrides: Any = None) -> str:
    _refuse_overrides(overrides)
    asked, selector = read_call(transaction, NOBODY), read_selector(block, node.chain)
    return quantity(estimate_gas(node.chain, asked, selector))


def _refuse_overrides(overrides: Any) -> None:
    if overrides:
        raise InvalidParams("the eth-tester engine knows no state overrides; `--engine anvil` does")

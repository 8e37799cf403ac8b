"""Sending transactions and reading them back."""

from __future__ import annotations

from typing import Any

from eth.abc import SignedTransactionAPI
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_account import Account
from eth_typing import Address
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from peerwatt.node.chain import Block, set_sender
from peerwatt.node.encode import Json, address, base_fee_of, data, quantity, receipt_json, transaction_json, word
from peerwatt.node.errors import InvalidParams, RpcError
from peerwatt.node.execution import Call, estimate_gas
from peerwatt.node.methods.registry import Node, method
from peerwatt.node.params import read_call, read_data, read_quantity, read_selector

PRIORITY_FEE_WEI = 10**9


@method("eth_sendTransaction")
def send_transaction(node: Node, transaction: Any) -> str:
    signed = _sign(node, read_call(transaction, next(iter(node.keys))))
    node.chain.submit(signed)
    return data(signed.hash)


@method("eth_signTransaction")
def sign_transaction(node: Node, transaction: Any) -> str:
    call = read_call(transaction, next(iter(node.keys)))
    if call.sender not in node.keys:
        raise _locked(call.sender)
    return data(_sign(node, call).encode())


@method("eth_sendRawTransaction")
def send_raw_transaction(node: Node, raw: Any) -> str:
    transaction = _decode(read_data(raw, "the transaction"))
    node.chain.submit(transaction)
    return data(transaction.hash)


def _decode(raw: bytes) -> SignedTransactionAPI:
    try:
        return PragueTransactionBuilder.decode(raw)
    except (RLPException, ValidationError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise InvalidParams(f"the raw transaction can't be decoded ({type(error).__name__}: {error})") from None
    except Exception as error:  # py-evm raises a type of its own for each unknown kind
        raise InvalidParams(f"the raw transaction is of no kind that Prague knows ({error})") from None


def _sign(node: Node, call: Call) -> SignedTransactionAPI:
    """A transaction of an unlocked or impersonated account; what the caller left out is filled in."""
    chain = node.chain
    if call.sender not in node.keys and call.sender not in node.impersonated and not node.impersonate_all:
        raise _locked(call.sender)
    nonce = call.nonce
    if nonce is None:
        nonce = chain.pool.next_nonce(call.sender, chain.state("latest").get_nonce(call.sender))
    gas = call.gas if call.gas is not None else estimate_gas(chain, call, "pending")
    fees = _fees(call, base_fee_of(chain.header_for("latest")))
    if call.sender not in node.keys:
        return _unsigned(chain.chain_id, call, nonce, gas, fees)
    fields: Json = {
        "chainId": chain.chain_id,
        "nonce": nonce,
        "gas": gas,
        "value": call.value,
        "data": call.data,
        "to": address(call.to) if call.to else "",
        **fees,
    }
    if call.access_list:
        fields["accessList"] = [
            {"address": address(account), "storageKeys": [word(key) for key in keys]}
            for account, keys in call.access_list
        ]
        if "gasPrice" in fees:
            fields["type"] = 1
    signed = Account.sign_transaction(fields, node.keys[call.sender])
    return _decode(bytes(signed.raw_transaction))


def _fees(call: Call, base_fee: int) -> dict[str, int]:
    if call.gas_price is not None:
        if call.max_fee_per_gas is not None or call.max_priority_fee_per_gas is not None:
            raise InvalidParams("gasPrice and maxFeePerGas exclude each other; give one of them")
        return {"gasPrice": call.gas_price}
    tip = call.max_priority_fee_per_gas
    limit = call.max_fee_per_gas
    if tip is None:
        tip = PRIORITY_FEE_WEI if limit is None else min(PRIORITY_FEE_WEI, limit)
    return {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * base_fee + tip if limit is None else limit}


def _unsigned(chain_id: int, call: Call, nonce: int, gas: int, fees: dict[str, int]) -> SignedTransactionAPI:
    """A transaction of an account whose key nobody has: its signature says only whose it is."""
    price = fees.get("gasPrice")
    built = PragueTransactionBuilder.new_dynamic_fee_transaction(
        chain_id=chain_id,
        nonce=nonce,
        max_priority_fee_per_gas=fees["maxPriorityFeePerGas"] if price is None else price,
        max_fee_per_gas=fees["maxFeePerGas"] if price is None else price,
        gas=gas,
        to=call.to,
        value=call.value,
        data=call.data,
        access_list=call.access_list,
        y_parity=0,
        r=int.from_bytes(call.sender, "big"),
        s=1,
    )
    # Read back, since py-evm builds it as London's class, which does not fit into a block of Prague.
    transaction = _decode(built.encode())
    set_sender(transaction, call.sender)
    return transaction


def _locked(sender: Address) -> RpcError:
    return RpcError(
        f"unknown account {address(sender)}: the node has no key of it; "
        "sign the transaction yourself, or call anvil_impersonateAccount first"
    )


@method("eth_getTransactionByHash")
def transaction_by_hash(node: Node, transaction_hash: Any) -> Json | None:
    key = read_data(transaction_hash, "the transaction hash", 32)
    place = node.chain.find(key)
    if place is not None:
        return transaction_json(place[0].transactions[place[1]], place)
    waiting = node.chain.pool.find(key)
    return None if waiting is None else transaction_json(waiting, None)


@method("eth_getRawTransactionByHash")
def raw_transaction_by_hash(node: Node, transaction_hash: Any) -> str | None:
    key = read_data(transaction_hash, "the transaction hash", 32)
    place = node.chain.find(key)
    found = place[0].transactions[place[1]] if place else node.chain.pool.find(key)
    return None if found is None else data(found.encode())


@method("eth_getTransactionByBlockNumberAndIndex")
def transaction_by_number(node: Node, number: Any, index: Any) -> Json | None:
    return _nth(node.chain.block(read_selector(number, node.chain)), index)


@method("eth_getTransactionByBlockHashAndIndex")
def transaction_by_block_hash(node: Node, block_hash: Any, index: Any) -> Json | None:
    return _nth(node.chain.block_by_hash(read_data(block_hash, "the block hash", 32)), index)


def _nth(block: Block | None, index: Any) -> Json | None:
    position = read_quantity(index, "the index")
    if block is None or position >= len(block.transactions):
        return None
    return transaction_json(block.transactions[position], (block, position))


@method("eth_getTransactionReceipt")
def transaction_receipt(node: Node, transaction_hash: Any) -> Json | None:
    place = node.chain.find(read_data(transaction_hash, "the transaction hash", 32))
    return None if place is None else receipt_json(*place)


@method("txpool_status")
def pool_status(node: Node) -> Json:
    ready = len(node.chain.pool.ready(node.chain.state("latest").get_nonce))
    return {"pending": quantity(ready), "queued": quantity(len(node.chain.pool) - ready)}

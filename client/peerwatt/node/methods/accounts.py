"""Unlocked accounts and their signatures."""

from __future__ import annotations

import json
from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_typing import Address

from peerwatt.node.encode import address, data
from peerwatt.node.errors import InvalidParams, RpcError
from peerwatt.node.methods.registry import Node, method
from peerwatt.node.params import read_address, read_data


@method("eth_accounts", "eth_requestAccounts")
def accounts(node: Node) -> list[str]:
    return [address(account) for account in node.keys]


@method("eth_coinbase")
def coinbase(node: Node) -> str:
    return address(bytes(20))


@method("eth_sign")
def sign(node: Node, account: Any, message: Any) -> str:
    return _sign(node, read_address(account), encode_defunct(primitive=read_data(message, "the message")))


@method("personal_sign")
def personal_sign(node: Node, message: Any, account: Any, password: Any = None) -> str:
    return str(sign(node, account, message))


@method("eth_signTypedData_v4", "eth_signTypedData")
def sign_typed_data(node: Node, account: Any, typed: Any) -> str:
    try:
        message = encode_typed_data(full_message=json.loads(typed) if isinstance(typed, str) else typed)
    except Exception as error:  # eth-account raises whatever it meets in a malformed message
        raise InvalidParams(f"the typed data can't be encoded ({error})") from None
    return _sign(node, read_address(account), message)


def _sign(node: Node, account: Address, message: SignableMessage) -> str:
    if account not in node.keys:
        raise RpcError(f"unknown account {address(account)}: the node has no key of it; sign it yourself")
    return data(Account.sign_message(message, node.keys[account]).signature)

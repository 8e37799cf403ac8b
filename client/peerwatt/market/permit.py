"""A token owner's permission to deposit, by signature instead of a transaction (ERC-2612)."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from web3 import Web3

PERMIT_FIELDS = [
    {"name": "owner", "type": "address"},
    {"name": "spender", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint256"},
]


def sign_permit(
    key: bytes, token: Any, spender: str, amount: int, deadline_s: int, *, domain: dict[str, Any], nonce: int
) -> tuple[int, bytes, bytes]:
    """Signs a permit of exactly `amount` [base units].

    Args:
        key: private key of the owner.
        token: address of the token.
        spender: who may take the money: the market.
        deadline_s: last second at which the permit counts [Unix time].
        domain: the token's name, version and chain id, see `permit_domain`.
        nonce: the owner's permit nonce at the token.
    Returns:
        v, r, s as `deposit_permit` takes them.
    """
    owner = Account.from_key(key).address
    message = encode_typed_data(
        domain_data={**domain, "verifyingContract": token},
        message_types={"Permit": PERMIT_FIELDS},
        message_data={
            "owner": owner,
            "spender": Web3.to_checksum_address(spender),
            "value": amount,
            "nonce": nonce,
            "deadline": deadline_s,
        },
    )
    signed = Account.sign_message(message, key)
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def permit_domain(token: Any, chain_id: int) -> dict[str, Any]:
    """Name, version and chain of a token's EIP-712 domain.

    Args:
        token: web3 contract of the token. Tokens that publish ERC-5267 are asked; others have version 1.
    """
    try:
        fields = token.functions.eip712Domain().call()
        return {"name": fields[1], "version": fields[2], "chainId": chain_id}
    except Exception:
        return {"name": token.functions.name().call(), "version": "1", "chainId": chain_id}

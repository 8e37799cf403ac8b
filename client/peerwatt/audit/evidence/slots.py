"""Where the market keeps a wallet, and what a node's proof of it (EIP-1186) proves."""

from __future__ import annotations

from collections.abc import Sequence

import rlp
from eth_utils.crypto import keccak

from peerwatt.audit.proofs import BadProof, look_up

# Of `wallets` in the market's storage layout; a test holds it against the contract.
WALLETS_SLOT = 0
CODE_HASH, STORAGE_ROOT = 3, 2
ACCOUNT_FIELDS = 4


def wallet_slot(account: str) -> int:
    """The storage slot of an account's wallet."""
    key = bytes.fromhex(account[2:]).rjust(32, b"\0")
    return int.from_bytes(keccak(WALLETS_SLOT.to_bytes(32, "big") + key), "big")


def verify_wallet_proof(
    state_root: bytes, market: str, account: str, account_nodes: Sequence[bytes], nodes: Sequence[bytes]
) -> tuple[bytes, int]:
    """The hash of the market's code and the word of an account's wallet, as a state root proves them.

    Raises:
        BadProof: it proves nothing.
    """
    encoded = _look_up(state_root, bytes.fromhex(market[2:]), account_nodes)
    if not encoded:
        raise BadProof(f"the block's state has no market at {market}")
    try:
        fields = rlp.decode(encoded)
        if len(fields) != ACCOUNT_FIELDS:
            raise ValueError(f"{len(fields)} fields")
        word = _look_up(fields[STORAGE_ROOT], wallet_slot(account).to_bytes(32, "big"), nodes)
        return bytes(fields[CODE_HASH]), int.from_bytes(rlp.decode(word), "big") if word else 0
    except (rlp.exceptions.RLPException, TypeError, ValueError) as error:
        raise BadProof(f"what the block's state has at {market} can't be read ({error})") from error


def _look_up(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes:
    try:
        return look_up(root, keccak(key), nodes)
    except BadProof as error:
        raise BadProof(f"the nodes do not lead from the state's root to the wallet ({error})") from error

"""Merkle proofs of accounts and storage (EIP-1186)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from eth.rlp.accounts import Account
from eth_utils.crypto import keccak
from trie import HexaryTrie


@dataclass(frozen=True)
class StorageProof:
    """A slot, its value, and the nodes of the trie down to it."""

    slot: int
    value: int
    nodes: list[bytes]


@dataclass(frozen=True)
class Proof:
    """An account, the nodes of the trie down to it, and its slots."""

    account: Account
    nodes: list[bytes]
    storage: list[StorageProof]


def prove(database: Any, state_root: bytes, address: bytes, slots: Sequence[int]) -> Proof:
    """What an account holds, with proofs against a state root. An account that does not exist is an empty one."""
    found, nodes = _look_up(database, state_root, address)
    account = rlp.decode(found, Account) if found else Account()
    storage = []
    for slot in slots:
        value, path = _look_up(database, account.storage_root, slot.to_bytes(32, "big"))
        storage.append(StorageProof(slot, int.from_bytes(rlp.decode(value), "big") if value else 0, path))
    return Proof(account, nodes, storage)


def _look_up(database: Any, root: bytes, key: bytes) -> tuple[bytes, list[bytes]]:
    trie = HexaryTrie(database, root)
    hashed = keccak(key)
    return bytes(trie.get(hashed)), [rlp.encode(node) for node in trie.get_proof(hashed)]

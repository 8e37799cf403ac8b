"""Proofs that a receipt or a transaction is in a block: the nodes of the block's Merkle-Patricia tries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from trie import HexaryTrie
from trie.exceptions import BadTrieProof, ValidationError

from peerwatt.audit.authentic import Raw, SignedTransaction, decode_transaction, encode_transaction
from peerwatt.audit.failures import SourceContradiction
from peerwatt.audit.headers import decode_header, hash_header

# The nodes from the root to the entry, each in RLP.
Proof = list[bytes]


class BadProof(ValueError):
    """A proof that proves nothing."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction left in its block.

    Attributes:
        succeeded: whether it did.
        logs: address (lower case), topics and data of each, in their sequence.
    """

    succeeded: bool
    logs: tuple[tuple[str, tuple[bytes, ...], bytes], ...]


def encode_receipt(raw: Raw) -> bytes:
    """The bytes of a receipt.

    Args:
        raw: as `eth_getBlockReceipts` gives it.
    """
    logs = [
        [_data(log["address"]), [_data(topic) for topic in log["topics"]], _data(log["data"])] for log in raw["logs"]
    ]
    body = rlp.encode([int(raw["status"], 16), int(raw["cumulativeGasUsed"], 16), _data(raw["logsBloom"]), logs])
    kind = int(raw.get("type") or "0x0", 16)
    return bytes(body) if kind == 0 else bytes([kind]) + bytes(body)


def receipt_proof(header: Raw, receipts: Sequence[Raw], index: int) -> Proof:
    """Proves a receipt.

    Args:
        header: the block as `eth_getBlockByNumber` gives it.
        receipts: all of the block, as `eth_getBlockReceipts` gives them.
        index: of the transaction.
    Raises:
        SourceContradiction: header and receipts do not belong together, or can't be read.
    """
    return _prove(header, "receiptsRoot", receipts, encode_receipt, index)


def transaction_proof(block: Raw, index: int) -> Proof:
    """Proves a transaction.

    Args:
        block: as `eth_getBlockByNumber` gives it with its transactions in full.
    Raises:
        SourceContradiction: header and transactions do not belong together, or can't be read.
    """
    return _prove(block, "transactionsRoot", block["transactions"], encode_transaction, index)


def check_receipts(header: Raw, receipts: Sequence[Raw]) -> bool:
    """Whether receipts are all those of a block with this header, and the header hashes to its hash."""
    try:
        _build(header, "receiptsRoot", receipts, encode_receipt)
    except SourceContradiction:
        return False
    return True


def verify_receipt_proof(header_rlp: bytes, proof: Sequence[bytes], index: int) -> Receipt:
    """The receipt that a proof proves to be in the block with this header.

    Raises:
        BadProof: it proves none.
    """
    encoded = _verify(_root(header_rlp, "receipts_root"), proof, index)
    try:
        status, _, _, logs = rlp.decode(encoded if encoded[:1] >= b"\xc0" else encoded[1:])
        return Receipt(
            status == b"\x01",
            tuple((f"0x{address.hex()}", tuple(topics), bytes(data)) for address, topics, data in logs),
        )
    except (rlp.exceptions.RLPException, TypeError, ValueError) as error:
        raise BadProof(f"what is proven is no receipt ({error})") from error


def verify_transaction_proof(header_rlp: bytes, proof: Sequence[bytes], index: int) -> SignedTransaction:
    """The transaction that a proof proves to be in the block with this header.

    Raises:
        BadProof: it proves none.
    """
    encoded = _verify(_root(header_rlp, "transactions_root"), proof, index)
    try:
        return decode_transaction(encoded)
    except ValueError as error:
        raise BadProof(str(error)) from error


def _root(header_rlp: bytes, name: str) -> bytes:
    try:
        root: bytes = getattr(decode_header(header_rlp), name)
    except ValueError as error:
        raise BadProof(str(error)) from error
    return root


def _build(header: Raw, root: str, entries: Sequence[Raw], encode: Callable[[Raw], bytes]) -> HexaryTrie:
    number = int(header["number"], 16)
    trie = HexaryTrie({})
    try:
        if hash_header(header) != _data(header["hash"]):
            raise SourceContradiction(f"the header of block {number} does not hash to {header['hash']}", number)
        for position, entry in enumerate(entries):
            trie[rlp.encode(position)] = encode(entry)
    except (KeyError, TypeError, ValueError, rlp.exceptions.RLPException) as error:
        raise SourceContradiction(f"block {number} can't be read ({error!r})", number) from error
    if trie.root_hash != _data(header[root]):
        text = f"block {number}: its entries give the root 0x{trie.root_hash.hex()}, its {root} is {header[root]}"
        raise SourceContradiction(text, number)
    return trie


def _prove(header: Raw, root: str, entries: Sequence[Raw], encode: Callable[[Raw], bytes], index: int) -> Proof:
    if not 0 <= index < len(entries):
        raise ValueError(f"the block has {len(entries)} transactions, there is none with index {index}")
    trie = _build(header, root, entries, encode)
    return [bytes(rlp.encode(node)) for node in trie.get_proof(rlp.encode(index))]


def look_up(root: bytes, key: bytes, proof: Sequence[bytes]) -> bytes:
    """What a trie with this root has at a key, empty if nothing, as the nodes down to it prove.

    Raises:
        BadProof: they prove neither.
    """
    try:
        nodes: list[Any] = [rlp.decode(node) for node in proof]
        return bytes(HexaryTrie.get_from_proof(root, key, nodes))
    except (
        BadTrieProof,
        ValidationError,
        AssertionError,
        KeyError,
        TypeError,
        ValueError,
        rlp.exceptions.RLPException,
    ) as error:
        raise BadProof(f"{type(error).__name__}: {error}") from error


def _verify(root: bytes, proof: Sequence[bytes], index: int) -> bytes:
    try:
        found = look_up(root, rlp.encode(index), proof)
    except BadProof as error:
        raise BadProof(f"the proof does not lead from the header's root to index {index} ({error})") from error
    if not found:
        raise BadProof(f"the block has nothing with index {index}")
    return found


def _data(text: str) -> bytes:
    return bytes.fromhex(text[2:])

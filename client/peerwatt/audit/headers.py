"""Block headers: their bytes, which hash to the block's hash."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

import rlp
from eth_utils.crypto import keccak

from peerwatt.audit.authentic import Raw

# All others are numbers.
_DATA = {
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "extraData",
    "mixHash",
    "nonce",
    "withdrawalsRoot",
    "parentBeaconBlockRoot",
    "requestsHash",
}
_FIRST = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
)
# What London, Shanghai, Cancun and Prague added, in this sequence.
_LATER = ("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash")


@dataclass(frozen=True, slots=True)
class Header:
    """What proofs need of a header."""

    hash: bytes
    number: int
    parent_hash: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    time_s: int


def encode_header(raw: Raw) -> bytes:
    """The bytes of a header.

    Args:
        raw: a block as `eth_getBlockByNumber` gives it.
    Raises:
        KeyError, ValueError: a field is missing or is none.
    """
    later = takewhile(lambda name: raw.get(name) is not None, _LATER)
    return bytes(rlp.encode([_field(name, raw[name]) for name in (*_FIRST, *later)]))


def hash_header(raw: Raw) -> bytes:
    """The hash that follows from a header's fields; see `encode_header`."""
    return bytes(keccak(encode_header(raw)))


def decode_header(encoded: bytes) -> Header:
    """A header from its bytes.

    Raises:
        ValueError: the bytes are none.
    """
    try:
        items = rlp.decode(encoded)
        named = dict(zip(_FIRST, items, strict=False))
        return Header(
            hash=bytes(keccak(encoded)),
            number=int.from_bytes(named["number"], "big"),
            parent_hash=bytes(named["parentHash"]),
            state_root=bytes(named["stateRoot"]),
            transactions_root=bytes(named["transactionsRoot"]),
            receipts_root=bytes(named["receiptsRoot"]),
            time_s=int.from_bytes(named["timestamp"], "big"),
        )
    except (rlp.exceptions.RLPException, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the bytes are no block header ({error})") from error


def _field(name: str, value: str) -> bytes | int:
    if name in _DATA:
        return bytes.fromhex(value[2:])
    return int(value, 16)

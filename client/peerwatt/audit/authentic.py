"""Transactions made again from their fields: the bytes that were hashed, and who signed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rlp
from eth_utils.crypto import keccak

from peerwatt.audit.recovery import NOBODY, recover_signer

Raw = Mapping[str, Any]

LEGACY = 0
# What is signed, by EIP-2718 type, in its sequence.
_COMMON = ("gas", "to", "value", "input")
_PRICED = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", *_COMMON, "accessList")
_SIGNED = {
    LEGACY: ("nonce", "gasPrice", *_COMMON),
    1: ("chainId", "nonce", "gasPrice", *_COMMON, "accessList"),
    2: _PRICED,
    3: (*_PRICED, "maxFeePerBlobGas", "blobVersionedHashes"),
    4: (*_PRICED, "authorizationList"),
}
_DATA = {"to", "input"}


class UnknownKind(ValueError):
    """A transaction of a type that is not known here, or without a signature."""


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction as it was signed.

    Attributes:
        sender, to: lower case; `to` is empty for a deployment.
    """

    hash: bytes
    sender: str
    to: str
    data: bytes


def is_authentic(raw: Raw) -> bool | None:
    """Whether hash and sender of a transaction follow from its fields.

    Args:
        raw: as `eth_getTransactionByHash` gives it.
    Returns:
        None where that can't be told: the type is unknown, or the node gave no signature.
    """
    try:
        encoded = encode_transaction(raw)
    except UnknownKind:
        return None
    except (KeyError, TypeError, ValueError, rlp.exceptions.EncodingError):
        return False
    if keccak(encoded) != bytes.fromhex(raw["hash"][2:]):
        return False
    sender = _recover(_signing_hash(raw), _parity(raw), _number(raw, "r"), _number(raw, "s"))
    return sender is not None and sender == str(raw["from"]).lower()


def encode_transaction(raw: Raw) -> bytes:
    """The bytes of a signed transaction.

    Raises:
        UnknownKind: see `is_authentic`.
        KeyError, ValueError: a field is missing or is none.
    """
    kind = _kind(raw)
    r, s = _number(raw, "r"), _number(raw, "s")
    if kind not in _SIGNED or r == s == 0:
        raise UnknownKind(f"type {kind}" if kind not in _SIGNED else "no signature")
    if kind == LEGACY:
        return bytes(rlp.encode([*_fields(raw, kind), _number(raw, "v"), r, s]))
    return bytes([kind]) + bytes(rlp.encode([*_fields(raw, kind), _parity(raw), r, s]))


def decode_transaction(encoded: bytes) -> SignedTransaction:
    """A transaction from its bytes.

    Raises:
        ValueError: the bytes are no transaction, or nobody can have signed it.
    """
    kind = LEGACY if encoded[:1] >= b"\xc0" else encoded[0] if encoded else LEGACY
    if kind not in _SIGNED:
        raise UnknownKind(f"type {kind}")
    try:
        items = rlp.decode(encoded if kind == LEGACY else encoded[1:])
        names = _SIGNED[kind]
        (*fields, v, r, s) = items
        if len(fields) != len(names):
            raise ValueError(f"{len(items)} fields")
        parity, payload = int.from_bytes(v, "big"), fields
        if kind == LEGACY:
            parity, payload = _legacy(parity, fields)
        prefix = b"" if kind == LEGACY else bytes([kind])
        signing_hash = keccak(prefix + rlp.encode(payload))
        sender = _recover(signing_hash, parity, int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        to = fields[names.index("to")]
        data = fields[names.index("input")]
    except (rlp.exceptions.RLPException, TypeError, ValueError) as error:
        raise ValueError(f"the bytes are no transaction ({error})") from error
    if sender is None:
        raise ValueError("no key can have signed the transaction")
    return SignedTransaction(bytes(keccak(encoded)), sender, f"0x{to.hex()}" if to else "", bytes(data))


def _kind(raw: Raw) -> int:
    return int(raw.get("type") or "0x0", 16)


def _number(raw: Raw, name: str) -> int:
    value = raw.get(name)
    return int(value, 16) if value is not None else 0


def _parity(raw: Raw) -> int:
    """0 or 1, whichever of two keys it is."""
    if _kind(raw) == LEGACY:
        return _legacy(_number(raw, "v"), [])[0]
    return _number(raw, "yParity" if raw.get("yParity") is not None else "v")


def _legacy(v: int, fields: list[Any]) -> tuple[int, list[Any]]:
    """Parity and signed fields of a legacy transaction: since EIP-155 the chain is among them."""
    if v < 35:
        return v - 27, fields
    return (v - 35) % 2, [*fields, (v - 35) // 2, b"", b""]


def _signing_hash(raw: Raw) -> bytes:
    kind = _kind(raw)
    fields = _fields(raw, kind)
    if kind == LEGACY:
        return bytes(keccak(rlp.encode(_legacy(_number(raw, "v"), fields)[1])))
    return bytes(keccak(bytes([kind]) + rlp.encode(fields)))


def _fields(raw: Raw, kind: int) -> list[Any]:
    return [_field(name, raw) for name in _SIGNED[kind]]


def _field(name: str, raw: Raw) -> Any:
    value = raw[name]
    if name in _DATA:
        return bytes.fromhex(value[2:]) if value else b""
    if name == "accessList":
        return [
            [bytes.fromhex(entry["address"][2:]), [bytes.fromhex(key[2:]) for key in entry["storageKeys"]]]
            for entry in value
        ]
    if name == "blobVersionedHashes":
        return [bytes.fromhex(entry[2:]) for entry in value]
    if name == "authorizationList":
        return [
            [
                int(entry["chainId"], 16),
                bytes.fromhex(entry["address"][2:]),
                *(int(entry[part], 16) for part in ("nonce", "yParity", "r", "s")),
            ]
            for entry in value
        ]
    return int(value, 16)


def _recover(signing_hash: bytes, parity: int, r: int, s: int) -> str | None:
    """Who signed, lower case; None for nobody."""
    signer = recover_signer(signing_hash, parity, r, s)
    return None if signer == NOBODY else f"0x{signer.hex()}"

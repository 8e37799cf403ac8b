"""Transactions of all types, made again from their fields."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from peerwatt.audit.authentic import decode_transaction, encode_transaction, is_authentic

KEY = Account.from_key(keccak(text="peerwatt transactions"))
TO = "0x" + "ab" * 20
SLOT = "0x" + "01" * 32
Json = dict[str, Any]
FEES = {"maxPriorityFeePerGas": 1, "maxFeePerGas": 10**9}
ACCESS = [{"address": TO, "storageKeys": [SLOT, SLOT]}]
BLOB = "0x01" + "02" * 31
AUTHORIZATION = KEY.sign_authorization({"chainId": 5, "address": TO, "nonce": 7})

KINDS: dict[str, Json] = {
    "before EIP-155": {"gasPrice": 10**9},
    "EIP-155": {"gasPrice": 10**9, "chainId": 31337},
    "access list": {"type": 1, "gasPrice": 10**9, "chainId": 5, "accessList": ACCESS},
    "dynamic fee": {"type": 2, "chainId": 5, **FEES, "accessList": []},
    "blobs": {
        "type": 3,
        "chainId": 5,
        **FEES,
        "accessList": ACCESS,
        "maxFeePerBlobGas": 7,
        "blobVersionedHashes": [BLOB],
    },
    "set code": {"type": 4, "chainId": 5, **FEES, "accessList": ACCESS, "authorizationList": [AUTHORIZATION]},
}


def sign(kind: str, to: str | None = TO, data: str = "0x1234") -> tuple[Json, bytes]:
    """A transaction as a node gives it, and its bytes as eth-account signed them."""
    fields = {**KINDS[kind], "nonce": 0, "gas": 100_000, "value": 0, "data": data}
    signed = KEY.sign_transaction({**fields, **({"to": bytes.fromhex(to[2:])} if to else {})})
    raw: Json = {name: hex(value) for name, value in fields.items() if isinstance(value, int)}
    raw |= {"input": data, "to": to, "from": KEY.address, "hash": f"0x{signed.hash.hex()}"}
    raw |= {"v": hex(signed.v), "r": hex(signed.r), "s": hex(signed.s), "accessList": fields.get("accessList", [])}
    if kind == "blobs":
        raw["blobVersionedHashes"] = [BLOB]
    if kind == "set code":
        raw["authorizationList"] = [
            {
                "chainId": "0x5",
                "address": TO,
                "nonce": "0x7",
                "yParity": hex(AUTHORIZATION.y_parity),
                "r": hex(AUTHORIZATION.r),
                "s": hex(AUTHORIZATION.s),
            }
        ]
    return raw, bytes(signed.raw_transaction)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to", [TO, None], ids=["call", "deployment"])
def test_is_authentic__signed__true(kind: str, to: str | None) -> None:
    if kind in ("blobs", "set code"):
        # There is no deployment of these types.
        to = TO
    raw, encoded = sign(kind, to)
    assert is_authentic(raw) is True
    assert encode_transaction(raw) == encoded
    decoded = decode_transaction(encoded)
    assert (decoded.sender, decoded.to, decoded.data) == (KEY.address.lower(), to or "", b"\x12\x34")
    assert decoded.hash == keccak(encoded)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input", "0x1235"),
        ("to", "0x" + "ac" * 20),
        ("from", TO),
        ("nonce", "0x1"),
        ("value", "0x1"),
        ("hash", "0x" + "00" * 32),
        ("r", "0x1"),
        ("gas", "no number"),
    ],
)
def test_is_authentic__a_field_changed__false(kind: str, name: str, value: str) -> None:
    raw, _ = sign(kind)
    assert is_authentic({**raw, name: value}) is False


def test_is_authentic__hash_fits_another_sender__false() -> None:
    """Whoever forges fields can make the hash fit, but not the signature."""
    raw, _ = sign("dynamic fee")
    forged = {**raw, "input": "0x99"}
    assert is_authentic({**forged, "hash": f"0x{keccak(encode_transaction(forged)).hex()}"}) is False


def test_is_authentic__upper_value_of_s__false() -> None:
    raw, _ = sign("dynamic fee")
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    twin = {**raw, "s": hex(order - int(raw["s"], 16)), "v": hex(1 - int(raw["v"], 16))}
    assert is_authentic({**twin, "hash": f"0x{keccak(encode_transaction(twin)).hex()}"}) is False


@pytest.mark.parametrize("change", [{"type": "0x7e"}, {"r": "0x0", "s": "0x0"}, {"r": None, "s": None}])
def test_is_authentic__unknown_type_or_no_signature__none(change: Json) -> None:
    assert is_authentic({**sign("dynamic fee")[0], **change}) is None


@pytest.mark.parametrize("encoded", [b"", b"\x02", b"\x02\xc0", b"\x05\xc0", b"\xc3\x01\x02\x03", b"\xff"])
def test_decode_transaction__no_transaction__refused(encoded: bytes) -> None:
    with pytest.raises(ValueError):
        decode_transaction(encoded)

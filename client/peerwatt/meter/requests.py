"""Requests that a meter makes in its own name: a text that its key signs, in a header.

    Authorization: Meter address=0x...,time=1700000000,signature=0x...

The signature is EIP-191 (`personal_sign`) over `request_text`. The bridge verifies with the same functions.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from eth_account.messages import encode_defunct
from eth_keys.datatypes import PrivateKey
from eth_keys.datatypes import Signature as RecoverableSignature
from eth_keys.exceptions import BadSignature as Unrecoverable
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from peerwatt.exceptions import BadMeterRequest, MalformedSignature, MeterRequestExpired
from peerwatt.signing import Signature

SCHEME = "Meter"
# How far the time of a request may be from the bridge's.
MAX_AGE_S = 300
MAX_HEADER = 400
_HEADER = re.compile(
    r"Meter address=(?P<address>0x[0-9a-fA-F]{40}),time=(?P<time>[0-9]{1,12}),"
    r"signature=(?P<signature>0x[0-9a-fA-F]{128,130})"
)


@dataclass(frozen=True)
class MeterRequest:
    """Who made a request, and when.

    Attributes:
        meter: checksum address.
        time_s: by the meter's clock [Unix s].
    """

    meter: str
    time_s: int


def request_text(method: str, path: str, time_s: int, body: bytes) -> str:
    """What the meter signs.

    Args:
        method: GET, POST.
        path: with its query, from `/v1` on, as it is sent.
        time_s: [Unix s].
        body: of the request; empty if it has none.
    """
    return f"peerwatt meter request\n{method.upper()} {path}\n{time_s}\n{hashlib.sha256(body).hexdigest()}"


def sign_request(method: str, path: str, time_s: int, body: bytes, key: bytes) -> str:
    """The value of the header `Authorization`.

    Args:
        key: the meter's, 32 bytes.
    """
    private = PrivateKey(key)
    signed = private.sign_msg_hash(_digest(request_text(method, path, time_s, body)))
    signature = Signature.from_vrs(signed.v, signed.r, signed.s)
    address = private.public_key.to_checksum_address()
    return f"{SCHEME} address={address},time={time_s},signature=0x{signature.to_bytes().hex()}"


def verify_request(header: str | None, method: str, path: str, body: bytes, now_s: float) -> MeterRequest:
    """Who made a request.

    Args:
        header: `Authorization` as it came; None if it did not.
        method, path, body: as they came.
        now_s: by the clock of who verifies [Unix s].
    Raises:
        BadMeterRequest: no such header, or signed by another key or for another request.
        MeterRequestExpired: its time is too far away.
    """
    parts = _HEADER.fullmatch(header) if header is not None and len(header) <= MAX_HEADER else None
    if parts is None:
        raise BadMeterRequest(
            "the request has no header 'Authorization: Meter address=0x..,time=..,signature=0x..'; sign it with the "
            "meter's key"
        )
    meter, time_s = str(to_checksum_address(parts["address"])), int(parts["time"])
    try:
        signature = Signature.from_hex(parts["signature"])
        signer = _recover(_digest(request_text(method, path, time_s, body)), signature)
    except MalformedSignature as error:
        raise BadMeterRequest(f"the request of the meter {meter} has no signature ({error}); sign it again") from None
    if signer != meter:
        raise BadMeterRequest(
            f"the request names the meter {meter} and its signature is of {signer}; sign method, path with query, time "
            "and body as they are sent",
            meter=meter,
            recovered=signer,
        )
    # After the signature: only the meter itself learns what time it is here.
    if abs(now_s - time_s) > MAX_AGE_S:
        raise MeterRequestExpired(
            f"the request was signed at {time_s}, it is {int(now_s)}, over {MAX_AGE_S} s away; set the clock",
            time_s=time_s,
            now_s=int(now_s),
        )
    return MeterRequest(meter, time_s)


def _digest(text: str) -> bytes:
    message = encode_defunct(text=text)
    return bytes(keccak(b"\x19" + message.version + message.header + message.body))


def _recover(digest: bytes, signature: Signature) -> str:
    vrs = (signature.v - 27, signature.r, signature.s)
    try:
        public = RecoverableSignature(vrs=vrs).recover_public_key_from_msg_hash(digest)
    except (Unrecoverable, ValidationError, ValueError) as error:
        raise MalformedSignature("no key can have made this signature; sign again") from error
    return str(public.to_checksum_address())

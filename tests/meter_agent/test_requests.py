"""Requests in a meter's own name: signed and verified, and what is refused."""

from __future__ import annotations

from hashlib import sha256

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from peerwatt.exceptions import BadMeterRequest, MeterRequestExpired
from peerwatt.meter.requests import MAX_AGE_S, request_text, sign_request, verify_request
from peerwatt.signing.signature import CURVE_ORDER

KEY = Account.from_key("0x" + "17" * 32)
PATH = f"/v1/meters/{KEY.address}/commands?after=3&wait=25"
NOW_S = 1_800_000_000


def header(**changes: str) -> str:
    fields = dict(
        part.split("=", 1)
        for part in sign_request("GET", PATH, NOW_S, b"", bytes(KEY.key)).removeprefix("Meter ").split(",")
    )
    return "Meter " + ",".join(f"{name}={value}" for name, value in (fields | changes).items())


def test_sign__request__eth_account_recovers_the_meter() -> None:
    fields = dict(part.split("=", 1) for part in header().removeprefix("Meter ").split(","))
    text = f"peerwatt meter request\nGET {PATH}\n{NOW_S}\n{sha256(b'').hexdigest()}"
    assert Account.recover_message(encode_defunct(text=text), signature=fields["signature"]) == KEY.address
    assert fields["address"] == KEY.address and fields["time"] == str(NOW_S)


def test_verify__signed_by_eth_account__names_the_meter() -> None:
    body = b'{"ok":true}'
    signed = KEY.sign_message(encode_defunct(text=request_text("POST", "/v1/x", NOW_S, body)))
    sent = f"Meter address={KEY.address.lower()},time={NOW_S},signature=0x{signed.signature.hex()}"
    found = verify_request(sent, "POST", "/v1/x", body, NOW_S + MAX_AGE_S)
    assert (found.meter, found.time_s) == (KEY.address, NOW_S)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", PATH, b""), ("GET", PATH.replace("after=3", "after=4"), b""), ("GET", PATH, b"x")],
)
def test_verify__another_request__refused(method: str, path: str, body: bytes) -> None:
    assert verify_request(header(), "GET", PATH, b"", NOW_S).meter == KEY.address
    with pytest.raises(BadMeterRequest, match="its signature is of 0x"):
        verify_request(header(), method, path, body, NOW_S)


def test_verify__another_meter_or_time__refused() -> None:
    for sent in (header(address="0x" + "11" * 20), header(time=str(NOW_S + 1))):
        with pytest.raises(BadMeterRequest, match="its signature is of 0x"):
            verify_request(sent, "GET", PATH, b"", NOW_S)


@pytest.mark.parametrize("off_s", [-MAX_AGE_S - 1, MAX_AGE_S + 1])
def test_verify__old_or_early__refused(off_s: int) -> None:
    with pytest.raises(MeterRequestExpired, match="over 300 s away; set the clock"):
        verify_request(header(), "GET", PATH, b"", NOW_S + off_s)


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer x", "Meter ", header().replace(",time", ", time"), header() + ",x=1", header() * 9]
)
def test_verify__no_such_header__refused(sent: str | None) -> None:
    with pytest.raises(BadMeterRequest, match="has no header"):
        verify_request(sent, "GET", PATH, b"", NOW_S)


def test_verify__signature_that_is_none__refused() -> None:
    fields = dict(part.split("=", 1) for part in header().removeprefix("Meter ").split(","))
    data = bytes.fromhex(fields["signature"][2:])
    high_s = CURVE_ORDER - int.from_bytes(data[32:64], "big")
    mirrored = data[:32] + high_s.to_bytes(32, "big") + bytes([55 - data[64]])
    for signature in ("0x" + "00" * 65, "0x" + "ff" * 65, "0x" + mirrored.hex()):
        with pytest.raises(BadMeterRequest, match="has no signature"):
            verify_request(header(signature=signature), "GET", PATH, b"", NOW_S)

"""Signed messages: the same bytes as an independent implementation, and nothing signed that was not meant."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from peerwatt.exceptions import BadKey, BadMessage, BadSignature, MalformedSignature
from peerwatt.signing import (
    Agent,
    Cancel,
    Domain,
    Enrolment,
    Message,
    MeterSwap,
    Order,
    Rating,
    Report,
    Signature,
    Withdrawal,
    check_signer,
    recover,
    sign,
)
from peerwatt.signing.signature import CURVE_ORDER

KEY = b"\x11" * 32
MAKER = str(PrivateKey(KEY).public_key.to_checksum_address())
METER = "0xd10533E7105BE559165bABe171E08654e92F0453"
OTHER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
ZERO = "0x" + "00" * 20
DOMAIN = Domain(31337, METER)
ORDER = Order(MAKER, METER, 0, 100, 103, 500, 70, 17)
SAMPLES: tuple[Message, ...] = (
    ORDER,
    Cancel(MAKER, 17, 101, 1_765_125_000),
    Report(METER, 1, 100, (5, 5, 9)),
    Agent(MAKER, OTHER, 1_765_125_000, 120, 40, 10**9, 0),
    Withdrawal(MAKER, OTHER, 456_000_000, 0, 1_765_125_000),
    Enrolment(MAKER, METER, 7, 8, 1_765_125_000),
    Rating(MAKER, True, 0, 1_765_125_000),
    MeterSwap(MAKER, METER, OTHER, 7, 8, 1_765_125_000),
)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_typed_data__wallet_json__signs_the_same(message: Message) -> None:
    typed = json.loads(json.dumps(message.to_typed_data(DOMAIN)))
    signed = Account.sign_message(encode_typed_data(full_message=typed), KEY)
    assert bytes(signed.signature) == sign(message, DOMAIN, KEY).to_bytes()
    assert type(message).from_json(typed["message"]) == message


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1, 2**256, b"\x01"], ids=repr)
def test_message__number_of_wrong_type_or_range__refused(message: Message, value: Any) -> None:
    numbers = [
        f.attribute for f in message.fields() if f.kind.name.startswith("uint") and f.kind.name[-1] != "]"
    ]
    assert numbers
    for attribute in numbers:
        with pytest.raises(BadMessage, match=attribute):
            dataclasses.replace(message, **{attribute: value})


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_message__number_at_its_width__largest_accepted_next_refused(message: Message) -> None:
    widths = {f.attribute: f.kind.bits for f in message.fields() if f.kind.bits and f.kind.name[-1] != "]"}
    for attribute, bits in widths.items():
        with pytest.raises(BadMessage, match=rf"{attribute} is \d+, outside 0 to 2\^{bits} - 1"):
            dataclasses.replace(message, **{attribute: 2**bits})
        if attribute != "side":
            assert getattr(dataclasses.replace(message, **{attribute: 2**bits - 1}), attribute) == 2**bits - 1


WRONG_ADDRESSES = [
    (ZERO, "is the zero address"),
    ("0x", "not an address"),
    (MAKER[:-1], "not an address"),
    (MAKER[2:], "not an address"),
    (MAKER + "0", "not an address"),
    (MAKER + "\n", "not an address"),
    ("0x" + "g" * 40, "not an address"),
    (MAKER.swapcase().replace("0X", "0x"), "checksum is wrong"),
    (bytes(20), "not an address"),
    (1, "not an address"),
    (None, "not an address"),
]


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize(("value", "reason"), WRONG_ADDRESSES)
def test_message__wrong_address__refused(message: Message, value: Any, reason: str) -> None:
    addresses = [field.attribute for field in message.fields() if field.kind.name == "address"]
    assert addresses
    for attribute in addresses:
        with pytest.raises(BadMessage, match=f"{attribute} is .*{reason}|{attribute} {reason}"):
            dataclasses.replace(message, **{attribute: value})


def test_message__address_in_one_case__same_as_checksummed() -> None:
    lower = dataclasses.replace(ORDER, maker=MAKER.lower())
    upper = dataclasses.replace(ORDER, maker="0x" + MAKER[2:].upper())
    assert lower == upper == ORDER and lower.struct_hash() == ORDER.struct_hash()


@pytest.mark.parametrize("value", [0, 1, "true", None, 1.0])
def test_rating__rated_not_a_bool__refused(value: Any) -> None:
    with pytest.raises(BadMessage, match=r"rated is .*; give True or False"):
        Rating(MAKER, value, 0, 1)


@pytest.mark.parametrize("side", [2, 255])
def test_side__neither_buy_nor_sell__refused(side: int) -> None:
    with pytest.raises(BadMessage, match=f"side is {side}; give 0"):
        dataclasses.replace(ORDER, side=side)
    with pytest.raises(BadMessage, match=f"side is {side}; give 0"):
        Report(METER, side, 1, (1,))


@pytest.mark.parametrize(
    ("registers", "message"),
    [
        ((), "registers is empty"),
        ((5, 4), r"registers\[1\] is 4, below 5"),
        ((5, 2**64), r"registers\[1\] is 18446744073709551616, outside"),
        ((5, True), r"registers\[1\] is True"),
        ((5, 6.0), r"registers\[1\] is 6.0"),
        (("5",), r"registers\[0\] is '5'"),
        ("56", "give a list of ints"),
        (b"56", "give a list of ints"),
        (5, "give a list of ints"),
        (None, "give a list of ints"),
    ],
)
def test_report__senseless_registers__refused(registers: Any, message: str) -> None:
    with pytest.raises(BadMessage, match=message):
        Report(METER, 1, 100, registers)


def test_report__list_of_registers__kept_as_tuple_with_growths() -> None:
    report = Report(METER, 1, 100, [5, 5, 9])  # type: ignore[arg-type]
    assert report.registers == (5, 5, 9) and report.growths_wh == (0, 4)
    assert hash(report) == hash(Report(METER, 1, 100, (5, 5, 9)))


def test_message__changed_after_creation__refused() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ORDER.energy_wh = 5  # type: ignore[misc]


def test_order__slot__is_the_low_nibble_of_the_nonce() -> None:
    assert [dataclasses.replace(ORDER, nonce=nonce).slot for nonce in (0, 15, 16, 35)] == [0, 15, 0, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nonce": "1x"}, "'1x' is not a decimal integer"),
        ({"nonce": "-1"}, "'-1' is not a decimal integer"),
        ({"nonce": 1.5}, r"nonce is 1.5 \(float\)"),
        ({"extra": 1}, "missing or unknown fields: extra"),
    ],
)
def test_from_json__wrong_fields__refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadMessage, match=message):
        Order.from_json(ORDER.to_json() | change)
    with pytest.raises(BadMessage, match="missing or unknown fields: nonce"):
        Order.from_json({name: value for name, value in ORDER.to_json().items() if name != "nonce"})


@pytest.mark.parametrize(
    ("chain_id", "contract"),
    [
        (True, METER),
        (1.0, METER),
        ("1", METER),
        (-1, METER),
        (2**256, METER),
        (1, ZERO),
        (1, "market"),
        (1, None),
    ],
)
def test_domain__senseless__refused(chain_id: Any, contract: Any) -> None:
    with pytest.raises(BadMessage):
        Domain(chain_id, contract)


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_digest__another_chain_nonce_or_deadline__differs(chain_id: int, nonce: int, deadline: int) -> None:
    cancel = Cancel(MAKER, 17, 101, 1_765_125_000)
    other = dataclasses.replace(cancel, nonce=nonce, deadline=deadline)
    same = (chain_id, other) == (DOMAIN.chain_id, cancel)
    assert (other.digest(Domain(chain_id, METER)) == cancel.digest(DOMAIN)) == same


KEYS: list[Any] = [b"\x00" * 32, CURVE_ORDER.to_bytes(32, "big"), b"\x11" * 31, "0x11", "key", "", 17, None]


@pytest.mark.parametrize("key", KEYS, ids=[str(i) for i in range(len(KEYS))])
def test_sign__no_private_key__refused_without_showing_it(key: Any) -> None:
    with pytest.raises(BadKey) as refused:
        sign(ORDER, DOMAIN, key)
    assert not refused.value.context and str(refused.value) == f"{BadKey.fact}; {BadKey.next_step}"
    assert refused.value.__cause__ is None


def test_sign__key_as_bytes_hex_or_account__same_signature() -> None:
    account = Account.from_key(KEY)
    signatures = {sign(ORDER, DOMAIN, key) for key in (KEY, KEY.hex(), "0x" + KEY.hex(), account.key)}
    assert len(signatures) == 1


@given(st.binary(min_size=32, max_size=32).filter(lambda key: 0 < int.from_bytes(key, "big") < CURVE_ORDER))
def test_signature__any_key__low_s_and_both_forms_lead_back(key: bytes) -> None:
    signature = sign(ORDER, DOMAIN, key)
    assert 0 < signature.s <= CURVE_ORDER // 2 and signature.v in (27, 28)
    assert len(signature.to_bytes()) == 65 and len(signature.to_compact()) == 64
    assert Signature.from_bytes(signature.to_bytes()) == signature
    assert Signature.from_bytes(signature.to_compact()) == signature
    assert Signature.from_hex("0x" + signature.to_bytes().hex()) == signature
    assert Signature.from_vrs(signature.v - 27, signature.r, signature.s) == signature
    assert recover(ORDER, DOMAIN, signature) == PrivateKey(key).public_key.to_checksum_address()


HALF = CURVE_ORDER // 2


@pytest.mark.parametrize(
    ("r", "vs", "message"),
    [
        (0, 1, "outside the order"),
        (CURVE_ORDER, 1, "outside the order"),
        (1, 0, "outside the order"),
        (1, 1 << 255, "outside the order"),
        (1, HALF + 1, "high s"),
        (1, (1 << 255) | (HALF + 1), "high s"),
        (1, 1 << 256, "give a word of 256 bits"),
        (-1, 1, "give a word of 256 bits"),
        (True, 1, "give a word of 256 bits"),
        (1, 1.0, "give a word of 256 bits"),
    ],
)
def test_signature__words_out_of_bounds__refused(r: Any, vs: Any, message: str) -> None:
    with pytest.raises(MalformedSignature, match=message):
        Signature(r, vs)


def test_signature__largest_words__accepted() -> None:
    signature = Signature(CURVE_ORDER - 1, (1 << 255) | HALF)
    assert (signature.s, signature.v) == (HALF, 28)


@pytest.mark.parametrize("length", [0, 32, 63, 66, 130])
def test_signature__other_length__refused(length: int) -> None:
    with pytest.raises(MalformedSignature, match=f"this has {length} bytes"):
        Signature.from_bytes(b"\x01" * length)


@pytest.mark.parametrize("v", [2, 26, 29, 255, True])
def test_signature__other_v__refused(v: int) -> None:
    with pytest.raises(MalformedSignature, match=f"v is {v}; give 27 or 28"):
        Signature.from_vrs(v, 1, 1)


@pytest.mark.parametrize("text", ["0xzz", "nothing", None, 5])
def test_signature__no_hex__refused(text: Any) -> None:
    with pytest.raises(MalformedSignature, match="is not hex"):
        Signature.from_hex(text)


def test_recover__r_that_is_no_point__refused() -> None:
    # x = 5 lies on no point of secp256k1.
    with pytest.raises(MalformedSignature, match="no key can have made this signature"):
        recover(ORDER, DOMAIN, Signature(5, 1))


def test_check_signer__somebody_else__named() -> None:
    with pytest.raises(BadSignature) as refused:
        check_signer(ORDER, DOMAIN, sign(ORDER, DOMAIN, KEY), OTHER)
    assert refused.value.context == {"signer": OTHER, "recovered": MAKER, "message_type": "Order"}


def test_check_signer__zero_address__never_authorises() -> None:
    with pytest.raises(BadMessage, match="signer is the zero address"):
        check_signer(ORDER, DOMAIN, sign(ORDER, DOMAIN, KEY), ZERO)


def test_sign__260_orders__well_under_a_second() -> None:
    start = time.process_time()
    signatures = {sign(dataclasses.replace(ORDER, nonce=nonce), DOMAIN, KEY) for nonce in range(260)}
    assert len(signatures) == 260
    assert time.process_time() - start < 1

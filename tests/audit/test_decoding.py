"""Fast decoding says what eth_abi says, of all that the contracts take and log, right or wrong."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth_abi.abi import decode as decode_any
from eth_abi.abi import encode
from eth_abi.grammar import parse
from eth_utils.abi import collapse_if_tuple

from peerwatt import artifacts
from peerwatt.audit import decoding

KINDS = sorted(
    {
        tuple(collapse_if_tuple(argument) for argument in entry["inputs"])
        for contract in ("EnergyMarket", "EnergyRegistry")
        for entry in artifacts.load(contract).abi
        if entry["type"] in ("function", "event") and entry["inputs"]
    }
)
FAST = [kinds for kinds in KINDS if decoding._plan(kinds) is not None]


def make(kind: Any, choose: random.Random) -> Any:
    if kind.is_array:
        return [make(kind.item_type, choose) for _ in range(choose.randrange(4))]
    if hasattr(kind, "components"):
        return tuple(make(one, choose) for one in kind.components)
    if kind.base == "address":
        return f"0x{choose.randbytes(20).hex()}"
    if kind.base == "bool":
        return choose.random() < 0.5
    if kind.base == "uint":
        return choose.choice([0, 2**kind.sub - 1, choose.randrange(2**kind.sub)])
    return choose.randbytes(kind.sub or 5)


def tell(how: Any, kinds: tuple[str, ...], data: bytes, strict: bool) -> Any:
    try:
        return how(kinds, data, strict=strict)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("kinds", KINDS, ids=",".join)
def test_decode__right_and_wrong_data__as_eth_abi(kinds: tuple[str, ...]) -> None:
    choose = random.Random(str(kinds))
    for _ in range(30):
        data = encode(kinds, [make(parse(kind), choose) for kind in kinds])
        at = choose.randrange(len(data))
        wrong = bytearray(data)
        wrong[at] ^= 1 << choose.randrange(8)
        for given in (data, data + b"\1" * 7, data[:-1], data[:at], bytes(wrong)):
            for strict in (True, False):
                assert tell(decoding.decode, kinds, given, strict) == tell(decode_any, kinds, given, strict)


def test_decode__mostly__fast(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(FAST) > 0.8 * len(KINDS)
    enrolments = next(kinds for kinds in FAST if kinds[0].endswith("[]"))
    data = encode(enrolments, [make(parse(enrolments[0]), random.Random(1))])
    monkeypatch.delattr(decoding, "decode_any")
    ((*found,),) = decoding.decode(enrolments, data)
    assert len(found) > 0

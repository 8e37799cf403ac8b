"""The golden vectors: an independent implementation and the client both agree with them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from peerwatt.exceptions import BadSignature, MalformedSignature
from peerwatt.signing import MESSAGES, Domain, Message, Signature, check_signer, recover, sign
from peerwatt.signing.signature import CURVE_ORDER

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors"
# As market.md freezes them, so that other languages can sign.
TYPE_STRINGS = (
    "Order(address maker,address meter,uint8 side,uint32 firstWindow,uint32 lastWindow,uint32 energyWh,"
    "uint8 limitLevel,uint32 nonce)",
    "Cancel(address maker,uint32 nonce,uint32 fromWindow,uint64 deadline)",
    "Report(address meter,uint8 side,uint32 firstWindow,uint64[] registers)",
    "Agent(address account,address agent,uint64 expiry,uint8 maxBuyLevel,uint8 minSellLevel,"
    "uint128 maxReserve,uint256 nonce)",
    "Withdrawal(address account,address recipient,uint256 amount,uint256 nonce,uint64 deadline)",
    "Enrolment(address account,address meter,uint64 importedWh,uint64 exportedWh,uint64 deadline)",
    "Rating(address account,bool rated,uint256 nonce,uint64 deadline)",
    "MeterSwap(address account,address oldMeter,address newMeter,uint64 importedWh,uint64 exportedWh,"
    "uint64 deadline)",
)
FILES = ("order", "cancel", "report", "agent", "withdrawal", "enrolment", "rating", "meter_swap")


def load_script() -> ModuleType:
    name = "make_vectors"
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def read_vectors(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def get_class(name: str) -> type[Message]:
    return {message.__name__: message for message in MESSAGES}[name]


def split_type(type_string: str) -> list[dict[str, str]]:
    fields = type_string.partition("(")[2].rstrip(")").split(",")
    return [{"name": field.split(" ")[1], "type": field.split(" ")[0]} for field in fields]


CASES = [(name, case) for name in FILES for case in read_vectors(name)["cases"]]
REFUSED = [(name, case) for name in FILES for case in read_vectors(name)["refused"]]
CASE_IDS = [f"{name}: {case['name']}" for name, case in CASES]
REFUSED_IDS = [f"{name}: {case['name']}" for name, case in REFUSED]


def test_vectors__all_files__are_what_the_script_writes() -> None:
    made = load_script().make()
    assert {path.name for path in VECTORS.glob("*.json")} >= set(made)
    assert {name: (VECTORS / name).read_text(encoding="utf-8") for name in made} == made


def test_types__all__are_as_frozen() -> None:
    assert tuple(message.type_string() for message in MESSAGES) == TYPE_STRINGS
    assert tuple(read_vectors(name)["typeString"] for name in FILES) == TYPE_STRINGS


@pytest.mark.parametrize(("name", "case"), CASES, ids=CASE_IDS)
def test_vector__eth_account__hashes_and_signs_the_same(name: str, case: dict[str, Any]) -> None:
    content = read_vectors(name)
    signable = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": split_type(content["domainTypeString"]),
                content["type"]: split_type(content["typeString"]),
            },
            "primaryType": content["type"],
            "domain": case["domain"] | {"chainId": int(case["domain"]["chainId"])},
            "message": case["message"],
        }
    )
    assert "0x" + signable.header.hex() == case["domainSeparator"]
    assert "0x" + signable.body.hex() == case["structHash"]
    signed = Account.sign_message(signable, case["privateKey"])
    assert "0x" + signed.message_hash.hex() == case["digest"]
    assert "0x" + signed.signature.hex() == case["signature"]
    parity = (signed.v - 27) << 255
    assert (int(case["r"], 16), int(case["vs"], 16)) == (signed.r, signed.s | parity)
    assert Account.from_key(case["privateKey"]).address == case["signer"]


@pytest.mark.parametrize(("name", "case"), CASES, ids=CASE_IDS)
def test_vector__client__hashes_signs_and_recovers_the_same(name: str, case: dict[str, Any]) -> None:
    content = read_vectors(name)
    kind = get_class(content["type"])
    message = kind.from_json(case["message"])
    domain = Domain(int(case["domain"]["chainId"]), case["domain"]["verifyingContract"])
    assert "0x" + kind.type_hash().hex() == content["typeHash"]
    assert "0x" + message.struct_hash().hex() == case["structHash"]
    assert "0x" + message.digest(domain).hex() == case["digest"]
    signature = sign(message, domain, case["privateKey"])
    assert "0x" + signature.to_bytes().hex() == case["signature"]
    assert (signature.r, signature.vs) == (int(case["r"], 16), int(case["vs"], 16))
    assert recover(message, domain, Signature.from_hex(case["signature"])) == case["signer"]
    check_signer(message, domain, signature, case["signer"])


@pytest.mark.parametrize(("name", "case"), REFUSED, ids=REFUSED_IDS)
def test_vector__refused_signature__refused(name: str, case: dict[str, Any]) -> None:
    message = get_class(read_vectors(name)["type"]).from_json(case["message"])
    domain = Domain(int(case["domain"]["chainId"]), case["domain"]["verifyingContract"])
    malformed = case["name"] in ("high s", "unknown v", "empty")
    with pytest.raises(MalformedSignature if malformed else BadSignature):
        check_signer(message, domain, Signature.from_hex(case["signature"]), case["signer"])


def test_vectors__high_s__would_recover_the_signer_in_a_careless_library() -> None:
    for name in FILES:
        case = next(case for case in read_vectors(name)["refused"] if case["name"] == "high s")
        message = get_class(read_vectors(name)["type"]).from_json(case["message"])
        domain = Domain(int(case["domain"]["chainId"]), case["domain"]["verifyingContract"])
        data = bytes.fromhex(case["signature"][2:])
        assert int.from_bytes(data[32:64], "big") > CURVE_ORDER // 2
        recovered = Account._recover_hash(message.digest(domain), signature=data)
        assert recovered == case["signer"]

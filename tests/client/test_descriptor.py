"""The ERC-7730 descriptor: the rules of its published schema that matter, and every field of every message."""

from __future__ import annotations

import re
from typing import Any

import pytest
from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

from peerwatt.signing import MESSAGES, Domain, Message, Order
from peerwatt.signing.descriptor import build_descriptor
from peerwatt.units import LEVELS, PriceGrid, parse_price

GRID = PriceGrid(floor_price=61_500, price_step=500, token_decimals=6, currency="NGN")
DOMAIN = Domain(31_337, "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69")
TOKEN = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
DESCRIPTOR = build_descriptor(DOMAIN, GRID, TOKEN, 900)
FORMATS = DESCRIPTOR["display"]["formats"]
# Of erc7730-v2.schema.json: what each format's parameters may be, and must have.
PARAMETERS: dict[str, tuple[set[str], set[str]]] = {
    "raw": (set(), set()),
    "addressName": ({"types", "sources", "senderAddress"}, set()),
    "tokenAmount": ({"token", "tokenPath", "threshold", "message"}, {"token"}),
    "date": ({"encoding"}, {"encoding"}),
    "unit": ({"base", "decimals", "prefix"}, {"base"}),
    "enum": ({"$ref"}, {"$ref"}),
}
ENCODE_TYPE = re.compile(r"[A-Za-z_]\w*\([a-z0-9]+(\[\])? [A-Za-z_]\w*(,[a-z0-9]+(\[\])? [A-Za-z_]\w*)*\)")


def test_descriptor__sections__are_those_of_the_schema() -> None:
    assert set(DESCRIPTOR) == {"$schema", "context", "metadata", "display"}
    assert set(DESCRIPTOR["context"]) == {"$id", "eip712"}
    assert set(DESCRIPTOR["context"]["eip712"]) <= {"domain", "domainSeparator", "deployments"}
    assert set(DESCRIPTOR["metadata"]) <= {"owner", "contractName", "info", "token", "constants", "enums", "maps"}
    assert set(DESCRIPTOR["display"]) <= {"definitions", "formats"}


def test_descriptor__context__is_this_market_on_this_chain_only() -> None:
    binding = DESCRIPTOR["context"]["eip712"]
    assert binding["deployments"] == [{"chainId": 31_337, "address": DOMAIN.verifying_contract}]
    assert is_checksum_address(binding["deployments"][0]["address"])
    assert binding["domain"].items() <= DOMAIN.to_json().items()


def test_descriptor__levels__each_labelled_with_its_price() -> None:
    levels = DESCRIPTOR["metadata"]["enums"]["levels"]
    assert list(levels) == [str(level) for level in range(LEVELS)]
    assert [parse_price(label, GRID) for label in levels.values()] == list(range(LEVELS))


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_descriptor__message__every_field_is_shown_once_in_its_sequence(kind: type[Message]) -> None:
    (key,) = [key for key in FORMATS if keccak(text=key) == kind.type_hash()]
    assert ENCODE_TYPE.fullmatch(key)
    shown = FORMATS[key]
    assert set(shown) == {"$id", "intent", "fields"} and 0 < len(shown["intent"]) <= 30
    paths = [field["path"].removesuffix(".[]") for field in shown["fields"]]
    assert paths == [field.name for field in kind.fields()]
    labels = [field["label"] for field in shown["fields"]]
    assert len(set(labels)) == len(labels) and all(0 < len(label) <= 20 for label in labels)
    for field, signed in zip(shown["fields"], kind.fields(), strict=True):
        assert field["path"].endswith(".[]") == signed.kind.name.endswith("[]")
        check_format(field)


def check_format(field: dict[str, Any]) -> None:
    allowed, required = PARAMETERS[field["format"]]
    parameters = field.get("params", {})
    assert set(field) <= {"path", "label", "format", "params"}
    assert required <= set(parameters) <= allowed
    if field["format"] == "raw":
        assert "params" not in field
    if field["format"] == "enum":
        name = parameters["$ref"].removeprefix("$.metadata.enums.")
        labels = DESCRIPTOR["metadata"]["enums"][name]
        assert all(key.isdigit() and 0 < len(label) <= 20 for key, label in labels.items())
    if field["format"] == "tokenAmount":
        assert parameters["token"] == TOKEN


def test_descriptor__order__reads_like_an_order() -> None:
    fields = {field["path"]: field for field in FORMATS[Order.type_string()]["fields"]}
    enums = DESCRIPTOR["metadata"]["enums"]
    assert enums[fields["side"]["params"]["$ref"].rpartition(".")[2]] == {"0": "Buy", "1": "Sell"}
    assert fields["energyWh"]["params"] == {"base": "Wh", "prefix": True}
    assert fields["firstWindow"]["label"] == "First window (x900s)"
    assert enums[fields["limitLevel"]["params"]["$ref"].rpartition(".")[2]]["67"] == "95 NGN/kWh"

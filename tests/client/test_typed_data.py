"""Typed data that comes back from an external signer: the same message, or what was changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from peerwatt.exceptions import BadMessage
from peerwatt.signing import BUY, Cancel, Domain, Order, Withdrawal, parse_typed_data

MARKET, OTHER = "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
DOMAIN = Domain(31_337, MARKET)
ORDER = Order(OTHER, MARKET, BUY, 10, 13, energy_wh=1200, limit_level=67, nonce=1)
KINDS = (Order, Cancel)


def change(part: str, name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    def act(data: dict[str, Any]) -> None:
        data[part] = {**data[part], name: value}

    return act


@pytest.mark.parametrize("message", [ORDER, Cancel(OTHER, 1, 10, 2**40)], ids=["order", "cancel"])
def test_parse__what_was_written__is_the_message(message: Order | Cancel) -> None:
    assert parse_typed_data(message.to_typed_data(DOMAIN), DOMAIN, KINDS) == message


@pytest.mark.parametrize(
    "act",
    [
        change("domain", "chainId", "31337"),
        change("domain", "chainId", "0x7a69"),
        change("domain", "verifyingContract", MARKET.lower()),
        change("message", "maker", OTHER.lower()),
        change("message", "nonce", "1"),
        lambda data: data["types"].pop("EIP712Domain"),
    ],
)
def test_parse__forms_that_wallets_write__the_same_message(act: Callable[[dict[str, Any]], object]) -> None:
    data = ORDER.to_typed_data(DOMAIN)
    act(data)
    assert parse_typed_data(data, DOMAIN, KINDS) == ORDER


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (change("message", "energyWh", 1.5), "energy_wh is 1.5 (float); give an int"),
        (change("message", "energyWh", True), "energy_wh is True (bool); give an int"),
        (change("message", "energyWh", [1]), "energy_wh is [1] (list); give an int"),
        (change("message", "side", 2), "side is 2; give 0 (buys, imports) or 1 (sells, exports)"),
        (change("message", "price", 3), "missing or unknown fields: price"),
        (change("domain", "chainId", 1), "this is signed for chain 1, the market is on chain 31337"),
        (change("domain", "chainId", "one"), "this is signed for chain one, the market is on chain 31337"),
        (change("domain", "verifyingContract", OTHER), f"signed for the market {OTHER}, the one here is {MARKET}"),
        (change("domain", "version", "2"), "the domain's version is '2', not '1'"),
        (change("domain", "salt", "0x00"), "the domain has to have exactly name, version, chainId, verifyingContract"),
        (change("types", "Order", [{"name": "maker", "type": "address"}]), "the type Order was changed"),
        (lambda data: data.update(types=[]), "the type Order was changed; the market's is Order(address maker,"),
        (lambda data: data.update(message=[]), "the message is []; give the fields of Order(address maker,"),
        (lambda data: data.pop("types"), "this has no types, primaryType, domain and message"),
    ],
)
def test_parse__anything_else__says_what(act: Callable[[dict[str, Any]], object], says: str) -> None:
    data = ORDER.to_typed_data(DOMAIN)
    act(data)
    with pytest.raises(BadMessage) as refused:
        parse_typed_data(data, DOMAIN, KINDS)
    assert says in str(refused.value)


@pytest.mark.parametrize("data", [None, [], "0x", 7])
def test_parse__no_object__says_what_it_lacks(data: object) -> None:
    with pytest.raises(BadMessage, match="this has no types, primaryType, domain and message"):
        parse_typed_data(data, DOMAIN, KINDS)


def test_parse__another_message__names_those_accepted() -> None:
    other = Withdrawal(OTHER, OTHER, 1, 0, 10)
    with pytest.raises(BadMessage, match="of type 'Withdrawal'; give one of type Order or Cancel"):
        parse_typed_data(other.to_typed_data(DOMAIN), DOMAIN, KINDS)

"""Reads back what `Message.to_typed_data` wrote, when an external signer has signed it: nothing may have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exceptions import BadMessage
from .domain import Domain
from .typed import Message


def parse_typed_data(data: Any, domain: Domain, kinds: tuple[type[Message], ...]) -> Message:
    """The message in the JSON of `eth_signTypedData_v4`.

    Args:
        data: the parsed JSON.
        domain: where the signature has to count.
        kinds: the signed types that are accepted.
    Raises:
        BadMessage: another chain, market or type, changed fields of a type, or values that it cannot have.
    """
    if not isinstance(data, Mapping) or not {"types", "primaryType", "domain", "message"} <= set(data):
        raise BadMessage(
            "this has no types, primaryType, domain and message; build it with: peerwatt order build"
        )
    _check_domain(data["domain"], domain)
    kind = next((kind for kind in kinds if kind.__name__ == data["primaryType"]), None)
    if kind is None:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise BadMessage(f"this signs a message of type {data['primaryType']!r}; give one of type {names}")
    _check_type(data["types"], kind)
    if not isinstance(data["message"], Mapping):
        raise BadMessage(f"the message is {data['message']!r}; give the fields of {kind.type_string()}")
    return kind.from_json(data["message"])


def _check_domain(found: Any, domain: Domain) -> None:
    expected = domain.to_json()
    if not isinstance(found, Mapping) or set(found) != set(expected):
        raise BadMessage(f"the domain has to have exactly {', '.join(expected)}; build the message again")
    chain_id = _parse_chain_id(found["chainId"])
    if chain_id != domain.chain_id:
        raise BadMessage(
            f"this is signed for chain {chain_id}, the market is on chain {domain.chain_id}; "
            "build it for this market, or name the other one with --deployment"
        )
    market = found["verifyingContract"]
    if not isinstance(market, str) or market.lower() != domain.verifying_contract.lower():
        raise BadMessage(
            f"this is signed for the market {market}, the one here is {domain.verifying_contract}; "
            "build it for this market, or name the other one with --deployment"
        )
    for name in ("name", "version"):
        if found[name] != expected[name]:
            raise BadMessage(
                f"the domain's {name} is {found[name]!r}, not {expected[name]!r}; build it again"
            )


def _parse_chain_id(value: Any) -> Any:
    """Wallets write it as a number, a decimal or a hexadecimal text."""
    try:
        return int(value, 0) if isinstance(value, str) else value
    except ValueError:
        return value


def _check_type(types: Any, kind: type[Message]) -> None:
    expected = [{"name": field.name, "type": field.kind.name} for field in kind.fields()]
    found = types.get(kind.__name__) if isinstance(types, Mapping) else None
    if found != expected:
        raise BadMessage(f"the type {kind.__name__} was changed; the market's is {kind.type_string()}, build it again")

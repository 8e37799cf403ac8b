"""What a hardware or other wallet shows of a message instead of bare numbers: an ERC-7730 descriptor (version 2).

Price levels are labelled with the market's prices, energy and money have their units. A window is only a number in
ERC-7730, so its label says by how many seconds to multiply it to get Unix time.
"""

from __future__ import annotations

from typing import Any

from ..units import LEVELS, PriceGrid, format_price
from . import MESSAGES
from .agent import Agent
from .cancel import Cancel
from .domain import Domain
from .enrolment import Enrolment
from .meter_swap import MeterSwap
from .order import Order
from .rating import Rating
from .report import Report
from .sides import BUY, EXPORTS, IMPORTS, SELL
from .typed import Field, Message
from .withdrawal import Withdrawal

SCHEMA = "https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json"
# At most 30 characters, and labels at most 20: what small devices show in full.
INTENTS: dict[type[Message], str] = {
    Order: "Trade electricity",
    Cancel: "Cancel an order",
    Report: "Report a meter's registers",
    Agent: "Authorise an agent key",
    Withdrawal: "Withdraw money",
    Enrolment: "Join the electricity market",
    Rating: "Choose to be rated as a buyer",
    MeterSwap: "Change the meter",
}
_ADDRESS: dict[str, Any] = {
    "format": "addressName",
    "params": {"types": ["wallet", "eoa", "contract"], "sources": ["local", "ens"]},
}
_METER: dict[str, Any] = {"format": "addressName", "params": {"types": ["eoa"], "sources": ["local"]}}
_ENERGY: dict[str, Any] = {"format": "unit", "params": {"base": "Wh", "prefix": True}}
_TIME: dict[str, Any] = {"format": "date", "params": {"encoding": "timestamp"}}
_LEVEL: dict[str, Any] = {"format": "enum", "params": {"$ref": "$.metadata.enums.levels"}}
_RAW: dict[str, Any] = {"format": "raw"}

# Label and format of each attribute, whatever message it is in.
FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "maker": ("Account", _ADDRESS),
    "account": ("Account", _ADDRESS),
    "meter": ("Meter", _METER),
    "old_meter": ("Old meter", _METER),
    "new_meter": ("New meter", _METER),
    "agent": ("Agent key", _ADDRESS),
    "recipient": ("To", _ADDRESS),
    "energy_wh": ("Energy per window", _ENERGY),
    "imported_wh": ("Import register", _ENERGY),
    "exported_wh": ("Export register", _ENERGY),
    "registers": ("Registers", _ENERGY),
    "limit_level": ("Limit", _LEVEL),
    "max_buy_level": ("Agent buys up to", _LEVEL),
    "min_sell_level": ("Agent sells from", _LEVEL),
    "expiry": ("Agent valid until", _TIME),
    "deadline": ("Valid until", _TIME),
    "rated": ("Be rated", _RAW),
    "nonce": ("Nonce", _RAW),
}
WINDOWS = {"first_window": "First window", "last_window": "Last window", "from_window": "From window"}
MONEY = {"amount": "Amount", "max_reserve": "Agent reserves up to"}


def build_descriptor(domain: Domain, grid: PriceGrid, token: str, window_seconds: int) -> dict[str, Any]:
    """The descriptor of one market.

    Args:
        domain: its chain and address.
        grid: its prices.
        token: address of its money.
        window_seconds: length of a window [s].
    Returns:
        What is written as JSON.
    """
    return {
        "$schema": SCHEMA,
        "context": {
            "$id": "peerwatt market",
            "eip712": {
                "deployments": [{"chainId": domain.chain_id, "address": domain.verifying_contract}],
                "domain": {"name": Domain.NAME, "version": Domain.VERSION},
            },
        },
        "metadata": {
            "owner": "peerwatt",
            "contractName": "EnergyMarket",
            "enums": {
                "levels": {str(level): format_price(level, grid) for level in range(LEVELS)},
                "orderSides": {str(BUY): "Buy", str(SELL): "Sell"},
                "registerSides": {str(IMPORTS): "Imports", str(EXPORTS): "Exports"},
            },
        },
        "display": {"formats": {kind.type_string(): _format(kind, token, window_seconds) for kind in MESSAGES}},
    }


def _format(kind: type[Message], token: str, window_seconds: int) -> dict[str, Any]:
    return {
        "$id": kind.__name__,
        "intent": INTENTS[kind],
        "fields": [_field(kind, field, token, window_seconds) for field in kind.fields()],
    }


def _field(kind: type[Message], field: Field, token: str, window_seconds: int) -> dict[str, Any]:
    if field.attribute == "side":
        sides = "orderSides" if kind is Order else "registerSides"
        label, form = "Side", {"format": "enum", "params": {"$ref": f"$.metadata.enums.{sides}"}}
    elif field.attribute in WINDOWS:
        label, form = f"{WINDOWS[field.attribute]} (x{window_seconds}s)", _RAW
    elif field.attribute in MONEY:
        label, form = MONEY[field.attribute], {"format": "tokenAmount", "params": {"token": token}}
    else:
        label, form = FIELDS[field.attribute]
    path = f"{field.name}.[]" if field.kind.name.endswith("[]") else field.name
    return {"path": path, "label": label, **form}

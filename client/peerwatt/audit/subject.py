"""Which market a report is about, and which money it is in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from peerwatt.audit.failures import SourceIncomplete
from peerwatt.audit.transport import Transport
from peerwatt.market.deployment import Deployment
from peerwatt.units import MAX_DECIMALS

_LONGEST = 11


@dataclass(frozen=True)
class Currency:
    """A unit is 10 ** decimals base units."""

    symbol: str
    decimals: int


def read_currency(transport: Transport, token: str) -> Currency | None:
    """What the token calls itself; None if it does not tell, as an ERC-20 need not."""
    calls = [{"to": token, "data": f"0x{keccak(text=name)[:4].hex()}"} for name in ("symbol()", "decimals()")]
    try:
        symbol, decimals = transport.many([("eth_call", [call, "latest"]) for call in calls])
        (name,) = decode(["string"], bytes.fromhex(symbol[2:]))
        places = int(decimals, 16)
    except (SourceIncomplete, DecodingError, TypeError, ValueError):
        return None
    if not name.isalnum() or len(name) > _LONGEST or places > MAX_DECIMALS:
        return None
    return Currency(name, places)


def describe_market(deployment: Deployment, manifest: bool, currency: Currency | None) -> dict[str, Any]:
    """Which market a report is about."""
    return {
        "chain_id": deployment.chain_id,
        **{name: address for name, address in deployment.contracts().items() if int(address, 16)},
        "block": deployment.block,
        "block_hash": deployment.block_hash,
        "manifest": manifest,
        "currency": currency.symbol if currency else None,
        "token_decimals": currency.decimals if currency else None,
        "parameters": asdict(deployment.parameters),
    }

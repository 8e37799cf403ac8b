"""Moves the clock of a local chain forward, on either engine."""

from __future__ import annotations

import re
from typing import Any

from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from peerwatt.exceptions import BadAmount
from peerwatt.node.errors import NodeError

UNITS_S = {"d": 86400, "h": 3600, "m": 60, "s": 1}
PART = re.compile(r"(\d+)([dhms])")
SPAN = re.compile(r"(\d+d)?(\d+h)?(\d+m)?(\d+s)?")
# A century: far enough, and a timestamp stays a timestamp.
MAX_SPAN_S = 36_525 * 86400


def can_travel(w3: Web3) -> bool:
    """Whether the node lets its clock be moved; moves nothing."""
    try:
        return not w3.provider.make_request(RPCEndpoint("evm_increaseTime"), [0]).get("error")
    except Web3Exception:
        return False


def travel_to(w3: Web3, time_s: int) -> int:
    """Mines a block with this timestamp; the chain's clock goes on from there.

    Returns:
        The new block's number.
    Raises:
        NodeError: the node can't travel, or is past that time.
    """
    newest_s = int(w3.eth.get_block("latest")["timestamp"])
    if time_s <= newest_s:
        raise NodeError(f"the chain is at {newest_s} s already, {time_s} s is not after it; choose a later time")
    if not can_travel(w3):
        raise NodeError("this node has no time travel; only local chains do: peerwatt node, anvil")
    _ask(w3, "evm_setNextBlockTimestamp", time_s)
    _ask(w3, "evm_mine")
    return int(w3.eth.block_number)


def _ask(w3: Web3, method: str, *params: Any) -> None:
    error: Any = w3.provider.make_request(RPCEndpoint(method), list(params)).get("error")
    if error:
        text = error["message"] if isinstance(error, dict) else error
        raise NodeError(f"the node refused to travel ({text}); check which chain it is")


def parse_span(text: str) -> int:
    """A span of time as people write it: `30m`, `1h30m`, `2d` [s].

    Raises:
        BadAmount: it is none, or none at all.
    """
    match = SPAN.fullmatch(text.strip())
    span_s = sum(int(number) * UNITS_S[unit] for number, unit in PART.findall(text)) if match else 0
    if not 0 < span_s <= MAX_SPAN_S:
        raise BadAmount(
            f"{text!r} is no span of time; write it like 30m, 1h30m, 2d or 45s, at most {MAX_SPAN_S // 86400}d"
        )
    return span_s

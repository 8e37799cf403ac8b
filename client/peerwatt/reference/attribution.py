"""Who supplied whom: a pool has no pairs, so this is a convention, pro rata to fills. For information
only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .values import BUY, uint

if TYPE_CHECKING:
    from .state import MarketState

# The supplier of what sellers did not deliver and of the rounding Wh.
UTILITY = "utility"

Shares = dict[tuple[str, str], int]


def attribute(supplied_wh: Mapping[str, int], bought_wh: Mapping[str, int]) -> Shares:
    """Wh by supplier and buyer, each supplier's share out in proportion to what the buyers bought.

    Whole Wh by largest remainder: each supplier's row adds up to what it supplied and each buyer's column to
    what it bought; what no supplier covers is the utility's. Of equal remainders the lower address is first.

    Args:
        supplied_wh: by supplier.
        bought_wh: by buyer, together at least as much.
    Raises:
        ValueError: more was supplied than bought.
    """
    for name, wh in (*supplied_wh.items(), *bought_wh.items()):
        uint(wh, 64, f"energy of {name}")
    missing_wh = sum(bought_wh.values()) - sum(supplied_wh.values())
    if missing_wh < 0:
        raise ValueError(f"{-missing_wh} Wh more supplied than bought: count only what was sold")
    rows = dict(sorted(supplied_wh.items()))
    if missing_wh:
        rows[UTILITY] = rows.get(UTILITY, 0) + missing_wh
    wanted = dict(sorted(bought_wh.items()))
    shares: Shares = {}
    for supplier, row_wh in rows.items():
        # Shares of what each buyer still lacks: rounded up they never exceed it, and the last row takes the
        # rest exactly.
        for buyer, share_wh in _largest_remainder(row_wh, wanted).items():
            wanted[buyer] -= share_wh
            if share_wh:
                shares[supplier, buyer] = share_wh
    return shares


def attribution(market: MarketState, window: int) -> Shares:
    """Who supplied whom in a window that is settled: sellers what they delivered, the utility the rest.

    Raises:
        ValueError: orders of the window are still to settle.
    """
    result = market.results.get(window)
    if result is None:
        return {}
    if result.left_wh:
        left_wh = result.left_wh
        raise ValueError(f"window {window} still has {left_wh} Wh of orders to settle: settle it first")
    entries = [entry for entry in market.ledger if entry.window == window]
    supplied_wh = {entry.account: entry.delivered_wh for entry in entries if entry.order.side != BUY}
    bought_wh = {entry.account: entry.fill_wh for entry in entries if entry.order.side == BUY}
    return attribute(supplied_wh, bought_wh)


def _largest_remainder(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Splits a total in proportion to weights; each share is the exact one rounded down or up."""
    weight = sum(weights.values())
    if total == 0:
        return {}
    shares = {name: total * part // weight for name, part in weights.items()}
    left = total - sum(shares.values())
    for name in sorted(weights, key=lambda name: (-(total * weights[name] % weight), name))[:left]:
        shares[name] += 1
    return shares

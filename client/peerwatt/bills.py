"""Utility bills of a home with and without the market: integer base units, positive when the home pays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class WindowUse:
    """A home's registers and trades in one window [Wh].

    Attributes:
        imported_wh, exported_wh: growth of the registers.
        bought_wh: fill of the home's bid. delivered_wh: what its offer delivered, at most the export.
    """

    imported_wh: int
    exported_wh: int
    bought_wh: int = 0
    delivered_wh: int = 0

    def __post_init__(self) -> None:
        if min(self.imported_wh, self.exported_wh, self.bought_wh, self.delivered_wh) < 0:
            raise ValueError(f"{self}: energies must not be negative")
        if self.delivered_wh > self.exported_wh:
            raise ValueError(f"{self}: delivered more than exported")


def baseline_cost(uses: Iterable[WindowUse], retail_per_wh: int, feed_in_per_wh: int) -> int:
    """Cost of the same registers without a market: imports at retail less exports at feed-in [base units]."""
    return sum(u.imported_wh * retail_per_wh - u.exported_wh * feed_in_per_wh for u in uses)


def residual_cost(
    uses: Iterable[WindowUse], retail_per_wh: int, feed_in_per_wh: int, floor_per_wh: int
) -> int:
    """The utility bill that is left beside the market [base units].

    Imports not bought from peers at retail; energy bought and not consumed is credited at feed-in, never more
    than the lowest price of the grid; exports count only beyond what was delivered to peers.
    """
    credit = min(feed_in_per_wh, floor_per_wh)
    total = 0
    for use in uses:
        total += max(use.imported_wh - use.bought_wh, 0) * retail_per_wh
        total -= max(use.bought_wh - use.imported_wh, 0) * credit
        total -= (use.exported_wh - use.delivered_wh) * feed_in_per_wh
    return total


def reduction_pct(baseline: int, market: int) -> float:
    """Fall of a bill in per cent of its size; 0 for an empty bill.

    A community that earns has a negative baseline; a market cost below it is still a positive reduction.
    """
    return 0.0 if baseline == 0 else 100.0 * (baseline - market) / abs(baseline)

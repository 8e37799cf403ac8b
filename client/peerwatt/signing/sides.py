"""The two sides of the market."""

from __future__ import annotations

from ..exceptions import BadMessage

BUY = 0
SELL = 1
# The registers of a report have the side of the orders they settle.
IMPORTS = BUY
EXPORTS = SELL


def check_side(side: int) -> None:
    """Makes sure that a side is 0 or 1.

    Raises:
        BadMessage: another number.
    """
    if side not in (BUY, SELL):
        raise BadMessage(f"side is {side}; give 0 (buys, imports) or 1 (sells, exports)")

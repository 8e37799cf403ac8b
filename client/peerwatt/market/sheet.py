"""A statement: an account's windows in some time with what the utility bills beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from peerwatt.market.gateway import MarketGateway
from peerwatt.market.history import read_head
from peerwatt.market.statement import AccountHistory, Movement, Row, Totals, add_up
from peerwatt.market.utility import UtilityPrices, UtilityShare, share_of


@dataclass(frozen=True)
class Sheet:
    """A statement as it is shown: the rows of a period with the utility's share of each settled one, and deposits and
    withdrawals of that time [Unix s]."""

    history: AccountHistory
    rows: list[Row]
    shares: dict[int, UtilityShare]
    movements: list[tuple[int, Movement]]
    totals: Totals
    prices: UtilityPrices
    feed_in_given: bool

    @property
    def utility_amount(self) -> int:
        """What is known of the utility bill [base units]."""
        return sum(share.amount or 0 for share in self.shares.values())

    @property
    def unknown_windows(self) -> int:
        """Windows of which the imports are not known."""
        return sum(share.import_amount is None for share in self.shares.values())


def make_sheet(
    gateway: MarketGateway,
    history: AccountHistory,
    first: int | None,
    last: int | None,
    growths: Mapping[int, Mapping[int, int]],
    feed_in: int | None,
) -> Sheet:
    """The statement of windows first to last, None without a bound.

    Args:
        growths: of the home's own registers by side and window [Wh], as far as they are known.
        feed_in: what the utility credits for exports [base units/Wh]; the grid's lowest price if None.
    Raises:
        WrongRegisters: they are of another meter.
    """
    parameters = gateway.deployment.parameters
    retail = None
    if history.retail_class is not None:
        retail = int(gateway.registry.functions.retail(history.retail_class).call()) or None
    floor = parameters.floor_price
    prices = UtilityPrices(retail, floor if feed_in is None else feed_in, floor)
    rows = [
        row for row in history.rows if (first is None or row.window >= first) and (last is None or row.window <= last)
    ]
    shares = {row.window: share_of(row, growths, prices) for row in rows if row.settled}
    seconds = parameters.window_seconds
    movements = []
    for movement in history.movements:
        if movement.kind != "credit":
            time_s = read_head(gateway.w3, movement.block_number).time_s
            window = time_s // seconds
            if (first is None or window >= first) and (last is None or window <= last):
                movements.append((time_s, movement))
    return Sheet(history, rows, shares, movements, add_up(rows), prices, feed_in is not None)

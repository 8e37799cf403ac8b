"""What stays on the utility bill of a window, beside what was traded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from peerwatt.bills import WindowUse, residual_cost
from peerwatt.market.statement import Row
from peerwatt.signing import BUY, SELL


class WrongRegisters(ValueError):
    """The registers are not those of the account's meter."""


@dataclass(frozen=True)
class UtilityPrices:
    """What the utility charges and credits beside the market [base units/Wh].

    Attributes:
        retail: of the connection's class, None if it is not known.
        feed_in: for exports. floor: lowest price of the grid, the most that unused purchases are credited with.
    """

    retail: int | None
    feed_in: int
    floor: int


@dataclass(frozen=True)
class UtilityShare:
    """A window's registers and what the utility charges for them beside the market.

    Attributes:
        imported_wh, exported_wh: None where only the meter knows.
        import_amount: for imports that were not bought, less the credit for purchases that were not used [base
            units]; None where imports or the retail price are unknown.
        export_amount: credit for exports beyond what was delivered, so never above zero [base units]; None where
            exports are unknown.
    """

    imported_wh: int | None
    exported_wh: int | None
    import_amount: int | None
    export_amount: int | None

    @property
    def amount(self) -> int | None:
        """What is known of the bill; None if nothing is."""
        known = [part for part in (self.import_amount, self.export_amount) if part is not None]
        return sum(known) if known else None


def to_growths(readings: Iterable[tuple[int, int]]) -> dict[int, int]:
    """What a register grew by in each window that has a reading at both its ends [Wh].

    Args:
        readings: windows, and the register at the start of each [Wh].
    """
    at = dict(readings)
    return {window: at[window + 1] - register_wh for window, register_wh in at.items() if window + 1 in at}


def share_of(row: Row, growths: Mapping[int, Mapping[int, int]], prices: UtilityPrices) -> UtilityShare:
    """The utility's share of a settled window.

    Args:
        growths: of the home's own registers by side and window [Wh]; a report on the chain counts before them.
    Raises:
        WrongRegisters: they differ from the report on the chain, or exports are less than what was delivered.
    """
    imported_wh = _pick(row.window, "imported", row.imported_wh, growths.get(BUY, {}).get(row.window))
    exported_wh = _pick(row.window, "exported", row.exported_wh, growths.get(SELL, {}).get(row.window))
    bought_wh = (row.filled_wh or 0) if row.side == BUY else 0
    delivered_wh = row.delivered_wh or 0
    if exported_wh is not None and exported_wh < delivered_wh:
        raise WrongRegisters(
            f"window {row.window} has {exported_wh} Wh exported and {delivered_wh} Wh delivered; these registers are "
            "not those of the account's meter"
        )
    import_amount = export_amount = None
    if imported_wh is not None and prices.retail is not None:
        use = WindowUse(imported_wh, 0, bought_wh)
        import_amount = residual_cost([use], prices.retail, prices.feed_in, prices.floor)
    if exported_wh is not None:
        use = WindowUse(0, exported_wh, 0, delivered_wh)
        export_amount = residual_cost([use], 0, prices.feed_in, prices.floor)
    return UtilityShare(imported_wh, exported_wh, import_amount, export_amount)


def _pick(window: int, what: str, reported_wh: int | None, own_wh: int | None) -> int | None:
    if reported_wh is not None and own_wh is not None and reported_wh != own_wh:
        raise WrongRegisters(
            f"window {window} has {own_wh} Wh {what} in the file and {reported_wh} Wh in the meter's report; these "
            "registers are not those of the account's meter"
        )
    return own_wh if reported_wh is None else reported_wh

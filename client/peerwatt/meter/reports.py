"""Which registers have to be signed: reports that cover the windows with an order, and no more of a home's life."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from peerwatt.exceptions import ReadingNotNewer, RegisterOverflow
from peerwatt.market.clock import MarketClock
from peerwatt.meter.readings import REGISTERS, Reading
from peerwatt.reference.auction import fill_of
from peerwatt.reference.meters import MAX_REPORT_WINDOWS
from peerwatt.reference.offers import Order
from peerwatt.reference.state import MarketState
from peerwatt.signing import BUY, SELL, Report
from peerwatt.units import format_energy

MAX_GROWTH_WH = 2**32 - 1
# By side, by window: the readings of a home.
Readings = Mapping[int, Mapping[int, Reading]]


def order_in(market: MarketState, account: str, window: int) -> Order:
    """The order of an open window of an account that the rehearsal knows."""
    return next(
        order for (owner, _), order in market.orders.items() if owner == account and window in order.windows
    )


def needed_side(market: MarketState, account: str, window: int) -> int | None:
    """Whose register an open window needs: exports for energy sold, imports for a rated buyer's, None for neither."""
    order = order_in(market, account, window)
    if window <= market.cleared and fill_of(market, order, window) == 0:
        return None
    if order.side == SELL:
        return SELL
    return BUY if order.rated else None


def cut_reports(
    market: MarketState, account: str, readings: Readings, clock: MarketClock, *, every_window: bool = False
) -> list[Report]:
    """The reports to sign, in the sequence in which the market takes them.

    A register that was not given is never made up. Windows without an order are left out where that saves words and
    shows less of the home; the newest export register is always reported, since offers need a recent one.

    Args:
        account: in lower case.
        readings: with the market's last reading of each side.
        every_window: report every window between two successive readings, with an order or not.
    Raises:
        ReadingNotNewer: nothing is newer than what the market has.
        RegisterOverflow: a register grows by 2^32 Wh or more in a window.
    """
    meter = market.exports[account].meter
    opened = sorted(market.calendars[account].open)
    other = {side: {window for window in opened if _refuses(market, account, window, side)} for side in readings}
    reports = []
    for side, known in readings.items():
        needed = {window for window in opened if needed_side(market, account, window) == side}
        known = dict(_with_flat_stretches(known, needed))
        instants = sorted(known)
        newest = instants[-1]
        for first, end in _pieces(instants, needed, other[side], market.cleared, every_window):
            reports.append(_report(meter, side, first, end, known, clock))
        reported = max(
            (report.first_window + len(report.growths_wh) for report in reports if report.side == side), default=0
        )
        if newest > max(instants[0], reported) and (side == SELL or not needed):
            reports.append(_report(meter, side, newest, newest, known, clock))
    if not reports:
        last = max(min(known) for known in readings.values())
        raise ReadingNotNewer(
            f"the market has a reading of {clock.format_time(clock.start_s(last))}, and there is none after it; "
            "give registers that were read later",
            window=last,
        )
    return sorted(reports, key=lambda report: (report.first_window, -report.side))


def _refuses(market: MarketState, account: str, window: int, side: int) -> bool:
    """Whether a report of a side must not run over an open window: it holds an order of the other kind."""
    order = order_in(market, account, window)
    return order.side == SELL if side == BUY else order.side == BUY and order.rated


def _with_flat_stretches(known: Mapping[int, Reading], needed: set[int]) -> Iterator[tuple[int, Reading]]:
    """A register that did not move between two readings had the same value all the time."""
    yield from known.items()
    for before, after in pairwise(sorted(known)):
        if known[before].register_wh == known[after].register_wh and any(before <= window < after for window in needed):
            for window in range(before + 1, after):
                yield window, known[before]


def _pieces(
    instants: list[int], needed: set[int], other: set[int], cleared: int, every_window: bool
) -> Iterator[tuple[int, int]]:
    """First window and end of each stretch of successive readings that one report can cover."""
    windows = [
        window
        for window, following in pairwise(instants)
        if following == window + 1 and window not in other and window <= cleared
    ]
    stretch: list[int] = []
    for window in [*windows, -1]:
        if stretch and (window != stretch[-1] + 1 or len(stretch) == MAX_REPORT_WINDOWS):
            inside = stretch if every_window else [at for at in stretch if at in needed]
            if inside:
                yield inside[0], inside[-1] + 1
            stretch = []
        stretch.append(window)


def _report(
    meter: str, side: int, first: int, end: int, known: Mapping[int, Reading], clock: MarketClock
) -> Report:
    registers = [known[window].register_wh for window in range(first, end + 1)]
    for offset, (before_wh, after_wh) in enumerate(pairwise(registers)):
        if after_wh - before_wh > MAX_GROWTH_WH:
            raise RegisterOverflow(
                f"the {REGISTERS[side]} register grows by {format_energy(after_wh - before_wh)} in "
                f"{clock.format_window(first + offset)}, and a report holds up to {format_energy(MAX_GROWTH_WH)} a "
                "window; check the unit",
                window=first + offset,
            )
    return Report(meter, side, first, tuple(registers))

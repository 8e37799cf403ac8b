"""Signed reports on their way to the market: what goes with them, what they will settle, why they would be refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peerwatt.exceptions import (
    BadSignature,
    NotEnrolled,
    OpeningDiffers,
    ReadingNotNewer,
    RegisterDecreases,
    StartsAfterOpenWindow,
    WindowNotCleared,
    WindowNotEnded,
    WrongSide,
    from_reason,
)
from peerwatt.market import relay
from peerwatt.market.clock import MarketClock
from peerwatt.meter.readings import REGISTERS
from peerwatt.meter.reports import needed_side, order_in
from peerwatt.reference.messages import ReportMessage
from peerwatt.reference.offers import hints_for
from peerwatt.reference.reasons import Refused
from peerwatt.reference.settlement import Funds, Settled, settle_due, settle_report
from peerwatt.reference.state import MarketState
from peerwatt.refusals.base import MarketError
from peerwatt.signing import BUY, SELL, Report, Signature
from peerwatt.units import format_energy


@dataclass(frozen=True)
class SignedReport:
    """A report and its meter's signature: anyone may relay it."""

    report: Report
    signature: Signature


@dataclass(frozen=True)
class Step:
    """One item of the relay, and what it settles.

    Attributes:
        account: checksum address.
        report: None for windows that are settled without one, so that the next report can follow.
        hints: as of `pack_hints`.
    """

    account: str
    report: Report | None
    hints: int
    settled: tuple[Settled, ...]

    def to_item(self, signature: Signature | None) -> relay.Item:
        """The item to relay, given the meter's signature of its report."""
        if self.report is None or signature is None:
            return relay.DueItem(self.account, len(self.settled), self.hints)
        slots = relay.unpack_hints(self.hints)
        return relay.ReportItem.from_message(self.account, self.report, signature, slots)


def plan_steps(
    market: MarketState, account: str, reports: Sequence[tuple[Report, str]], clock: MarketClock
) -> list[Step]:
    """Plays reports through the reference, one after the other.

    Args:
        market: a rehearsal that knows the account; it is changed.
        account: checksum address.
        reports: each with the address that signs or signed it.
    Returns:
        The items to relay. Windows in between that need no report are settled first.
    Raises:
        MarketError: the market would refuse a report; the message has the values. Nothing was sent.
    """
    steps: list[Step] = []
    owner = account.lower()
    for report, signer in reports:
        calendar = market.calendars[owner]
        if calendar.next_open is not None and report.first_window > calendar.next_open:
            due = _settle_due(market, account, report, clock)
            if due is not None:
                steps.append(due)
        hints, before = hints_for(market, owner), len(market.ledger)
        message = ReportMessage(report.side, report.first_window, report.registers[0], report.growths_wh)
        try:
            settle_report(market, clock.now_s, owner, message, hints, signer.lower(), Funds())
        except Refused as refused:
            raise explain(refused.reason, market, owner, report, clock) from refused
        steps.append(Step(account, report, hints, tuple(market.ledger[before:])))
    return steps


def _settle_due(market: MarketState, account: str, report: Report, clock: MarketClock) -> Step | None:
    owner = account.lower()
    count = sum(window < report.first_window for window in market.calendars[owner].open)
    hints, before = hints_for(market, owner), len(market.ledger)
    try:
        settle_due(market, clock.now_s, owner, hints, count, Funds())
    except Refused:
        # Then the report is refused, and that says why.
        return None
    return Step(account, None, hints, tuple(market.ledger[before:]))


def find_unread(market: MarketState, account: str, before: int) -> list[int]:
    """Windows before an instant that hold up what follows: they need a register that nobody gave."""
    opened = sorted(window for window in market.calendars[account].open if window < before)
    return [window for window in opened if needed_side(market, account, window) is not None]


def explain(
    reason: str, market: MarketState, account: str, report: Report, clock: MarketClock
) -> MarketError:
    """The exception of a report that the market would refuse, with times and values.

    Args:
        account: in lower case.
    """
    end = report.first_window + len(report.growths_wh)
    ends = clock.format_time(clock.start_s(end))
    name = REGISTERS[report.side]
    last = market.exports[account] if report.side == SELL else market.imports[account]
    last_read = clock.format_time(clock.start_s(last.window))
    if reason == NotEnrolled.reason:
        return NotEnrolled(account=account)
    if reason == BadSignature.reason:
        return BadSignature(
            f"the report is not signed by {market.exports[account].meter}, the meter bound to {account}, for this "
            "market; sign it with that meter's key",
            account=account,
        )
    if reason == WindowNotEnded.reason:
        return WindowNotEnded(
            f"the report ends at {ends}, and it is {clock.format_time(clock.now_s)}; wait until the window is over",
            window=end - 1,
        )
    if reason == WindowNotCleared.reason:
        return _not_cleared(market, end - 1, clock)
    if reason == ReadingNotNewer.reason:
        return ReadingNotNewer(
            f"the report ends at {ends}, and the market has the {name} register of {last_read}; "
            "give registers that were read later",
            last_window=last.window,
        )
    if reason == OpeningDiffers.reason:
        same_wh = report.registers[last.window - report.first_window]
        return OpeningDiffers(
            f"the {name} register at {last_read} is {format_energy(last.register_wh)} in the market and "
            f"{format_energy(same_wh)} in the report; start from the register in the market, or have the meter checked",
            stored_wh=last.register_wh,
            register_wh=same_wh,
        )
    if reason == RegisterDecreases.reason:
        return RegisterDecreases(
            f"the report opens at {format_energy(report.registers[0])}, and the {name} register was "
            f"{format_energy(last.register_wh)} at {last_read}; have the meter checked",
            before_wh=last.register_wh,
            register_wh=report.registers[0],
        )
    if reason == StartsAfterOpenWindow.reason:
        return _gap(market, account, report, clock)
    if reason == WrongSide.reason:
        wrong = [window for window in sorted(market.calendars[account].open) if window < end]
        kind = "an offer" if report.side == BUY else "a rated bid"
        needed = REGISTERS[SELL if report.side == BUY else BUY]
        spans = ", ".join(clock.format_window(window) for window in wrong)
        return WrongSide(
            f"the report of the {name} register covers {kind} ({spans}); report the {needed} register of it first",
            windows=wrong,
        )
    return from_reason(reason, side=report.side, first_window=report.first_window, windows=len(report.growths_wh))


def _not_cleared(market: MarketState, window: int, clock: MarketClock) -> MarketError:
    return WindowNotCleared(
        f"{clock.format_window(window)} is not cleared yet, so nobody knows what was sold in it; "
        "clear it with: peerwatt keeper --once",
        window=window,
        cleared=market.book_state.cleared,
    )


def _gap(market: MarketState, account: str, report: Report, clock: MarketClock) -> MarketError:
    """The windows that a report leaves out and must not."""
    unread = find_unread(market, account, report.first_window)
    if not unread:
        # It is not due, since it is not cleared: a cleared one without a need is.
        return _not_cleared(market, min(market.calendars[account].open), clock)
    late = [window for window in unread if window > market.cleared]
    if late:
        return _not_cleared(market, late[0], clock)
    by_side = {side: [w for w in unread if needed_side(market, account, w) == side] for side in (SELL, BUY)}
    side = SELL if by_side[SELL] else BUY
    windows = by_side[side]
    instants = sorted({instant for window in windows for instant in (window, window + 1)})
    times = ", ".join(clock.format_time(clock.start_s(instant)) for instant in instants)
    deed = "sold" if side == SELL else "bought"
    energy = format_energy(order_in(market, account, windows[0]).energy_wh)
    spans = ", ".join(clock.format_window(window) for window in windows)
    known_s = clock.end_s(windows[0]) + market.results[windows[0]].delay_seconds
    default_s = known_s + market.parameters.report_deadline_seconds
    return StartsAfterOpenWindow(
        f"energy was {deed} in {spans} (an order of {energy} a window), and the {REGISTERS[side]} register at both "
        f"ends of {'it' if len(windows) == 1 else 'each'} is needed: give those at {times}, "
        f"each as TIME=REGISTER{'' if side == SELL else ', with --import'}; without them it counts as not "
        f"{'delivered' if side == SELL else 'taken'} from {clock.format_time(default_s)}, and what follows waits",
        windows=windows,
    )

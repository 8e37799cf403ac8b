"""Which readings go to the chain, and in what sequence: what the market would do with them is played through first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import select

from peerwatt.exceptions import (
    OpeningDiffers,
    ReadingNotNewer,
    RegisterDecreases,
    StartsAfterOpenWindow,
    WindowNotCleared,
    WindowNotEnded,
)
from peerwatt.market import relay
from peerwatt.market.accounts import AccountState, read_accounts
from peerwatt.market.clock import MarketClock
from peerwatt.market.rehearsal import read_results, rehearse
from peerwatt.market.words import BookStateWord
from peerwatt.meter.reports import needed_side, order_in
from peerwatt.meter.submission import SignedReport, find_unread, plan_steps
from peerwatt.reference.state import MarketState
from peerwatt.refusals.base import MarketError
from peerwatt.signing import EXPORTS, SELL, Report
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.connections import to_address
from peerwatt_bridge.services.outbox import Job
from peerwatt_bridge.services.readings import to_signed_report
from peerwatt_bridge.services.rows import Item
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.packing import NO_OFFER
from peerwatt_bridge.storage.tables import Status, meters, reading_end, readings

# Reports of one round, and words of one relay.
MAX_REPORTS = 400
MAX_WORDS = relay.MAX_WORDS
OTHER_WINDOWS = "covers-other-windows"
# A reading that is half as old as the market allows is renewed.
RENEWAL = 2
# These pass: the window ends, somebody clears it, the reading that is missing comes.
PASSING = (WindowNotEnded, WindowNotCleared, StartsAfterOpenWindow)
DOUBTFUL = (OpeningDiffers, RegisterDecreases)


@dataclass(frozen=True)
class Waiting:
    """A reading that waits, with its account."""

    id: int
    account: str
    signed: SignedReport


@dataclass(frozen=True)
class Gap:
    """Windows of a meter that were sold or bought and not reported; what follows waits for them."""

    meter: str
    windows: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What to do with readings now.

    Attributes:
        job: the relay, None if there is nothing to relay.
        ends: readings that will never be relayed, with status, reason and detail.
        gaps: what is missing.
    """

    job: Job | None
    ends: tuple[tuple[Item, Status, str, str], ...]
    gaps: tuple[Gap, ...]


class ReportRelay:
    """Plans the relays of readings."""

    def __init__(self, database: Database, chain: Chain) -> None:
        self._database = database
        self._chain = chain
        # The meter after which the next round goes on: one that waits for long must not keep others waiting.
        self._after = 0
        # Halved by whoever finds that a relay needs more gas than a transaction has.
        self.max_words = MAX_WORDS

    def plan(self, busy: frozenset[str]) -> Plan:
        """The next relay.

        Args:
            busy: accounts with something on its way; their state is about to change.
        Raises:
            Web3Exception, RequestException, OSError: the node is away.
        """
        waiting = self._read_waiting(busy)
        if not waiting:
            return Plan(None, (), ())
        gateway, clock = self._chain.gateway, self._chain.clock(self._chain.read_time())
        by_account: dict[str, list[Waiting]] = defaultdict(list)
        for one in waiting:
            by_account[one.account].append(one)
        book = gateway.book_state()
        states = read_accounts(gateway, sorted(by_account))
        max_age_s = gateway.deployment.parameters.max_reading_age_seconds
        round_ = _Round(book, clock, max_age_s, self.max_words, self._final_cleared())
        # Only for this round: a reorganisation may change them.
        read_result = cache(gateway.result)
        for state in states:
            # Each alone: the model looks an order up among all that it has.
            market = rehearse(gateway.deployment, book, [state], read_results(read_result, book, [state]))
            round_.add(market, state, by_account[state.address])
        return round_.to_plan(gateway.deployment.market, gateway.market)

    def _read_waiting(self, busy: frozenset[str]) -> list[Waiting]:
        query = (
            select(readings, meters.c.address, meters.c.account)
            .join(meters, meters.c.id == readings.c.meter_id)
            .where(readings.c.status == int(Status.RECEIVED))
            .where(readings.c.meter_id > self._after)
            .order_by(readings.c.meter_id, readings.c.first_window, readings.c.id)
            .limit(MAX_REPORTS)
        )
        if busy:
            query = query.where(meters.c.account.not_in([bytes.fromhex(account[2:]) for account in busy]))
        newest = self._chain.clock().window
        # Windows that are still running can't be settled; they need not be looked at.
        query = query.where(reading_end <= newest)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        self._after = rows[-1].meter_id if len(rows) == MAX_REPORTS else 0
        return [
            Waiting(row.id, to_address(row.account), to_signed_report(row, to_address(row.address))) for row in rows
        ]

    def _final_cleared(self) -> int:
        """The newest window that is cleared in a block that stays; -1 if there is none."""
        number = self._chain.final_number(self._chain.head().number)
        if number < self._chain.deployment.block:
            return -1
        word = self._chain.gateway.market.functions.book_state().call(block_identifier=number)
        return BookStateWord.decode(int(word)).cleared


class _Round:
    """One plan in the making."""

    def __init__(
        self, book: BookStateWord, clock: MarketClock, max_age_s: int, max_words: int, final_cleared: int
    ) -> None:
        self._max_words = max_words
        self._final_cleared = final_cleared
        self._book = book
        self._clock = clock
        self._max_age_s = max_age_s
        self._words: list[int] = []
        self._places: list[Item] = []
        self._count = 0
        self._ends: list[tuple[Item, Status, str, str]] = []
        self._gaps: list[Gap] = []

    def add(self, market: MarketState, state: AccountState, waiting: Sequence[Waiting]) -> None:
        """An account's readings, in the sequence of their windows, and the model that knows the account."""
        self._market = market
        for one in waiting:
            if not self._add(state, one):
                return

    def to_plan(self, address: str, market: object) -> Plan:
        """The plan."""
        if not self._words:
            return Plan(None, tuple(self._ends), tuple(self._gaps))
        call = market.functions.relay(self._words, False)  # type: ignore[attr-defined]
        data = bytes.fromhex(call._encode_transaction_data()[2:])
        return Plan(Job("readings", address, data, tuple(self._places)), tuple(self._ends), tuple(self._gaps))

    def _add(self, state: AccountState, one: Waiting) -> bool:
        """One reading; False if what follows it has to wait too."""
        report, owner = one.signed.report, state.address.lower()
        if _end(report) - 1 > self._book.cleared and report.growths_wh:
            return False
        if report.growths_wh and not self._is_done(owner, report):
            covered = range(report.first_window, _end(report))
            needed = [window for window in covered if needed_side_of(self._market, owner, window) == report.side]
            if not needed:
                self._end(one, Status.HELD, NO_OFFER, "nothing was sold in these windows, so they stay with the home")
                return True
            strange = [window for window in covered if not _is_ordered(self._market, owner, window, report.side)]
            if strange:
                spans = ", ".join(self._clock.format_window(window) for window in strange)
                self._end(
                    one,
                    Status.HELD,
                    OTHER_WINDOWS,
                    f"it also covers windows without an offer ({spans} UTC), which stay with the home; "
                    "let the meter sign the others alone",
                )
                return True
        if not report.growths_wh and not self._renews(owner, report):
            self._end(one, Status.HELD, NO_OFFER, "the market has a recent reading, so this one stays with the home")
            return True
        return self._play(state, one)

    def _play(self, state: AccountState, one: Waiting) -> bool:
        report, owner = one.signed.report, state.address.lower()
        # A refused report may have settled what is due before it.
        saved = self._market.snapshot()
        try:
            steps = plan_steps(self._market, state.address, [(report, report.meter)], self._clock)
        except PASSING as refusal:
            self._market.restore(saved)
            if isinstance(refusal, StartsAfterOpenWindow):
                unread = find_unread(self._market, owner, report.first_window)
                self._gaps.append(Gap(report.meter, tuple(unread)))
            return False
        except MarketError as refusal:
            self._market.restore(saved)
            status = Status.REFUSED
            if isinstance(refusal, ReadingNotNewer):
                status = Status.SUPERSEDED
            elif isinstance(refusal, DOUBTFUL):
                status = Status.QUARANTINED
            self._end(one, status, refusal.problem, str(refusal))
            return True
        words = relay.pack(step.to_item(None if step.report is None else one.signed.signature) for step in steps)
        if self._words and len(self._words) + len(words) > self._max_words:
            self._market.restore(saved)
            return False
        for step in steps:
            if step.report is not None:
                self._places.append(Item("readings", one.id, self._count))
            self._count += 1
        self._words += words
        return True

    def _is_done(self, owner: str, report: Report) -> bool:
        """Whether the market has read the register since; then the market says so itself."""
        last = self._market.exports[owner] if report.side == EXPORTS else self._market.imports[owner]
        return last.window >= _end(report)

    def _renews(self, owner: str, report: Report) -> bool:
        """Whether a register alone is worth a transaction: offers need a reading that is not too old."""
        last = self._market.exports[owner]
        age_s = self._clock.now_s - self._clock.start_s(last.window)
        return report.side == EXPORTS and report.first_window > last.window and age_s * RENEWAL > self._max_age_s

    def _end(self, one: Waiting, status: Status, reason: str, detail: str) -> None:
        """For good; but not on the word of blocks that the chain may still take back."""
        if _end(one.signed.report) - 1 > self._final_cleared:
            return
        self._ends.append((Item("readings", one.id, 0), status, reason, detail))


def needed_side_of(market: MarketState, owner: str, window: int) -> int | None:
    """The register that a window needs to be settled; None for windows without an order, or that are settled."""
    if window not in market.calendars[owner].open:
        return None
    return needed_side(market, owner, window)


def _is_ordered(market: MarketState, owner: str, window: int, side: int) -> bool:
    """Whether a window has an order that a report of this side tells of."""
    if window not in market.calendars[owner].open:
        return False
    order = order_in(market, owner, window)
    return order.side == SELL if side == EXPORTS else order.side != SELL and order.rated


def _end(report: Report) -> int:
    return report.first_window + len(report.growths_wh)

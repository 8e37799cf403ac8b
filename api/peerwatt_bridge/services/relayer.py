"""The relayer: brings what waits to the chain, round by round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, select, update
from web3.exceptions import Web3Exception

from peerwatt.refusals.base import MarketError
from peerwatt_bridge.services.act_relay import MAX_ITEMS, ActRelay
from peerwatt_bridge.services.commands import CommandKind, give
from peerwatt_bridge.services.connections import to_address
from peerwatt_bridge.services.outbox import MAX_IN_FLIGHT, Job, LeaseLost, Mined, Outbox
from peerwatt_bridge.services.report_relay import MAX_WORDS, Gap, ReportRelay
from peerwatt_bridge.services.rows import Item, set_status
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.tables import ITEM_TABLES, Status, meters, reading_end, readings

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Round:
    """What a round did: transactions sent, transactions mined since the last one."""

    sent: int
    mined: tuple[Mined, ...]
    # What keeps a transaction from its block, None if nothing does.
    trouble: str | None = None


class Relayer:
    """Plans and sends. One process at a time works for a key; several keys share what waits."""

    def __init__(self, database: Database, outbox: Outbox, reports: ReportRelay, acts: ActRelay) -> None:
        self._database = database
        self._outbox = outbox
        self._reports = reports
        self._acts = acts
        self._asked: set[tuple[str, int]] = set()

    def round(self) -> Round:
        """One round; nothing if another bridge works with this key.

        Raises:
            Web3Exception, RequestException, OSError: the node is away; the next round goes on.
        """
        if not self._outbox.hold():
            return Round(0, ())
        mined = tuple(self._outbox.work())
        room = MAX_IN_FLIGHT - len(self._outbox.in_flight())
        sent = 0
        plan = self._acts.plan(self._busy())
        self._end(plan.ends)
        for job in plan.jobs[: max(room, 0)]:
            sent += self._send(job, self._shrink_acts, self._grow_acts)
        if room - sent > 0:
            report_plan = self._reports.plan(self._busy())
            self._end(report_plan.ends)
            self._ask(report_plan.gaps)
            if report_plan.job is not None:
                sent += self._send(report_plan.job, self._shrink_reports, self._grow_reports)
        return Round(sent, mined, self._outbox.trouble())

    def _send(self, job: Job, shrink: Callable[[], bool], grow: Callable[[], None]) -> int:
        try:
            self._outbox.send(job)
        except LeaseLost as error:
            log.info("lease-lost", error=str(error))
            return 0
        except MarketError as refusal:
            # A whole call is refused only for what no item can cause; the next plan finds out.
            log.warning("refused", purpose=job.purpose, reason=refusal.problem)
            return 0
        except Web3Exception as error:
            # The node would not estimate it: most likely it needs more gas than a transaction has.
            if len(job.items) > 1 and shrink():
                log.info("relay-halved", purpose=job.purpose, error=str(error)[:200])
                return 0
            raise
        grow()
        return 1

    def _shrink_reports(self) -> bool:
        self._reports.max_words = max(self._reports.max_words // 2, 4)
        return True

    def _grow_reports(self) -> None:
        self._reports.max_words = min(self._reports.max_words * 2, MAX_WORDS)

    def _shrink_acts(self) -> bool:
        self._acts.max_items = max(self._acts.max_items // 2, 1)
        return True

    def _grow_acts(self) -> None:
        self._acts.max_items = min(self._acts.max_items * 2, MAX_ITEMS)

    def _busy(self) -> frozenset[str]:
        """Accounts with something that no block has yet."""
        with self._database.reading() as connection:
            return frozenset(_read_busy(connection))

    def _end(self, ends: Sequence[tuple[Item, Status, str, str]]) -> None:
        def work(connection: Connection) -> None:
            for item, status, reason, detail in ends:
                set_status(connection, item, status, reason, detail)

        if ends:
            self._database.write(work)

    def _ask(self, gaps: Iterable[Gap]) -> None:
        """Asks meters for what is missing, once each."""
        new = [(gap.meter, window) for gap in gaps for window in gap.windows if (gap.meter, window) not in self._asked]
        if not new:
            return
        self._asked.update(new)
        self._database.write(lambda connection: _ask_meters(connection, new))


def _read_busy(connection: Connection) -> Iterable[str]:
    for table in ITEM_TABLES.values():
        account = meters.c.account if "meter_id" in table.c else table.c.account
        query = select(account).where(table.c.status == int(Status.RELAYED)).distinct()
        if "meter_id" in table.c:
            query = query.join_from(table, meters, meters.c.id == table.c.meter_id)
        for row in connection.execute(query.where(table.c.relay_id.is_not(None))):
            yield to_address(row.account)


def _ask_meters(connection: Connection, wanted: Sequence[tuple[str, int]]) -> None:
    for meter in sorted({meter for meter, _ in wanted}):
        windows = [window for other, window in wanted if other == meter]
        query = select(meters.c.id).where(meters.c.address == bytes.fromhex(meter[2:]))
        meter_id = connection.execute(query).scalar_one()
        # What ended here may be just what the market wants after all.
        connection.execute(
            update(readings)
            .where(
                readings.c.meter_id == meter_id,
                readings.c.status.in_((int(Status.HELD), int(Status.SUPERSEDED))),
                readings.c.first_window <= max(windows),
                reading_end > min(windows),
            )
            .values(status=int(Status.RECEIVED), reason=None, relay_id=None, place=None)
        )
        give(connection, meter_id, meter, CommandKind.RESEND, min(windows), max(windows))

"""Readings on arrival: verified, kept before the answer, quarantined where they can't be true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, insert, or_, select, update

from peerwatt.exceptions import BadSignature, MalformedSignature
from peerwatt.market.clock import MarketClock
from peerwatt.meter.readings import REGISTERS
from peerwatt.meter.submission import SignedReport
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Report, Signature
from peerwatt.signing.typed import recover_digest
from peerwatt.units import format_energy
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.connections import Connections, Meter
from peerwatt_bridge.storage import tables
from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.notices import notify
from peerwatt_bridge.storage.packing import pack_registers, unpack_registers
from peerwatt_bridge.storage.tables import Status, equivocations, reading_end, readings, registers

# Windows of the longest report.
MAX_WINDOWS = 255
# Readings whose registers count: others can't be told from a mistake.
DOUBTFUL = (int(Status.QUARANTINED), int(Status.REFUSED))
FALLS, CLOCK, JUMP, EQUIVOCATION = "register-falls", "clock-off", "jump", "equivocation"


class UnknownMeter(MarketError):
    problem = "unknown-meter"
    fact = "the meter is bound to no account of this market"
    next_step = "enrol the connection first: peerwatt join"


class Outcome(NamedTuple):
    """What became of one reading. `reason` is a problem's slug, None while all is well."""

    digest: bytes
    status: Status
    reason: str | None = None
    detail: str | None = None
    duplicate: bool = False
    error: MarketError | None = None


@dataclass
class _Known:
    """A reading that is kept, as far as it is compared."""

    id: int
    report: Report
    status: int


@dataclass
class _Verdict:
    status: Status = Status.RECEIVED
    reason: str | None = None
    detail: str | None = None
    # Other readings of the same moment with another register: (reading, window, theirs, ours).
    against: list[tuple[_Known, int, int, int]] = field(default_factory=list)


class Readings:
    """Takes readings."""

    def __init__(
        self, database: Database, chain: Chain, connections: Connections, clock_tolerance_s: int, margin_percent: int
    ) -> None:
        """
        Args:
            clock_tolerance_s: how far ahead a meter's clock may be [s].
            margin_percent: growth above the connection's limit that is no jump yet.
        """
        self._database = database
        self._chain = chain
        self._connections = connections
        self._tolerance_s = clock_tolerance_s
        self._margin_percent = margin_percent

    def accept(self, signed: Sequence[SignedReport]) -> list[Outcome]:
        """Verifies readings and keeps them; when this returns, they are on the disk.

        Returns:
            One outcome each, in their sequence. What is refused is not kept: nobody can prove whose it is.
        Raises:
            Web3Exception, RequestException, OSError: a meter was never seen, and the node does not answer. Nothing of
                the call is kept.
        """
        domain = self._chain.domain
        digests = [item.report.digest(domain) for item in signed]
        refused = {
            place: error
            for place, (item, digest) in enumerate(zip(signed, digests, strict=True))
            if (error := _find_forgery(item, digest)) is not None
        }
        genuine = {item.report.meter for place, item in enumerate(signed) if place not in refused}
        found = self._connections.find(genuine)
        for place, item in enumerate(signed):
            if place not in refused and item.report.meter not in found:
                refused[place] = UnknownMeter(meter=item.report.meter)
        outcomes = {
            place: Outcome(digests[place], Status.REFUSED, error.problem, str(error), error=error)
            for place, error in refused.items()
        }
        rest = [place for place in range(len(signed)) if place not in outcomes]
        if rest:
            work = [(place, digests[place], found[signed[place].report.meter], signed[place]) for place in rest]
            outcomes |= self._database.write(lambda connection: self._keep(connection, work))
        return [outcomes[place] for place in range(len(signed))]

    def _keep(
        self, connection: Connection, work: Sequence[tuple[int, bytes, Meter, SignedReport]]
    ) -> dict[int, Outcome]:
        """Judges and writes in one transaction."""
        known_meters = {meter.id: meter for _, _, meter, _ in work}
        lock = select(tables.meters.c.id).where(tables.meters.c.id.in_(known_meters)).order_by(tables.meters.c.id)
        # Another bridge on the same database waits here; SQLite has one writer anyway.
        connection.execute(lock.with_for_update())
        kept = _read_overlapping(connection, [(meter, item.report) for _, _, meter, item in work])
        newest = _read_newest(connection, known_meters)
        outcomes: dict[int, Outcome] = {}
        moved: dict[tuple[int, int], tuple[int, int]] = {}
        told: list[dict[str, Any]] = []
        new = _New()
        for place, digest, meter, item in work:
            report = item.report
            mine = kept[meter.id, report.side]
            twin = next((other for other in mine if other.report == report), None)
            if twin is not None:
                outcomes[place] = Outcome(digest, Status(twin.status), duplicate=True)
                continue
            if report.first_window < newest[meter.id, report.side][0]:
                # It is compared with what is in the table.
                new.write(connection)
            verdict = self._judge(connection, meter, report, mine, newest[meter.id, report.side])
            mine.append(new.add(meter, item, digest, verdict))
            end = report.first_window + len(report.growths_wh)
            if verdict.status == Status.RECEIVED and end >= newest[meter.id, report.side][0]:
                moved[meter.id, report.side] = newest[meter.id, report.side] = (end, report.registers[-1])
            outcomes[place] = Outcome(digest, verdict.status, verdict.reason, verdict.detail)
            told.append(_tell(digest, report, verdict.status, verdict.reason))
        if moved:
            connection.execute(
                update(registers).where(
                    registers.c.meter_id == bindparam("of_meter"), registers.c.side == bindparam("of_side")
                ),
                [
                    {"of_meter": meter_id, "of_side": side, "window": window, "register_wh": register_wh}
                    for (meter_id, side), (window, register_wh) in moved.items()
                ],
            )
        new.write(connection)
        if told:
            notify(connection, "readings", [{"readings": told}])
        return outcomes

    def _judge(
        self, connection: Connection, meter: Meter, report: Report, mine: Iterable[_Known], newest: tuple[int, int]
    ) -> _Verdict:
        clock = self._chain.clock()
        end, name = report.first_window + len(report.growths_wh), REGISTERS[report.side]
        against = list(_contradictions(report, mine))
        if against:
            _, window, theirs_wh, ours_wh = against[0]
            detail = (
                f"the {name} register at {_moment(clock, window)} is {format_energy(ours_wh)} "
                f"here and {format_energy(theirs_wh)} in another report with the meter's signature; both are kept as "
                "evidence and neither is relayed, have the meter checked"
            )
            return _Verdict(Status.QUARANTINED, EQUIVOCATION, detail, against)
        if clock.start_s(end) > clock.now_s + self._tolerance_s:
            detail = (
                f"the report ends at {_moment(clock, end)}, and it is {clock.format_time(clock.now_s)} UTC; "
                "set the meter's clock"
            )
            return _Verdict(Status.QUARANTINED, CLOCK, detail)
        before, after = self._neighbours(connection, meter, report, newest)
        if before is not None and report.registers[0] < before[1]:
            return _Verdict(Status.QUARANTINED, FALLS, _falls(clock, name, before, report.registers[0]))
        if after is not None and report.registers[-1] > after[1]:
            return _Verdict(Status.QUARANTINED, FALLS, _falls(clock, name, (end, report.registers[-1]), after[1]))
        return self._find_jump(meter, report, before, clock.format_window(report.first_window), name)

    def _neighbours(
        self, connection: Connection, meter: Meter, report: Report, newest: tuple[int, int]
    ) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """The nearest good registers before and after a report, as window and Wh."""
        if report.first_window >= newest[0]:
            return newest, None
        end = report.first_window + len(report.growths_wh)
        same = and_(readings.c.meter_id == meter.id, readings.c.side == report.side, readings.c.status.not_in(DOUBTFUL))
        earlier = _read_before(connection, same, report.first_window)
        later = connection.execute(
            select(readings).where(same, readings.c.first_window >= end).order_by(readings.c.first_window).limit(1)
        ).first()
        before = (
            None
            if earlier is None
            else (
                earlier.first_window + earlier.windows,
                unpack_registers(earlier.registers)[-1],
            )
        )
        after = None if later is None else (later.first_window, unpack_registers(later.registers)[0])
        return before, after if after is not None or end > newest[0] else newest

    def _find_jump(
        self, meter: Meter, report: Report, before: tuple[int, int] | None, span: str, name: str
    ) -> _Verdict:
        limit_wh = meter.limit_wh(report.side)
        most_wh = limit_wh * (100 + self._margin_percent) // 100
        growths = [(1, growth_wh) for growth_wh in report.growths_wh]
        if before is not None and before[0] < report.first_window:
            growths.append((report.first_window - before[0], report.registers[0] - before[1]))
        for windows, growth_wh in growths:
            if growth_wh > windows * most_wh:
                detail = (
                    f"the {name} register grows by {format_energy(growth_wh)} in {windows} window(s) near {span} UTC, "
                    f"and the connection carries {format_energy(limit_wh)} in one; check the meter and its unit"
                )
                return _Verdict(Status.QUARANTINED, JUMP, detail)
        return _Verdict()


def _find_forgery(item: SignedReport, digest: bytes) -> MarketError | None:
    """Why a report is not its meter's, None if it is."""
    try:
        signer = recover_digest(digest, item.signature)
    except MalformedSignature as error:
        return error
    if signer != item.report.meter:
        return BadSignature(signer=item.report.meter, recovered=signer, message_type="Report")
    return None


def _contradictions(report: Report, mine: Iterable[_Known]) -> Iterable[tuple[_Known, int, int, int]]:
    """The first moment at which each other report says another register."""
    first, end = report.first_window, report.first_window + len(report.growths_wh)
    for other in mine:
        theirs = other.report
        low, high = max(first, theirs.first_window), min(end, theirs.first_window + len(theirs.growths_wh))
        for window in range(low, high + 1):
            ours_wh = report.registers[window - first]
            theirs_wh = theirs.registers[window - theirs.first_window]
            if ours_wh != theirs_wh:
                yield other, window, theirs_wh, ours_wh
                break


def _moment(clock: MarketClock, window: int) -> str:
    """A window's start for people; a meter's clock can be off by more than the years that have a date."""
    try:
        return f"{clock.format_time(clock.start_s(window))} UTC"
    except (ValueError, OverflowError):
        return f"the start of window {window}"


def _falls(clock: MarketClock, name: str, before: tuple[int, int], register_wh: int) -> str:
    return (
        f"the {name} register was {format_energy(before[1])} at {_moment(clock, before[0])} and is "
        f"{format_energy(register_wh)} later, and registers only grow; "
        "have the meter checked, or swapped by the operator"
    )


def _read_overlapping(
    connection: Connection, pairs: Sequence[tuple[Meter, Report]]
) -> dict[tuple[int, int], list[_Known]]:
    """What is kept of the same meters at the same time."""
    addresses = {meter.id: meter.address for meter, _ in pairs}
    low = min(report.first_window for _, report in pairs)
    high = max(report.first_window + len(report.growths_wh) for _, report in pairs)
    rows = connection.execute(
        select(readings).where(
            readings.c.meter_id.in_(addresses),
            # The index finds by first windows alone; what ended before all of these says nothing of them.
            readings.c.first_window >= low - MAX_WINDOWS,
            readings.c.first_window <= high,
            reading_end >= low,
        )
    )
    kept: dict[tuple[int, int], list[_Known]] = defaultdict(list)
    for row in rows:
        report = Report(addresses[row.meter_id], row.side, row.first_window, unpack_registers(row.registers))
        kept[row.meter_id, row.side].append(_Known(row.id, report, row.status))
    return kept


def _read_before(connection: Connection, same: ColumnElement[bool], first_window: int) -> Row[Any] | None:
    """Of the readings that end by a window the one that ends last.

    In two steps, each along the index: the one that begins last, then those that can end after it.
    """
    ended = and_(same, readings.c.first_window <= first_window, reading_end <= first_window)
    nearest = connection.execute(
        select(readings.c.first_window).where(ended).order_by(readings.c.first_window.desc()).limit(1)
    ).scalar()
    if nearest is None:
        return None
    longest = select(readings).where(ended, readings.c.first_window >= nearest - MAX_WINDOWS)
    return connection.execute(longest.order_by(reading_end.desc()).limit(1)).first()


def _read_newest(connection: Connection, meter_ids: Iterable[int]) -> dict[tuple[int, int], tuple[int, int]]:
    rows = connection.execute(select(registers).where(registers.c.meter_id.in_(list(meter_ids))))
    return {(row.meter_id, row.side): (row.window, row.register_wh) for row in rows}


class _New:
    """Readings that are judged and not written yet: they are written together."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._known: list[tuple[_Known, Meter, _Verdict]] = []

    def add(self, meter: Meter, item: SignedReport, digest: bytes, verdict: _Verdict) -> _Known:
        """One more; its id comes when it is written."""
        report = item.report
        self._rows.append(
            {
                "meter_id": meter.id,
                "side": report.side,
                "first_window": report.first_window,
                "windows": len(report.growths_wh),
                "registers": pack_registers(report.registers),
                "signature": item.signature.to_compact(),
                "digest_key": key_of(digest),
                "status": int(verdict.status),
                "reason": verdict.reason,
                "received_s": now_ms() // 1000,
            }
        )
        known = _Known(0, report, int(verdict.status))
        self._known.append((known, meter, verdict))
        return known

    def write(self, connection: Connection) -> None:
        """Writes what was added, and what it accuses."""
        if not self._rows:
            return
        query = insert(readings).returning(readings.c.id, sort_by_parameter_order=True)
        ids = connection.execute(query, self._rows).scalars().all()
        for (known, _, _), reading_id in zip(self._known, ids, strict=True):
            known.id = int(reading_id)
        for known, meter, verdict in self._known:
            for other, window, theirs_wh, ours_wh in verdict.against:
                _accuse(connection, meter, known.report.side, window, (other, theirs_wh), (known.id, ours_wh))
        self._rows, self._known = [], []


def _accuse(
    connection: Connection, meter: Meter, side: int, window: int, first: tuple[_Known, int], second: tuple[int, int]
) -> None:
    """Keeps both as evidence; what is not on its way yet stays here."""
    other, theirs_wh = first
    reading_id, ours_wh = second
    connection.execute(
        insert(equivocations).values(
            meter_id=meter.id,
            side=side,
            window=window,
            first_id=other.id,
            second_id=reading_id,
            first_wh=theirs_wh,
            second_wh=ours_wh,
            seen_ms=now_ms(),
        )
    )
    waiting = or_(readings.c.status == int(Status.RECEIVED), readings.c.status == int(Status.HELD))
    connection.execute(
        update(readings)
        .where(readings.c.id == other.id, waiting)
        .values(status=int(Status.QUARANTINED), reason=EQUIVOCATION)
    )


def _tell(digest: bytes, report: Report, status: Status, reason: str | None) -> dict[str, Any]:
    told = {"digest": "0x" + digest.hex(), "meter": report.meter, "status": status.name.lower()}
    return told if reason is None else {**told, "reason": reason}


def key_of(digest: bytes) -> int:
    """What finds a reading by its digest: its first 4 bytes as a signed integer."""
    return int.from_bytes(digest[:4], "big", signed=True)


def to_signed_report(row: Any, meter: str) -> SignedReport:
    """The report of a row of `readings`."""
    report = Report(meter, row.side, row.first_window, unpack_registers(row.registers))
    return SignedReport(report, Signature.from_bytes(row.signature))

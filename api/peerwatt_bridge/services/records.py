"""What is kept, for those who ask where their readings are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from peerwatt.meter.submission import SignedReport
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.connections import to_address
from peerwatt_bridge.services.readings import key_of, to_signed_report
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.packing import unpack_reason
from peerwatt_bridge.storage.tables import Status, equivocations, meters, readings, relays


@dataclass(frozen=True)
class ReadingRecord:
    """A kept reading. `transaction` and `block`: of the block that has it."""

    id: int
    digest: bytes
    signed: SignedReport
    status: Status
    reason: str | None
    received_s: int
    transaction: str | None
    block: int | None


@dataclass(frozen=True)
class Equivocation:
    """Two kept readings that contradict each other at the start of a window."""

    id: int
    window: int
    first: ReadingRecord
    second: ReadingRecord
    first_wh: int
    second_wh: int
    seen_ms: int


class Records:
    """Looks things up."""

    def __init__(self, database: Database, chain: Chain) -> None:
        self._database = database
        self._chain = chain

    def find_reading(self, digest: bytes) -> ReadingRecord | None:
        """A reading by its digest."""
        found = self._read(_query().where(readings.c.digest_key == key_of(digest)))
        return next((record for record in found if record.digest == digest), None)

    def list_readings(self, meter: str | None, status: str | None, after: int, limit: int) -> list[ReadingRecord]:
        """Readings after a number, in the sequence in which they came.

        Args:
            meter: only of this address. status: only with this name; an unknown one finds nothing.
        """
        query = _query().where(readings.c.id > after).order_by(readings.c.id).limit(limit)
        if meter is not None:
            query = query.where(meters.c.address == bytes.fromhex(meter[2:]))
        if status is not None:
            if status.upper() not in Status.__members__:
                return []
            query = query.where(readings.c.status == int(Status[status.upper()]))
        return self._read(query)

    def list_equivocations(self, after: int, limit: int) -> list[Equivocation]:
        """Equivocations after a number, in the sequence in which they were seen."""
        query = select(equivocations).where(equivocations.c.id > after).order_by(equivocations.c.id).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        ids = {row.first_id for row in rows} | {row.second_id for row in rows}
        known = {record.id: record for record in self._read(_query().where(readings.c.id.in_(ids)))} if ids else {}
        return [
            Equivocation(
                row.id,
                row.window,
                known[row.first_id],
                known[row.second_id],
                row.first_wh,
                row.second_wh,
                row.seen_ms,
            )
            for row in rows
        ]

    def find_transaction(self, relay_id: int | None) -> tuple[str | None, int | None]:
        """Hash and block of the transaction that brought an item; None while no block has it."""
        if relay_id is None:
            return None, None
        with self._database.reading() as connection:
            row = connection.execute(select(relays).where(relays.c.id == relay_id)).first()
        if row is None or row.mined_hash is None:
            return None, None
        return "0x" + row.mined_hash.hex(), row.block_number

    def _read(self, query: Select[Any]) -> list[ReadingRecord]:
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [self._to_record(row) for row in rows]

    def _to_record(self, row: Any) -> ReadingRecord:
        signed = to_signed_report(row, to_address(row.address))
        return ReadingRecord(
            row.id,
            signed.report.digest(self._chain.domain),
            signed,
            Status(row.status),
            unpack_reason(Status(row.status), row.reason),
            row.received_s,
            None if row.mined_hash is None else "0x" + row.mined_hash.hex(),
            row.block_number,
        )


def _query() -> Select[Any]:
    return (
        select(readings, meters.c.address, relays.c.mined_hash, relays.c.block_number)
        .join(meters, meters.c.id == readings.c.meter_id)
        .outerjoin(relays, relays.c.id == readings.c.relay_id)
    )

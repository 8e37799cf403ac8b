"""Administrative acts: each is kept in the log in the transaction that does it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from peerwatt_bridge.services.commands import CommandKind, give
from peerwatt_bridge.services.connections import Connections, to_address
from peerwatt_bridge.services.readings import UnknownMeter
from peerwatt_bridge.services.records import Records
from peerwatt_bridge.services.rows import Item, set_status
from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.packing import unpack_reason, unpack_registers
from peerwatt_bridge.storage.tables import Status, administration, meters, readings, registers

RELEASABLE = (Status.QUARANTINED, Status.HELD)


@dataclass(frozen=True)
class Entry:
    """An act in the log. `subject`: a digest or a meter; `detail`: its values."""

    id: int
    at_ms: int
    act: str
    subject: str
    detail: dict[str, Any]


class NotReleasable(ValueError):
    """The reading is neither quarantined nor held."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Administration:
    """What an administrator may do. Nothing here moves energy or money: the market judges what is relayed."""

    def __init__(self, database: Database, connections: Connections, records: Records) -> None:
        self._database = database
        self._connections = connections
        self._records = records

    def release(self, digest: bytes, note: str, client: str) -> None:
        """Lets a quarantined or held reading go on as one that was just received.

        Args:
            note: why; for the log.
            client: address of who asks.
        Raises:
            LookupError: no such reading. NotReleasable: it does not wait for this.
        """
        record = self._records.find_reading(digest)
        if record is None:
            raise LookupError("0x" + digest.hex())
        self._database.write(lambda connection: _release(connection, record.id, digest, note, client))

    def give_command(
        self, meter: str, kind: CommandKind, first_window: int | None, last_window: int | None, client: str
    ) -> int:
        """Gives a meter a command; the number of the one that is open if it has the same already.

        Raises:
            UnknownMeter: it is bound to nobody.
            Web3Exception, RequestException, OSError: it was never seen, and the node does not answer.
        """
        found = self._connections.find([meter]).get(meter)
        if found is None:
            raise UnknownMeter(meter=meter)

        def work(connection: Connection) -> int:
            command_id = give(connection, found.id, meter, kind, first_window, last_window)
            detail = {
                "command": command_id,
                "kind": kind.value,
                "first_window": first_window,
                "last_window": last_window,
                "client": client,
            }
            _log(connection, "give-command", meter, detail)
            return command_id

        return self._database.write(work)

    def read_log(self, after: int, limit: int) -> list[Entry]:
        """Acts after a number, the oldest first."""
        query = select(administration).where(administration.c.id > after).order_by(administration.c.id).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [Entry(row.id, row.at_ms, row.act, row.subject, json.loads(row.detail)) for row in rows]


def _release(connection: Connection, reading_id: int, digest: bytes, note: str, client: str) -> None:
    query = select(readings, meters.c.address).join(meters, meters.c.id == readings.c.meter_id)
    row = connection.execute(query.where(readings.c.id == reading_id).with_for_update()).one()
    status = Status(row.status)
    if status not in RELEASABLE:
        raise NotReleasable(status)
    set_status(connection, Item("readings", row.id, 0), Status.RECEIVED)
    # What comes next is judged by this register: after a change of meters it may be lower.
    connection.execute(
        update(registers)
        .where(
            registers.c.meter_id == row.meter_id,
            registers.c.side == row.side,
            registers.c.window <= row.first_window + row.windows,
        )
        .values(window=row.first_window + row.windows, register_wh=unpack_registers(row.registers)[-1])
    )
    detail = {
        "meter": to_address(row.address),
        "from": status.name.lower(),
        "reason": unpack_reason(status, row.reason),
        "note": note,
        "client": client,
    }
    _log(connection, "release-reading", "0x" + digest.hex(), detail)


def _log(connection: Connection, act: str, subject: str, detail: dict[str, Any]) -> None:
    connection.execute(
        insert(administration).values(at_ms=now_ms(), act=act, subject=subject, detail=json.dumps(detail))
    )

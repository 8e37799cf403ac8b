"""Commands down to the meters: ping, read, resend. A meter asks for them and says when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from peerwatt_bridge.services.connections import to_address
from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.notices import notify
from peerwatt_bridge.storage.tables import commands, meters

# Of one answer.
MAX_COMMANDS = 100


class CommandKind(StrEnum):
    """ping: only answer. read: sign and send the newest register. resend: send the readings of windows again."""

    PING = "ping"
    READ = "read"
    RESEND = "resend"


@dataclass(frozen=True)
class Command:
    """A command to a meter; `ok` is None until the meter answered."""

    id: int
    meter: str
    kind: CommandKind
    first_window: int | None
    last_window: int | None
    created_ms: int
    acknowledged_ms: int | None
    ok: bool | None
    detail: str | None


class UnknownCommand(LookupError):
    """The meter never got such a command."""


class Commands:
    """The commands of all meters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, meter: str, after: int) -> list[Command]:
        """A meter's open commands after a number, the oldest first."""
        query = _query().where(
            meters.c.address == bytes.fromhex(meter[2:]),
            commands.c.id > after,
            commands.c.acknowledged_ms.is_(None),
        )
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(commands.c.id).limit(MAX_COMMANDS))
            return [_to_command(row) for row in rows]

    def acknowledge(self, meter: str, command_id: int, ok: bool, detail: str) -> None:
        """Notes a meter's answer; the first one stays.

        Raises:
            UnknownCommand: it is not the meter's.
        """
        with self._database.writing() as connection:
            found = connection.execute(
                _query().where(commands.c.id == command_id, meters.c.address == bytes.fromhex(meter[2:]))
            ).first()
            if found is None:
                raise UnknownCommand(command_id)
            if found.acknowledged_ms is not None:
                return
            connection.execute(
                update(commands)
                .where(commands.c.id == command_id)
                .values(acknowledged_ms=now_ms(), ok=ok, detail=detail)
            )
            notify(connection, "acknowledgement", [{"id": command_id, "meter": meter, "ok": ok}])


def give(
    connection: Connection,
    meter_id: int,
    meter: str,
    kind: CommandKind,
    first_window: int | None = None,
    last_window: int | None = None,
) -> int:
    """Adds a command for a meter, unless the same one is still open; its number."""
    same = connection.execute(
        select(commands.c.id).where(
            commands.c.meter_id == meter_id,
            commands.c.kind == kind.value,
            commands.c.first_window.is_(None) if first_window is None else commands.c.first_window == first_window,
            commands.c.last_window.is_(None) if last_window is None else commands.c.last_window == last_window,
            commands.c.acknowledged_ms.is_(None),
        )
    ).scalar()
    if same is not None:
        return int(same)
    inserted = connection.execute(
        insert(commands).values(
            meter_id=meter_id,
            kind=kind.value,
            first_window=first_window,
            last_window=last_window,
            created_ms=now_ms(),
        )
    )
    assert inserted.inserted_primary_key is not None
    command_id = int(inserted.inserted_primary_key[0])
    notify(connection, "command", [{"id": command_id, "meter": meter, "kind": kind.value}])
    return command_id


def _query() -> Any:
    return select(commands, meters.c.address).join(meters, meters.c.id == commands.c.meter_id)


def _to_command(row: Any) -> Command:
    return Command(
        row.id,
        to_address(row.address),
        CommandKind(row.kind),
        row.first_window,
        row.last_window,
        row.created_ms,
        row.acknowledged_ms,
        row.ok,
        row.detail,
    )

"""The outbox's rows: items and the relays that carry them, each step in the transaction of whoever takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from peerwatt_bridge.services.connections import to_address
from peerwatt_bridge.storage.database import now_ms
from peerwatt_bridge.storage.notices import notify
from peerwatt_bridge.storage.packing import pack_reason
from peerwatt_bridge.storage.tables import ITEM_TABLES, RelayState, Status, acts, attempts, meters, readings, relays

# What those who listen hear of an item.
NOTICES = {"readings": "reading", "acts": "act"}


@dataclass(frozen=True)
class Item:
    """A row that a transaction carries. `place`: its item in a relay, 0 elsewhere."""

    table: str
    id: int
    place: int


def set_status(
    connection: Connection, item: Item, status: Status, reason: str | None = None, detail: str | None = None
) -> None:
    """Moves an item on; one that waits again belongs to no transaction."""
    table = ITEM_TABLES[item.table]
    values: dict[str, Any] = {"status": int(status)}
    if item.table == "acts":
        values |= {"reason": reason, "detail": detail}
    else:
        values["reason"] = pack_reason(status, reason)
    if status == Status.RECEIVED:
        values |= {"relay_id": None, "place": None}
    connection.execute(update(table).where(table.c.id == item.id).values(**values))
    told: dict[str, Any] = {"id": item.id, "account": _read_account(connection, item), "status": status.name.lower()}
    notify(connection, NOTICES[item.table], [told if reason is None else {**told, "reason": reason}])


def _read_account(connection: Connection, item: Item) -> str:
    """Whose it is, so that those who listen to one account hear of it."""
    if item.table == "acts":
        query = select(acts.c.account).where(acts.c.id == item.id)
    else:
        query = select(meters.c.account).join(readings).where(readings.c.id == item.id)
    return to_address(connection.execute(query).scalar_one())


def read_items(connection: Connection, relay_id: int) -> Iterator[Item]:
    """What a relay carries."""
    for name, table in ITEM_TABLES.items():
        rows = connection.execute(select(table.c.id, table.c.place).where(table.c.relay_id == relay_id))
        yield from (Item(name, row.id, row.place) for row in rows)


def keep_attempt(
    connection: Connection, relay_id: int, raw: bytes, transaction_hash: bytes, fees: tuple[int, int]
) -> None:
    """Keeps a relay's signed bytes, with their fees [wei]."""
    connection.execute(
        insert(attempts).values(
            hash=transaction_hash,
            relay_id=relay_id,
            raw=raw,
            max_fee_wei=str(fees[0]),
            priority_fee_wei=str(fees[1]),
            signed_ms=now_ms(),
        )
    )


def finish(connection: Connection, row: Row[Any]) -> None:
    """A relay whose block stays."""
    connection.execute(update(relays).where(relays.c.id == row.id).values(state=int(RelayState.FINAL)))
    for name, table in ITEM_TABLES.items():
        done = select(table.c.id, table.c.place).where(
            table.c.relay_id == row.id, table.c.status == int(Status.CONFIRMED)
        )
        for found in connection.execute(done).all():
            set_status(connection, Item(name, found.id, found.place), Status.FINAL)


def take_back(connection: Connection, row: Row[Any]) -> None:
    """A relay whose block the chain dropped: it is on its way again."""
    connection.execute(
        update(relays)
        .where(relays.c.id == row.id)
        .values(state=int(RelayState.SIGNED), block_number=None, block_hash=None, mined_hash=None)
    )
    for item in list(read_items(connection, row.id)):
        set_status(connection, item, Status.RELAYED)


def reopen(connection: Connection, above: int) -> int:
    """Looks after relays again whose blocks were thought to stay; returns how many.

    Args:
        above: number of the newest block that does stay.
    """
    reopened = update(relays).where(relays.c.state == int(RelayState.FINAL), relays.c.block_number > above)
    return connection.execute(reopened.values(state=int(RelayState.MINED))).rowcount


def give_up(connection: Connection, relay_id: int, state: RelayState) -> None:
    """A relay that will never be done: its items wait again."""
    connection.execute(update(relays).where(relays.c.id == relay_id).values(state=int(state)))
    for item in list(read_items(connection, relay_id)):
        set_status(connection, item, Status.RECEIVED)

"""Notices: what changed, numbered, for the stream of events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from peerwatt_bridge.storage.database import now_ms
from peerwatt_bridge.storage.tables import notices

# Whoever was away for longer has to read everything anew.
KEPT_MS = 24 * 3_600_000
# Of PostgreSQL's advisory locks: held from a notice's number to its commit.
_LOCK = 0x70770001


class Notice(NamedTuple):
    """One change. `id` grows; `kind` and `data` are those of the event."""

    id: int
    kind: str
    data: dict[str, Any]
    at_ms: int


def notify(connection: Connection, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds notices in the transaction of what they tell of."""
    if rows:
        if connection.dialect.name == "postgresql":
            # Numbers are given before they can be seen: a reader must never see a number before a lower one.
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        at_ms = now_ms()
        connection.execute(
            insert(notices),
            [{"kind": kind, "data": json.dumps(row, separators=(",", ":")), "at_ms": at_ms} for row in rows],
        )


def read_after(connection: Connection, after: int, limit: int = 500) -> list[Notice]:
    """The notices after a number, in their sequence."""
    rows = connection.execute(select(notices).where(notices.c.id > after).order_by(notices.c.id).limit(limit))
    return [Notice(row.id, row.kind, json.loads(row.data), row.at_ms) for row in rows]


def read_bounds(connection: Connection) -> tuple[int, int]:
    """The oldest and the newest number that are kept; (0, 0) if none is."""
    oldest, newest = connection.execute(select(func.min(notices.c.id), func.max(notices.c.id))).one()
    return oldest or 0, newest or 0


def prune(connection: Connection) -> int:
    """Drops what is older than a day, but the newest one: its number says where the stream is."""
    newest = select(func.max(notices.c.id)).scalar_subquery()
    old = delete(notices).where(notices.c.at_ms < now_ms() - KEPT_MS, notices.c.id < newest)
    return connection.execute(old).rowcount

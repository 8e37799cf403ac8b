"""Notices: what changed, numbered, for the stream of events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from peerwatt_bridge.storage.database import now_ms
from peerwatt_bridge.storage.tables import notices


class Notice(NamedTuple):
    """One change. `id` grows; `kind` and `data` are those of the event."""

    id: int
    kind: str
    data: dict[str, Any]
    at_ms: int


def notify(connection: Connection, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds notices in the transaction of what they tell of."""
    if rows:
        at_ms = now_ms()
        connection.execute(
            insert(notices),
            [{"kind": kind, "data": json.dumps(row, separators=(",", ":")), "at_ms": at_ms} for row in rows],
        )


def read_after(connection: Connection, after: int, limit: int = 500) -> list[Notice]:
    """The notices after a number, in their sequence."""
    rows = connection.execute(select(notices).where(notices.c.id > after).order_by(notices.c.id).limit(limit))
    return [Notice(row.id, row.kind, json.loads(row.data), row.at_ms) for row in rows]

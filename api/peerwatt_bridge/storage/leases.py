"""Leases: a name that one bridge holds for some seconds, so that of several only one does a thing."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, or_, select, update

from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.tables import leases


class Leases:
    """The leases of one process.

    Args:
        holder: names the process; no other may have the same name.
    """

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self.holder = holder

    def hold(self, name: str, seconds: float) -> bool:
        """Takes or renews a lease; False while somebody else holds it."""
        return self._database.write(lambda connection: self._hold(connection, name, seconds))

    def release(self, name: str) -> None:
        """Gives a lease back, so that another need not wait for its end."""
        with self._database.writing() as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == self.holder))

    def check(self, connection: Connection, name: str) -> bool:
        """Whether the lease is still ours, inside the transaction that depends on it: it is locked until the end."""
        held = select(leases.c.until_ms).where(leases.c.name == name, leases.c.holder == self.holder).with_for_update()
        until_ms = connection.execute(held).scalar()
        return until_ms is not None and until_ms > now_ms()

    def _hold(self, connection: Connection, name: str, seconds: float) -> bool:
        now = now_ms()
        until_ms = now + int(seconds * 1000)
        ours_or_over = or_(leases.c.holder == self.holder, leases.c.until_ms <= now)
        taken = connection.execute(
            update(leases).where(leases.c.name == name, ours_or_over).values(holder=self.holder, until_ms=until_ms)
        )
        if taken.rowcount:
            return True
        if connection.execute(select(leases.c.name).where(leases.c.name == name)).first() is not None:
            return False
        # Two may get here at once: the key lets one of them in, the other one tries again.
        connection.execute(insert(leases).values(name=name, holder=self.holder, until_ms=until_ms))
        return True

"""Leases: a name that one bridge holds for some seconds, so that of several only one does a thing."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

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
        holder = connection.execute(select(leases.c.holder).where(leases.c.name == name)).scalar()
        if holder is not None:
            if not is_gone(holder):
                return False
            # Whoever comes first after a crash need not wait for the lease's end.
            over = update(leases).where(leases.c.name == name, leases.c.holder == holder)
            return connection.execute(over.values(holder=self.holder, until_ms=until_ms)).rowcount == 1
        # Two may get here at once: the key lets one of them in, the other one tries again.
        connection.execute(insert(leases).values(name=name, holder=self.holder, until_ms=until_ms))
        return True


def name_holder() -> str:
    """A name for a holder in this process: where it runs, its number, and what makes it unique."""
    return f"{_place()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_gone(holder: str) -> bool:
    """Whether a holder ran on this machine and its process is gone; False where nobody here can tell.

    If it is wrong nothing is doubled: who lost a lease finds that out inside the transaction that depends on it.
    """
    place, _, rest = holder.partition(":")
    number = rest.partition(":")[0]
    if place != _place() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@cache
def _place() -> str:
    """Where process numbers mean the same: this machine since it was started, this container."""
    parts = [socket.gethostname()]
    # Where this is no Linux, the machine's name has to do.
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

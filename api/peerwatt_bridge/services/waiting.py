"""Waiting for commands without a thread for each meter: one look at the database for all who wait."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from peerwatt_bridge.services.connections import to_address
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.tables import commands, meters

PAUSE_S = 0.5
# Whoever comes on top is answered at once.
MAX_WAITING = 5_000
MAX_OF_ONE_METER = 2


class CommandWaits:
    """The meters that wait, of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._count = 0
        self._watch: asyncio.Task[None] | None = None
        self._newest = 0

    async def wait(self, meter: str, after: int, seconds: float) -> None:
        """Returns when a meter may have a command after a number, at the latest after so many seconds.

        Args:
            after: number of a command; those that came between it and this call count too.
        """
        if self._count >= MAX_WAITING or len(self._waiting.get(meter, ())) >= MAX_OF_ONE_METER:
            return
        event = asyncio.Event()
        self._waiting[meter].add(event)
        self._count += 1
        try:
            if self._watch is None or self._watch.done():
                newest = await run_in_threadpool(self._read_newest)
                # Somebody else may have been faster meanwhile.
                if self._watch is None or self._watch.done():
                    self._newest = newest
                    self._watch = asyncio.create_task(self._look())
            # What came before the watch looks.
            if await run_in_threadpool(self._has, meter, after):
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            self._count -= 1
            self._waiting[meter].discard(event)
            if not self._waiting[meter]:
                del self._waiting[meter]

    async def _look(self) -> None:
        while self._count:
            await asyncio.sleep(PAUSE_S)
            try:
                found = await run_in_threadpool(self._read_after, self._newest)
            except SQLAlchemyError:
                # Away for now; whoever waits longer than it is away sees nothing of it.
                continue
            for number, meter in found:
                self._newest = max(self._newest, number)
                for event in self._waiting.get(meter, ()):
                    event.set()

    def _read_newest(self) -> int:
        with self._database.reading() as connection:
            return int(connection.execute(select(func.max(commands.c.id))).scalar() or 0)

    def _read_after(self, after: int) -> list[tuple[int, str]]:
        query = select(commands.c.id, meters.c.address).join(meters, meters.c.id == commands.c.meter_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(commands.c.id > after))
            return [(row.id, to_address(row.address)) for row in rows]

    def _has(self, meter: str, after: int) -> bool:
        query = (
            select(commands.c.id)
            .join(meters, meters.c.id == commands.c.meter_id)
            .where(
                meters.c.address == bytes.fromhex(meter[2:]),
                commands.c.id > after,
                commands.c.acknowledged_ms.is_(None),
            )
        )
        with self._database.reading() as connection:
            return connection.execute(query.limit(1)).first() is not None

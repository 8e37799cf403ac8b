"""The stream of notices: one reader of the database for all who listen in this process."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from peerwatt_bridge.storage import notices
from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.notices import Notice

# Notices that wait for a listener; one that is slower is served from the database when it has caught up.
QUEUE = 1_000
PAGE = 500
# Read at once for those who lag behind.
PAGES = 20
# Tells a listener that notices it did not get are gone: it has to read everything anew.
MISSED = "missed"


class TooManyStreams(RuntimeError):
    """As many listen as may."""


class Closing(RuntimeError):
    """The bridge is stopping."""


@dataclass(eq=False)
class Listener:
    """Somebody who listens.

    Attributes:
        after: number of the last notice that it saw before; None: only what comes from now on.
        kinds, account: what it wants; empty or None for all.
        position: number of the newest notice that was looked at for it, -1 before it begins.
    """

    after: int | None
    kinds: frozenset[str]
    account: str | None
    loop: asyncio.AbstractEventLoop
    position: int = -1
    queue: deque[Notice] = field(default_factory=deque)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    @property
    def is_full(self) -> bool:
        return len(self.queue) >= QUEUE

    def give(self, page: Iterable[Notice]) -> None:
        """Puts what it wants of the notices after its position into its queue, as long as there is room."""
        for notice in page:
            if self.is_full:
                break
            if notice.id > self.position:
                if self._wants(notice):
                    self.queue.append(notice)
                self.position = notice.id
        self.wake()

    def wake(self) -> None:
        """Lets it look at its queue."""
        if (self.queue or self.closed) and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.ready.set)

    async def next(self) -> Notice | None:
        """The next notice; None at the end."""
        while not self.closed:
            if self.queue:
                return self.queue.popleft()
            self.ready.clear()
            # The event may have been set between the look and the clearing.
            if not self.queue and not self.closed:
                await self.ready.wait()
        return None

    def _wants(self, notice: Notice) -> bool:
        if self.kinds and notice.kind not in self.kinds:
            return False
        return self.account is None or self.account in _accounts_of(notice.data)


class Streams:
    """All who listen in this process. Thread-safe.

    Args:
        limit: how many may listen at once.
    """

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._newest = 0
        self._closing = False

    def open(self, after: int | None, kinds: Collection[str], account: str | None) -> Listener:
        """Begins to listen; call it in the event loop's thread.

        Args:
            after: number of the last notice that was seen; None: only what comes from now on.
        Raises:
            TooManyStreams, Closing.
        """
        listener = Listener(after, frozenset(kinds), account, asyncio.get_running_loop())
        with self._lock:
            if self._closing:
                raise Closing("the bridge is stopping")
            if len(self._listeners) >= self._limit:
                raise TooManyStreams(f"{self._limit} listen already")
            self._listeners.add(listener)
        return listener

    def start(self, listener: Listener) -> None:
        """Finds out where a listener begins; asks the database once, so not in the event loop.

        One whose place is gone is told so.
        """
        with self._database.reading() as connection:
            oldest, newest = notices.read_bounds(connection)
        position = newest if listener.after is None else listener.after
        if position < oldest - 1 or position > newest:
            data = {"after": position, "oldest": oldest, "newest": newest}
            listener.queue.append(Notice(newest, MISSED, data, now_ms()))
            position = newest
        listener.position = position
        listener.wake()

    def close(self, listener: Listener) -> None:
        """Ends one."""
        with self._lock:
            self._listeners.discard(listener)
            listener.closed = True
        listener.wake()

    def close_all(self) -> None:
        """Ends all at once, and lets nobody begin."""
        with self._lock:
            self._closing = True
            listeners, self._listeners = list(self._listeners), set()
        for listener in listeners:
            listener.closed = True
            listener.wake()

    @property
    def count(self) -> int:
        """How many listen."""
        with self._lock:
            return len(self._listeners)

    def poll(self) -> None:
        """Reads what is new, once for all who are up to date, and once for all who lag behind."""
        for _ in range(PAGES):
            with self._lock:
                listeners = [one for one in self._listeners if one.position >= 0 and not one.is_full]
            if not self._serve_all(listeners):
                return

    def _serve_all(self, listeners: list[Listener]) -> bool:
        """Gives each a page; whether there may be more."""
        current = [listener for listener in listeners if listener.position >= self._newest]
        lagging = [listener for listener in listeners if listener.position < self._newest]
        return any([self._serve(group) for group in (current, lagging) if group])

    def _serve(self, group: list[Listener]) -> bool:
        with self._database.reading() as connection:
            page = notices.read_after(connection, min(listener.position for listener in group), PAGE)
        if page:
            self._newest = max(self._newest, page[-1].id)
        for listener in group:
            listener.give(page)
        return len(page) == PAGE


def _accounts_of(data: dict[str, Any]) -> set[str]:
    """The accounts and meters that a notice names."""
    rows = [data, *data.get("readings", ())]
    return {str(row[name]).lower() for row in rows for name in ("account", "meter") if row.get(name)}

"""Reading ahead: the next chunk comes from the node while this one is being replayed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
# How long what is under way may still take when nobody wants it any more.
PATIENCE_S = 2.0


@dataclass(frozen=True)
class _Ended:
    """The end of what was read, and what ended it, if it is an error."""

    error: BaseException | None


class _Stopped(Exception):
    """Nobody wants more."""


class ReadAhead(Generic[T]):
    """Goes through an iterable in a thread of its own, a few entries ahead of who uses them.

    For nodes elsewhere. A chain in this process has to be read in the thread that works on it.
    """

    def __init__(self, entries: Iterable[T], depth: int = 1) -> None:
        """
        Args:
            depth: entries that wait at the most; memory grows with it.
        """
        self._entries = entries
        self._waiting: queue.Queue[T | _Ended] = queue.Queue(depth)
        self._stop = threading.Event()

    def __iter__(self) -> Iterator[T]:
        """The entries in their sequence; raises what the iterable raises, after the entries before it."""
        thread = threading.Thread(target=self._work, name="ahead", daemon=True)
        thread.start()
        try:
            while not isinstance(entry := self._waiting.get(), _Ended):
                yield entry
            if entry.error is not None:
                raise entry.error
        finally:
            self._stop.set()
            # A node that does not answer is not waited for: the thread ends with the process.
            thread.join(PATIENCE_S)

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            for entry in self._entries:
                self._put(entry)
        except _Stopped:
            return
        except BaseException as raised:
            error = raised
        try:
            self._put(_Ended(error))
        except _Stopped:
            return

    def _put(self, entry: T | _Ended) -> None:
        while not self._stop.is_set():
            try:
                self._waiting.put(entry, timeout=0.1)
                return
            except queue.Full:
                continue
        raise _Stopped

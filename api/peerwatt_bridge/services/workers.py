"""The workers of one bridge: threads that each do one thing again and again, and say how they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)
# A worker in trouble waits longer each time, at most so long [s].
MAX_PAUSE_S = 15.0


@dataclass
class Health:
    """How a worker is.

    Attributes:
        since_s: when the present state began [Unix s].
        trouble: what keeps it from its work, None if nothing does.
        done: rounds that went well.
    """

    name: str
    since_s: float
    trouble: str | None = None
    done: int = 0
    failed: int = 0
    # How long the last trouble lasted [s].
    recovered_after_s: float | None = None


class Worker:
    """Does a thing every `pause_s` seconds until it is stopped. Whatever it raises, it goes on.

    What a round returns may have an attribute `trouble`: it did what it could, and something is stuck.
    """

    def __init__(self, name: str, work: Callable[[], object], pause_s: float) -> None:
        self.health = Health(name, time.time())
        self._work = work
        self._pause_s = pause_s
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.on_recovery: Callable[[float], None] = lambda _: None

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do: do not wait."""
        self._wake.set()

    def stop(self, timeout_s: float = 20) -> bool:
        """Lets the present round end; False if it did not in time."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause_s = self._pause_s
        while not self._stop.is_set():
            try:
                stuck = getattr(self._work(), "trouble", None)
                if stuck is None:
                    self._note_success()
                else:
                    self._note_trouble(stuck)
                pause_s = self._pause_s
            except Exception as error:
                # A worker must outlive everything: the node, the database, the disk.
                self._note_trouble(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
                pause_s = min(pause_s * 2, MAX_PAUSE_S)
            self._wake.wait(pause_s)
            self._wake.clear()

    def _note_success(self) -> None:
        health = self.health
        health.done += 1
        if health.trouble is not None:
            health.recovered_after_s = time.time() - health.since_s
            log.info("recovered", worker=health.name, after_s=round(health.recovered_after_s, 2))
            health.trouble, health.since_s = None, time.time()
            self.on_recovery(health.recovered_after_s)

    def _note_trouble(self, text: str) -> None:
        health = self.health
        health.failed += 1
        if health.trouble is None:
            # What lasts is said once.
            log.warning("trouble", worker=health.name, error=text)
            health.since_s = time.time()
        health.trouble = text

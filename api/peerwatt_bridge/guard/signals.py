"""Signs of an attack, counted; above a number in a time they are an alert."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)
WINDOW_S = 300.0
SLICES = 30


class Sign(StrEnum):
    """replay: the same message again. flooding: more than the limits allow. guessing: credentials that are wrong."""

    REPLAY = "replay"
    FLOODING = "flooding"
    GUESSING = "guessing"


# So many in WINDOW_S raise an alert. Meters send again what was not answered, so that replays need many more.
THRESHOLDS = {Sign.REPLAY: 1_000, Sign.FLOODING: 200, Sign.GUESSING: 10}
TEXTS = {
    Sign.REPLAY: "messages that were here before",
    Sign.FLOODING: "requests above a limit",
    Sign.GUESSING: "credentials that are wrong",
}


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at. `name` stays the same, `detail` has the values."""

    name: str
    detail: str


class Window:
    """A count over the last seconds, in slices, so that it needs the same memory for any number. Thread-safe."""

    def __init__(self, clock: Callable[[], float], seconds: float = WINDOW_S) -> None:
        self._clock = clock
        self._slice_s = seconds / SLICES
        self._slices: deque[tuple[int, int]] = deque(maxlen=SLICES)
        self._lock = threading.Lock()

    def add(self, count: int = 1) -> None:
        """Counts."""
        now = int(self._clock() / self._slice_s)
        with self._lock:
            if self._slices and self._slices[-1][0] == now:
                count += self._slices.pop()[1]
            self._slices.append((now, count))

    def total(self) -> int:
        """The count."""
        oldest = int(self._clock() / self._slice_s) - SLICES
        with self._lock:
            return sum(count for at, count in self._slices if at > oldest)


class Signals:
    """Counts signs of an attack. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._windows = {sign: Window(clock) for sign in Sign}
        self._taken = Window(clock)
        self._raised: set[Sign] = set()
        self._lock = threading.Lock()
        # Told of each sign and its count; metrics listen.
        self.on_sign: Callable[[Sign, int], None] = lambda *_: None

    def note(self, sign: Sign, count: int = 1) -> None:
        """There was one, or several."""
        if count:
            self._windows[sign].add(count)
            self.on_sign(sign, count)
            self.alerts()

    def note_taken(self, count: int = 1) -> None:
        """New messages were taken: how many of all are replays is seen beside them."""
        self._taken.add(count)

    def alerts(self) -> list[Alert]:
        """What is above its threshold now; a change is logged."""
        totals = {sign: self._windows[sign].total() for sign in Sign}
        over = {sign for sign in Sign if totals[sign] >= THRESHOLDS[sign]}
        if totals[Sign.REPLAY] <= self._taken.total():
            # After an outage meters send much again, and something new beside it.
            over.discard(Sign.REPLAY)
        found = {
            sign: Alert(
                sign.value,
                f"{totals[sign]} {TEXTS[sign]} in {WINDOW_S:.0f} s, {THRESHOLDS[sign]} raise an alert; "
                "see /metrics and the log for where they come from",
            )
            for sign in sorted(over)
        }
        with self._lock:
            began, ended, self._raised = over - self._raised, self._raised - over, over
        for sign in began:
            log.warning("alert", alert=sign.value, count=totals[sign], seconds=WINDOW_S)
        for sign in ended:
            log.info("alert-over", alert=sign.value)
        return list(found.values())

"""How much each home may send in a day."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from peerwatt_bridge.problems import Problem

DAY_S = 86_400


class Quotas:
    """New readings and acts of each account since midnight UTC, in this process. Thread-safe.

    Only what was verified and kept counts: nobody can use up somebody else's day, and sending again costs nothing. A
    restart begins anew. Requests at the same moment may go past the end together.
    """

    def __init__(self, per_day: int, clock: Callable[[], float] = time.time) -> None:
        self.per_day = per_day
        self._clock = clock
        self._used: Counter[str] = Counter()
        self._day = 0
        self._lock = threading.Lock()

    def left(self, account: str) -> int:
        """How many more today."""
        with self._lock:
            self._turn()
            return max(0, self.per_day - self._used[account] if account in self._used else self.per_day)

    def use(self, account: str, count: int = 1) -> None:
        """Counts what was kept."""
        with self._lock:
            self._turn()
            self._used[account] += count

    def check(self, account: str) -> None:
        """Makes sure that there is one more.

        Raises:
            Problem: 429 `quota-used`.
        """
        if self.left(account) < 1:
            raise self.used_up(account)

    def used_up(self, account: str) -> Problem:
        """The problem of an account that sent all it may."""
        seconds = DAY_S - int(self._clock()) % DAY_S
        return Problem(
            429,
            "quota-used",
            "The home's quota is used",
            f"{account} sent {self.per_day} readings and acts today, which is all; go on in {seconds} s, at midnight "
            "UTC, or settle without this bridge: peerwatt meter",
            {"account": account, "per_day": self.per_day, "retry_after_s": seconds},
            {"Retry-After": str(seconds)},
        )

    def _turn(self) -> None:
        today = int(self._clock()) // DAY_S
        if today != self._day:
            self._used.clear()
            self._day = today

"""Which value of a counter is the register at the boundary between two windows.

The last value that was seen at or before the boundary, if it is not too old. It was on the meter then, so the true
register at the boundary is that or more: what is signed is never more than what had flowed. Energy that flowed between
that value and the boundary counts in the next window; over all windows nothing is lost and nothing counts twice. Only
where the mapping allows it (`max_late_s`), the first value after the boundary counts if there is none before.

Nothing is interpolated: without such a value the boundary is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

# A boundary is looked up soon after it; older candidates are of no use.
KEPT_WINDOWS = 3


@dataclass(frozen=True)
class Seen:
    """A counter's value.

    Attributes:
        time_s: when it arrived [Unix s].
        energy_wh: [Wh], fractions included.
    """

    time_s: float
    energy_wh: Decimal


class CounterMemory:
    """The values of one counter that can still matter: the first and the last between any two boundaries."""

    def __init__(self, window_seconds: int) -> None:
        self._window_s = window_seconds
        # By the boundary at or after it: the window that starts there.
        self._first: dict[int, Seen] = {}
        self._last: dict[int, Seen] = {}
        self.newest: Seen | None = None

    def see(self, seen: Seen) -> None:
        """Keeps a value. Values come in the sequence of time; one that seems earlier counts as simultaneous."""
        if self.newest is not None and seen.time_s < self.newest.time_s:
            seen = Seen(self.newest.time_s, seen.energy_wh)
        self.newest = seen
        boundary = -int(-seen.time_s // self._window_s)
        self._first.setdefault(boundary, seen)
        self._last[boundary] = seen
        for kept in (self._first, self._last):
            for old in [window for window in kept if window <= boundary - KEPT_WINDOWS]:
                del kept[old]

    def at(self, window: int, max_age_s: float, max_late_s: float = 0) -> Seen | None:
        """The value that counts at the start of a window, None if there is none."""
        boundary_s = window * self._window_s
        before = self._last_before(window)
        if before is not None and boundary_s - before.time_s <= max_age_s:
            return before
        after = self._first.get(window + 1)
        if after is not None and after.time_s - boundary_s <= max_late_s:
            return after
        return None

    def _last_before(self, window: int) -> Seen | None:
        # An age limit longer than a window reaches back over several boundaries.
        known = [boundary for boundary in self._last if boundary <= window]
        return self._last[max(known)] if known else None

    def age_s(self, window: int) -> float | None:
        """How old the last value before a boundary is [s]; None if there is none."""
        before = self._last_before(window)
        return None if before is None else window * self._window_s - before.time_s


def add_up(values: Iterable[Seen]) -> int:
    """The register that several counters make together [Wh], the part of a Wh that is not full left out."""
    return int(sum((seen.energy_wh for seen in values), Decimal(0)))

"""The clock of the eth-tester engine: the wall clock plus an offset, as on anvil."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace


def wall_clock_s() -> int:
    """Unix time of this machine [s]."""
    return int(time.time())


@dataclass
class ChainClock:
    """Gives each block its timestamp; it ticks on after every travel.

    Attributes:
        offset_s: added to the wall clock [s].
        exact_s: timestamp that the next block must get [s], None if the clock decides.
        interval_s: seconds from block to block, None if the clock decides.
        wall_s: the wall clock.
    """

    offset_s: int = 0
    exact_s: int | None = None
    interval_s: int | None = None
    wall_s: Callable[[], int] = field(default=wall_clock_s, compare=False)

    def now_s(self) -> int:
        """What the clock shows [s]; blocks that came faster than one a second may be ahead of it."""
        return self.wall_s() + self.offset_s

    def next_block_s(self, parent_s: int) -> int:
        """The timestamp that a block made now would get [s], after its parent's."""
        if self.exact_s is not None:
            return max(self.exact_s, parent_s + 1)
        if self.interval_s is not None:
            return parent_s + self.interval_s
        return max(self.now_s(), parent_s + 1)

    def take(self, parent_s: int) -> int:
        """The same, and the clock goes on from there."""
        time_s = self.next_block_s(parent_s)
        if self.exact_s is not None or self.interval_s is not None:
            self.offset_s = time_s - self.wall_s()
        self.exact_s = None
        return time_s

    def advance(self, span_s: int, parent_s: int) -> None:
        """Moves forward by this much [s], from the newest block's time where blocks were faster than the clock."""
        if self.exact_s is not None:
            self.exact_s += span_s
        elif span_s:
            self.set_now(max(self.now_s(), parent_s) + span_s)

    def set_now(self, time_s: int) -> None:
        """Shows this time from now on [s]."""
        self.offset_s = time_s - self.wall_s()
        self.exact_s = None

    def copy(self) -> ChainClock:
        """The clock as it stands, for a snapshot."""
        return replace(self)

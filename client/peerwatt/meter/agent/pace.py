"""How often the agent does things, and how long it waits after a failure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from peerwatt.meter.agent.sources import Backoff


@dataclass(frozen=True)
class Pace:
    """Times [s].

    Attributes:
        settle_s: after a boundary, until its register is written down.
        look_s: longest sleep between two looks at the clock.
        market_every_s, status_every_s: between two questions about the market's time, and about reports on their way.
        poll_s: how long the bridge holds a question for commands.
        fall_s: how long a counter may be below what it was, until nothing is signed any more.
        first_wait_s, longest_wait_s: after a failure; each wait is twice the one before.
    """

    settle_s: float = 1
    look_s: float = 5
    market_every_s: float = 600
    status_every_s: float = 60
    poll_s: int = 25
    fall_s: float = 60
    first_wait_s: float = 1
    longest_wait_s: float = 300

    def backoff(self) -> Backoff:
        """The waits after a failure."""
        return Backoff(self.first_wait_s, self.longest_wait_s)


async def wait(event: asyncio.Event, timeout_s: float) -> None:
    """Waits for an event, at most so long; takes it."""
    try:
        # Python 3.11's wait_for forgets that it was asked to end if the event comes at the same time.
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
    event.clear()

"""The own clock, held against the market's, and watched for steps."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

# What the kernel says of a clock that nobody sets.
TIME_ERROR = 5


def is_steered() -> bool:
    """Whether the kernel says that a time server, or a receiver of time, steers this clock; it may not say so."""
    libc = ctypes.CDLL(None)
    # Its first member chooses what to change: nothing. It is larger nowhere.
    timex = ctypes.create_string_buffer(1024)
    for name in ("adjtimex", "ntp_adjtime"):
        ask = getattr(libc, name, None)
        if ask is not None:
            return 0 <= int(ask(timex)) < TIME_ERROR
    return False


class AgentClock:
    """When it is, and whether that can be signed.

    Attributes:
        offset_s: the own clock less the market's at the last comparison [s]; None before the first.
    """

    def __init__(
        self,
        max_off_s: float,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        steered: Callable[[], bool] = is_steered,
    ) -> None:
        """
        Args:
            max_off_s: how far the own clock may be from the market's, and how far it may be set at once [s].
            steered: whether somebody else answers for the clock, while the market has not been asked.
        """
        self._max_off_s = max_off_s
        self._wall, self._steady, self._steered = wall, steady, steered
        self._anchor_s = wall() - steady()
        self.offset_s: float | None = None

    def now_s(self) -> float:
        """By the own clock [Unix s]."""
        return self._wall()

    def compare(self, market_s: int, asked_s: float, answered_s: float) -> None:
        """Takes the market's time, which has whole seconds.

        Args:
            asked_s, answered_s: by the own clock, before the question and after the answer [Unix s].
        """
        # The market's time was true at some moment between the two; what the way may explain is no offset.
        if asked_s < market_s + 1 and answered_s >= market_s:
            self.offset_s = 0.0
        else:
            self.offset_s = asked_s - market_s - 1 if asked_s >= market_s + 1 else answered_s - market_s

    @property
    def is_off(self) -> bool:
        """Whether the last comparison forbids to sign."""
        return self.offset_s is not None and abs(self.offset_s) > self._max_off_s

    @property
    def is_unknown(self) -> bool:
        """Whether nobody answers for this clock: the market was not asked since it was set, nor is it steered."""
        return self.offset_s is None and not self._steered()

    def take_step(self) -> float | None:
        """How far the clock was set since the last call [s]; None if it ran on."""
        anchor_s = self._wall() - self._steady()
        step_s = anchor_s - self._anchor_s
        if abs(step_s) <= self._max_off_s:
            # Slow corrections add up over months and are none.
            self._anchor_s = anchor_s
            return None
        self._anchor_s = anchor_s
        self.offset_s = None
        return step_s

"""The study's clock: quarters of an hour from the first day of history to the last trading window."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from peerwatt.study.models import Period

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PER_DAY = 96
PER_HOUR = 4


@dataclass(frozen=True)
class Timeline:
    """Quarters 0..length-1; trading window w is quarter `first + w`.

    The timeline runs to the end of the last trading day, since homes look ahead to the evening.
    """

    origin: datetime
    first: int
    windows: int
    length: int

    @classmethod
    def of(cls, period: Period, windows: int) -> Timeline:
        midnight = period.start.replace(hour=0, minute=0)
        origin = midnight - timedelta(days=period.history_days)
        first = int((period.start - origin) / timedelta(minutes=15))
        days = -(-(first + windows) // PER_DAY)
        return cls(origin, first, windows, days * PER_DAY)

    def known(self, window: int) -> int:
        """Quarters metered in full at the gate of a window: all before the window that precedes it."""
        return self.first + window - 1

    def hours(self) -> Floats:
        """Hour of the day at the middle of each quarter, 0..24."""
        return np.asarray((np.arange(self.length) % PER_DAY + 0.5) / PER_HOUR, dtype=np.float64)

    def weekend(self) -> Flags:
        """Whether each quarter lies on a Saturday or Sunday."""
        days = np.arange(self.length) // PER_DAY
        return np.asarray((self.origin.weekday() + days) % 7 >= 5, dtype=np.bool_)

    def stamps(self, timezone: str) -> pd.DatetimeIndex:
        """Middle of each quarter in local time."""
        start = pd.Timestamp(self.origin + timedelta(minutes=7, seconds=30), tz=timezone)
        return pd.date_range(start, periods=self.length, freq="15min")


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """An independent random stream: same seed, purpose and index, same numbers, whatever else is drawn."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), index])


def autoregressive(draws: Floats, memory: float) -> Floats:
    """Unit-variance AR(1) series along the last axis from standard normal draws.

    Args:
        draws: standard normal numbers.
        memory: correlation of neighbours, 0 <= memory < 1.
    """
    out = np.empty_like(draws)
    fresh = np.sqrt(1.0 - memory**2)
    out[..., 0] = draws[..., 0]
    for t in range(1, draws.shape[-1]):
        out[..., t] = memory * out[..., t - 1] + fresh * draws[..., t]
    return out

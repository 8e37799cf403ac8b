"""Generators: what a site can produce, one interface for all kinds (PV, wind, biogas, conventional)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from peerwatt.study.world.forecast import index_spread, persistent_index
from peerwatt.study.world.timeline import PER_DAY, PER_HOUR, Floats, Ints, Timeline
from peerwatt.study.world.wind import Turbine, wind_power_w

Source = Literal["pv", "wind", "conventional"]


class Generator(Protocol):
    """A generator of a site, known quarter by quarter.

    `source` is its term in eq. 1; biogas counts as conventional, since it runs when told to.
    """

    @property
    def source(self) -> Source: ...

    @property
    def rated_w(self) -> float: ...

    def energy_wh(self, quarter: int) -> int:
        """Energy produced in a quarter of the timeline [Wh]."""
        ...

    def expected_wh(self, quarters: Ints, known: int) -> Floats:
        """Forecast for some quarters from the readings of quarters before `known` [Wh]."""
        ...

    def spread_wh(self, quarter: int, known: int) -> float:
        """Standard deviation of that forecast's error in one quarter [Wh]."""
        ...


@dataclass(frozen=True)
class ScheduledGenerator:
    """A biogas or conventional set that runs at its rated power between two hours of the day."""

    rated_w: float
    from_hour: float
    to_hour: float
    source: Source = "conventional"

    def energy_wh(self, quarter: int) -> int:
        hour = (quarter % PER_DAY) / PER_HOUR
        return int(self.rated_w / PER_HOUR) if self.from_hour <= hour < self.to_hour else 0

    def expected_wh(self, quarters: Ints, known: int) -> Floats:
        return np.array([self.energy_wh(int(q)) for q in quarters], dtype=np.float64)

    def spread_wh(self, quarter: int, known: int) -> float:
        return 0.0


@dataclass(frozen=True)
class MeteredGenerator:
    """A generator driven by weather: energy and forecasts by quarter are computed for the whole timeline."""

    source: Source
    rated_w: float
    actual_wh: Ints
    ideal_wh: Floats
    decay: float
    today: float

    def energy_wh(self, quarter: int) -> int:
        return int(self.actual_wh[quarter])

    def expected_wh(self, quarters: Ints, known: int) -> Floats:
        return persistent_index(self.actual_wh, self.ideal_wh, quarters, known, self.decay, self.today)

    def spread_wh(self, quarter: int, known: int) -> float:
        return float(self.ideal_wh[quarter]) * index_spread(self.actual_wh, self.ideal_wh, known)


def wind_generator(turbine: Turbine, speeds_m_s: Floats, timeline: Timeline) -> MeteredGenerator:
    """A turbine in the community's wind; its forecast goes from the last reading to its usual output."""
    energy = np.array([int(wind_power_w(float(v), turbine) / PER_HOUR) for v in speeds_m_s], dtype=np.int64)
    ideal = np.full(timeline.length, turbine.rated_w / PER_HOUR)
    return MeteredGenerator("wind", turbine.rated_w, energy, ideal, decay=0.9, today=0.3)

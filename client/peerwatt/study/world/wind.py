"""Wind turbine: modelled wind speed, power by eq. 3."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from peerwatt.study.models import WindModel
from peerwatt.study.world.timeline import Floats, Timeline, autoregressive, stream


@dataclass(frozen=True)
class Turbine:
    """A wind turbine: rated power [W]; cut-in, rated and cut-out speed [m/s]."""

    rated_w: float
    cut_in_m_s: float
    rated_m_s: float
    cut_out_m_s: float

    def __post_init__(self) -> None:
        if not (self.rated_w >= 0 and 0 <= self.cut_in_m_s < self.rated_m_s <= self.cut_out_m_s):
            raise ValueError(f"turbine {self}: needs rated_w >= 0 and cut_in < rated <= cut_out speed")


def wind_power_w(speed_m_s: float, turbine: Turbine) -> float:
    """Electrical power of a wind turbine.

    Cubic between cut-in and rated speed, flat to cut-out (paper eq. 3).

    Args:
        speed_m_s: wind speed at hub height [m/s], >= 0.
    Returns:
        Power [W], 0 outside cut-in..cut-out.
    Raises:
        ValueError: speed is negative or not finite.
    """
    if not math.isfinite(speed_m_s) or speed_m_s < 0:
        raise ValueError(f"wind speed {speed_m_s} m/s is not a finite number >= 0")
    if speed_m_s < turbine.cut_in_m_s or speed_m_s > turbine.cut_out_m_s:
        return 0.0
    if speed_m_s >= turbine.rated_m_s:
        return float(turbine.rated_w)
    share = (speed_m_s - turbine.cut_in_m_s) / (turbine.rated_m_s - turbine.cut_in_m_s)
    return float(turbine.rated_w * share**3)


def wind_speeds_m_s(timeline: Timeline, model: WindModel, seed: int) -> Floats:
    """Modelled wind speed at hub height in each quarter [m/s], AR(1) around its mean, never negative."""
    draws = stream(seed, "wind").standard_normal(timeline.length)
    daily = 1.0 + model.daily_swing * np.cos(2 * np.pi * (timeline.hours() - 14.0) / 24.0)
    gusts = model.spread_m_s * autoregressive(draws, model.memory)
    return np.asarray(np.maximum(model.mean_speed_m_s * daily + gusts, 0.0), dtype=np.float64)

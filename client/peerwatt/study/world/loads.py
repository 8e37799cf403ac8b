"""Loads: BDEW standard profiles with individual variation, integer Wh per quarter of an hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from demandlib import bdew

from peerwatt.study.models import LoadModel
from peerwatt.study.world.timeline import PER_DAY, Floats, Ints, Timeline, autoregressive, stream


@dataclass(frozen=True)
class LoadSite:
    """What a load depends on: stream index, profile, yearly use [kWh], quarter-hour noise (relative)."""

    key: int
    profile: str
    annual_kwh: float
    noise: float


def standard_profiles(timeline: Timeline) -> dict[str, Floats]:
    """Share of the yearly use in each quarter of the timeline, by BDEW profile.

    The transition season holds all year: the place has no heating season. Source: demandlib (BDEW 1999
    profiles).
    """
    year = timeline.origin.year
    slp = bdew.ElecSlp(year, seasons={"transition1": [1, 1, 12, 31]})
    start = (timeline.origin.timetuple().tm_yday - 1) * PER_DAY
    frame = slp.slp_frame.iloc[start : start + timeline.length]
    return {str(name): frame[name].to_numpy(dtype=np.float64) for name in frame.columns}


def _shifted(profile: Floats, quarters: float) -> Floats:
    """The profile some quarters later, linear between quarters, ends held."""
    where = np.arange(profile.size) - quarters
    return np.asarray(np.interp(where, np.arange(profile.size), profile), dtype=np.float64)


def model_loads(
    sites: Sequence[LoadSite], timeline: Timeline, model: LoadModel, seed: int, purpose: str
) -> Floats:
    """Load of each site in each quarter [Wh], not yet rounded, before a scenario changes it.

    Each home has its own yearly use, shift of its day, day-to-day factor and autocorrelated quarter-hour
    noise; the community shares a slow factor (heat).
    """
    profiles = standard_profiles(timeline)
    days = timeline.length // PER_DAY
    common = np.repeat(np.exp(model.common_spread * stream(seed, "heat").standard_normal(days)), PER_DAY)
    draws = np.empty((len(sites), timeline.length))
    base = np.empty((len(sites), timeline.length))
    for row, site in enumerate(sites):
        own = stream(seed, purpose, site.key)
        shift = own.uniform(-model.shift_minutes, model.shift_minutes) / 15.0
        daily = np.repeat(np.exp(model.day_spread * own.standard_normal(days)), PER_DAY)
        base[row] = 1000.0 * site.annual_kwh * _shifted(profiles[site.profile], shift) * daily * common
        draws[row] = own.standard_normal(timeline.length)
    if not sites:
        return base
    spread = np.array([[site.noise] for site in sites])
    noise = np.exp(spread * autoregressive(draws, model.noise_memory) - spread**2 / 2)
    return np.asarray(base * noise, dtype=np.float64)


def whole_wh(loads: Floats, standby_wh: int) -> Ints:
    """Loads as integer Wh, never below standby use."""
    return np.maximum(np.rint(loads), standby_wh).astype(np.int64)

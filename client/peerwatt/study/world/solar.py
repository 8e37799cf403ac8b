"""PV plants: clear sky (Ineichen) times modelled clouds, AC energy in whole Wh per quarter of an hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pvlib

from peerwatt.study.models import CloudModel, Place, SolarModel
from peerwatt.study.world.timeline import PER_DAY, PER_HOUR, Floats, Ints, Timeline, autoregressive, stream


@dataclass(frozen=True)
class Plant:
    """One PV plant: stream index, module power [kWp], AC rating of its inverter [W], plane class."""

    key: int
    kwp: float
    ac_w: float
    plane: int


def pv_bound_w(irradiance_w_m2: Floats, area_m2: float, efficiency: float) -> Floats:
    """Largest output of a PV plant, efficiency x irradiance x area (paper eq. 2) [W]."""
    return np.asarray(efficiency * irradiance_w_m2 * area_m2, dtype=np.float64)


def air_temperature_c(timeline: Timeline, place: Place) -> Floats:
    """Air temperature [C]: a daily wave, lowest at 5:00, highest at 15:00 (slower down than up)."""
    hour = timeline.hours()
    rising = (hour >= 5.0) & (hour < 15.0)
    phase = np.where(
        rising, (hour - 5.0) / 10.0, 1.0 + np.where(hour >= 15.0, hour - 15.0, hour + 9.0) / 14.0
    )
    mean = (place.air_temperature_min_c + place.air_temperature_max_c) / 2
    half = (place.air_temperature_max_c - place.air_temperature_min_c) / 2
    return np.asarray(mean - half * np.cos(np.pi * phase), dtype=np.float64)


def clear_sky_planes(timeline: Timeline, place: Place, model: SolarModel) -> Floats:
    """Clear-sky irradiance on each plane class in each quarter [W/m2]; one pvlib run for all homes."""
    stamps = timeline.stamps(place.timezone)
    site = pvlib.location.Location(
        place.latitude, place.longitude, tz=place.timezone, altitude=place.altitude_m
    )
    sun = site.get_solarposition(stamps)
    sky = site.get_clearsky(
        stamps, model="ineichen", solar_position=sun, linke_turbidity=place.linke_turbidity
    )
    planes = []
    for tilt, azimuth in model.planes:
        total = pvlib.irradiance.get_total_irradiance(
            tilt,
            azimuth,
            sun["apparent_zenith"],
            sun["azimuth"],
            sky["dni"],
            sky["ghi"],
            sky["dhi"],
            albedo=0.2,
        )
        planes.append(np.nan_to_num(total["poa_global"].to_numpy(dtype=np.float64), nan=0.0))
    return np.maximum(np.array(planes), 0.0)


def cloud_indices(plants: int, timeline: Timeline, model: CloudModel, seed: int) -> Floats:
    """Clear-sky index of each plant in each quarter, 0.05..1.05: the community's sky and an own part."""
    sky = stream(seed, "sky")
    turns = sky.random(timeline.length)
    clear = True
    state = np.empty(timeline.length)
    for t in range(timeline.length):
        clear = turns[t] >= model.to_cloudy if clear else turns[t] < model.to_clear
        state[t] = model.clear_index if clear else model.cloudy_index
    state *= np.repeat(1.0 + model.day_spread * sky.standard_normal(timeline.length // PER_DAY), PER_DAY)
    state += model.common_noise * autoregressive(sky.standard_normal(timeline.length), model.memory)
    draws = np.array([stream(seed, "clouds", i).standard_normal(timeline.length) for i in range(plants)])
    own = autoregressive(draws.reshape(plants, timeline.length), model.memory)
    return np.asarray(np.clip(state + model.local_noise * own, 0.05, 1.05), dtype=np.float64)


def plant_power_w(plant: Plant, irradiance_w_m2: Floats, air_c: Floats, model: SolarModel) -> Floats:
    """AC power of a plant [W], never above eq. 2's bound or the inverter.

    Cell temperature by NOCT, DC power and losses by PVWatts (NREL/TP-6A20-62641).
    """
    cell_c = air_c + irradiance_w_m2 * (model.noct_c - 20.0) / 800.0
    stc_w = 1000.0 * plant.kwp
    dc_w = pvlib.pvsystem.pvwatts_dc(irradiance_w_m2, cell_c, stc_w, model.temperature_coefficient)
    ac_w = np.minimum(dc_w * (1.0 - model.losses) * model.inverter_efficiency, plant.ac_w)
    bound = pv_bound_w(irradiance_w_m2, plant.kwp / model.module_efficiency, model.module_efficiency)
    return np.asarray(np.clip(ac_w, 0.0, bound), dtype=np.float64)


def plant_energy_wh(power_w: Floats) -> Ints:
    """Energy of a quarter of an hour in whole Wh, rounded down: a meter shows whole Wh only."""
    energy: Ints = np.floor(power_w / PER_HOUR).astype(np.int64)
    return energy

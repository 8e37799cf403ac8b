"""Scenarios of the paper's 3.7: what happens in the trading windows that the forecast did not know."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import numpy as np

from peerwatt.study.models import CloudModel
from peerwatt.study.world.timeline import Floats, Timeline, stream

Scenario = Literal["base", "peak-demand", "fluctuating-renewables", "unexpected-consumption"]
SCENARIOS: tuple[str, ...] = get_args(Scenario)

PEAK_FACTOR = 1.35
RAMP_QUARTERS = 8
SURGE_SHARE, SURGE_FACTOR = 0.30, 1.8
LULL_SHARE, LULL_FACTOR = 0.15, 0.4


def check_scenario(name: str) -> None:
    """Refuses an unknown scenario.

    Raises:
        ValueError: not one of SCENARIOS.
    """
    if name not in SCENARIOS:
        raise ValueError(f"unknown scenario {name!r}; known are {', '.join(SCENARIOS)}")


def scenario_clouds(model: CloudModel, scenario: str) -> CloudModel:
    """Broken clouds: the sky changes every half hour, clouds are darker, plants differ more."""
    if scenario != "fluctuating-renewables":
        return model
    return dataclasses.replace(model, to_cloudy=0.35, to_clear=0.45, cloudy_index=0.40, local_noise=0.12)


def scenario_loads(loads: Floats, timeline: Timeline, scenario: str, seed: int, purpose: str) -> Floats:
    """Loads [Wh] as the scenario has them.

    peak-demand: a hot day, use rises over the two hours before trading to 1.35 times and stays there.
    unexpected-consumption: from the middle of the trading windows on, 30 % of the homes use 1.8 times,
    another 15 % 0.4 times as much as they would have.
    """
    out = loads.copy()
    if scenario == "peak-demand":
        ramp = np.clip(
            (np.arange(timeline.length) - timeline.first + RAMP_QUARTERS) / RAMP_QUARTERS, 0.0, 1.0
        )
        out *= 1.0 + (PEAK_FACTOR - 1.0) * ramp
    elif scenario == "unexpected-consumption":
        draw = stream(seed, f"surge {purpose}").random(loads.shape[0])
        factor = np.where(
            draw < SURGE_SHARE, SURGE_FACTOR, np.where(draw > 1.0 - LULL_SHARE, LULL_FACTOR, 1.0)
        )
        out[:, timeline.first + timeline.windows // 2 :] *= factor[:, None]
    return out

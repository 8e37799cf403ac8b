"""The world of the study: homes, weather, loads, generation, storage, forecasts, decisions."""

from __future__ import annotations

from peerwatt.study.world.decisions import BUY, SELL, Decision, Intent
from peerwatt.study.world.homes import Home
from peerwatt.study.world.scenarios import SCENARIOS
from peerwatt.study.world.world import ForecastQuality, World

__all__ = ["BUY", "SCENARIOS", "SELL", "Decision", "ForecastQuality", "Home", "Intent", "World"]

"""What the community file says, as typed values: places, prices, homes and models.

Prices are base units of the token per Wh (int).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

LEVELS = 256


@dataclass(frozen=True)
class Place:
    """Where the community is, and its climate in the month of the study."""

    name: str
    latitude: float
    longitude: float
    altitude_m: float
    timezone: str
    linke_turbidity: float
    air_temperature_min_c: float
    air_temperature_max_c: float


@dataclass(frozen=True)
class Period:
    """First trading window (local time) and the days of history before it."""

    start: datetime
    history_days: int


@dataclass(frozen=True)
class Market:
    """Window, gate and price grid. Prices in base units per Wh."""

    window_seconds: int
    lead_seconds: int
    min_order_wh: int
    floor_price: int
    price_step: int
    imbalance_price: int

    def price(self, level: int) -> int:
        """Price of a level, base units per Wh."""
        return self.floor_price + level * self.price_step

    def level_at_most(self, price_per_wh: int) -> int | None:
        """Highest level whose price is not above `price_per_wh`; None below the grid."""
        if price_per_wh < self.floor_price:
            return None
        return min((price_per_wh - self.floor_price) // self.price_step, LEVELS - 1)

    def level_at_least(self, price_per_wh: int) -> int | None:
        """Lowest level whose price is not below `price_per_wh`; None above the grid."""
        level = max(-((self.floor_price - price_per_wh) // self.price_step), 0)
        return level if level < LEVELS else None


@dataclass(frozen=True)
class RetailClass:
    """One retail tariff: base units per Wh; use against the national household."""

    name: str
    price: int
    use_factor: float


@dataclass(frozen=True)
class Feeder:
    """One feeder: its retail class (index), network fee (base units per Wh), share of the consumers."""

    name: str
    retail_class: int
    network_fee: int
    consumer_share: float


@dataclass(frozen=True)
class ConsumerKind:
    """A category of consumers: standard profile, median yearly use, spread, noise."""

    category: str
    share: float
    profile: str
    annual_kwh: float
    spread: float
    noise: float


@dataclass(frozen=True)
class ProsumerKind:
    """A prosumer site. Tuples are described in the community file; empty: the site has none."""

    category: str
    feeder: int
    profile: str
    annual_kwh: float
    pv_kwp: float
    plane: int
    battery: tuple[float, ...] = ()
    ev: tuple[float, ...] = ()
    wind: tuple[float, ...] = ()
    biogas: tuple[float, ...] = ()


@dataclass(frozen=True)
class ProsumerDefaults:
    """What all prosumer sites share."""

    noise_small: float
    noise_large: float
    charge_efficiency: float
    discharge_efficiency: float
    inverter_ratio: float


@dataclass(frozen=True)
class LoadModel:
    """Individual variation on the standard profiles."""

    noise_memory: float
    day_spread: float
    common_spread: float
    shift_minutes: float
    standby_wh: int


@dataclass(frozen=True)
class CloudModel:
    """Two-state sky and its noise, per quarter of an hour."""

    to_cloudy: float
    to_clear: float
    clear_index: float
    cloudy_index: float
    day_spread: float
    common_noise: float
    local_noise: float
    memory: float


@dataclass(frozen=True)
class SolarModel:
    """PV modules, inverters and planes (tilt, azimuth in degrees)."""

    module_efficiency: float
    temperature_coefficient: float
    losses: float
    inverter_efficiency: float
    noct_c: float
    planes: tuple[tuple[float, float], ...]
    clouds: CloudModel


@dataclass(frozen=True)
class WindModel:
    """Wind speed at hub height."""

    mean_speed_m_s: float
    spread_m_s: float
    daily_swing: float
    memory: float


@dataclass(frozen=True)
class DecisionModel:
    """How homes decide (paper, Fig. 3)."""

    willingness_min: float
    willingness_max: float
    order_quantile: float
    deposit_factor: float
    deposit_spread: float
    markup_min: float
    markup_max: float
    abundance_discount: float
    markup_up: float
    markup_down: float
    margin_sigmas: float
    margin_sigmas_battery: float
    storing_gain: float
    time_of_day: tuple[tuple[float, float], ...]

    def hour_factor(self, hour: float) -> float:
        """Factor on the mark-up at an hour of the day (0..24)."""
        factor = self.time_of_day[0][1]
        for from_hour, value in self.time_of_day:
            if hour >= from_hour:
                factor = value
        return factor


@dataclass(frozen=True)
class ForecastModel:
    """Weights of the blended forecasts."""

    level_weight: float
    level_decay: float
    level_windows: int
    sky_decay: float
    sky_today: float


@dataclass(frozen=True)
class SettlementModel:
    """Deadlines of the market [s], and how often the community settles [windows]."""

    report_deadline_seconds: int
    max_reading_age_seconds: int
    settle_every_windows: int


@dataclass(frozen=True)
class ReputationModel:
    """How scores move, and what they cost or save: 16 bands, lowest score first [basis points]."""

    tolerance_bps: int
    inertia_wh: int
    surcharge_bps: list[int]
    haircut_bps: list[int]
    rebate_bps: list[int]


@dataclass(frozen=True)
class StudyConfig:
    """The whole community file."""

    place: Place
    period: Period
    market: Market
    feed_in: int
    retail: tuple[RetailClass, ...]
    feeders: tuple[Feeder, ...]
    consumers: tuple[ConsumerKind, ...]
    prosumers: tuple[ProsumerKind, ...]
    prosumer_defaults: ProsumerDefaults
    load: LoadModel
    solar: SolarModel
    wind: WindModel
    decisions: DecisionModel
    forecast: ForecastModel
    settlement: SettlementModel
    reputation: ReputationModel

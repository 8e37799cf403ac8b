"""The homes of the community: who they are, what they own, how they are connected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from peerwatt.study.models import ConsumerKind, ProsumerKind, StudyConfig
from peerwatt.study.world.generation import Generator
from peerwatt.study.world.loads import LoadSite
from peerwatt.study.world.solar import Plant
from peerwatt.study.world.storage import Battery, Vehicle
from peerwatt.study.world.timeline import PER_HOUR, stream
from peerwatt.study.world.wind import Turbine

MICRO = 1_000_000
# A single-phase 60 A connection at 230 V.
SINGLE_PHASE_W = 13_800


@dataclass(frozen=True)
class Home:
    """A participant as the market sees it, and its first deposit [base units]. Limits are Wh per window."""

    id: str
    kind: Literal["consumer", "prosumer"]
    category: str
    retail_class: int
    feeder: int
    import_limit_wh: int
    export_limit_wh: int
    deposit: int


@dataclass(frozen=True)
class ConsumerTraits:
    """What one consumer is like. `willingness`: limit price over retail; `purse`: factor on the deposit."""

    site: LoadSite
    category: str
    feeder: int
    willingness: float
    purse: float


@dataclass(frozen=True)
class ProsumerTraits:
    """What one prosumer is like; `scale` is its size against the listed site."""

    site: LoadSite
    kind: ProsumerKind
    plant: Plant
    turbine: Turbine | None
    battery: Battery | None
    stored_wh: int
    vehicle: Vehicle | None
    vehicle_wh: int
    willingness: float
    markup: float
    scale: float


@dataclass(frozen=True)
class Site:
    """A prosumer with its generators built."""

    home: Home
    traits: ProsumerTraits
    generators: tuple[Generator, ...]


def _pick(shares: list[float], draw: float) -> int:
    """Index of the share that a number in 0..1 falls into."""
    total = 0.0
    for index, share in enumerate(shares):
        total += share
        if draw < total:
            return index
    return len(shares) - 1


def draw_consumer(config: StudyConfig, seed: int, index: int) -> ConsumerTraits:
    """Consumer number `index`; the same for any number of homes."""
    own = stream(seed, "consumer", index)
    feeder = _pick([f.consumer_share for f in config.feeders], float(own.random()))
    kind: ConsumerKind = config.consumers[_pick([k.share for k in config.consumers], float(own.random()))]
    factor = config.retail[config.feeders[feeder].retail_class].use_factor
    annual = kind.annual_kwh * factor * math.exp(kind.spread * float(own.standard_normal()))
    decisions = config.decisions
    willingness = float(own.uniform(decisions.willingness_min, decisions.willingness_max))
    purse = decisions.deposit_factor * math.exp(decisions.deposit_spread * float(own.standard_normal()))
    return ConsumerTraits(
        LoadSite(index, kind.profile, annual, kind.noise), kind.category, feeder, willingness, purse
    )


def draw_prosumer(config: StudyConfig, seed: int, index: int) -> ProsumerTraits:
    """Prosumer number `index`: the listed sites in sequence, then the same in other sizes (0.7 to 1.3)."""
    own = stream(seed, "prosumer", index)
    kind = config.prosumers[index % len(config.prosumers)]
    size = float(own.uniform(0.7, 1.3))
    scale = 1.0 if index < len(config.prosumers) else size
    shared = config.prosumer_defaults
    annual = kind.annual_kwh * scale
    battery, stored = _battery(config, kind.battery, scale)
    vehicle, vehicle_wh = _vehicle(config, kind.ev)
    decisions = config.decisions
    return ProsumerTraits(
        site=LoadSite(
            index, kind.profile, annual, shared.noise_large if annual > 10_000 else shared.noise_small
        ),
        kind=kind,
        plant=Plant(
            index, kind.pv_kwp * scale, 1000.0 * kind.pv_kwp * scale * shared.inverter_ratio, kind.plane
        ),
        turbine=Turbine(1000.0 * kind.wind[0] * scale, *kind.wind[1:4]) if kind.wind else None,
        battery=battery,
        stored_wh=stored,
        vehicle=vehicle,
        vehicle_wh=vehicle_wh,
        willingness=float(own.uniform(decisions.willingness_min, decisions.willingness_max)),
        markup=float(own.uniform(decisions.markup_min, decisions.markup_max)),
        scale=scale,
    )


def _battery(config: StudyConfig, entry: tuple[float, ...], scale: float) -> tuple[Battery | None, int]:
    if not entry:
        return None, 0
    capacity = int(1000 * entry[0] * scale)
    limit = int(1000 * entry[1] * scale / PER_HOUR)
    shared = config.prosumer_defaults
    battery = Battery(
        capacity,
        limit,
        limit,
        int(capacity * entry[3]),
        round(1000 * shared.charge_efficiency),
        round(1000 * shared.discharge_efficiency),
    )
    return battery, int(capacity * entry[2])


def _vehicle(config: StudyConfig, entry: tuple[float, ...]) -> tuple[Vehicle | None, int]:
    if not entry:
        return None, 0
    capacity = int(1000 * entry[0])
    efficiency = round(1000 * config.prosumer_defaults.charge_efficiency)
    store = Battery(capacity, int(1000 * entry[1] / PER_HOUR), 0, 0, efficiency, 1000)
    return Vehicle(store, int(capacity * entry[3]), entry[4]), int(capacity * entry[2])


def consumer_home(
    config: StudyConfig, index: int, traits: ConsumerTraits, need_wh: float, peak_wh: int
) -> Home:
    """A consumer's connection and deposit.

    Args:
        need_wh: its forecast need over all windows. peak_wh: its largest quarter, for the size of the
        connection.
    """
    retail_class = config.feeders[traits.feeder].retail_class
    worth = traits.purse * need_wh * config.retail[retail_class].price
    limit = max(int(SINGLE_PHASE_W / PER_HOUR), 2 * peak_wh)
    deposit = max(round(worth / MICRO), 10) * MICRO
    return Home(
        f"c{index + 1:04d}", "consumer", traits.category, retail_class, traits.feeder, limit, 0, deposit
    )


def prosumer_home(
    config: StudyConfig, index: int, traits: ProsumerTraits, windows: int, peak_wh: int
) -> Home:
    """A prosumer's connection, sized for all its sources at once, and a deposit for a bad day."""
    rated = traits.plant.ac_w + (traits.turbine.rated_w if traits.turbine else 0.0)
    rated += 1000.0 * (traits.kind.biogas[0] if traits.kind.biogas else 0.0) * traits.scale
    discharge = traits.battery.discharge_limit_wh if traits.battery else 0
    charge = traits.battery.charge_limit_wh if traits.battery else 0
    charge += traits.vehicle.store.charge_limit_wh if traits.vehicle else 0
    export_limit = math.ceil(rated / PER_HOUR) + discharge
    import_limit = max(int(SINGLE_PHASE_W / PER_HOUR), 2 * peak_wh + charge)
    market = config.market
    retail_class = config.feeders[traits.kind.feeder].retail_class
    worst = windows * export_limit * (market.imbalance_price - market.floor_price)
    deposit = -(-worst // MICRO) * MICRO
    return Home(
        f"p{index + 1:04d}", "prosumer", traits.kind.category, retail_class, traits.kind.feeder,
        import_limit, export_limit, deposit,
    )  # fmt: skip

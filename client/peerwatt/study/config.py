"""The study's community file: read, checked, in integer units.

The file is `community.toml` beside this module; `load_config(path)` reads another one of the same form.
Prices in the file are NGN/kWh, here base units of the token per Wh (int).
"""

from __future__ import annotations

import dataclasses
import tomllib
from datetime import datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from peerwatt.study.models import (
    LEVELS,
    CloudModel,
    ConsumerKind,
    DecisionModel,
    Feeder,
    ForecastModel,
    LoadModel,
    Market,
    Period,
    Place,
    ProsumerDefaults,
    ProsumerKind,
    ReputationModel,
    RetailClass,
    SettlementModel,
    SolarModel,
    StudyConfig,
    WindModel,
)

TOKEN_DECIMALS = 6
PROFILES = frozenset({"h0", "g0", "g1", "g2", "g3", "g4", "g5", "g6", "l0", "l1", "l2"})


class ConfigError(ValueError):
    """The community file has a missing, unknown or senseless entry."""


def price_per_wh(ngn_per_kwh: Decimal | int) -> int:
    """NGN/kWh as integer base units per Wh.

    Raises:
        ConfigError: not a number, negative, or finer than one base unit per Wh.
    """
    if isinstance(ngn_per_kwh, bool) or not isinstance(ngn_per_kwh, (Decimal, int)):
        raise ConfigError(f"price {ngn_per_kwh!r} is not a number; write NGN/kWh, for example 95.5")
    base = Decimal(ngn_per_kwh) * 10 ** (TOKEN_DECIMALS - 3)
    if not base.is_finite() or base != base.to_integral_value() or base < 0:
        raise ConfigError(
            f"price {ngn_per_kwh} NGN/kWh is not a whole number of base units per Wh; use three decimals"
        )
    return int(base)


def _build(kind: type[Any], section: str, table: dict[str, Any]) -> Any:
    """A dataclass from a table of the file; every unknown or missing key is named."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    optional = {name for name, f in fields.items() if f.default is not dataclasses.MISSING}
    unknown = sorted(set(table) - set(fields))
    missing = sorted(set(fields) - optional - set(table))
    if unknown or missing:
        raise ConfigError(
            f"[{section}] unknown keys {unknown}, missing keys {missing}; see community.toml for the form"
        )
    return kind(**{key: _convert(section, key, str(fields[key].type), value) for key, value in table.items()})


def _convert(section: str, key: str, kind: str, value: Any) -> Any:
    if kind == "float" and isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        return float(value)
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "str" and isinstance(value, str):
        return value
    if kind == "list[int]" and isinstance(value, list) and all(type(v) is int for v in value):
        return list(value)
    if kind.startswith("tuple") and isinstance(value, (list, tuple)):
        return tuple(tuple(float(x) for x in v) if isinstance(v, (list, tuple)) else float(v) for v in value)
    if not kind.startswith(("float", "int", "str", "tuple", "list")):
        return value
    raise ConfigError(f"[{section}] {key} = {value!r} is not of type {kind}")


def _index(names: list[str], name: str, section: str) -> int:
    if name not in names:
        raise ConfigError(f"[{section}] names {name!r}; known are {names}")
    return names.index(name)


def _parse(raw: dict[str, Any]) -> StudyConfig:
    known = {"place", "period", "market", "utility", "retail", "feeder", "consumer", "load", "solar", "wind",
             "prosumer", "prosumer_defaults", "decisions", "forecast",
             "settlement", "reputation"}  # fmt: skip
    if set(raw) != known:
        raise ConfigError(f"sections: unknown {sorted(set(raw) - known)}, missing {sorted(known - set(raw))}")
    market = dict(raw["market"])
    for key in ("floor_price", "price_step", "imbalance_price"):
        market[key] = price_per_wh(market.get(key, "missing"))
    retail = tuple(
        _build(RetailClass, "retail", {**t, "price": price_per_wh(t.get("price"))}) for t in raw["retail"]
    )
    retail_names = [r.name for r in retail]
    feeders = []
    for table in raw["feeder"]:
        entry = dict(table)
        entry["retail_class"] = _index(retail_names, entry.pop("retail", ""), "feeder")
        entry["network_fee"] = price_per_wh(entry.get("network_fee", "missing"))
        feeders.append(_build(Feeder, "feeder", entry))
    feeder_names = [f.name for f in feeders]
    prosumers = tuple(
        _build(
            ProsumerKind, "prosumer", {**t, "feeder": _index(feeder_names, t.get("feeder", ""), "prosumer")}
        )
        for t in raw["prosumer"]
    )
    clouds = _build(CloudModel, "solar.clouds", raw["solar"].get("clouds", {}))
    period = dict(raw["period"])
    period["start"] = datetime.fromisoformat(str(period.get("start")))
    return StudyConfig(
        place=_build(Place, "place", raw["place"]),
        period=_build(Period, "period", period),
        market=_build(Market, "market", market),
        feed_in=price_per_wh(raw["utility"].get("feed_in", "missing")),
        retail=retail,
        feeders=tuple(feeders),
        consumers=tuple(_build(ConsumerKind, "consumer", t) for t in raw["consumer"]),
        prosumers=prosumers,
        prosumer_defaults=_build(ProsumerDefaults, "prosumer_defaults", raw["prosumer_defaults"]),
        load=_build(LoadModel, "load", raw["load"]),
        solar=_build(SolarModel, "solar", {**raw["solar"], "clouds": clouds}),
        wind=_build(WindModel, "wind", raw["wind"]),
        decisions=_build(DecisionModel, "decisions", raw["decisions"]),
        forecast=_build(ForecastModel, "forecast", raw["forecast"]),
        settlement=_build(SettlementModel, "settlement", raw["settlement"]),
        reputation=_build(ReputationModel, "reputation", raw["reputation"]),
    )


def _check(config: StudyConfig) -> None:
    """What the market and the models rely on."""
    market, top = config.market, config.market.price(LEVELS - 1)
    dearest = max(r.price for r in config.retail)
    start = config.period.start
    day = start.timetuple().tm_yday
    profiles = {c.profile for c in config.consumers} | {p.profile for p in config.prosumers}
    for fact, ok in (
        ("price_step must be above 0", market.price_step > 0),
        ("imbalance_price must be at least a step above the grid and the dearest retail price",
         market.imbalance_price >= max(top + market.price_step, dearest)),
        ("imbalance_price must lie on the grid's steps",
         (market.imbalance_price - market.floor_price) % market.price_step == 0),
        ("feed_in must not be above the grid's floor", config.feed_in <= market.floor_price),
        ("the study's profiles have windows of 900 seconds", market.window_seconds == 900),
        ("lead_seconds must be above 0 and below a window", 0 < market.lead_seconds < market.window_seconds),
        ("start must be on a quarter of an hour", start.minute % 15 == 0 and start.second == 0),
        ("history_days must be 1 to 28, inside the year of start", 0 < config.period.history_days <= 28
         and day > config.period.history_days + 1 and day < 364),
        ("shares of feeders must add up to 1", abs(sum(f.consumer_share for f in config.feeders) - 1) < 1e-9),
        ("shares of consumers must add up to 1", abs(sum(c.share for c in config.consumers) - 1) < 1e-9),
        ("profiles must be BDEW profiles", profiles <= PROFILES),
        ("the community must settle every 1 to 16 windows", 0 < config.settlement.settle_every_windows <= 16),
        ("reputation tables must have 16 bands", all(len(t) == 16 for t in (
            config.reputation.surcharge_bps, config.reputation.haircut_bps, config.reputation.rebate_bps))),
        ("planes must exist", all(0 <= p.plane < len(config.solar.planes) for p in config.prosumers)),
    ):  # fmt: skip
        if not ok:
            raise ConfigError(f"community file: {fact}")


def load_config(path: Path | None = None) -> StudyConfig:
    """The community file, checked.

    Args:
        path: another file of the same form; None reads the one shipped with the package.
    Raises:
        ConfigError: unknown or missing entry, wrong type, price off the base unit, or senseless market.
    """
    if path is None:
        text = resources.files(__package__).joinpath("community.toml").read_text(encoding="utf-8")
    else:
        text = path.read_text(encoding="utf-8")
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"community file is not TOML: {error}") from error
    config = _parse(raw)
    _check(config)
    return config

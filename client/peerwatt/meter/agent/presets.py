"""Where usual devices say their counters: topics, paths and units by the name of the device's family.

Of each the counters of one register. "Import" is what the home takes from the grid, "export" what it gives. What the
devices call it differs, so the tables below are the place to look it up. docs/meter-agent.md says what to set on each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from peerwatt.market.toml_table import TomlTable
from peerwatt.meter.agent.payloads import JsonPath, NoEnergy, parse_path
from peerwatt.signing import SELL

MQTT, HTTP = "mqtt", "http"
DEFAULT_MAX_AGE_S = 60


@dataclass(frozen=True)
class Counter:
    """One counter of a device.

    Attributes:
        address: MQTT topic, or URL.
        path: of the value in JSON; empty if the message is the value.
        unit: Wh, kWh or MWh; None if a message says it.
        unit_path: of the unit in the same JSON.
        unit_topic: MQTT topic that says the unit.
        alive_topic: MQTT topic on which a message means that the last value still holds.
    """

    address: str
    path: JsonPath = ()
    unit: str | None = None
    unit_path: JsonPath = ()
    unit_topic: str | None = None
    alive_topic: str | None = None


@dataclass(frozen=True)
class Nudge:
    """A message that keeps a device talking."""

    topic: str
    payload: str
    every_s: float


@dataclass(frozen=True)
class Preset:
    """The counters of one register of a device.

    Attributes:
        max_age_s: how old a value may be at a boundary, by how often the device speaks [s].
    """

    counters: tuple[Counter, ...]
    max_age_s: int = DEFAULT_MAX_AGE_S
    nudge: Nudge | None = None


def _home_assistant(table: TomlTable, side: int, via: str) -> Preset:
    base = table.text("base", "homeassistant").rstrip("/")
    topic = f"{base}/{_entity(table, 'entity')}"
    alive = table.text("alive", "")
    unit = table.text("unit", "")
    return Preset(
        (
            Counter(
                f"{topic}/state",
                unit=unit or None,
                unit_topic=None if unit else f"{topic}/unit_of_measurement",
                alive_topic=f"{base}/{_entity(table, 'alive')}/state" if alive else None,
            ),
        )
    )


def _entity(table: TomlTable, key: str) -> str:
    entity = table.text(key)
    if entity and entity.count(".") != 1:
        table.note(f"{key} is {entity!r}, which is no entity; write it like sensor.grid_export", key)
    return entity.replace(".", "/")


def _dsmr_reader(table: TomlTable, side: int, via: str) -> Preset:
    base = table.text("base", "dsmr").rstrip("/")
    # The utility's words: what it delivers, the home imports. Tariff 1 and 2 (1.8.1 and 1.8.2) add up to 1.8.0.
    name = "returned" if side == SELL else "delivered"
    return Preset(tuple(Counter(f"{base}/reading/electricity_{name}_{tariff}", unit="kWh") for tariff in (1, 2)))


def _tasmota(table: TomlTable, side: int, via: str) -> Preset:
    path = read_path(table, "path", "ENERGY.ExportActive" if side == SELL else "ENERGY.Total")
    if via == HTTP:
        return Preset((Counter("/cm?cmnd=Status%2010", ("StatusSNS", *path), "kWh"),))
    return Preset((Counter(f"tele/{table.text('device')}/SENSOR", path, "kWh"),))


def _victron(table: TomlTable, side: int, via: str) -> Preset:
    portal, instance = table.text("portal"), _number(table, "instance")
    name = "Reverse" if side == SELL else "Forward"
    topic = f"N/{portal}/{table.text('service', 'grid')}/{instance}/Ac/Energy/{name}"
    # Without it a GX device falls silent after a minute; an empty one makes it say every value again.
    return Preset((Counter(topic, ("value",), "kWh"),), nudge=Nudge(f"R/{portal}/keepalive", "", 30))


def _shelly(table: TomlTable, side: int, via: str) -> Preset:
    component = table.text("component", "em1data:0")
    kind, _, number = component.partition(":")
    names = {"em1data": ("total_act_energy", "total_act_ret_energy"), "emdata": ("total_act", "total_act_ret")}
    if kind not in names or not number.isdecimal():
        table.note(f"component is {component!r}; write em1data:0 (one phase) or emdata:0 (three)", "component")
        kind, number = "em1data", "0"
    path = (names[kind][side == SELL],)
    if via == HTTP:
        service = {"em1data": "EM1Data", "emdata": "EMData"}[kind]
        return Preset((Counter(f"/rpc/{service}.GetStatus?id={number}", path, "Wh"),))
    # These counters are said once a minute.
    return Preset((Counter(f"{table.text('device')}/status/{kind}:{number}", path, "Wh"),), max_age_s=90)


def _shelly_gen1(table: TomlTable, side: int, via: str) -> Preset:
    channels = table.text("channels", "0").split(",")
    if not all(channel.strip().isdecimal() for channel in channels):
        table.note(f"channels is {','.join(channels)!r}; write their numbers, like \"0\" or \"0,1,2\"", "channels")
    name = "total_returned" if side == SELL else "total"
    if via == HTTP:
        return Preset(tuple(Counter(f"/emeter/{channel.strip()}", (name,), "Wh") for channel in channels))
    device = table.text("device")
    topics = [f"shellies/{device}/emeter/{channel.strip()}/{name}" for channel in channels]
    return Preset(tuple(Counter(topic, unit="Wh") for topic in topics))


@dataclass(frozen=True)
class _Family:
    make: Callable[[TomlTable, int, str], Preset]
    via: tuple[str, ...] = field(default=(MQTT,))


PRESETS: Mapping[str, _Family] = {
    "home-assistant": _Family(_home_assistant),
    "dsmr-reader": _Family(_dsmr_reader),
    "tasmota": _Family(_tasmota, (MQTT, HTTP)),
    "victron": _Family(_victron),
    "shelly": _Family(_shelly, (MQTT, HTTP)),
    "shelly-gen1": _Family(_shelly_gen1, (MQTT, HTTP)),
}


def read_preset(table: TomlTable, name: str, side: int, via: str) -> Preset:
    """The counters of a register by a preset; what is wrong is noted in the table."""
    family = PRESETS.get(name)
    if family is None:
        table.note(f"preset is {name!r}; there are {', '.join(PRESETS)}", "preset")
        return Preset(())
    if via not in family.via:
        table.note(f"preset {name} is for mqtt, and [source] says http; give mqtt = \"mqtt://...\" there", "preset")
    return family.make(table, side, via)


def read_path(table: TomlTable, key: str, default: str = "") -> JsonPath:
    """A path in JSON; what is wrong is noted in the table."""
    try:
        return parse_path(table.text(key, default))
    except NoEnergy as error:
        table.note(f"{key}: {error}", key)
        return ()


def _number(table: TomlTable, key: str) -> str:
    value = table.text(key)
    if value and not value.isdecimal():
        table.note(f"{key} is {value!r}; write its number in quotes, like \"30\"", key)
    return value

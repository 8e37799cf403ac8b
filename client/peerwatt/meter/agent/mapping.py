"""The agent's file: where the counters are, which register each makes, and the bridge that gets the reports."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from peerwatt.market.toml_table import Bounds, TomlTable
from peerwatt.meter.agent.payloads import NoEnergy, check_unit
from peerwatt.meter.agent.presets import (
    DEFAULT_MAX_AGE_S,
    HTTP,
    MQTT,
    Counter,
    Nudge,
    Preset,
    read_path,
    read_preset,
)
from peerwatt.signing import BUY, SELL

MAX_BYTES = 1_000_000
SIDES = {"import": BUY, "export": SELL, "1.8.0": BUY, "2.8.0": SELL}
PORTS = {"mqtt": 1883, "mqtts": 8883}
SECONDS = Bounds(1, 3600, "seconds", 60)
LATE = Bounds(0, 3600, "seconds", 0)
OFFSET = Bounds(1, 300, "seconds", 30)
POWER_KW = Bounds(1, 100_000, "kW", 100)
# Names of what goes up and down, and of counters that start again each day.
_POWER = re.compile(r"(^|_|/)(apparent|reactive|act_|aprt_|total_act_|a)?_?(active)?power$|currently", re.IGNORECASE)
_DAILY = re.compile(r"^(today|yesterday)$|day-consumption", re.IGNORECASE)


class MappingError(ValueError):
    """The file is no mapping; the message names all that is wrong with it."""


@dataclass(frozen=True)
class Register:
    """One register of the meter.

    Attributes:
        side: 1 export, 0 import.
        counters: that add up to it.
        max_age_s: how old a value may be at a boundary [s].
        max_late_s: how long after the boundary a value may come that stands in for a missing one [s]; 0 for never.
    """

    side: int
    counters: tuple[Counter, ...]
    max_age_s: int
    max_late_s: int


@dataclass(frozen=True)
class MqttSource:
    """A broker.

    Attributes:
        password_file, ca_file: None for none, and for the system's certificates.
        nudges: messages that keep devices talking.
    """

    host: str
    port: int
    tls: bool
    user: str | None
    password_file: Path | None
    ca_file: Path | None
    nudges: tuple[Nudge, ...]

    @property
    def name(self) -> str:
        """The broker, for people."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


@dataclass(frozen=True)
class HttpSource:
    """Devices that are asked over HTTP."""

    base: str
    interval_s: int
    user: str | None
    password_file: Path | None

    @property
    def name(self) -> str:
        """The devices, for people."""
        return self.base or "the devices"


@dataclass(frozen=True)
class Mapping:
    """What the file says.

    Attributes:
        bridge: its address, without `/v1`.
        max_clock_off_s: how far the own clock may be from the market's [s].
        limit_kw: more than this, on average over a window, no home feeds in or takes [kW].
    """

    source: MqttSource | HttpSource
    registers: tuple[Register, ...]
    bridge: str
    max_clock_off_s: int
    limit_kw: int


def load_mapping(path: Path) -> Mapping:
    """Reads a file.

    Raises:
        MappingError: no such file, no TOML, or entries that make no sense; names all of them.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MappingError(f"{path} is larger than {MAX_BYTES} bytes; name another file")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(
            f"{path} cannot be read ({error.strerror}); name the mapping with --mapping, docs/meter-agent.md shows one"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{path} is not TOML ({error}); mend it") from None
    problems: list[str] = []
    mapping = _read(content, path.parent, problems)
    if problems:
        raise MappingError(f"{path}: {'; '.join(problems)}")
    return mapping


def _read(content: dict[str, Any], folder: Path, problems: list[str]) -> Mapping:
    for name in content.keys() - {"source", "bridge", "register", "limits"}:
        problems.append(f"{name} is unknown; there are [source], [bridge], [limits] and [[register]]")
    bridge = TomlTable("[bridge]", content.get("bridge", {}), problems)
    url = bridge.text("url").rstrip("/")
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        bridge.note(f"url is {url!r}; write it like https://bridge.example", "url")
    bridge.close()
    limits = TomlTable("[limits]", content.get("limits", {}), problems)
    off_s, limit_kw = limits.whole("clock_off_s", OFFSET, 30), limits.whole("power_kw", POWER_KW, 100)
    limits.close()
    source = TomlTable("[source]", content.get("source", {}), problems)
    via = _via(source, content.get("source"))
    registers, nudges = _read_registers(content.get("register"), source, via, problems)
    found = _read_mqtt(source, folder, nudges) if via == MQTT else _read_http(source, folder)
    source.close()
    return Mapping(found, registers, url.removesuffix("/v1"), off_s, limit_kw)


def _via(source: TomlTable, content: object) -> str:
    given = [name for name in (MQTT, HTTP) if isinstance(content, dict) and name in content]
    if len(given) != 1:
        source.note('needs one of mqtt = "mqtt://broker:1883" and http = "http://device"')
        return MQTT
    return given[0]


def _read_mqtt(table: TomlTable, folder: Path, nudges: list[Nudge]) -> MqttSource:
    url = table.text("mqtt", "mqtt://localhost")
    host, port, scheme = "", None, ""
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname or "", parts.port, parts.scheme
    except ValueError:
        pass
    if scheme not in PORTS or not host or "@" in url:
        table.note(f"mqtt is {url.rpartition('@')[2]!r}; write it like mqtt://broker:1883 or mqtts://broker, with user "
                   "and password_file on lines of their own", "mqtt")
        scheme = "mqtt"
    user, password_file = _credentials(table, folder)
    ca_file = table.text("ca_file", "")
    if ca_file and scheme != "mqtts":
        table.note("ca_file is for mqtts://; write mqtt = \"mqtts://...\"", "ca_file")
    return MqttSource(
        host, port or PORTS[scheme], scheme == "mqtts", user, password_file,
        folder / Path(ca_file).expanduser() if ca_file else None, tuple(dict.fromkeys(nudges)),
    )  # fmt: skip


def _read_http(table: TomlTable, folder: Path) -> HttpSource:
    base = table.text("http")
    if "@" in urlsplit(base).netloc:
        table.note("http has a password in it; give user and password_file on lines of their own", "http")
    user, password_file = _credentials(table, folder)
    return HttpSource(base, table.whole("interval_s", Bounds(1, 600, "seconds", 15), 15), user, password_file)


def _credentials(table: TomlTable, folder: Path) -> tuple[str | None, Path | None]:
    user, password_file = table.text("user", ""), table.text("password_file", "")
    if password_file and not user:
        table.note("password_file needs user; add it", "user")
    return user or None, folder / Path(password_file).expanduser() if password_file else None


def _read_registers(
    content: object, source: TomlTable, via: str, problems: list[str]
) -> tuple[tuple[Register, ...], list[Nudge]]:
    base = source.text("http", "") if via == HTTP else ""
    entries = content if isinstance(content, list) else []
    if not entries:
        problems.append("there is no [[register]]; write one for each register, with side and preset or topic")
    registers: dict[int, Register] = {}
    nudges: list[Nudge] = []
    for place, entry in enumerate(entries, start=1):
        title = "[[register]]" if len(entries) == 1 else f"[[register]] {place}"
        inside = entry.get("counters") if isinstance(entry, dict) else None
        own = {key: value for key, value in entry.items() if key != "counters"} if isinstance(entry, dict) else entry
        table = TomlTable(title, own, problems)
        name = table.text("side")
        side = SIDES.get(name)
        if side is None:
            table.note(f"side is {name!r}; write export (2.8.0) or import (1.8.0)", "side")
            side = SELL
        chosen = table.text("preset", "")
        preset = (
            read_preset(table, chosen, side, via)
            if chosen
            else Preset(_read_counters(table, inside, via, problems))
        )
        max_age_s = table.whole("max_age_s", SECONDS, preset.max_age_s or DEFAULT_MAX_AGE_S)
        max_late_s = table.whole("max_late_s", LATE, 0)
        table.close()
        if side in registers:
            table.note(f"side {name} has two entries; add its counters up in one, with counters = [...]", "side")
        if preset.nudge is not None:
            nudges.append(preset.nudge)
        counters = tuple(_absolute(counter, base, table) if via == HTTP else counter for counter in preset.counters)
        for counter in counters:
            _check(counter, table)
        registers[side] = Register(side, counters, max_age_s, max_late_s)
    return tuple(registers.values()), nudges


def _read_counters(table: TomlTable, inside: object, via: str, problems: list[str]) -> tuple[Counter, ...]:
    if inside is None:
        return (_read_counter(table, via),)
    if not isinstance(inside, list) or not inside:
        table.note("counters is no list; write counters = [{topic = \"...\", unit = \"kWh\"}, ...]", "counters")
        return ()
    counters = []
    for place, content in enumerate(inside, start=1):
        one = TomlTable(f"{table.title} counters[{place}]", content, problems)
        counters.append(_read_counter(one, via))
        one.close()
    return tuple(counters)


def _read_counter(table: TomlTable, via: str) -> Counter:
    address = table.text("topic" if via == MQTT else "url")
    unit = table.text("unit", "") or None
    if unit is not None:
        try:
            check_unit(unit)
        except NoEnergy as error:
            table.note(f"unit: {error}", "unit")
    if via == HTTP:
        return Counter(address, read_path(table, "path"), unit, read_path(table, "unit_path"))
    if re.search(r"[+#]", address):
        table.note(f"topic is {address!r}; name one topic, without + and #", "topic")
    return Counter(
        address, read_path(table, "path"), unit, read_path(table, "unit_path"),
        table.text("unit_topic", "") or None, table.text("alive", "") or None,
    )  # fmt: skip


def _absolute(counter: Counter, base: str, table: TomlTable) -> Counter:
    url = urljoin(base, counter.address)
    if urlsplit(url).scheme not in ("http", "https"):
        table.note(f"{url!r} is no address; write http = \"http://device\" in [source], or a whole url", "url")
    return Counter(url, counter.path, counter.unit, counter.unit_path)


def _check(counter: Counter, table: TomlTable) -> None:
    """Notes what can be told from the names alone."""
    name = str(counter.path[-1]) if counter.path else counter.address.removesuffix("/state").rpartition("/")[2]
    if counter.unit_topic is None and _POWER.search(name):
        table.note(
            f"{name} is power by its name, not energy: it goes up and down; take the device's energy counter", "topic"
        )
    if _DAILY.search(name) or "/day-consumption/" in counter.address:
        table.note(f"{name} starts again each day; take the counter that only grows", "topic")

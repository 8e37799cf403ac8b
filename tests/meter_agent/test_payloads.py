"""Messages of devices as energy, and the clear reason where they are none."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerwatt.meter.agent.mapping import Mapping, MappingError, load_mapping
from peerwatt.meter.agent.payloads import NoEnergy, format_path, parse_path, read_energy_wh
from peerwatt.meter.agent.says import Says
from peerwatt.meter.agent.watch import CounterFell, NoRegister, Watch
from peerwatt.signing import BUY, SELL

EXAMPLES = json.loads((Path(__file__).parent / "payloads.json").read_text(encoding="utf-8"))
HEAD = '[bridge]\nurl = "http://localhost"\n[source]\nmqtt = "mqtt://broker"\n'


def mapping_of(folder: Path, register: dict[str, Any], head: str = HEAD) -> Mapping:
    file = folder / "mapping.toml"
    entries = "".join(f"{key} = {json.dumps(value)}\n" for key, value in register.items())
    file.write_text(f"{head}[[register]]\n{entries}")
    return load_mapping(file)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["device"])
def test_presets__message_of_the_device__is_its_register(tmp_path: Path, example: dict[str, Any]) -> None:
    mapping = mapping_of(tmp_path, example["register"])
    lines: list[str] = []
    watch = Watch(mapping.registers, 900, Says(lines.append))
    for topic, payload in example["messages"]:
        watch.take(topic, payload.encode(), 890.0)
    (register,) = watch.registers.values()
    assert register.at(1) == (example["energy_wh"], 890.0)
    assert lines == []


READS = [
    (b"1234.567", "", "kWh", 1234567),
    (b" 12 \n", "", "Wh", 12),
    (b'"12.5"', "", "kWh", 12500),
    (b"1.5e3", "", "Wh", 1500),
    (b"0.000", "", "MWh", 0),
    (b"12.5 kWh", "", None, 12500),
    (b'{"a":{"b":[1,{"c":"2.25"}]}}', "a.b[1].c", "kWh", 2250),
    (b'{"1-0:2.8.0":{"v":7}}', "['1-0:2.8.0'].v", "Wh", 7),
]


@pytest.mark.parametrize(("payload", "path", "unit", "energy_wh"), READS)
def test_read__value__exact(payload: bytes, path: str, unit: str | None, energy_wh: int) -> None:
    assert read_energy_wh(payload, parse_path(path), unit) == energy_wh


def test_read__unit_beside_the_value__used() -> None:
    payload = b'{"value": 3.5, "unit": "kWh"}'
    assert read_energy_wh(payload, ("value",), None, ("unit",)) == 3500
    with pytest.raises(NoEnergy, match="W is power, not energy"):
        read_energy_wh(b'{"value": 3.5, "unit": "W"}', ("value",), None, ("unit",))


SENSELESS = [
    (b"unavailable", "", "kWh", "it says 'unavailable': the device has no value now"),
    (b"", "", "kWh", "it says nothing: the device has no value now"),
    (b'"unknown"', "", "kWh", "is 'unknown': the device has no value now"),
    (b'{"value": null}', "value", "kWh", "value is null: the device has no value now"),
    (b'{"value": NaN}', "value", "kWh", "it says NaN"),
    (b"1234.5", "", None, "has no unit, it could be Wh or kWh"),
    (b"350", "", "W", "W is power, not energy"),
    (b"350 W", "", None, "W is power, not energy"),
    (b"12.5 kWh", "", "Wh", "the mapping says Wh"),
    (b"12.5", "", "m3", "'m3' is no unit of an energy counter"),
    (b"12.5", "", "mWh", "'mWh' is no unit of an energy counter"),
    (b"1234,5", "", "kWh", "with a decimal comma"),
    (b"[1, 2]", "", "kWh", "is a list of 2; name one with [0]"),
    (b'{"ENERGY": {"Total": [1, 2]}}', "ENERGY.Total", "kWh", "ENERGY.Total is a list of 2"),
    (b'{"ENERGY": {"Total": 1, "Today": 2}}', "", "kWh", "name one with path, there is ENERGY.Total, ENERGY.Today"),
    (b'{"ENERGY": {"Total": 1}}', "ENERGY.Export", "kWh", "it has no ENERGY.Export; there is Total"),
    (b'{"a": [1]}', "a[3]", "kWh", "it has no a[3]"),
    (b"12.5", "ENERGY.Total", "kWh", "it has no ENERGY, it is a number there: 12.5; correct the path, or leave it out"),
    (b"{", "a", "kWh", "is not JSON"),
    (b"true", "", "kWh", "'true', which is no number"),
    (b'{"a": true}', "a", "kWh", "a is true, which is no number"),
    (b"-5", "", "kWh", "is negative"),
    (b"1e300", "", "kWh", "beyond all measure"),
    (b"1e18", "", "kWh", "more than a meter counts"),
    (b"\xff\xfe", "", "kWh", "is no text"),
    (b"1" * 70_000, "", "kWh", "has 70000 bytes"),
    (b"[" * 60_000, "a", "kWh", "is not JSON"),
    (b"hello", "", "kWh", "'hello', which is no number"),
]


@pytest.mark.parametrize(("payload", "path", "unit", "says"), SENSELESS, ids=lambda value: str(value)[:30])
def test_read__no_counter__says_what_it_is(payload: bytes, path: str, unit: str | None, says: str) -> None:
    with pytest.raises(NoEnergy) as refused:
        read_energy_wh(payload, parse_path(path), unit)
    assert says in str(refused.value) and len(str(refused.value)) < 400


@given(st.binary(max_size=200), st.sampled_from(["", "a", "a.b[0]"]), st.sampled_from(["Wh", "kWh", None, "W"]))
def test_read__any_bytes__energy_or_its_own_error(payload: bytes, path: str, unit: str | None) -> None:
    try:
        energy_wh = read_energy_wh(payload, parse_path(path), unit)
    except NoEnergy:
        return
    assert isinstance(energy_wh, Decimal) and 0 <= energy_wh < 2**48


@given(st.lists(st.one_of(st.integers(0, 99), st.text("ab.[]-:0", min_size=1)), min_size=1, max_size=4))
def test_path__written_and_read__the_same(path: list[str | int]) -> None:
    # A path starts with a name where it is written without brackets.
    assert parse_path(format_path(tuple(path))) == tuple(path)


WRONG = [
    ({"side": "export", "topic": "a", "unit": "W"}, "unit: W is power, not energy"),
    ({"side": "export", "topic": "a/grid_power", "unit": "kWh"}, "grid_power is power by its name"),
    ({"side": "import", "topic": "dsmr/reading/electricity_currently_delivered", "unit": "kWh"}, "is power by its"),
    ({"side": "import", "topic": "t", "path": "ENERGY.Today", "unit": "kWh"}, "Today starts again each day"),
    ({"side": "import", "topic": "tele/+/SENSOR", "unit": "kWh"}, "name one topic, without + and #"),
    ({"side": "up", "topic": "a", "unit": "kWh"}, "side is 'up'; write export (2.8.0) or import (1.8.0)"),
    ({"side": "import", "preset": "fronius"}, "there are home-assistant, dsmr-reader, tasmota"),
    ({"side": "import", "preset": "tasmota"}, "device is missing"),
    ({"side": "import", "preset": "shelly", "device": "d", "component": "em:0"}, "write em1data:0"),
    ({"side": "import", "preset": "home-assistant", "entity": "grid"}, "write it like sensor.grid_export"),
    ({"side": "import", "topic": "a", "unit": "kWh", "max_age": 5}, "did you mean max_age_s?"),
    ({"side": "import", "topic": "a", "path": "a..b", "unit": "kWh"}, "'a..b' is no path"),
]


@pytest.mark.parametrize(("register", "says"), WRONG, ids=lambda value: str(value)[:40])
def test_mapping__senseless_entry__named(tmp_path: Path, register: dict[str, Any], says: str) -> None:
    with pytest.raises(MappingError) as refused:
        mapping_of(tmp_path, register)
    assert says in str(refused.value)


def test_mapping__several_wrong_entries__all_named_and_no_password(tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(
        '[bridge]\nurl = "ftp://x"\n[source]\nmqtt = "mqtt://me:secret@broker"\npassword_file = "p"\n[sauce]\n'
        '[[register]]\nside = "export"\npreset = "dsmr-reader"\n[[register]]\nside = "2.8.0"\npreset = "dsmr-reader"\n'
    )
    with pytest.raises(MappingError) as refused:
        load_mapping(file)
    text = str(refused.value)
    for says in ("sauce is unknown", "url is 'ftp://x'", "password_file needs user", "has two entries"):
        assert says in text
    assert "secret" not in str(refused.value)


def test_mapping__counters_that_add_up__both_registers(tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(
        HEAD + '[[register]]\nside = "export"\ncounters = [{topic = "a", unit = "Wh"}, {topic = "b", unit = "kWh"}]\n'
        '[[register]]\nside = "import"\ntopic = "c"\npath = "v"\nunit_path = "u"\n'
    )
    watch = Watch(load_mapping(file).registers, 900, Says(lambda text: None))
    for topic, payload in (("a", b"500.6"), ("b", b"1.0006"), ("c", b'{"v": 2, "u": "MWh"}')):
        watch.take(topic, payload, 880.0)
    # The parts of a Wh add up before they are left out.
    assert watch.registers[SELL].at(1)[0] == 1501 and watch.registers[BUY].at(1)[0] == 2_000_000


def test_mapping__http_preset__absolute_address(tmp_path: Path) -> None:
    head = '[bridge]\nurl = "http://localhost/v1"\n[source]\nhttp = "http://192.168.1.20"\n'
    mapping = mapping_of(tmp_path, {"side": "export", "preset": "shelly", "component": "em1data:1"}, head)
    assert mapping.registers[0].counters[0].address == "http://192.168.1.20/rpc/EM1Data.GetStatus?id=1"
    assert mapping.bridge == "http://localhost"
    with pytest.raises(MappingError, match="preset victron is for mqtt"):
        mapping_of(tmp_path, {"side": "export", "preset": "victron", "portal": "p", "instance": "1"}, head)


def test_home_assistant__no_unit_published__says_how_to(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, {"side": "export", "preset": "home-assistant", "entity": "sensor.out"})
    lines: list[str] = []
    watch = Watch(mapping.registers, 900, Says(lines.append))
    watch.take("homeassistant/sensor/out/state", b"12.5", 880.0)
    assert len(lines) == 1 and "publish_attributes: true" in lines[0]
    watch.take("homeassistant/sensor/out/unit_of_measurement", b'"W"', 881.0)
    with pytest.raises(NoRegister, match="W is power, not energy"):
        watch.registers[SELL].at(1)


def test_home_assistant__value_kept_by_the_broker__counts_when_the_device_shows_itself(tmp_path: Path) -> None:
    entry = {"side": "export", "preset": "home-assistant", "entity": "sensor.out", "alive": "sensor.time"}
    watch = Watch(mapping_of(tmp_path, entry).registers, 900, Says(lambda text: None))
    watch.take("homeassistant/sensor/out/unit_of_measurement", b'"kWh"', 840.0, retained=True)
    watch.take("homeassistant/sensor/out/state", b"12.5", 840.0, retained=True)
    with pytest.raises(NoRegister, match="said nothing"):
        watch.registers[SELL].at(1)
    watch.take("homeassistant/sensor/time/state", b"14:14", 870.0, retained=True)
    with pytest.raises(NoRegister, match="said nothing"):
        watch.registers[SELL].at(1)
    watch.take("homeassistant/sensor/time/state", b"14:15", 880.0)
    assert watch.registers[SELL].at(1) == (12500, 880.0)
    # What is not there any more does not hold.
    watch.take("homeassistant/sensor/out/state", b"unavailable", 1700.0)
    watch.take("homeassistant/sensor/time/state", b"14:29", 1795.0)
    with pytest.raises(NoRegister, match="it says 'unavailable'"):
        watch.registers[SELL].at(2)


def test_watch__lower_values__stop_when_they_last(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, {"side": "export", "topic": "a", "unit": "Wh"})
    lines: list[str] = []
    watch = Watch(mapping.registers, 900, Says(lines.append))
    watch.take("a", b"100", 800.0)
    for second in range(801, 850):
        watch.take("a", b"0", float(second))
    # A device that started with zero and then remembers.
    watch.take("a", b"101", 850.0)
    assert watch.registers[SELL].at(1) == (101, 850.0) and len(lines) == 2
    for time_s in (851.0, 910.0):
        watch.take("a", b"5", time_s)
    with pytest.raises(CounterFell, match="a falls from 101 Wh to 6 Wh"):
        watch.take("a", b"6", 911.0)


def test_watch__below_the_newest_register_of_an_earlier_run__falls(tmp_path: Path) -> None:
    watch = Watch(mapping_of(tmp_path, {"side": "export", "preset": "dsmr-reader"}).registers, 900, Says(print), 0)
    watch.registers[SELL].floor_wh = 5000
    watch.take("dsmr/reading/electricity_returned_1", b"3.000", 800.0)
    for time_s in (801.0, 802.0):
        watch.take("dsmr/reading/electricity_returned_2", b"1.999", time_s)
    with pytest.raises(CounterFell, match=r"register falls from 5 kWh to 4\.999 kWh"):
        watch.take("dsmr/reading/electricity_returned_2", b"1.999", 803.0)

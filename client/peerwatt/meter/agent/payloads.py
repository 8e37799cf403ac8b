"""One message of a device, read as energy; or the clear reason why it is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from peerwatt.units import MAX_ENERGY_WH

MAX_BYTES = 65_536
FACTORS = {"wh": Decimal(1), "kwh": Decimal(1000), "mwh": Decimal(1_000_000)}
UNITS = "Wh, kWh or MWh"
POWER = {"w", "kw", "mw", "va", "kva", "var", "kvar"}
AWAY = {"", "unavailable", "unknown", "none", "null", "nan", "offline", "undefined"}
# More digits, or an exponent beyond this, are no counter of a home.
MAX_DIGITS, MAX_EXPONENT = 40, 20
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")
_WITH_UNIT = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?)\s*([A-Za-z][A-Za-z0-9³]*)")
_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[([0-9]{1,6})\]|\['([^']+)'\]")
JsonPath = tuple[str | int, ...]


class NoEnergy(ValueError):
    """A message has no value of an energy counter. The text says what it has instead, and what to do."""


def parse_path(text: str) -> JsonPath:
    """A place in JSON: names joined by dots, `[0]` for a place in a list, `['a.b']` for a name with a dot.

    Raises:
        NoEnergy: it is written in another way.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise NoEnergy(f"{text!r} is no path; write it like ENERGY.Total, phases[0].total or ['1-0:2.8.0'].value")
        steps.append(int(step[2]) if step[2] is not None else step[1] or step[3])
        at = step.end()
    return tuple(steps)


def format_path(path: JsonPath) -> str:
    """A path as it is written."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.search(r"[.\[\]]", step):
            text += f"['{step}']"
        else:
            text += f".{step}" if text else step
    return text


def read_energy_wh(payload: bytes, path: JsonPath, unit: str | None, unit_path: JsonPath = ()) -> Decimal:
    """A counter [Wh], exactly as the device says it; fractions of a Wh stay.

    Args:
        payload: what the device sent.
        path: of the value in JSON; empty if the payload is the value.
        unit: Wh, kWh or MWh; None if nothing but the payload says it.
        unit_path: of the unit in JSON, if it is there.
    Raises:
        NoEnergy: no number, no unit, a unit of something else, or out of range.
    """
    text = _decode(payload)
    content = _parse(text) if path or unit_path or text[:1] in "{[\"" else text
    if unit_path:
        unit = _unit_at(content, unit_path)
    value = _walk(content, path)
    if isinstance(value, str):
        value = value.strip()
        parts = None if _NUMBER.fullmatch(value) else _WITH_UNIT.fullmatch(value)
        if parts is not None:
            if unit is not None and unit.lower() != parts[2].lower():
                raise NoEnergy(f"it says {value!r}, and the mapping says {unit}; take the unit out of the mapping")
            value, unit = parts[1], parts[2]
    number = _to_number(value, path)
    return _to_wh(number, unit)


def read_unit(payload: bytes) -> str:
    """The unit in a topic of its own, as plain text or as a JSON string.

    Raises:
        NoEnergy: it is neither.
    """
    text = _decode(payload)
    unit = _parse(text) if text[:1] == '"' else text
    if not isinstance(unit, str) or not unit or len(unit) > 20:
        raise NoEnergy(f"{text[:40]!r} is no unit; name it in the mapping: unit = \"kWh\"")
    return unit


def check_unit(unit: str) -> None:
    """Makes sure that a unit is one of energy.

    Raises:
        NoEnergy: power, or something else.
    """
    if unit.lower() in POWER:
        raise NoEnergy(
            f"{unit} is power, not energy: it says how fast, not how much, and nothing is added up here; take the "
            f"device's energy counter, in {UNITS}"
        )
    # mWh and MWh differ by a factor of a thousand million.
    if unit.lower() not in FACTORS or unit == "mWh":
        raise NoEnergy(f"{unit!r} is no unit of an energy counter; take a counter in {UNITS}")


def _decode(payload: bytes) -> str:
    if len(payload) > MAX_BYTES:
        raise NoEnergy(f"the message has {len(payload)} bytes, a counter has at most {MAX_BYTES}; take another")
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise NoEnergy("the message is no text; take a topic with a number or with JSON") from None
    if text.lower() in AWAY:
        named = repr(text) if text else "nothing"
        raise NoEnergy(f"it says {named}: the device has no value now; it counts again when it has one")
    return text


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_to_int, parse_constant=_refuse_constant)
    except NoEnergy:
        raise
    except (ValueError, RecursionError):
        raise NoEnergy(f"{text[:60]!r} is not JSON; leave the path out if the message is the number itself") from None


def _to_int(text: str) -> Decimal:
    return Decimal(text[: MAX_DIGITS + 2])


def _refuse_constant(text: str) -> Any:
    raise NoEnergy(f"it says {text}: the device has no value now; it counts again when it has one")


def _walk(content: Any, path: JsonPath) -> Any:
    for place, step in enumerate(path):
        name = format_path(path[: place + 1])
        try:
            inside = isinstance(content, dict) if isinstance(step, str) else isinstance(content, list)
            content = content[step] if inside else _missing(content, name)
        except (KeyError, IndexError):
            _missing(content, name)
    return content


def _missing(content: Any, name: str) -> Any:
    if isinstance(content, Decimal):
        raise NoEnergy(f"it has no {name}, it is a number there: {content}; correct the path, or leave it out")
    there = [format_path(path) for path in _numbers(content)][:8]
    has = f"there is {', '.join(there)}" if there else "there is no number beside it"
    raise NoEnergy(f"it has no {name}; {has}; correct the path")


def _numbers(content: Any, path: JsonPath = (), depth: int = 4) -> Iterator[JsonPath]:
    """Paths of numbers, for the messages."""
    if isinstance(content, Decimal):
        yield path
    elif depth and isinstance(content, dict):
        for name, value in content.items():
            yield from _numbers(value, (*path, name), depth - 1)
    elif depth and isinstance(content, list):
        for place, value in enumerate(content):
            yield from _numbers(value, (*path, place), depth - 1)


def _unit_at(content: Any, path: JsonPath) -> str:
    unit = _walk(content, path)
    if not isinstance(unit, str):
        raise NoEnergy(f"{format_path(path)} is {_show(unit)}, which is no unit; name it: unit = \"kWh\"")
    return unit


def _to_number(value: Any, path: JsonPath) -> Decimal:
    name = format_path(path) or "the message"
    if isinstance(value, str):
        if value.lower() in AWAY:
            raise NoEnergy(f"{name} is {value!r}: the device has no value now; it counts again when it has one")
        if re.fullmatch(r"[0-9.]*,[0-9]+", value):
            raise NoEnergy(f"{name} is {value!r}, with a decimal comma; have the device write a point")
        # Some devices put numbers in quotes; they mean the same.
        if not _NUMBER.fullmatch(value) or len(value) > MAX_DIGITS:
            raise NoEnergy(f"{name} is {value[:40]!r}, which is no number; take the counter's own topic or path")
        value = Decimal(value)
    if value is None:
        raise NoEnergy(f"{name} is null: the device has no value now; it counts again when it has one")
    if isinstance(value, list):
        raise NoEnergy(
            f"{name} is a list of {len(value)}; name one with [0], or give each a counter of its own to add them up"
        )
    if isinstance(value, dict):
        there = ", ".join(format_path(inside) for inside in list(_numbers(value, path))[:8]) or "no number"
        raise NoEnergy(f"{name} is JSON with several values; name one with path, there is {there}")
    if not isinstance(value, Decimal):
        raise NoEnergy(f"{name} is {_show(value)}, which is no number; take the counter's own topic or path")
    return value


def _to_wh(number: Decimal, unit: str | None) -> Decimal:
    if unit is None:
        raise NoEnergy(f"{number} has no unit, it could be Wh or kWh; name it in the mapping: unit = \"kWh\"")
    check_unit(unit)
    if number < 0:
        raise NoEnergy(f"{number} {unit} is negative, and a counter starts at zero; a balance is no register")
    if number and not -MAX_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise NoEnergy(f"{number} {unit} is beyond all measure; check the device")
    energy_wh = number * FACTORS[unit.lower()]
    if energy_wh > MAX_ENERGY_WH:
        raise NoEnergy(f"{number} {unit} is more than a meter counts ({MAX_ENERGY_WH} Wh); check the unit")
    return energy_wh


def _show(value: Any) -> str:
    return json.dumps(value, default=str)[:40]

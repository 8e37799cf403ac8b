"""The terms of a connection as people write them, and as the registry takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from peerwatt.exceptions import BadAmount
from peerwatt.market.words import FEEDING_IN, OFF, ONLY_CONSUMING, DeviceWord
from peerwatt.reference.registry import Terms
from peerwatt.units import format_energy, parse_energy

STATUSES = {"off": OFF, "consuming": ONLY_CONSUMING, "feeding-in": FEEDING_IN}
STATUS_NAMES = {status: name for name, status in STATUSES.items()}
FIELDS = ("import_limit", "export_limit", "feeder", "status", "meter_class", "retail_class")
# What a home gets for whom nothing else is said; the limits have to be said.
USUAL = Terms(0, 0, feeder=0, status=ONLY_CONSUMING, meter_class=1, retail_class=0)
MAX_LIMIT_WH = 2**24 - 1
HOUR_S = 3600
BPS = 10_000
_POWER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(k?)W\s*", re.IGNORECASE)
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_BOUNDS = {"feeder": 2**16 - 1, "meter_class": 63, "retail_class": 15}


def parse_limit(text: str, window_seconds: int) -> int:
    """A limit: energy in a window, `5kWh`, or power, `20kW`.

    Returns:
        Energy in a window [Wh].
    Raises:
        BadAmount: neither, or not a whole number of Wh in a window, or 2^24 Wh or more.
    """
    power = _POWER.fullmatch(text)
    if power is None:
        limit_wh = parse_energy(text)
    else:
        watts = Decimal(power[1]) * (1000 if power[2] else 1)
        energy = watts * window_seconds / HOUR_S
        if energy != int(energy):
            raise BadAmount(f"{text!r} is {energy:f} Wh in a window; give a power that is a whole number of Wh")
        limit_wh = int(energy)
    if limit_wh > MAX_LIMIT_WH:
        raise BadAmount(f"{text!r} is more than {format_energy(MAX_LIMIT_WH)} in a window; check the unit")
    return limit_wh


def parse_share(text: str) -> int:
    """A share such as `80%` or `62.5%`.

    Returns:
        Basis points.
    Raises:
        BadAmount: no share, above 100 %, or finer than a hundredth of a percent.
    """
    match = _PERCENT.fullmatch(text)
    bps = Decimal(match[1]) * 100 if match else Decimal(-1)
    if match is None or bps != int(bps) or bps > BPS:
        raise BadAmount(f"{text!r} is no share; write 0% to 100%, with at most two decimals, such as 80%")
    return int(bps)


def read_terms(values: Mapping[str, str], window_seconds: int, start: Terms | None = None) -> Terms:
    """Terms from texts.

    Args:
        values: by the names in FIELDS; those that are missing or empty are left as they are.
        start: terms that hold where nothing is said. None for a new home: then both limits have to be said, and it
            feeds in if it has an export limit.
    Raises:
        BadAmount: a value makes no sense.
    """
    given = {name: text.strip() for name, text in values.items() if text and text.strip()}
    terms = start or USUAL
    for name in ("import_limit", "export_limit"):
        if name in given:
            terms = replace(terms, **{f"{name}_wh": parse_limit(given[name], window_seconds)})
        elif start is None:
            raise BadAmount(f"the {name.replace('_', ' ')} is missing; give it like 5kWh (in a window) or 20kW")
    for name, highest in _BOUNDS.items():
        if name in given:
            if not given[name].isdecimal() or int(given[name]) > highest:
                raise BadAmount(f"the {name.replace('_', ' ')} is {given[name]!r}; write a number from 0 to {highest}")
            terms = replace(terms, **{name: int(given[name])})
    if "status" in given:
        status = given["status"].lower().replace("_", "-").replace(" ", "-")
        if status not in STATUSES:
            raise BadAmount(f"the status is {given['status']!r}; write {', '.join(STATUSES)}")
        terms = replace(terms, status=STATUSES[status])
    elif start is None and terms.export_limit_wh:
        terms = replace(terms, status=FEEDING_IN)
    return terms


def terms_of(device: DeviceWord) -> Terms:
    """The terms that an enrolled account has."""
    return Terms(
        device.import_limit_wh,
        device.export_limit_wh,
        device.feeder,
        device.status,
        device.meter_class,
        device.retail_class,
    )


def describe_terms(terms: Terms) -> str:
    """Terms for people."""
    return (
        f"{STATUS_NAMES[terms.status]}, up to {format_energy(terms.import_limit_wh)} in and "
        f"{format_energy(terms.export_limit_wh)} out a window, feeder {terms.feeder}, meter class "
        f"{terms.meter_class}, retail class {terms.retail_class}"
    )


def terms_to_json(terms: Terms) -> dict[str, int | str]:
    """Terms as commands print and files keep them."""
    return {
        "import_limit_wh": terms.import_limit_wh,
        "export_limit_wh": terms.export_limit_wh,
        "feeder": terms.feeder,
        "status": STATUS_NAMES[terms.status],
        "meter_class": terms.meter_class,
        "retail_class": terms.retail_class,
    }


def terms_from_json(fields: Mapping[str, object]) -> Terms:
    """The terms of `terms_to_json`.

    Raises:
        ValueError: they are none.
    """
    values = {**fields, "status": STATUSES.get(str(fields.get("status")), -1)}
    names = ("import_limit_wh", "export_limit_wh", "feeder", "status", "meter_class", "retail_class")
    numbers = [values.get(name) for name in names]
    if set(values) != set(names) or not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"{dict(fields)} are no terms of a connection")
    return Terms(*(int(str(number)) for number in numbers))

"""Durations as people write them (30d, 12h, 45min) and read them (12 min 30 s)."""

from __future__ import annotations

import re

from peerwatt.exceptions import BadAmount

_DURATION = re.compile(r"([0-9]{1,6}) ?(s|min|h|d|w)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
# A longer one is a typing error.
MAX_S = 10 * 366 * 86_400


def parse_duration(text: str) -> int:
    """A duration such as `30d`, `12h` or `45 min`.

    Returns:
        [s], at least 1.
    Raises:
        BadAmount: no number with a unit, zero, or more than ten years.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise BadAmount(f"{text!r} is no duration; write it like 45min, 12h, 30d or 2w")
    duration_s = int(match[1]) * _SECONDS[match[2]]
    if not 0 < duration_s <= MAX_S:
        raise BadAmount(f"{text!r} makes no sense here; give more than nothing and at most ten years")
    return duration_s


def format_duration(seconds: int) -> str:
    """A time span for people, in its two largest units, such as `12 min 30 s`."""
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])

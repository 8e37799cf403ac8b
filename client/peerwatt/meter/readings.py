"""Readings of a meter's registers at the instants between windows, as people write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peerwatt.exceptions import BadAmount, OpeningDiffers, RegisterDecreases, RegisterOverflow, WindowNotEnded
from peerwatt.market.clock import MarketClock
from peerwatt.signing import SELL
from peerwatt.units import MAX_ENERGY_WH, format_energy, parse_energy

DAY_S = 86_400
REGISTERS = {SELL: "export", 0: "import"}


@dataclass(frozen=True)
class Reading:
    """A register at one instant.

    Attributes:
        window: it was read at the start of this window, which is the end of the one before.
        register_wh: [Wh].
        source: where it comes from, for people: an argument, a line of a file, or the market.
    """

    window: int
    register_wh: int
    source: str


def parse_readings(
    texts: Sequence[str], stored: Reading, clock: MarketClock, *, growth: bool = False
) -> list[Reading]:
    """Readings written as arguments.

    `3.480kWh` alone is the register at the end of the last window that is over; several are the registers at the ends
    of successive windows from the last reading on. `14:15=3.480kWh` names its instant.

    Args:
        stored: the last reading that the market has.
        growth: the amounts are what the register grew by since the reading before, not the register.
    Raises:
        BadAmount: no amount, no time, an instant inside a window, some with and some without a time, or not in the
            sequence of time.
    """
    pairs = [(instant, amount) for instant, _, amount in (text.rpartition("=") for text in texts)]
    timed = [bool(instant) for instant, _ in pairs]
    if any(timed) and not all(timed):
        raise BadAmount("some registers have a time and some have none; write all of them like 14:15=3.480kWh")
    readings: list[Reading] = []
    register_wh = stored.register_wh
    for index, ((instant, amount), text) in enumerate(zip(pairs, texts, strict=True)):
        if instant:
            # A register was read in the past: the last 14:15, not the next.
            window = clock.parse_window_start(instant, not_before_s=clock.now_s - DAY_S + 1)
        else:
            window = clock.window if len(texts) == 1 else stored.window + 1 + index
        if readings and window <= readings[-1].window:
            raise BadAmount(f"{text!r} is not after {readings[-1].source!r}; give registers in the sequence of time")
        register_wh = register_wh + parse_energy(amount) if growth else parse_energy(amount)
        readings.append(Reading(window, register_wh, text))
    return readings


def join_to_stored(
    stored: Reading, readings: Iterable[Reading], side: int, clock: MarketClock
) -> dict[int, Reading]:
    """Readings by their window, with the market's last one; those before it are left out.

    Raises:
        OpeningDiffers: at the instant of the market's reading, but with another register.
        RegisterDecreases: below an earlier one.
        RegisterOverflow: a register is 2^48 Wh or more.
        WindowNotEnded: at an instant that is still to come.
    """
    joined = {stored.window: stored}
    before, name = stored, REGISTERS[side]
    for reading in sorted(readings, key=lambda reading: reading.window):
        if reading.window < stored.window:
            continue
        at = clock.format_time(clock.start_s(reading.window))
        if reading.window > clock.window:
            raise WindowNotEnded(
                f"{reading.source} is a register at {at}, and the window that ends then is still running (it is "
                f"{clock.format_time(clock.now_s)}); wait until it is over",
                window=reading.window - 1,
            )
        if reading.window == stored.window and reading.register_wh != stored.register_wh:
            raise OpeningDiffers(
                f"the {name} register at {at} is {format_energy(stored.register_wh)} in the market and "
                f"{format_energy(reading.register_wh)} in {reading.source}; what was reported stays: the next one "
                f"counts at {clock.format_time(clock.start_s(stored.window + 1))}, or have the meter checked",
                stored_wh=stored.register_wh,
                register_wh=reading.register_wh,
            )
        if reading.register_wh < before.register_wh:
            raise RegisterDecreases(
                f"the {name} register falls from {format_energy(before.register_wh)} ({before.source}) to "
                f"{format_energy(reading.register_wh)} at {at} ({reading.source}), and registers only grow; "
                "check the unit, or have the meter checked",
                before_wh=before.register_wh,
                register_wh=reading.register_wh,
            )
        if reading.register_wh > MAX_ENERGY_WH:
            raise RegisterOverflow(
                f"the {name} register at {at} is {format_energy(reading.register_wh)} ({reading.source}), and meters "
                f"count to {format_energy(MAX_ENERGY_WH)}; check the unit",
                register_wh=reading.register_wh,
            )
        joined[reading.window] = before = reading
    return joined

"""Listens for a while and says what each counter of a mapping gives, or why it gives nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from peerwatt.meter.agent.mapping import Mapping, MqttSource
from peerwatt.meter.agent.payloads import NoEnergy, format_path
from peerwatt.meter.agent.says import Says
from peerwatt.meter.agent.sources import listen
from peerwatt.meter.agent.watch import CounterWatch
from peerwatt.units import format_energy

SHOWN = 60


@dataclass(frozen=True)
class Checked:
    """What a counter gives.

    Attributes:
        side: 1 export, 0 import.
        address: topic or URL, with the path.
        message: the last one, shortened; None if there was none.
        messages: how many came.
        energy_wh: what it says [Wh]; None if it says none.
        problem: why it can't be used as it is; None if it can.
    """

    side: int
    address: str
    message: str | None
    messages: int
    energy_wh: Decimal | None
    problem: str | None

    def to_words(self) -> str:
        """For people."""
        if self.problem is not None:
            said = "" if self.message is None else f", said {self.message!r}"
            return f"{self.address}{said}: {self.problem}"
        assert self.energy_wh is not None
        times = f"{self.messages} message{'' if self.messages == 1 else 's'}"
        return f"{self.address} said {self.message!r}: {format_energy(int(self.energy_wh))} ({times})"


async def check(mapping: Mapping, seconds: float, line: Callable[[str], None]) -> list[Checked]:
    """Listens for so many seconds.

    Args:
        line: shows a line about the connection.
    Raises:
        MappingError, MissingExtra: the source can't be used at all.
    """
    heard: dict[str, list[tuple[bytes, bool]]] = {}

    def take(address: str, payload: bytes, retained: bool) -> None:
        heard.setdefault(address, []).append((payload, retained))

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(listen(mapping, take, Says(line)), seconds)
    return [
        _check(CounterWatch(counter, 1), register.side, heard, seconds, isinstance(mapping.source, MqttSource))
        for register in mapping.registers
        for counter in register.counters
    ]


def _check(
    watch: CounterWatch, side: int, heard: dict[str, list[tuple[bytes, bool]]], seconds: float, mqtt: bool
) -> Checked:
    counter = watch.counter
    path = format_path(counter.path)
    address = f"{counter.address} {path}" if path else counter.address
    messages = heard.get(counter.address, [])
    if not messages:
        advice = "check the topic's name, or listen longer with --seconds" if mqtt else "check its address"
        return Checked(side, address, None, 0, None, f"it said nothing in {seconds:g} s; {advice}")
    payload, retained = messages[-1]
    text = payload.decode("utf-8", "replace").strip()
    text = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    fresh = sum(not kept for _, kept in messages)
    try:
        if counter.unit_topic in heard:
            watch.take_unit(heard[counter.unit_topic][-1][0])
        energy_wh = watch.read(payload)
    except NoEnergy as error:
        return Checked(side, address, text, fresh, None, str(error))
    alive = any(not kept for _, kept in heard.get(counter.alive_topic or "", []))
    if retained and fresh == 0 and not alive:
        problem = (
            f"it is {format_energy(int(energy_wh))}, but the broker had kept that, nobody knows since when, and "
            f"nothing new came in {seconds:g} s; a value counts when it is said again: listen longer (--seconds), or "
            "name a topic that shows that the device is there: alive"
        )
        return Checked(side, address, text, fresh, energy_wh, problem)
    return Checked(side, address, text, fresh, energy_wh, None)

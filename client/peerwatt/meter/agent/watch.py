"""Follows the counters of a mapping: reads their messages, notices what is wrong with them, knows their registers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from peerwatt.meter.agent.boundaries import CounterMemory, Seen, add_up
from peerwatt.meter.agent.mapping import Register
from peerwatt.meter.agent.payloads import AWAY, NoEnergy, read_energy_wh, read_unit
from peerwatt.meter.agent.presets import Counter
from peerwatt.meter.agent.says import Says
from peerwatt.meter.readings import REGISTERS
from peerwatt.units import format_energy

# So many lower values in a row, for so long, are a counter that fell; less may be a device that just started.
FALLS = 3
FALL_S = 60
# Devices publish in steps and in bursts: so much more time may lie behind a growth.
BURST_S = 60
HOUR_S = 3600


class NoRegister(ValueError):
    """There is no register at a boundary; the text says why."""


class CounterFell(ValueError):
    """A counter fell for good: the meter was reset or replaced."""


class CounterWatch:
    """One counter.

    Attributes:
        problem: why its last message was no value; None if it was one.
        current_wh: the last value [Wh], also one that the broker had kept, whose time nobody knows.
    """

    def __init__(self, counter: Counter, window_seconds: int) -> None:
        self.counter = counter
        self.memory = CounterMemory(window_seconds)
        self.problem: str | None = None
        self.current_wh: Decimal | None = None
        self.unit = counter.unit
        self.falls = 0
        self.fell_s = 0.0
        self._unread: bytes | None = None

    def read(self, payload: bytes) -> Decimal:
        """The value of a message [Wh].

        Raises:
            NoEnergy: it has none.
        """
        if self.counter.unit_topic is not None and self.unit is None:
            self._unread = payload
            # What the message itself shows to be wrong is said first.
            read_energy_wh(payload, self.counter.path, "Wh")
            raise NoEnergy(
                f"nothing says its unit: there was no message on {self.counter.unit_topic} yet; publish it "
                '(Home Assistant: publish_attributes: true), or name it in the mapping: unit = "kWh"'
            )
        return read_energy_wh(payload, self.counter.path, self.unit, self.counter.unit_path)

    def take_unit(self, payload: bytes) -> bytes | None:
        """Takes a message on the unit's topic.

        Returns:
            The message of the counter that waited for it.
        Raises:
            NoEnergy: it is no unit.
        """
        self.unit = read_unit(payload)
        unread, self._unread = self._unread, None
        return unread

    def forget(self, window_seconds: int) -> None:
        """Forgets when values were seen, after the clock was set."""
        self.memory = CounterMemory(window_seconds)


class RegisterWatch:
    """One register.

    Attributes:
        floor_wh: the newest register that was written down [Wh]; it can't be below that any more.
    """

    def __init__(self, register: Register, window_seconds: int) -> None:
        self.register = register
        self.counters = [CounterWatch(counter, window_seconds) for counter in register.counters]
        self.floor_wh = 0

    @property
    def name(self) -> str:
        """For people."""
        return REGISTERS[self.register.side]

    def at(self, window: int) -> tuple[int, float]:
        """The register at the start of a window [Wh], and when the last of its values was seen [Unix s].

        Raises:
            NoRegister: a counter has no value that counts there.
        """
        values: list[Seen] = []
        for watch in self.counters:
            seen = watch.memory.at(window, self.register.max_age_s, self.register.max_late_s)
            if seen is None:
                raise NoRegister(f"{watch.counter.address} {self._why(watch, window)}")
            values.append(seen)
        return add_up(values), max(seen.time_s for seen in values)

    def _why(self, watch: CounterWatch, window: int) -> str:
        if watch.problem is not None:
            return f"had no value ({watch.problem})"
        age_s = watch.memory.age_s(window)
        if age_s is None:
            return "said nothing"
        return f"was {age_s:.0f} s old, and may be {self.register.max_age_s} s old (max_age_s)"

    def falls(self, watch: CounterWatch, energy_wh: Decimal) -> str | None:
        """What a value falls below, in words; None if it does not."""
        before = watch.current_wh
        if before is not None and int(energy_wh) < int(before):
            return f"{watch.counter.address} falls from {format_energy(int(before))} to {format_energy(int(energy_wh))}"
        others = [other.current_wh for other in self.counters if other is not watch]
        known = [wh for wh in others if wh is not None]
        total_wh = int(sum(known, energy_wh))
        if len(known) == len(others) and total_wh < self.floor_wh:
            return (
                f"the {self.name} register falls from {format_energy(self.floor_wh)} to {format_energy(total_wh)} "
                f"({watch.counter.address})"
            )
        return None


class Watch:
    """All registers of a mapping."""

    def __init__(
        self,
        registers: Sequence[Register],
        window_seconds: int,
        says: Says,
        fall_s: float = FALL_S,
        limit_w: int | None = None,
    ) -> None:
        """
        Args:
            fall_s: how long a counter may be below what it was, until that is for good [s].
            limit_w: what flows at most [W]; None for anything.
        """
        self._fall_s, self._limit_w = fall_s, limit_w
        self.registers = {register.side: RegisterWatch(register, window_seconds) for register in registers}
        self._window_s = window_seconds
        self._says = says

    def forget(self) -> None:
        """Forgets when values were seen, after the clock was set."""
        for register in self.registers.values():
            for watch in register.counters:
                watch.forget(self._window_s)

    def take(self, address: str, payload: bytes, time_s: float, *, retained: bool = False) -> None:
        """Takes a message.

        Args:
            address: topic or URL.
            time_s: when it came [Unix s].
            retained: the broker had kept it; nobody knows since when.
        Raises:
            CounterFell: a counter is below what it was, and stays there.
        """
        for register in self.registers.values():
            for watch in register.counters:
                counter = watch.counter
                if address == counter.unit_topic:
                    self._take_unit(register, watch, payload)
                if address == counter.address:
                    self._take_value(register, watch, payload, None if retained else time_s)
                if address == counter.alive_topic and not retained and _is_alive(payload):
                    self._confirm(watch, time_s)

    def _take_unit(self, register: RegisterWatch, watch: CounterWatch, payload: bytes) -> None:
        try:
            unread = watch.take_unit(payload)
        except NoEnergy as error:
            self._complain(watch, str(error))
            return
        if unread is not None:
            # Nobody knows when it was true: it counts from the next message on.
            self._take_value(register, watch, unread, None)

    def _take_value(self, register: RegisterWatch, watch: CounterWatch, payload: bytes, time_s: float | None) -> None:
        try:
            energy_wh = watch.read(payload)
        except NoEnergy as error:
            self._complain(watch, str(error))
            return
        fall = register.falls(watch, energy_wh)
        if fall is not None:
            self._take_fall(watch, fall, time_s)
            return
        jump = None if time_s is None else self._jump(watch, energy_wh, time_s)
        if jump is not None:
            # Believed once, it would make every right value after it a fall, and end the meter for good.
            self._complain(watch, jump)
            return
        watch.falls, watch.problem, watch.current_wh = 0, None, energy_wh
        self._says.end(watch, f"{watch.counter.address} has a value again: {format_energy(int(energy_wh))}")
        if time_s is not None:
            watch.memory.see(Seen(time_s, energy_wh))

    def _jump(self, watch: CounterWatch, energy_wh: Decimal, time_s: float) -> str | None:
        """What a value jumps over, in words; None if so much can have flowed."""
        before = watch.memory.newest
        if before is None or self._limit_w is None:
            return None
        passed_s = max(time_s - before.time_s, 0) + BURST_S
        if energy_wh - before.energy_wh <= self._limit_w * Decimal(passed_s) / HOUR_S:
            return None
        return (
            f"it jumps from {format_energy(int(before.energy_wh))} to {format_energy(int(energy_wh))}, more than "
            f"{self._limit_w / 1000:g} kW can (power_kw); such values are passed over, check the unit"
        )

    def _take_fall(self, watch: CounterWatch, fall: str, time_s: float | None) -> None:
        if time_s is None:
            # What a broker had kept may be old.
            return
        watch.falls += 1
        if watch.falls == 1:
            watch.fell_s = time_s
        watch.problem = fall
        self._says.begin(
            watch, f"{fall}; such values are passed over, and stop the signing if they last {self._fall_s:g} s"
        )
        if watch.falls >= FALLS and time_s - watch.fell_s >= self._fall_s:
            raise CounterFell(fall)

    def _confirm(self, watch: CounterWatch, time_s: float) -> None:
        """The device is there and says nothing else: the last value still holds."""
        if watch.problem is None and watch.current_wh is not None:
            watch.memory.see(Seen(time_s, watch.current_wh))

    def _complain(self, watch: CounterWatch, text: str) -> None:
        watch.problem = text
        self._says.begin(watch, f"{watch.counter.address}: {text}")


def _is_alive(payload: bytes) -> bool:
    return payload.decode("utf-8", "replace").strip().strip('"').lower() not in AWAY

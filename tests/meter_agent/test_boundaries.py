"""The boundary rule against the plain definition, on any sequence of values."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from peerwatt.meter.agent.boundaries import CounterMemory, Seen, add_up

WINDOW_S = 900
# Gaps between values [s] and growths [mWh].
LIFE = st.lists(st.tuples(st.floats(0, 1200), st.integers(0, 500_000)), min_size=1, max_size=60)


def play(life: list[tuple[float, int]]) -> list[Seen]:
    time_s, energy = 10_000_000.0, Decimal(5)
    values = []
    for gap_s, growth_mwh in life:
        time_s += gap_s
        energy += Decimal(growth_mwh) / 1000
        values.append(Seen(time_s, energy))
    return values


@given(LIFE, st.integers(1, 900), st.sampled_from([0, 0, 30, 900]))
def test_at__any_values__last_before_or_first_after_never_made_up(
    life: list[tuple[float, int]], max_age_s: int, max_late_s: int
) -> None:
    values = play(life)
    memory = CounterMemory(WINDOW_S)
    first = int(values[0].time_s // WINDOW_S)
    waiting, found = first, {}
    for seen in [*values, None]:
        # Each boundary is looked up when nothing for it can come any more, as the program does.
        while seen is None or waiting * WINDOW_S + max_late_s < seen.time_s:
            found[waiting] = memory.at(waiting, max_age_s, max_late_s)
            waiting += 1
            if seen is None and waiting > int(values[-1].time_s // WINDOW_S) + 2:
                break
        if seen is not None:
            memory.see(seen)
    for window, chosen in found.items():
        boundary_s = window * WINDOW_S
        before = [seen for seen in values if boundary_s - max_age_s <= seen.time_s <= boundary_s]
        after = [seen for seen in values if boundary_s < seen.time_s <= boundary_s + max_late_s]
        assert chosen == (before[-1] if before else after[0] if after else None)


@given(LIFE, LIFE, st.integers(1, 900))
def test_at__two_counters__register_never_above_what_had_flowed_and_growths_add_up(
    left: list[tuple[float, int]], right: list[tuple[float, int]], max_age_s: int
) -> None:
    lives = [play(left), play(right)]
    memories = [CounterMemory(WINDOW_S), CounterMemory(WINDOW_S)]
    last = int(max(life[-1].time_s for life in lives) // WINDOW_S) + 1
    registers: dict[int, int] = {}
    for window in range(int(10_000_000 // WINDOW_S), last + 1):
        for memory, life in zip(memories, lives, strict=True):
            for seen in life:
                if (window - 1) * WINDOW_S < seen.time_s <= window * WINDOW_S:
                    memory.see(seen)
        chosen = [memory.at(window, max_age_s) for memory in memories]
        if all(chosen):
            registers[window] = add_up(seen for seen in chosen if seen is not None)
    for window, register_wh in registers.items():
        shown = [[seen.energy_wh for seen in life if seen.time_s <= window * WINDOW_S] for life in lives]
        flowed = sum(max(values, default=Decimal(0)) for values in shown)
        assert register_wh <= flowed
    signed = [registers[window] for window in sorted(registers)]
    assert signed == sorted(signed)
    if signed:
        growths = [after - before for before, after in pairwise(signed)]
        assert sum(growths) == signed[-1] - signed[0]


def test_see__time_runs_back__counts_as_simultaneous() -> None:
    memory = CounterMemory(WINDOW_S)
    memory.see(Seen(905.0, Decimal(10)))
    memory.see(Seen(895.0, Decimal(11)))
    assert memory.at(1, 60) is None and memory.at(1, 60, 10) == Seen(905.0, Decimal(10))
    assert memory.newest == Seen(905.0, Decimal(11))


def test_see__a_day_of_seconds__little_is_kept() -> None:
    memory = CounterMemory(WINDOW_S)
    for second in range(20_000):
        memory.see(Seen(float(second), Decimal(second)))
    assert len(memory._last) <= 4 and len(memory._first) <= 4
    assert memory.at(22, 60) == Seen(19_800.0, Decimal(19_800))

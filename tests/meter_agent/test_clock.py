"""The agent's clock: how far it is from the market's, when it was set, and who answers for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from peerwatt.meter.agent import clock
from peerwatt.meter.agent.clock import AgentClock, is_steered


class Time:
    """A wall clock and a steady one."""

    def __init__(self) -> None:
        self.steady_s, self.set_by_s = 100.0, 1_800_000_000.0

    def clock(self, *, steered: bool = False) -> AgentClock:
        return AgentClock(
            30, wall=lambda: self.set_by_s + self.steady_s, steady=lambda: self.steady_s, steered=lambda: steered
        )


@pytest.mark.parametrize(
    ("asked_s", "answered_s", "offset_s"),
    [(1000.5, 1000.6, 0.0), (999.0, 1003.0, 0.0), (1001.0, 1001.2, 0.0), (1041.0, 1041.5, 40.0), (958.0, 959.5, -40.5)],
)
def test_compare__market_has_whole_seconds__what_the_way_explains_is_no_offset(
    asked_s: float, answered_s: float, offset_s: float
) -> None:
    kept = Time().clock()
    kept.compare(1000, asked_s, answered_s)
    assert kept.offset_s == offset_s and kept.is_off == (abs(offset_s) > 30)


def test_is_unknown__until_compared__and_again_once_set() -> None:
    time = Time()
    kept = time.clock()
    assert kept.is_unknown and not kept.is_off
    kept.compare(int(kept.now_s()), kept.now_s(), kept.now_s())
    assert not kept.is_unknown
    time.steady_s += 900
    assert kept.take_step() is None and not kept.is_unknown
    time.set_by_s -= 31
    assert kept.take_step() == -31 and kept.is_unknown
    assert not time.clock(steered=True).is_unknown


def test_take_step__slow_corrections__add_up_to_none() -> None:
    time = Time()
    kept = time.clock()
    for _ in range(10):
        time.set_by_s += 20
        assert kept.take_step() is None


@pytest.mark.parametrize(("state", "steered"), [(0, True), (1, True), (5, False), (-1, False)])
def test_is_steered__what_the_kernel_says(monkeypatch: pytest.MonkeyPatch, state: int, steered: bool) -> None:
    monkeypatch.setattr(clock.ctypes, "CDLL", lambda _: SimpleNamespace(ntp_adjtime=lambda timex: state))
    assert is_steered() is steered


def test_is_steered__no_such_call__nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock.ctypes, "CDLL", lambda _: SimpleNamespace())
    assert is_steered() is False

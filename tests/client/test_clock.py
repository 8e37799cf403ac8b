"""Windows and local time."""

from __future__ import annotations

from datetime import datetime

import pytest

from peerwatt.exceptions import BadAmount
from peerwatt.market.clock import MarketClock, get_chain_time_s, parse_zone
from peerwatt.market.durations import format_duration
from peerwatt.node.embedded import EmbeddedChain


def clock(moment: str = "2026-10-14T13:07:30", zone: str = "Africa/Lagos", window_seconds: int = 900) -> MarketClock:
    there = parse_zone(zone)
    now_s = int(datetime.fromisoformat(moment).replace(tzinfo=there).timestamp())
    return MarketClock(window_seconds, lead_seconds=300, now_s=now_s, zone=there)


def window_at(moment: str, zone: str = "Africa/Lagos") -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=parse_zone(zone)).timestamp()) // 900


def test_windows__gate__is_the_lead_before_the_start() -> None:
    before, at = clock("2026-10-14T13:09:59"), clock("2026-10-14T13:10:00")
    assert before.window == at.window == window_at("2026-10-14T13:00")
    assert before.next_open == window_at("2026-10-14T13:15")
    assert at.next_open == window_at("2026-10-14T13:30")
    assert at.gate_s(at.gated) == at.now_s
    assert at.end_s(at.window) == at.start_s(at.window + 1)


def test_format__today_and_another_day() -> None:
    here = clock()
    first = window_at("2026-10-14T14:00")
    assert here.format_window(first) == "14:00-14:15"
    assert here.format_span(first, first + 7) == "14:00-16:00"
    assert here.format_span(first + 96, first + 96) == "2026-10-15 14:00-14:15"
    assert here.format_time(here.now_s) == "13:07:30"
    assert here.zone_name() == "Africa/Lagos (UTC+01:00)"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("14:00", "2026-10-14T14:00"),
        ("9:15", "2026-10-15T09:15"),
        ("13:07", "2026-10-15T13:07"),
        ("2026-10-20T08:30", "2026-10-20T08:30"),
        ("2026-10-20 08:30", "2026-10-20T08:30"),
        ("2026-10-20T08:30+00:00", "2026-10-20T09:30"),
    ],
)
def test_parse_time__as_people_write_it__the_next_such_moment(text: str, moment: str) -> None:
    expected = datetime.fromisoformat(moment).replace(tzinfo=parse_zone("Africa/Lagos")).timestamp()
    assert clock().parse_time(text) == expected


@pytest.mark.parametrize("text", ["", "now", "25:00", "14", "14:60", "2026-10-14", "2026-13-01T10:00", "14:00:00pm"])
def test_parse_time__no_time__refused_with_an_example(text: str) -> None:
    with pytest.raises(BadAmount, match="write it like 14:00"):
        clock().parse_time(text)


def test_parse_window__inside_a_window__names_the_two_nearest() -> None:
    with pytest.raises(BadAmount, match="the two nearest starts are 14:00 and 14:15"):
        clock().parse_window_start("14:05")
    assert clock().parse_window_start("14:15") == window_at("2026-10-14T14:15")


def test_parse_window_end__after_midnight__is_the_next_day() -> None:
    first = window_at("2026-10-14T23:30")
    assert clock().parse_window_end("0:30", first) == window_at("2026-10-15T00:15")
    assert clock().parse_window_end("23:45", first) == first
    # The same clock time as the start is a whole day of windows.
    assert clock().parse_window_end("23:30", first) == first + 95
    with pytest.raises(BadAmount, match=r"is not after 23:30"):
        clock().parse_window_end("2026-10-14T23:30", first)


def test_parse_time__hour_that_clocks_skip__refused() -> None:
    berlin = clock("2027-03-28T01:30", "Europe/Berlin")
    with pytest.raises(BadAmount, match="does not exist on 2027-03-28 in Europe/Berlin"):
        berlin.parse_time("02:30")
    # Two hours by the clock, one on the wires.
    first = window_at("2027-03-28T01:30", "Europe/Berlin")
    assert berlin.parse_window_end("03:30", first) == first + 3


def test_parse_zone__unknown__refused() -> None:
    with pytest.raises(BadAmount, match="'Lagos' is no time zone; give an IANA name such as Africa/Lagos"):
        parse_zone("Lagos")
    assert parse_zone(None) is not None


def test_chain_time__moved_chain__the_chains_and_not_the_wall_clocks() -> None:
    chain = EmbeddedChain()
    there = chain.time_s + 86_400
    chain.travel_to(there)
    chain.w3.eth.send_transaction({"from": chain.accounts[0], "to": chain.accounts[1], "value": 1})
    assert get_chain_time_s(chain.w3) >= there


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (750, "12 min 30 s"), (3600, "1 h"), (3661, "1 h 1 min"), (345_700, "4 d 1 min")],
)
def test_format_duration__seconds__two_largest_units(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text

"""The agent between a real MQTT broker and a bridge on HTTP: outages, restarts, commands, clocks, falling counters."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path

import pytest
from eth_account import Account

from meter_agent.broker import Meter, start_broker
from meter_agent.fake_bridge import DOMAIN, FakeBridge, free_port
from peerwatt.meter.agent.bridge import BridgeClient
from peerwatt.meter.agent.clock import AgentClock
from peerwatt.meter.agent.journal import REFUSED, SIGNED, TAKEN, Journal, JournalError
from peerwatt.meter.agent.mapping import load_mapping
from peerwatt.meter.agent.pace import Pace
from peerwatt.meter.agent.runner import STOPPED, Agent
from peerwatt.meter.agent.says import Says
from peerwatt.signing import SELL, Domain, Report, Signature, sign

KEY = Account.from_key("0x" + "17" * 32)
TOPIC = "house/export"
FAST = Pace(
    settle_s=0.1,
    look_s=0.1,
    market_every_s=0.5,
    status_every_s=0.3,
    poll_s=1,
    fall_s=0.3,
    first_wait_s=0.1,
    longest_wait_s=0.4,
)
MAPPING = """
[source]
mqtt = "mqtt://127.0.0.1:{port}"
[bridge]
url = "{url}"
[[register]]
side = "export"
topic = "house/export"
unit = "Wh"
max_age_s = 1
"""


class House:
    """Broker, bridge, meter and journal of a test; agents run in it one after the other."""

    def __init__(
        self, folder: Path, window_seconds: int = 1, *, clock_off_s: int = 0, steered: bool = True
    ) -> None:
        self.steered = steered
        self.bridge = FakeBridge(window_seconds, clock_off_s=clock_off_s)
        self.port = free_port()
        self.meter = Meter(self.port, TOPIC)
        self.folder = folder
        self.lines: list[str] = []
        self.running: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        broker = await start_broker(self.port)
        await self.bridge.start()
        speaking = asyncio.create_task(self.meter.run())
        try:
            yield
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            await self.bridge.stop()
            await broker.shutdown()

    @contextlib.asynccontextmanager
    async def agent(self) -> AsyncIterator[Journal]:
        file = self.folder / "mapping.toml"
        file.write_text(MAPPING.format(port=self.port, url=self.bridge.url))
        journal = Journal(self.folder / "journal.sqlite", KEY.address)

        def sign_report(report: Report) -> Signature:
            return sign(report, DOMAIN, bytes(KEY.key))

        async with BridgeClient(self.bridge.url, KEY.address, bytes(KEY.key)) as bridge:
            clock = AgentClock(30, steered=lambda: self.steered)
            agent = Agent(load_mapping(file), journal, bridge, sign_report, Says(self.lines.append), UTC, FAST, clock)
            self.running = running = asyncio.create_task(agent.run())
            try:
                yield journal
                assert not running.done(), running.exception()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                journal.close()

    async def until(self, condition: object, timeout_s: float = 30) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():  # type: ignore[operator]
                await asyncio.sleep(0.02)

    def said(self, text: str) -> int:
        return sum(text in line for line in self.lines)


def check_registers(house: House) -> None:
    """Each boundary has one register ever, which the meter had shown."""
    assert house.bridge.registers
    for registers in house.bridge.registers.values():
        assert len(registers) == 1 and registers <= set(house.meter.said)


def test_run__bridge_away_and_agent_restarted__nothing_lost_nothing_twice(tmp_path: Path) -> None:
    async def run() -> None:
        house = House(tmp_path)
        async with house.open():
            async with house.agent():
                await house.bridge.until(lambda: len(house.bridge.windows) >= 1)
                await house.bridge.stop()
                await house.until(lambda: house.said("cannot be reached"))
            # Restarted while the bridge is away: which market it is, the journal knows.
            async with house.agent() as journal:
                before = journal.count(SIGNED)
                await house.until(lambda: journal.count(SIGNED) >= before + 2)
                waiting = {kept.digest for kept in journal.waiting(100)}
                await house.bridge.start()
                await house.bridge.until(lambda: waiting <= house.bridge.readings.keys())
                await house.until(lambda: journal.count(SIGNED) == 0)
                kept = journal.all_reports()
                assert {one.digest for one in kept} == set(house.bridge.readings)
                assert all(one.state == TAKEN for one in kept)
        check_registers(house)
        windows = [window for _, window in house.bridge.windows]
        assert len(windows) == len(set(windows))
        # Said once each, however often it was tried.
        assert house.said("cannot be reached") == 2
        assert house.bridge.bad_requests == []

    asyncio.run(run())


def test_run__broker_away__gap_said_once_and_reports_go_on(tmp_path: Path) -> None:
    async def run() -> None:
        house = House(tmp_path)
        await house.bridge.start()
        broker = await start_broker(house.port)
        speaking = asyncio.create_task(house.meter.run())
        try:
            async with house.agent() as journal:
                await house.bridge.until(lambda: len(house.bridge.windows) >= 1)
                # The first boundary may have come before the first value.
                gaps, holes = house.said("no value is made up"), house.said("there is none between")
                await broker.shutdown()
                await house.until(lambda: house.said("no value is made up") > gaps)
                seen = max(journal.boundaries(SELL))
                broker = await start_broker(house.port)
                await house.bridge.until(lambda: any(window > seen + 1 for _, window in house.bridge.windows))
                boundaries = journal.boundaries(SELL)
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            await house.bridge.stop()
            await broker.shutdown()
        check_registers(house)
        # No window has an end that nobody saw.
        assert all({window, window + 1} <= boundaries.keys() for _, window in house.bridge.windows)
        assert house.said("no value is made up") == gaps + 1 and house.said("there is none between") == holes + 1
        assert house.said(f"mqtt://127.0.0.1:{house.port}: ") == 1 and house.said("connected to mqtt") == 1

    asyncio.run(run())


def test_run__counter_falls__stops_for_good_and_says_what_to_do(tmp_path: Path) -> None:
    async def run() -> None:
        house = House(tmp_path)
        async with house.open():
            async with house.agent() as journal:
                await house.bridge.until(lambda: len(house.bridge.windows) >= 1)
                house.meter.value_wh = 5
                await house.until(lambda: journal.fact(STOPPED) is not None)
                stopped = len(journal.boundaries(SELL))
            assert house.said("have the operator swap the meter") == 1
            house.meter.value_wh = 10**6
            async with house.agent() as journal:
                await house.until(lambda: house.said("have the operator swap the meter") == 2)
                house.bridge.commands.append({"id": 1, "kind": "read", "first_window": None, "last_window": None})
                await house.bridge.until(lambda: 1 in house.bridge.acks)
                assert len(journal.boundaries(SELL)) == stopped
            assert house.bridge.acks[1][0]["ok"] is False and "falls from" in house.bridge.acks[1][0]["detail"]

    asyncio.run(run())


def test_run__one_low_value__passed_over(tmp_path: Path) -> None:
    async def run() -> None:
        house = House(tmp_path)
        async with house.open(), house.agent() as journal:
            await house.bridge.until(lambda: len(house.bridge.windows) >= 1)
            value_wh, house.meter.value_wh = house.meter.value_wh, -house.meter.step_wh
            said = len(house.meter.said)
            await house.until(lambda: len(house.meter.said) > said)
            house.meter.value_wh = value_wh
            count = len(house.bridge.windows)
            await house.bridge.until(lambda: len(house.bridge.windows) > count + 1)
            assert journal.fact(STOPPED) is None

    asyncio.run(run())


@pytest.mark.parametrize("clock_off_s", [-120, 120])
def test_run__clock_off__said_and_nothing_signed(tmp_path: Path, clock_off_s: int) -> None:
    async def run() -> None:
        house = House(tmp_path, clock_off_s=clock_off_s)
        async with house.open(), house.agent() as journal:
            await house.until(lambda: house.said("nothing is signed until it is set"))
            said = len(house.meter.said)
            await house.until(lambda: len(house.meter.said) > said + 25)
            assert journal.boundaries(SELL) == {} and house.bridge.posts == 0
            assert house.said("s behind the market's" if clock_off_s > 0 else "s ahead of the market's") == 1
            house.bridge.clock_off_s = 0
            await house.bridge.until(lambda: len(house.bridge.windows) >= 1)
            assert house.said("agrees with the market's again") == 1

    asyncio.run(run())


def test_run__restarted_without_bridge_and_nobody_sets_the_clock__signs_when_the_bridge_is_back(tmp_path: Path) -> None:
    async def run() -> None:
        house = House(tmp_path, steered=False)
        async with house.open():
            async with house.agent():
                await house.bridge.until(lambda: len(house.bridge.windows) >= 1)
                await house.bridge.stop()
            # A computer without a battery for its clock may start anywhere.
            async with house.agent() as journal:
                await house.until(lambda: house.said("no time server steers it"))
                before = len(journal.boundaries(SELL))
                said = len(house.meter.said)
                await house.until(lambda: len(house.meter.said) > said + 25)
                assert len(journal.boundaries(SELL)) == before
                await house.bridge.start()
                await house.until(lambda: len(journal.boundaries(SELL)) > before + 1)
            assert house.said("somebody answers for this clock now") == 1
        check_registers(house)

    asyncio.run(run())


def test_run__commands__carried_out_once_and_acknowledged(tmp_path: Path) -> None:
    async def run() -> None:
        house = House(tmp_path)
        bridge = house.bridge
        async with house.open():
            async with house.agent() as journal:
                await bridge.until(lambda: len(bridge.windows) >= 1)
                window = bridge.windows[0][1]
                digest = next(iter(bridge.readings))
                bridge.readings.clear()
                bridge.commands += [
                    {"id": 3, "kind": "ping", "first_window": None, "last_window": None},
                    {"id": 4, "kind": "read", "first_window": None, "last_window": None},
                    {"id": 7, "kind": "resend", "first_window": window, "last_window": window},
                    {"id": 8, "kind": "dance", "first_window": None, "last_window": None},
                ]
                await bridge.until(lambda: 8 in bridge.acks and digest in bridge.readings)
                assert journal.last_command() == 8
                alone = [kept for kept in journal.all_reports() if len(kept.signed.report.registers) == 1]
                assert len(alone) == 1
                await bridge.until(lambda: alone[0].digest in bridge.readings)
            async with house.agent():
                bridge.commands.append({"id": 9, "kind": "ping", "first_window": None, "last_window": None})
                await bridge.until(lambda: 9 in bridge.acks)
        assert {number: [ack["ok"] for ack in acks] for number, acks in bridge.acks.items()} == {
            3: [True], 4: [True], 7: [True], 8: [False], 9: [True],
        }  # fmt: skip
        assert bridge.bad_requests == []
        check_registers(house)

    asyncio.run(run())


def test_run__bridge_refuses_one_report__kept_and_said_the_others_go(tmp_path: Path) -> None:
    async def run() -> None:
        house = House(tmp_path)
        bridge = house.bridge
        async with house.open(), house.agent() as journal:
            bridge.answer, bridge.retry_after = 503, "1"
            await house.until(lambda: journal.count(SIGNED) >= 3)
            bad = journal.waiting(100)[1]
            bridge.bad_digests.add(bad.digest)
            posts = bridge.posts
            bridge.answer = None
            await house.until(lambda: journal.count(REFUSED) == 1 and journal.count(TAKEN) >= 2)
            assert posts <= 6
            refused = next(kept for kept in journal.all_reports() if kept.state == REFUSED)
            assert (refused.digest, refused.reason, refused.detail) == (bad.digest, "bad-reading", "bad")
            assert bad.digest not in bridge.readings
            digest = next(iter(bridge.readings))
            bridge.readings[digest] |= {"status": "quarantined", "reason": "jump", "detail": "too much"}
            await house.until(lambda: any(kept.status == "quarantined" for kept in journal.all_reports()))
        assert house.said("the bridge does not relay it") >= 1 and house.said("answers 503 (no)") == 1

    asyncio.run(run())


def test_run__bridge_of_another_market__refused_at_the_start_said_later(tmp_path: Path) -> None:
    async def run() -> None:
        house = House(tmp_path)
        async with house.open():
            async with house.agent() as journal:
                await house.bridge.until(lambda: len(house.bridge.windows) >= 1)
                house.bridge.domain = Domain(1, "0x" + "cd" * 20)
                house.bridge.answer = 503
                await house.until(lambda: house.said("on chain 1 "))
                # What the meter shows goes on being written down.
                await house.until(lambda: journal.count(SIGNED) >= 2)
            with pytest.raises(JournalError, match=r"on chain 31337 .*, the bridge serves .* on chain 1 "):
                async with house.agent():
                    assert house.running is not None
                    await asyncio.wait_for(asyncio.shield(house.running), 20)

    asyncio.run(run())

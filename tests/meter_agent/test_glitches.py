"""What must not end a meter, and what must end its program."""

from __future__ import annotations

import asyncio
import socket

import pytest

from meter_agent.broker import start_broker
from peerwatt.meter.agent.mapping import MqttSource, Register
from peerwatt.meter.agent.pace import wait
from peerwatt.meter.agent.presets import Counter
from peerwatt.meter.agent.says import Says
from peerwatt.meter.agent.sources import Backoff, _listen_mqtt
from peerwatt.meter.agent.watch import CounterFell, Watch

SELL = 1


def watching(lines: list[str]) -> Watch:
    register = Register(SELL, (Counter("t", (), "Wh"),), 60, 0)
    return Watch([register], 900, Says(lines.append), limit_w=10_000)


def test_take__one_value_far_too_high__passed_over_and_the_meter_lives() -> None:
    lines: list[str] = []
    watch = watching(lines)
    for time_s, value in ((0, 1000), (10, 999_999_999), (20, 1001), (60, 1002), (890, 1003)):
        watch.take("t", str(value).encode(), time_s)
    assert watch.registers[SELL].at(1) == (1003, 890)
    assert sum("jumps from 1 kWh to 999999.999 kWh, more than 10 kW" in line for line in lines) == 1


def test_take__growth_that_the_time_explains__counts() -> None:
    watch = watching([])
    watch.take("t", b"1000", 0)
    watch.take("t", b"11000", 3600)
    assert watch.registers[SELL].at(4) == (11_000, 3600)
    with pytest.raises(CounterFell):
        for time_s in (3610, 3650, 3700):
            watch.take("t", b"9", time_s)


def test_listen__asked_to_end_while_it_connects__ends() -> None:
    async def run() -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        broker = await start_broker(port)
        source = MqttSource("127.0.0.1", port, False, None, None, None, ())
        for step in range(25):
            task = asyncio.create_task(_listen_mqtt(source, ["a"], lambda *_: None, Says(lambda _: None), Backoff()))
            await asyncio.sleep(step * 0.001)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=10)
            assert done, f"it goes on, asked to end {step} ms after its start"
        await broker.shutdown()

    asyncio.run(run())


def test_wait__asked_to_end_as_the_event_comes__ends() -> None:
    async def run() -> None:
        event = asyncio.Event()
        waiting = asyncio.create_task(wait(event, 60))
        await asyncio.sleep(0)
        event.set()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()

    asyncio.run(run())

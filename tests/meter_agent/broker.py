"""A real MQTT broker on a free port, and somebody who publishes.

    python -m meter_agent.broker 1883

The broker is a process of its own, and ends as brokers do in life: at once.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt
from amqtt.broker import Broker

from e2e.tools import ROOT, environment
from peerwatt.meter.agent.sources import end_if_asked


class RunningBroker:
    """A broker's process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    async def shutdown(self) -> None:
        """Ends it; once more does nothing."""
        self._process.kill()
        await asyncio.to_thread(self._process.wait, 10)


async def start_broker(port: int) -> RunningBroker:
    """A broker that listens."""
    command = [sys.executable, "-m", "meter_agent.broker", str(port)]
    process = subprocess.Popen(command, env=environment(PYTHONPATH=f"{ROOT / 'client'}:{ROOT / 'tests'}"))
    try:
        async with asyncio.timeout(60):
            while True:
                assert process.poll() is None, "the broker ended"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return RunningBroker(process)
    except BaseException:
        process.kill()
        raise


async def serve(port: int) -> None:
    """Is the broker, until it is killed."""
    logging.disable()
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await asyncio.Event().wait()


@asynccontextmanager
async def publisher(port: int) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client("127.0.0.1", port, timeout=10) as client:
        yield client


class Meter:
    """A device that says a counter many times a second; it grows all the time."""

    def __init__(self, port: int, topic: str, start_wh: int = 1000, step_wh: int = 1) -> None:
        self.port, self.topic, self.value_wh, self.step_wh = port, topic, start_wh, step_wh
        self.said: list[int] = []

    async def run(self) -> None:
        while True:
            try:
                async with publisher(self.port) as client:
                    while True:
                        self.value_wh += self.step_wh
                        self.said.append(self.value_wh)
                        await client.publish(self.topic, str(self.value_wh))
                        end_if_asked()
                        await asyncio.sleep(0.05)
            except aiomqtt.MqttError:
                end_if_asked()
                await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

"""A real MQTT broker on a free port, and somebody who publishes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt
from amqtt.broker import Broker

logging.getLogger("amqtt").setLevel(logging.CRITICAL)
logging.getLogger("transitions").setLevel(logging.CRITICAL)


async def start_broker(port: int) -> Broker:
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    return broker


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
                        await asyncio.sleep(0.05)
            except aiomqtt.MqttError:
                await asyncio.sleep(0.1)

"""Messages of devices: from an MQTT broker, or asked for over HTTP. Both go on until they are cancelled."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from peerwatt.extras import require
from peerwatt.meter.agent.mapping import HttpSource, Mapping, MappingError, MqttSource
from peerwatt.meter.agent.payloads import MAX_BYTES
from peerwatt.meter.agent.presets import Counter, Nudge
from peerwatt.meter.agent.says import Says

if TYPE_CHECKING:
    from aiomqtt import Client

# Address, payload, and whether the broker had kept it.
Handler = Callable[[str, bytes, bool], None]
TIMEOUT_S = 10
MQTT_KEEPALIVE_S = 20


class Backoff:
    """Ever longer waits, each a little by chance so that not all homes come at once."""

    def __init__(self, first_s: float = 1.0, most_s: float = 300.0) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._tries = 0

    def reset(self) -> None:
        """It worked."""
        self._tries = 0

    def next_s(self, at_least_s: float | None = None) -> float:
        """How long to wait now [s]."""
        wait_s = min(self._most_s, self._first_s * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return max(at_least_s or 0.0, float(wait_s) * random.uniform(0.5, 1))


def topics_of(counters: Iterable[Counter]) -> list[str]:
    """All topics that counters need, each once."""
    topics = [topic for counter in counters for topic in (counter.address, counter.unit_topic, counter.alive_topic)]
    return list(dict.fromkeys(topic for topic in topics if topic is not None))


async def listen(mapping: Mapping, handler: Handler, says: Says, backoff: Backoff | None = None) -> None:
    """Hands over every message that concerns a mapping, for ever.

    Raises:
        MappingError: a file that the mapping names can't be read.
        MissingExtra: MQTT, and its library is not installed.
    """
    counters = [counter for register in mapping.registers for counter in register.counters]
    if isinstance(mapping.source, MqttSource):
        await _listen_mqtt(mapping.source, topics_of(counters), handler, says, backoff or Backoff(most_s=60))
    else:
        await _ask_http(mapping.source, list(dict.fromkeys(counter.address for counter in counters)), handler, says)


async def _listen_mqtt(
    source: MqttSource, topics: list[str], handler: Handler, says: Says, backoff: Backoff
) -> None:
    aiomqtt = require("agent", "aiomqtt")
    password = read_password(source.password_file)
    context = _tls_context(source)
    while True:
        try:
            # A clean session: what came while nobody listened has no time, and must not count as said now.
            async with aiomqtt.Client(
                source.host, source.port, username=source.user, password=password, tls_context=context,
                keepalive=MQTT_KEEPALIVE_S, timeout=TIMEOUT_S, clean_session=True,
            ) as client:  # fmt: skip
                for topic in topics:
                    await client.subscribe(topic, qos=1)
                end_if_asked()
                backoff.reset()
                says.end("source", f"connected to {source.name} again")
                await _hand_over(client, source.nudges, handler)
        except aiomqtt.MqttError as error:
            # Asked to end while it connects, aiomqtt tells its own error instead.
            end_if_asked()
            says.begin("source", f"{source.name}: {_one_line(error)}; trying again until it is back")
        await asyncio.sleep(backoff.next_s())


def end_if_asked() -> None:
    """Ends a task that was asked to: Python 3.11's wait_for, which aiomqtt uses, may forget it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _hand_over(client: Client, nudges: tuple[Nudge, ...], handler: Handler) -> None:
    nudging = [asyncio.create_task(_nudge(client, nudge)) for nudge in nudges]
    try:
        async for message in client.messages:
            handler(str(message.topic), bytes(message.payload), message.retain)
    finally:
        for task in nudging:
            task.cancel()
        # Their errors are those of the connection, which the loop above reports.
        await asyncio.gather(*nudging, return_exceptions=True)


async def _nudge(client: Client, nudge: Nudge) -> None:
    while True:
        await client.publish(nudge.topic, nudge.payload)
        end_if_asked()
        await asyncio.sleep(nudge.every_s)


def _tls_context(source: MqttSource) -> ssl.SSLContext | None:
    if not source.tls:
        return None
    try:
        return ssl.create_default_context(cafile=None if source.ca_file is None else str(source.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise MappingError(f"ca_file {source.ca_file} cannot be read ({error}); name a PEM file") from None


async def _ask_http(source: HttpSource, urls: list[str], handler: Handler, says: Says) -> None:
    password = read_password(source.password_file)
    auth = None if source.user is None else aiohttp.BasicAuth(source.user, password or "")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, auth=auth) as http:
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            for url in urls:
                try:
                    async with http.get(url) as answer:
                        answer.raise_for_status()
                        payload = await answer.content.read(MAX_BYTES + 1)
                        while not answer.content.at_eof() and len(payload) <= MAX_BYTES:
                            payload += await answer.content.read(MAX_BYTES)
                except (aiohttp.ClientError, TimeoutError) as error:
                    says.begin(("source", url), f"{url}: {_http_trouble(error)}; asking again until it answers")
                    continue
                says.end(("source", url), f"{url} answers again")
                handler(url, payload, False)
            await asyncio.sleep(max(0.0, source.interval_s - (loop.time() - began_s)))


def read_password(path: Path | None) -> str | None:
    """The password in a file, None without one.

    Raises:
        MappingError: it can't be read.
    """
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise MappingError(f"password_file {path} cannot be read as text; name another") from None


def _http_trouble(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return f"it answers {error.status}"
    return "it does not answer" if isinstance(error, TimeoutError) else f"no connection ({type(error).__name__})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

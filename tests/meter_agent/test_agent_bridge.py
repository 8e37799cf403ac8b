"""The agent's journal and the bridge itself, over HTTP: what one sends, the other takes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from eth_account import Account
from sqlalchemy import select

from api.fixtures import bridge_at, fund_relayer, sqlite_url
from cli.village import ADA, Village
from meter_agent.fake_bridge import free_port
from peerwatt.meter.agent.bridge import BridgeAway, BridgeClient, BridgeRefuses
from peerwatt.meter.agent.journal import SIGNED, TAKEN, Journal, Kept
from peerwatt.meter.submission import SignedReport
from peerwatt.signing import SELL, Report, sign
from peerwatt_bridge.app import create_app
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.commands import CommandKind, give
from peerwatt_bridge.storage.tables import meters

KEY = Account.from_key(ADA.meter_key)


@contextmanager
def serving(bridge: Bridge) -> Iterator[str]:
    """The bridge on a port, as uvicorn serves it."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(bridge), port=port, log_config=None, lifespan="on"))
    started = threading.Event()
    real = server.startup

    async def startup(sockets: object = None) -> None:
        await real()
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert started.wait(20)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def test_send__reports_of_the_journal__bridge_takes_each_and_tells_of_it(tmp_path: Path) -> None:
    village = Village()
    fund_relayer(village)
    first = village.window + 1
    village.travel_to(first + 3, 60)
    journal = Journal(tmp_path / "journal.sqlite", KEY.address)

    async def talk(url: str) -> None:
        async with BridgeClient(url, KEY.address, bytes(KEY.key)) as client:
            facts = await client.market()
            assert facts.domain == village.domain and facts.window_seconds == 900
            assert facts.now_s == village.chain.time_s
            journal.bind(facts.domain, facts.window_seconds)
            for offset in range(3):
                journal.record(
                    SELL, first + offset, 1000 + 7 * offset, 1.0,
                    lambda report: sign(report, facts.domain, bytes(KEY.key)),
                )  # fmt: skip
            waiting = journal.waiting(10)
            results = await client.send(waiting)
            assert len(results) == 2 and {result.status for result in results} <= {"received", "held"}
            journal.answer(
                [(kept.id, TAKEN, r.status, r.reason, r.detail) for kept, r in zip(waiting, results, strict=True)]
            )
            again = await client.send(waiting)
            assert [result.digest for result in again] == [kept.digest for kept in waiting]
            assert (await client.status(waiting[0].digest)).digest == waiting[0].digest
            with pytest.raises(BridgeRefuses) as unknown:
                await client.status("0x" + "12" * 32)
            assert unknown.value.status == 404
            # Signed by nobody's meter: the bridge says so in its result, and the others go.
            other = sign(waiting[0].signed.report, facts.domain, bytes.fromhex("23" * 32))
            forged = replace(waiting[0], signed=replace(waiting[0].signed, signature=other))
            results = await client.send([forged, waiting[1]])
            assert [result.status for result in results] == ["refused", results[1].status]
            assert results[0].reason == "bad-signature" and results[1].status != "refused"

    with bridge_at(village, sqlite_url(tmp_path)) as bridge, serving(bridge) as url:
        asyncio.run(talk(url))
    journal.close()


def test_commands__given_by_the_bridge__reach_the_meter_and_its_answers_come_back(tmp_path: Path) -> None:
    village = Village()

    async def talk(url: str, bridge: Bridge) -> None:
        async with BridgeClient(url, KEY.address, bytes(KEY.key)) as client:
            # The very same question at once again is one of its own.
            assert await client.commands(0, 0) == await client.commands(0, 0) == []
            reading = sign_one(village)
            assert [result.status for result in await client.send([reading])] != ["refused"]
            with bridge.database.writing() as connection:
                meter = connection.execute(select(meters.c.id)).scalar_one()
                numbers = [
                    give(connection, meter, KEY.address, CommandKind.PING),
                    give(connection, meter, KEY.address, CommandKind.RESEND, 5, 7),
                ]
            found = await client.commands(0, 5)
            assert [(command.id, command.kind, command.first_window, command.last_window) for command in found] == [
                (numbers[0], "ping", None, None), (numbers[1], "resend", 5, 7),
            ]  # fmt: skip
            for command in found:
                await client.acknowledge(command.id, True, "here " + "x" * 500)
                await client.acknowledge(command.id, True, "here " + "x" * 500)
            assert await client.commands(0, 0) == []

    def sign_one(village: Village) -> Kept:
        report = Report(KEY.address, SELL, village.window, (0,))
        signature = sign(report, village.domain, bytes(KEY.key))
        digest = "0x" + report.digest(village.domain).hex()
        return Kept(1, digest, SignedReport(report, signature), SIGNED, None, None, None)

    with bridge_at(village, sqlite_url(tmp_path)) as bridge, serving(bridge) as url:
        asyncio.run(talk(url, bridge))


def test_ask__nobody_or_something_else_there__away_and_says_so() -> None:
    async def talk() -> None:
        async with BridgeClient(f"http://127.0.0.1:{free_port()}", KEY.address, bytes(KEY.key)) as client:
            with pytest.raises(BridgeAway, match="cannot be reached"):
                await client.market()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = b"<html>hello</html>"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, BridgeClient(f"http://127.0.0.1:{port}", KEY.address, bytes(KEY.key)) as client:
            with pytest.raises(BridgeAway, match="check the bridge's url"):
                await client.market()

    asyncio.run(talk())

"""The stream of events, over a real server: what is told, from where, to whom, and how it ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import event as hooks
from sqlalchemy import update

from api.fixtures import bridge_at, sqlite_url
from api.test_reads import follow
from cli.village import ADA, BOLA, Village
from peerwatt_bridge.app import create_app
from peerwatt_bridge.main import Server
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.workers import Worker
from peerwatt_bridge.storage import notices, tables

WAIT_S = 20


@contextmanager
def serving(bridge: Bridge) -> Iterator[tuple[str, Server, threading.Thread]]:
    """A bridge that listens on a port, with the worker of the stream only."""
    bridge.workers.append(Worker("events", bridge.streams.poll, 0.02))
    up = threading.Event()

    class Told(Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            up.set()

    config = uvicorn.Config(create_app(bridge), port=0, log_config=None, timeout_graceful_shutdown=WAIT_S)
    server = Told(config, bridge)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert up.wait(WAIT_S)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", server, thread
    finally:
        server.should_exit = True
        thread.join(WAIT_S)


@pytest.fixture
def url(bridge: Bridge) -> Iterator[str]:
    with serving(bridge) as (found, _, _):
        yield found


@contextmanager
def listening(url: str, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Iterator[dict[str, Any]]]:
    """Events of a stream that has begun."""
    with (
        httpx.Client(timeout=WAIT_S) as client,
        client.stream("GET", f"{url}/v1/events", params=query, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith(":")
        yield _events(lines)


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
            continue
        if "data" in fields:
            yield {"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])}
        fields = {}


def tell(bridge: Bridge, *rows: dict[str, Any], kind: str = "market") -> None:
    bridge.database.write(lambda connection: notices.notify(connection, kind, rows))


def test_stream__chain_followed__tells_each_log_and_what_is_final(bridge: Bridge, village: Village, url: str) -> None:
    follow(bridge)
    window = village.window + 3
    with listening(url) as found:
        village.offer(ADA, window, window, "1 kWh", "80 NGN/kWh")
        snapshot_at = village.w3.eth.block_number
        follow(bridge)
        order, final = next(found), next(found)
        assert order["event"] == "market"
        assert order["data"]["name"] == "OrderPlaced"
        assert order["data"]["account"] == ADA.account
        assert order["data"]["block"] == snapshot_at
        assert final["event"] == "final"
        assert final["data"] == {"block": snapshot_at}
        assert final["id"] > order["id"]


def test_stream__block_taken_back__tells_to_where(bridge: Bridge, village: Village, url: str) -> None:
    follow(bridge)
    block, mark = village.w3.eth.block_number, village.chain.take_snapshot()
    village.offer(ADA, village.window + 3, village.window + 3, "1 kWh", "80 NGN/kWh")
    follow(bridge)
    with listening(url, kind="rewound") as found:
        village.chain.revert_to(mark)
        follow(bridge)
        told = next(found)["data"]
        # The newest block that is kept and still there; those without logs above it are not kept.
        assert told["events"] == 1
        assert told["block"] <= block


@pytest.mark.parametrize("by", ["header", "query"])
def test_stream__resumed__goes_on_after_the_number(bridge: Bridge, url: str, by: str) -> None:
    tell(bridge, *({"n": n} for n in range(1200)))
    with listening(url, after=0) as found:
        first = [next(found) for _ in range(1200)]
    assert [event["data"]["n"] for event in first] == list(range(1200))
    seen = first[700]["id"]
    header = {"Last-Event-ID": str(seen)} if by == "header" else None
    with listening(url, header, **({} if header else {"after": seen})) as found:
        assert next(found) == first[701]


def test_stream__kind_and_account__only_those(bridge: Bridge, url: str) -> None:
    with listening(url, kind=["act", "readings"], account=ADA.account) as found:
        tell(bridge, {"account": ADA.account}, kind="market")
        tell(bridge, {"account": BOLA.account}, kind="act")
        tell(bridge, {"readings": [{"meter": BOLA.meter}, {"account": ADA.account}]}, kind="readings")
        tell(bridge, {"account": ADA.account}, kind="act")
        assert [next(found)["event"] for _ in range(2)] == ["readings", "act"]


@pytest.mark.parametrize("after", [1, 10**6])
def test_stream__place_is_gone__told_so_and_goes_on(bridge: Bridge, url: str, after: int) -> None:
    tell(bridge, *({"n": n} for n in range(5)))
    with bridge.database.writing() as connection:
        connection.execute(update(tables.notices).values(at_ms=0))
    assert bridge.database.write(notices.prune) == 4
    with listening(url, after=after) as found:
        missed = next(found)
        assert (missed["event"], missed["id"]) == ("missed", 5)
        tell(bridge, {"n": 5})
        assert next(found)["data"] == {"n": 5}


def test_stream__many_listen__one_reader_asks_the_database(bridge: Bridge) -> None:
    # Without the worker: the test makes its rounds.
    with serving(bridge) as (url, _, _):
        bridge.workers[0].stop()
        with listening(url) as one, listening(url) as two, listening(url) as three:
            tell(bridge, {"n": 1})
            asked: list[str] = []
            hooks.listen(bridge.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
            bridge.streams.poll()
            assert [next(found)["data"] for found in (one, two, three)] == [{"n": 1}] * 3
            assert len([text for text in asked if "notices" in text]) == 1


def test_stream__too_many__503(village: Village, tmp_path: Path) -> None:
    with bridge_at(village, sqlite_url(tmp_path), max_streams=1) as bridge, serving(bridge) as (url, _, _):
        with listening(url):
            answer = httpx.get(f"{url}/v1/events")
            assert answer.status_code == 503
            assert answer.json()["type"].endswith("/event-stream-unavailable")
        # The place is free again once the server sees that the first one is gone.
        for _ in range(200):
            if bridge.streams.count == 0:
                break
            threading.Event().wait(0.05)
        with listening(url):
            assert bridge.streams.count == 1


def test_stream__bad_last_event_id__422(bridge: Bridge, url: str) -> None:
    assert httpx.get(f"{url}/v1/events", headers={"Last-Event-ID": "x"}).status_code == 422


def test_stream__nothing_happens__comments(bridge: Bridge, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    with httpx.Client(timeout=WAIT_S) as client, client.stream("GET", f"{url}/v1/events") as answer:
        lines = answer.iter_lines()
        assert any(line == ": ping" for line in lines)


def test_stop__stream_is_open__ends_at_once(bridge: Bridge) -> None:
    with serving(bridge) as (url, server, thread), listening(url) as found:
        server.should_exit = True
        assert list(found) == []
        thread.join(WAIT_S / 4)
        assert not thread.is_alive()

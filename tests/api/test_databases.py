"""SQLite and PostgreSQL do the same, and several bridges on one database share what waits without doubling it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from eth_account import Account
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from sqlalchemy import select

from api.fixtures import RELAYER, bridge_at, client_of, reading
from api.test_readings import post
from api.test_relaying import order, rounds, signed, status, trade
from cli.village import ADA, BOLA, CHIDI, Village
from peerwatt.signing import BUY, SELL
from peerwatt_bridge.services.acts import parse
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.leases import Leases
from peerwatt_bridge.storage.tables import Kind, RelayState, acts, metadata, readings, relays

SECOND = Account.from_key(keccak(text="peerwatt test relayer 2"))


@pytest.fixture
def bridge(village: Village, database_url: str) -> Iterator[Bridge]:
    with bridge_at(village, database_url) as made:
        yield made


def test_migrate__empty_database__has_the_tables_of_this_program(database_url: str) -> None:
    database = Database(database_url)
    try:
        database.migrate()
        database.check()
        with database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
    finally:
        database.close()


def test_round__reading_of_a_sold_window__final(bridge: Bridge, village: Village) -> None:
    with client_of(bridge) as client:
        window = trade(village)
        sent = reading(village, ADA, window, 0, 1000)
        [result] = post(client, sent)
        assert post(client, sent)[0]["duplicate"]
        rounds(bridge, 3)
        assert status(client, result["digest"]) == "final"
        assert village.gateway.exports(ADA.account).register_wh == 1000


def test_round__equivocation_and_order__kept_apart_and_relayed(bridge: Bridge, village: Village) -> None:
    with client_of(bridge) as client:
        window = trade(village)
        results = post(client, reading(village, ADA, window, 0, 900), reading(village, ADA, window, 0, 1000))
        answer = client.post("/v1/orders", json=signed(village, CHIDI, order(village, CHIDI, BUY, "150 NGN/kWh")))
        assert answer.status_code == 202, answer.text
        rounds(bridge, 3)
        assert [status(client, result["digest"]) for result in results] == ["quarantined"] * 2
        assert len(client.get("/v1/equivocations").json()["equivocations"]) == 1
        assert client.get(f"/v1/acts/{answer.json()['digest']}").json()["status"] == "final"


def test_post__window_beyond_32_bits_with_a_sign__kept_as_a_clock_that_is_off(bridge: Bridge, village: Village) -> None:
    with client_of(bridge) as client:
        [result] = post(client, reading(village, ADA, 2**32 - 1, 0, 1000))
        assert (result["status"], result["reason"]) == ("quarantined", "clock-off")


def test_accept__same_act_in_many_threads__kept_once(bridge: Bridge, village: Village) -> None:
    # What two bridges do at once when a home sends twice: the checks on the chain are over, both want to keep it.
    body = signed(village, ADA, order(village, ADA, SELL, "80 NGN/kWh"))
    act = parse(Kind.ORDER, body["message"], body["signature"], None)
    digest = act.message.digest(village.domain)
    kept = in_threads(8, lambda _: bridge.database.write(lambda c: bridge.acts._keep(c, act, digest, 2_100_000_000)))
    assert len({one.id for one in kept}) == 1
    assert sum(not one.duplicate for one in kept) == 1


def test_hold__many_at_once__one_gets_it(database_url: str) -> None:
    database = Database(database_url)
    database.migrate()
    try:
        took = in_threads(8, lambda place: Leases(database, f"holder {place}").hold("thing", 60))
        assert sum(took) == 1
    finally:
        database.close()


@pytest.mark.parametrize("keys", ["the same key", "two keys"])
def test_round__two_bridges_on_one_database__each_item_is_relayed_once(
    database_url: str, village: Village, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_call_at_a_time(village, monkeypatch)
    village.w3.eth.send_transaction({"from": village.relayer.address, "to": SECOND.address, "value": 10**19})
    with ExitStack() as stack:
        bridges = [
            stack.enter_context(bridge_at(village, database_url, relayer_key=key))
            for key in (RELAYER, RELAYER if keys == "the same key" else SECOND)
        ]
        client = stack.enter_context(client_of(bridges[0]))
        window = trade(village)
        results = post(client, reading(village, ADA, window, 0, 1000))
        digests = [
            client.post("/v1/orders", json=signed(village, home, order(village, home, side, price, nonce))).json()[
                "digest"
            ]
            for home, side, price in (
                (ADA, SELL, "80 NGN/kWh"),
                (BOLA, BUY, "150 NGN/kWh"),
                (CHIDI, BUY, "140 NGN/kWh"),
            )
            for nonce in (2,)
        ]
        in_threads(2, lambda place: rounds(bridges[place], 8))
        assert [status(client, result["digest"]) for result in results] == ["final"]
        assert [client.get(f"/v1/acts/{digest}").json()["status"] for digest in digests] == ["final"] * 3
        # Each is in one transaction, and nothing that was mined did nothing.
        sent = [village.w3.eth.get_transaction_count(key.address) for key in (RELAYER, SECOND)]
        with bridges[0].database.reading() as connection:
            rows = connection.execute(select(relays)).all()
        assert sum(sent) == len(rows)
        assert {row.state for row in rows} == {int(RelayState.FINAL)}
        assert signatures_sent(village, bridges[0]) == [1] * 4


def signatures_sent(village: Village, bridge: Bridge) -> list[int]:
    """How often each kept item's signature is in a transaction of the chain."""
    sent = b""
    for number in range(village.w3.eth.block_number + 1):
        for transaction in village.w3.eth.get_block(number, full_transactions=True)["transactions"]:
            if transaction["from"] in (RELAYER.address, SECOND.address):  # type: ignore[index]
                # eth-tester calls `data` what nodes call `input`.
                sent += bytes(HexBytes(transaction["data"]))  # type: ignore
    with bridge.database.reading() as connection:
        rows = [row for table in (readings, acts) for row in connection.execute(select(table.c.signature))]
    return [sent.count(row.signature[:32]) for row in rows]


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What each thread's work gives; all start at once, and what one raises is raised."""
    gate, done = threading.Barrier(count), [None] * count
    failed: list[BaseException] = []

    def run(place: int) -> None:
        gate.wait()
        try:
            done[place] = work(place)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return done


def one_call_at_a_time(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain in this process is no server: its callers wait for each other."""
    provider, lock = village.w3.provider, threading.RLock()
    plain = provider.make_request

    def make_request(method: Any, parameters: Any) -> Any:
        with lock:
            return plain(method, parameters)

    monkeypatch.setattr(provider, "make_request", make_request)
    monkeypatch.setattr(provider, "_request_func_cache", (None, None))

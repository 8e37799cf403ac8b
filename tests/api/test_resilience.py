"""A chain that reorganises, is away or slow, another program with the same key, a locked or full database: the bridge
recovers by itself, says so meanwhile, and everything is done once."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hexbytes import HexBytes
from sqlalchemy import event, select
from web3.types import TxParams

from api.fixtures import RELAYER, client_of, fund_relayer, reading, sqlite_url
from api.nodes import AnvilChain
from api.proxy import Proxy, proxy_to
from api.test_relaying import rounds, signed
from cli.village import ADA, BOLA, CHIDI, HOMES, Home, Village
from e2e.tools import running_node
from peerwatt.market.senders import KeyAccount
from peerwatt.signing import BUY, SELL, Order
from peerwatt.units import parse_price
from peerwatt_bridge.services.bridge import Bridge, build
from peerwatt_bridge.services.follower import Follower
from peerwatt_bridge.settings import Settings
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.tables import RelayState, acts, relays

# More than the deepest reorganisation here.
CONFIRMATIONS = 70
PATIENCE_S = 60
# Windows from now, and each home's orders: it has sixteen slots.
PLACES = itertools.count(1)
NONCES: Counter[Home] = Counter()


@pytest.fixture(scope="module")
def village() -> Iterator[Village]:
    """On anvil; tests leave the chain running on."""
    with running_node("anvil") as node:
        made = Village(HOMES, AnvilChain(node.url))
        fund_relayer(made)
        made.chain.mine(CONFIRMATIONS)
        yield made


@pytest.fixture
def proxy(village: Village) -> Iterator[Proxy]:
    with proxy_to(village.chain.url) as made:
        yield made


@contextmanager
def bridge_by(village: Village, url: str, folder: Path, **settings: Any) -> Iterator[Bridge]:
    """A bridge that reaches the chain by this URL; its workers are not started."""
    manifest = folder / "deployment.json"
    village.deployment.save(manifest)
    chosen = {"confirmations": CONFIRMATIONS, "tick_s": 0.05, "keep": False, "node_timeout_s": 2, **settings}
    made = Settings(_env_file=None, rpc=url, deployment=manifest, database=sqlite_url(folder), **chosen)
    database = Database(made.database, made.database_busy_s)
    database.migrate()
    bridge = build(made, key=RELAYER, database=database)
    try:
        yield bridge
    finally:
        database.close()


@pytest.fixture
def still(village: Village, tmp_path: Path) -> Iterator[tuple[Bridge, TestClient]]:
    """A bridge whose rounds the test makes."""
    with bridge_by(village, village.chain.url, tmp_path, resend_s=0.001) as bridge:
        bridge.workers.clear()
        with client_of(bridge) as client:
            yield bridge, client


def post_order(client: TestClient, village: Village, home: Home = ADA) -> str:
    """A small order for a window to come; its digest."""
    NONCES[home] += 1
    window = village.window + 2 + next(PLACES)
    side, price = (SELL, "80 NGN/kWh") if home is ADA else (BUY, "150 NGN/kWh")
    level = parse_price(price, village.grid)
    # Each has a window of its own.
    order = Order(home.account, home.meter, side, window, window, 50, level, NONCES[home])
    answer = client.post("/v1/orders", json=signed(village, home, order))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["digest"])


def status(client: TestClient, digest: str) -> str:
    return str(client.get(f"/v1/acts/{digest}").json()["status"])


def times_done(village: Village, bridge: Bridge, digest: str) -> int:
    """In how many transactions of the chain the signature is."""
    with bridge.database.reading() as connection:
        row = connection.execute(select(acts.c.signature).where(acts.c.digest == bytes.fromhex(digest[2:]))).one()
    times = 0
    for number in range(village.w3.eth.block_number + 1):
        for transaction in village.w3.eth.get_block(number, full_transactions=True)["transactions"]:
            times += bytes(HexBytes(transaction["input"])).count(row.signature[:32])  # type: ignore[index]
    return times


def wait_for(what: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(0.02)


def health(client: TestClient) -> dict[str, Any]:
    answer = client.get("/healthz")
    return {**answer.json(), "code": answer.status_code}


# Reorganisations


@pytest.mark.parametrize("depth", [1, 2, 8, 64])
def test_reorganisation__relays_inside__back_on_their_way_then_done_once(
    still: tuple[Bridge, TestClient], village: Village, depth: int
) -> None:
    bridge, client = still
    digests = [post_order(client, village, home) for home in (ADA, BOLA)]
    rounds(bridge, 2)
    assert [status(client, digest) for digest in digests] == ["confirmed"] * 2
    if depth > 1:
        village.chain.mine(depth - 1)
    village.chain.reorganise(depth)
    assert [times_done(village, bridge, digest) for digest in digests] == [0, 0]
    rounds(bridge, 1)
    assert [status(client, digest) for digest in digests] == ["relayed"] * 2
    rounds(bridge, 1)
    assert [status(client, digest) for digest in digests] == ["confirmed"] * 2
    village.chain.mine(CONFIRMATIONS)
    rounds(bridge, 1)
    assert [status(client, digest) for digest in digests] == ["final"] * 2
    assert [times_done(village, bridge, digest) for digest in digests] == [1, 1]


def test_reorganisation__of_what_was_final__said_and_done_again(village: Village, tmp_path: Path) -> None:
    with bridge_by(village, village.chain.url, tmp_path, confirmations=2, resend_s=0.001) as bridge:
        bridge.workers.clear()
        with client_of(bridge) as client:
            follower = Follower(bridge.database, bridge.chain, bridge.leases)
            before, digest = post_order(client, village), post_order(client, village, BOLA)
            rounds(bridge, 2)
            village.chain.mine(6)
            rounds(bridge, 1)
            follower.round()
            assert [status(client, one) for one in (before, digest)] == ["final"] * 2
            bridge.monitor.refresh()
            assert health(client)["alerts"] == []
            village.chain.reorganise(7)
            follower.round()
            rounds(bridge, 2)
            assert [status(client, one) for one in (before, digest)] == ["confirmed"] * 2
            assert [times_done(village, bridge, one) for one in (before, digest)] == [1, 1]
            bridge.monitor.refresh()
            [alert] = health(client)["alerts"]
            assert alert["name"] == "deep-reorganisation" and "raise confirmations" in alert["detail"]
            village.chain.mine(3)
            rounds(bridge, 1)
            assert status(client, digest) == "final"


def test_reorganisation__transaction_of_another_program_is_gone__gap_is_filled(
    still: tuple[Bridge, TestClient], village: Village
) -> None:
    bridge, client = still
    pay_by_relayer(village)
    digest = post_order(client, village)
    rounds(bridge, 2)
    assert status(client, digest) == "confirmed"
    # The payment before it too: the order's nonce is ahead of what the chain has now.
    village.chain.reorganise(2)
    rounds(bridge, 3)
    assert (status(client, digest), times_done(village, bridge, digest)) == ("confirmed", 1)
    with bridge.database.reading() as connection:
        assert [row.purpose for row in connection.execute(select(relays).order_by(relays.c.nonce))] == [
            "filler",
            "orders",
        ]


# Fees and nonces


def pay_by_relayer(village: Village, **fields: Any) -> None:
    """The relayer's key pays for something else."""
    payment: TxParams = {"to": RELAYER.address, "value": village.w3.to_wei(1, "wei"), "gas": 21_000, **fields}  # type: ignore[typeddict-item]
    KeyAccount(RELAYER).send(village.w3, payment)


@contextmanager
def blocks_by_hand(village: Village) -> Iterator[None]:
    village.chain.ask("evm_setAutomine", False)
    try:
        yield
    finally:
        village.chain.ask("evm_setAutomine", True)
        village.chain.mine()


def test_nonce__another_program_replaces_it_in_the_pool__relayed_by_the_next(
    still: tuple[Bridge, TestClient], village: Village
) -> None:
    bridge, client = still
    with blocks_by_hand(village):
        digest = post_order(client, village)
        rounds(bridge, 1)
        fee = 50 * 10**9
        signed_payment = RELAYER.sign_transaction(
            {
                "to": RELAYER.address,
                "value": 1,
                "gas": 21_000,
                "nonce": village.w3.eth.get_transaction_count(RELAYER.address, "latest"),
                "maxFeePerGas": fee,
                "maxPriorityFeePerGas": fee,
                "chainId": village.deployment.chain_id,
            }
        )
        village.w3.eth.send_raw_transaction(signed_payment.raw_transaction)
        village.chain.mine()
        assert times_done(village, bridge, digest) == 0
    rounds(bridge, 3)
    assert (status(client, digest), times_done(village, bridge, digest)) == ("confirmed", 1)
    with bridge.database.reading() as connection:
        states = [row.state for row in connection.execute(select(relays.c.state).order_by(relays.c.id))]
    assert states == [int(RelayState.LOST), int(RelayState.MINED)]


def test_fee__spikes_while_it_waits__signed_again_with_what_blocks_cost(
    still: tuple[Bridge, TestClient], village: Village
) -> None:
    bridge, client = still
    with blocks_by_hand(village):
        digest = post_order(client, village)
        rounds(bridge, 1)
        village.chain.ask("anvil_setNextBlockBaseFeePerGas", hex(200 * 10**9))
        village.chain.mine()
        assert times_done(village, bridge, digest) == 0
        rounds(bridge, 1)
        village.chain.ask("anvil_setNextBlockBaseFeePerGas", hex(200 * 10**9))
        village.chain.mine()
        rounds(bridge, 1)
        assert (status(client, digest), times_done(village, bridge, digest)) == ("confirmed", 1)
        village.chain.ask("anvil_setNextBlockBaseFeePerGas", hex(10**9))


def test_fee__chain_stands_still__not_raised_again_and_again(
    still: tuple[Bridge, TestClient], village: Village
) -> None:
    bridge, client = still
    with blocks_by_hand(village):
        post_order(client, village)
        rounds(bridge, 6)
        with bridge.database.reading() as connection:
            [relay] = connection.execute(select(relays)).all()
        assert bridge.outbox is not None
        assert len(bridge.outbox._attempts(relay.id)) == 1
        # It says that something is stuck.
        assert bridge.relayer is not None
        assert "waits for a block" in str(bridge.relayer.round().trouble)
    rounds(bridge, 2)
    assert bridge.relayer.round().trouble is None


# What the bridge needs is away


@pytest.mark.parametrize("how", ["cut", "slow"])
def test_chain__away_for_a_while__degraded_then_everything_is_done(
    village: Village, tmp_path: Path, proxy: Proxy, how: str
) -> None:
    with (
        bridge_by(village, proxy.url, tmp_path, node_timeout_s=0.4) as bridge,
        client_of(bridge) as client,
    ):
        window = village.window - 1
        # A meter that is known needs no node.
        sent = [reading(village, home, window, 0, 0) for home in (ADA, BOLA, CHIDI)]
        assert client.post("/v1/readings", json={"readings": sent}).status_code == 202
        digest = post_order(client, village)
        wait_for(lambda: status(client, digest) == "confirmed")
        wait_for(lambda: health(client)["status"] == "ok")
        if how == "cut":
            proxy.cut()
        else:
            proxy.delay_s = 0.8
        more = [reading(village, home, window - 1, 0, 0) for home in (ADA, BOLA, CHIDI)]
        assert client.post("/v1/readings", json={"readings": more}).status_code == 202
        wait_for(lambda: health(client)["status"] == "degraded")
        assert health(client)["code"] == 200
        assert any(worker["trouble"] for worker in health(client)["workers"])
        proxy.mend()
        proxy.delay_s = 0
        wait_for(lambda: health(client)["status"] == "ok")
        assert any(worker["recovered_after_s"] for worker in health(client)["workers"])
        after = post_order(client, village)
        wait_for(lambda: status(client, after) == "confirmed")
        assert [times_done(village, bridge, one) for one in (digest, after)] == [1, 1]


def test_database__locked_by_another_program__said_and_over_when_it_lets_go(village: Village, tmp_path: Path) -> None:
    with (
        bridge_by(village, village.chain.url, tmp_path, database_busy_s=0.1) as bridge,
        client_of(bridge) as client,
    ):
        wait_for(lambda: all(worker["rounds"] for worker in health(client)["workers"]))
        sent = reading(village, ADA, village.window - 1, 0, 0)
        assert client.post("/v1/readings", json=sent).status_code == 202
        other = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answer = client.post("/v1/readings", json=reading(village, ADA, village.window - 2, 0, 0))
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (503, "database-unavailable")
        assert answer.headers["Retry-After"]
        found = health(client)
        assert (found["code"], found["status"]) == (503, "degraded")
        wait_for(lambda: any("locked" in str(worker["trouble"]) for worker in health(client)["workers"]))
        other.execute("ROLLBACK")
        other.close()
        again = client.post("/v1/readings", json=reading(village, ADA, village.window - 2, 0, 0))
        assert (again.status_code, again.json()["results"][0]["duplicate"]) == (202, False)
        wait_for(lambda: health(client)["status"] == "ok")


def test_database__disk_full__said_nothing_half_kept_and_over_when_there_is_room(
    still: tuple[Bridge, TestClient], village: Village
) -> None:
    bridge, client = still
    quota = {"pages": 2**31 - 2}

    @event.listens_for(bridge.database.engine, "checkout")
    def limit(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {quota['pages']}")

    assert client.post("/v1/readings", json=reading(village, ADA, village.window - 1, 0, 0)).status_code == 202
    # Not a page more than there are.
    quota["pages"] = 1
    window = village.window - 2
    batches = [
        [
            reading(village, home, window - place, 0, 0)
            for home in (ADA, BOLA, CHIDI)
            for place in range(part, part + 20)
        ]
        for part in range(0, 200, 20)
    ]
    answers = [client.post("/v1/readings", json={"readings": batch}) for batch in batches]
    full = [place for place, answer in enumerate(answers) if answer.status_code == 503]
    assert full, "the quota was never reached"
    assert answers[full[0]].json()["type"].endswith("database-unavailable")
    found = health(client)
    assert (found["code"], found["status"]) == (503, "degraded")
    quota["pages"] = 2**31 - 2
    for place in full:
        again = client.post("/v1/readings", json={"readings": batches[place]})
        assert again.status_code == 202
        assert not any(result["duplicate"] for result in again.json()["results"])
    assert health(client)["status"] == "ok"

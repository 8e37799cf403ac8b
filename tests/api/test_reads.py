"""What the bridge tells of the market, against the contracts themselves; also after the chain took blocks back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.fixtures import bridge_at, client_of, sqlite_url
from cli.life import end, live
from cli.village import ADA, BOLA, CHIDI, HOMES, Village
from peerwatt.market.standing import read_standing
from peerwatt.market.statement import add_up, read_account_history
from peerwatt.reference.offers import get_calendar
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.follower import LEASE, Follower
from peerwatt_bridge.services.views import At
from peerwatt_bridge.storage.tables import blocks, events, notices


@pytest.fixture
def bridge(village: Village, database_url: str) -> Iterator[Bridge]:
    with bridge_at(village, database_url) as made:
        yield made


def follow(bridge: Bridge) -> None:
    Follower(bridge.database, bridge.chain, bridge.leases).round()


def get(client: TestClient, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def stored(bridge: Bridge) -> list[Any]:
    """Everything that was followed, but the marks of how far."""
    with bridge.database.reading() as connection:
        kept = connection.execute(select(blocks).where(blocks.c.logs > 0).order_by(blocks.c.number)).all()
        found = connection.execute(select(events).order_by(events.c.block_number, events.c.log_index)).all()
    return [tuple(row) for row in (*kept, *found)]


def heard(bridge: Bridge, kind: str) -> list[Any]:
    with bridge.database.reading() as connection:
        return list(connection.execute(select(notices.c.data).where(notices.c.kind == kind)).scalars())


def check_accounts(bridge: Bridge, village: Village, at: At = At.HEAD) -> None:
    """Wallets and open windows of the view are those of the contract."""
    roles = village.deployment.roles
    with bridge.views.view(at) as view:
        assert view.replay.differences == []
        for account in (*(home.account for home in HOMES), roles.balancing_account, roles.network_account):
            wallet, word = view.replay.state.wallet(account.lower()), village.gateway.wallet(account)
            assert (wallet.balance, wallet.reserved, wallet.score, wallet.rated) == (
                word.balance, word.reserved, word.score, word.rated,
            ), account  # fmt: skip
            calendar = village.gateway.calendar(account)
            ahead = range(calendar.settled + 1, calendar.settled + 225)
            found = get_calendar(view.replay.state, account.lower()).open
            assert found == {window for window in ahead if calendar.is_open(window)}, account


def test_reads__whole_life__are_the_contracts(bridge: Bridge, client: TestClient, village: Village) -> None:
    life = live(village)
    end(life)
    follow(bridge)
    check_accounts(bridge, village)
    for home in HOMES:
        told, word = get(client, f"/v1/participants/{home.account}"), village.gateway.wallet(home.account)
        assert (told["balance"], told["reserved"], told["free"]) == (
            str(word.balance), str(word.reserved), str(word.free),
        )  # fmt: skip
        assert (told["connection"] is None) == (village.gateway.device(home.account).encode() == 0)
        history = read_account_history(village.gateway, home.account)
        trades = get(client, "/v1/trades", account=home.account)["windows"]
        assert [trade["window"] for trade in trades] == [row.window for row in reversed(history.rows)]
        for trade, row in zip(trades, reversed(history.rows), strict=True):
            for name in ("status", "filled_wh", "delivered_wh", "transaction_hash", "score_after"):
                assert trade[name] == getattr(row, name)
            for name in ("price_per_wh", "paid_amount", "received_amount", "fee_amount"):
                value = getattr(row, name)
                assert trade[name] == (None if value is None else str(value))
    totals = get(client, "/v1/totals")
    sums = [add_up(read_account_history(village.gateway, home.account).rows) for home in HOMES]
    for name in ("delivered_wh", "shortfall_wh", "paid_amount", "received_amount"):
        assert int(totals[name]) == sum(getattr(one, name) for one in sums)
    assert totals["delivered_wh"] > 0
    assert totals["shortfall_wh"] > 0
    held = village.gateway.token_balance(village.deployment.market)
    assert int(totals["deposited"]) == held
    assert totals["participants"] == 2


def test_windows__cleared__with_their_prices_in_pages(bridge: Bridge, client: TestClient, village: Village) -> None:
    first = live(village).first
    follow(bridge)
    told = get(client, "/v1/windows")
    cleared = [row["window"] for row in told["windows"]]
    assert cleared == sorted(cleared, reverse=True)
    assert first in cleared
    pages, before = [], None
    while True:
        page = get(client, "/v1/windows", limit=2, **({} if before is None else {"before": before}))
        pages += [row["window"] for row in page["windows"]]
        before = page["next"]
        if before is None:
            break
    assert pages == cleared
    prices = get(client, "/v1/prices")
    assert [row["window"] for row in prices["prices"]] == [r["window"] for r in told["windows"] if r["traded_wh"]]
    assert prices["last_price_per_wh"] == prices["prices"][0]["price_per_wh"]
    window = get(client, f"/v1/windows/{first}")
    word = village.gateway.result(first)
    assert window["phase"] == "cleared"
    assert window["result"]["level"] == word.level
    assert window["result"]["price_per_wh"] == str(village.grid.price(word.level))


def test_book__open_window__is_the_lenss(bridge: Bridge, client: TestClient, village: Village) -> None:
    window = village.window + 3
    village.offer(ADA, window, window + 1, "1 kWh", "80 NGN/kWh")
    village.bid(BOLA, window, window, "700 Wh", "150 NGN/kWh")
    follow(bridge)
    told = get(client, f"/v1/windows/{window}/book")
    found = {row["level"]: (row["bid_wh"], row["offer_wh"]) for row in told["book"]}
    assert found == village.gateway.book(window)
    assert told["preview"]["traded_wh"] == 700
    assert told["phase"] == "open"
    order = get(client, f"/v1/participants/{ADA.account}")["orders"][0]
    assert order["open_windows"] == [window, window + 1]


def test_reputation__rated_home__is_the_standing_of_the_chain(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    live(village)
    follow(bridge)
    for home in (ADA, CHIDI):
        told = get(client, f"/v1/reputation/{home.account}", last=500)
        price = int(told["last_price_per_wh"])
        wallet = village.gateway.wallet(home.account)
        standing = read_standing(village.gateway, home.account, wallet, village.window, price)
        assert told["score"] == wallet.score
        assert told["enrolled"] == standing.enrolled
        for name in ("now", "neutral", "next"):
            terms = getattr(standing, name)
            for key, value in vars(terms).items():
                assert str(told[name][key]) == str(value), (name, key)
        assert told["moves"][-1]["score_after"] == wallet.score


def test_tariffs_and_envelopes__scale_set__follow(bridge: Bridge, client: TestClient, village: Village) -> None:
    registry = village.gateway.registry.functions
    village.gateway.act(village.operator, registry.set_feeder_scale(0, 4_000, 5_000))
    follow(bridge)
    told = get(client, "/v1/envelopes", limit=2)
    assert [row["import_envelope_wh"] for row in told["envelopes"]] == [2_000, 2_000]
    assert [row["export_envelope_wh"] for row in told["envelopes"]] == [2_500, 2_500]
    rest = get(client, "/v1/envelopes", limit=2, after=told["next"])
    assert len(rest["envelopes"]) == 1
    assert rest["next"] is None
    tariffs = get(client, "/v1/tariffs")
    version, _ = village.gateway.tariff_head().at(village.window)
    shown = tariffs["version"] or tariffs["next"]
    assert shown["surcharges_bps"] == list(village.gateway.table("surcharges", shown["version"]).bands)
    assert (tariffs["version"] is None) == (version == 0)
    assert tariffs["network_fees"][0]["fee_per_wh"] == str(village.gateway.feeder(0).fee_per_wh)


def test_reads__nothing_followed__503(client: TestClient) -> None:
    answer = client.get("/v1/totals")
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("/history-unavailable")
    assert answer.headers["retry-after"]


def test_final__confirmations_needed__stays_behind(village: Village, tmp_path: Path) -> None:
    with bridge_at(village, sqlite_url(tmp_path), confirmations=3) as bridge, client_of(bridge) as client:
        window = village.window + 3
        village.offer(ADA, window, window, "1 kWh", "80 NGN/kWh")
        follow(bridge)
        assert get(client, f"/v1/windows/{window}/book")["book"] != []
        behind = get(client, f"/v1/windows/{window}/book", at="final")
        assert behind["book"] == []
        assert behind["block"] == behind["final_block"] < get(client, "/v1/totals")["block"]
        village.chain.tester.mine_blocks(3)
        follow(bridge)
        assert get(client, f"/v1/windows/{window}/book", at="final")["book"] != []


def test_round__other_bridge_holds_the_lease__reads_its_tables(village: Village, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    with bridge_at(village, url) as one, bridge_at(village, url) as other, client_of(other) as client:
        follow(one)
        live(village)
        follow(other)
        assert get(client, "/v1/windows")["windows"] == []
        follow(one)
        check_accounts(other, village)
        one.leases.release(LEASE)
        follow(other)
        assert other.leases.hold(LEASE, 1)


@pytest.mark.parametrize("seed", range(3))
def test_round__acts_reverts_and_rounds_mixed__store_is_a_fresh_one(
    bridge: Bridge, village: Village, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the model goes back to a mark now and then, and not always to the beginning.
    monkeypatch.setattr("peerwatt_bridge.services.model.MARK_EVERY", 2)
    chance, nonces, rewinds = random.Random(seed), {home: 16 for home in HOMES}, 0
    snapshots = [village.chain.take_snapshot()]
    for _ in range(40):
        what = chance.choice(("offer", "bid", "deposit", "clear", "follow", "follow", "snapshot", "revert", "mine"))
        home = ADA if what == "offer" else chance.choice((BOLA, CHIDI))
        first = village.window + 2 + (nonces[home] - 16)
        if what in ("offer", "bid") and nonces[home] < 31:
            nonces[home] += 1
            price = "80 NGN/kWh" if what == "offer" else "120 NGN/kWh"
            place = village.offer if what == "offer" else village.bid
            place(home, first, first, f"{chance.randint(1, 4) * 100} Wh", price, nonces[home])
        elif what == "deposit":
            village.gateway.deposit(life_account(home), chance.randint(1, 10**6))
        elif what == "clear":
            village.travel_to(village.window + 1, 10)
            village.clear()
        elif what == "mine":
            village.chain.tester.mine_blocks(chance.randint(1, 3))
        elif what == "snapshot":
            snapshots.append(village.chain.take_snapshot())
        elif what == "revert":
            # The one that the fixture needs stays; this reverts to any depth.
            number = chance.randrange(len(snapshots))
            village.chain.revert_to(snapshots[number])
            del snapshots[number + 1 :]
        else:
            follow(bridge)
            check_accounts(bridge, village)
            check_accounts(bridge, village, At.FINAL)
    follow(bridge)
    check_accounts(bridge, village)
    rewinds = len(heard(bridge, "rewound"))
    assert rewinds > 0
    folder = tmp_path / "fresh"
    folder.mkdir()
    with bridge_at(village, sqlite_url(folder)) as fresh:
        follow(fresh)
        assert stored(bridge) == stored(fresh)
        assert heard(fresh, "rewound") == []


def life_account(home: Any) -> Any:
    from eth_account import Account

    from peerwatt.market.senders import KeyAccount

    return KeyAccount(Account.from_key(home.account_key))

"""From what waits to what is final: which readings and acts are relayed, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from fastapi.testclient import TestClient
from web3.types import TxParams

from api.fixtures import RELAYER, reading
from api.test_readings import post
from cli.village import ADA, BOLA, CHIDI, Home, Village
from peerwatt.market.senders import KeyAccount
from peerwatt.signing import (
    BUY,
    IMPORTS,
    SELL,
    Agent,
    Cancel,
    Message,
    Order,
    Permit,
    Rating,
    Withdrawal,
    sign,
)
from peerwatt.units import parse_price
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.storage.notices import read_after


def rounds(bridge: Bridge, count: int = 2) -> None:
    assert bridge.relayer is not None
    for _ in range(count):
        bridge.relayer.round()


def trade(village: Village) -> int:
    """Ada sold 1 kWh to Bola in a window that is over and cleared; the window."""
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "80 NGN/kWh")
    village.bid(BOLA, window, window, "1 kWh", "150 NGN/kWh")
    village.travel_to(window + 1, 60)
    village.clear()
    return window


def status(client: TestClient, digest: str) -> str:
    return str(client.get(f"/v1/readings/{digest}").json()["status"])


def signed(village: Village, home: Home, message: Message) -> dict[str, Any]:
    return {
        "message": message.to_json(),
        "signature": "0x" + sign(message, village.domain, home.account_key).to_bytes().hex(),
    }


def order(village: Village, home: Home, side: int, price: str, nonce: int = 1, energy_wh: int = 1000) -> Order:
    window = village.window + 2
    level = parse_price(price, village.grid)
    return Order(home.account, home.meter, side, window, window, energy_wh, level, nonce)


# Readings


def test_round__sold_window__report_is_relayed_and_paid(bridge: Bridge, client: TestClient, village: Village) -> None:
    window = trade(village)
    before = village.gateway.wallet(ADA.account).balance
    [result] = post(client, reading(village, ADA, window, 0, 1000))
    rounds(bridge, 1)
    assert status(client, result["digest"]) == "relayed"
    rounds(bridge, 2)
    assert status(client, result["digest"]) == "final"
    shown = client.get(f"/v1/readings/{result['digest']}").json()
    assert village.w3.eth.get_transaction_receipt(shown["transaction"])["blockNumber"] == shown["block"]
    assert village.gateway.wallet(ADA.account).balance > before
    assert village.gateway.exports(ADA.account).register_wh == 1000


def test_round__window_without_offer__held_and_never_relayed(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    window = trade(village)
    results = post(
        client,
        reading(village, ADA, window - 1, 0, 0),
        reading(village, CHIDI, window, 0, 300, side=IMPORTS),
        reading(village, BOLA, window, 0, 900, side=IMPORTS),
    )
    sent = village.w3.eth.get_transaction_count(RELAYER.address)
    rounds(bridge)
    shown = [client.get(f"/v1/readings/{result['digest']}").json() for result in results]
    assert [(one["status"], one["reason"]) for one in shown] == [("held", "no-offer")] * 3
    assert village.w3.eth.get_transaction_count(RELAYER.address) == sent


def test_round__sold_window_among_others__held_with_the_windows_named(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    window = trade(village)
    [result] = post(client, reading(village, ADA, window - 1, 0, 0, 1000))
    rounds(bridge)
    shown = client.get(f"/v1/readings/{result['digest']}").json()
    assert (shown["status"], shown["reason"]) == ("held", "covers-other-windows")


def test_round__window_not_cleared__waits(bridge: Bridge, client: TestClient, village: Village) -> None:
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "80 NGN/kWh")
    village.bid(BOLA, window, window, "1 kWh", "150 NGN/kWh")
    village.travel_to(window + 1, 60)
    [result] = post(client, reading(village, ADA, window, 0, 1000))
    rounds(bridge)
    assert status(client, result["digest"]) == "received"
    village.clear()
    rounds(bridge, 3)
    assert status(client, result["digest"]) == "final"


def test_round__somebody_else_was_faster__superseded(bridge: Bridge, client: TestClient, village: Village) -> None:
    window = trade(village)
    sent = reading(village, ADA, window, 0, 1000)
    [result] = post(client, sent)
    post_directly(village, ADA, window, 0, 1000)
    rounds(bridge)
    assert status(client, result["digest"]) == "superseded"


def post_directly(village: Village, home: Home, first: int, *values_wh: int) -> None:
    from peerwatt.market import relay
    from peerwatt.market.accounts import read_account
    from peerwatt.signing import Report

    report = Report(home.meter, 1, first, values_wh)
    slots = read_account(village.gateway, home.account).slots_met()
    item = relay.ReportItem.from_message(home.account, report, sign(report, village.domain, home.meter_key), slots)
    village.gateway.relay(village.relayer, item.pack(), strict=True)


def test_round__reading_before_is_missing__waits_and_the_meter_is_asked(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    window = village.window + 2
    for home, side, price in ((ADA, SELL, "80 NGN/kWh"), (BOLA, BUY, "150 NGN/kWh")):
        village.order(home, side, window, window + 1, "1 kWh", price)
    village.travel_to(window + 2, 60)
    village.clear()
    [late] = post(client, reading(village, ADA, window + 1, 1000, 2000))
    rounds(bridge)
    assert status(client, late["digest"]) == "received"
    [asked] = bridge.commands.read(ADA.meter, 0)
    assert (asked.kind, asked.first_window, asked.last_window) == ("resend", window, window)
    [early] = post(client, reading(village, ADA, window, 0, 1000))
    rounds(bridge, 3)
    assert [status(client, one["digest"]) for one in (early, late)] == ["final", "final"]


def test_round__equivocation__neither_is_relayed(bridge: Bridge, client: TestClient, village: Village) -> None:
    window = trade(village)
    results = post(client, reading(village, ADA, window, 0, 900), reading(village, ADA, window, 0, 1000))
    rounds(bridge)
    assert [status(client, result["digest"]) for result in results] == ["quarantined"] * 2
    assert village.gateway.exports(ADA.account).register_wh == 0


# Acts


def test_orders__signed__in_the_market_without_gas_money(bridge: Bridge, client: TestClient, village: Village) -> None:
    answers = [
        client.post("/v1/orders", json=signed(village, home, order(village, home, side, price)))
        for home, side, price in ((ADA, SELL, "80 NGN/kWh"), (BOLA, BUY, "150 NGN/kWh"))
    ]
    assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
    rounds(bridge, 3)
    shown = [client.get(f"/v1/acts/{answer.json()['digest']}").json() for answer in answers]
    assert [act["status"] for act in shown] == ["final", "final"]
    # One transaction for both.
    assert shown[0]["transaction"] == shown[1]["transaction"]
    assert village.gateway.order(ADA.account, 1).nonce == 1


def test_orders__market_would_refuse__problem_with_its_slug(client: TestClient, village: Village) -> None:
    answer = client.post(
        "/v1/orders", json=signed(village, BOLA, order(village, BOLA, BUY, "150 NGN/kWh", energy_wh=5_001))
    )
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/over-envelope")
    assert answer.json()["reason"] == "meters: over the envelope"


def test_orders__stranger_signs__refused(client: TestClient, village: Village) -> None:
    body = signed(village, BOLA, order(village, ADA, SELL, "80 NGN/kWh"))
    assert client.post("/v1/orders", json=body).json()["type"].endswith("/bad-signature")


def test_orders__forged__refused_without_asking_the_node(
    client: TestClient, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = signed(village, BOLA, order(village, ADA, SELL, "80 NGN/kWh"))

    def unreachable(*_: object) -> None:
        raise AssertionError("the node was asked")

    monkeypatch.setattr(village.w3.provider, "make_request", unreachable)
    monkeypatch.setattr(village.w3.provider, "_request_func_cache", (None, None))
    answer = client.post("/v1/orders", json=body)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (422, "bad-signature")


def test_orders__same_again__found_not_doubled(bridge: Bridge, client: TestClient, village: Village) -> None:
    body = signed(village, ADA, order(village, ADA, SELL, "80 NGN/kWh"))
    first = client.post("/v1/orders", json=body).json()
    rounds(bridge, 3)
    again = client.post("/v1/orders", json=body).json()
    assert (again["digest"], again["duplicate"], again["status"]) == (first["digest"], True, "final")


def test_orders__two_that_cannot_both_be__second_is_refused_with_the_markets_reason(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    bodies = [signed(village, ADA, order(village, ADA, SELL, "80 NGN/kWh", nonce)) for nonce in (1, 2)]
    digests = [client.post("/v1/orders", json=body).json()["digest"] for body in bodies]
    rounds(bridge, 3)
    shown = [client.get(f"/v1/acts/{digest}").json() for digest in digests]
    assert [act["status"] for act in shown] == ["final", "refused"]
    assert shown[1]["reason"] == "window-taken"


def test_orders__gate_closes_before_it_is_relayed__expired(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    message = order(village, ADA, SELL, "80 NGN/kWh")
    digest = client.post("/v1/orders", json=signed(village, ADA, message)).json()["digest"]
    village.travel_to(message.last_window, 1)
    rounds(bridge)
    assert client.get(f"/v1/acts/{digest}").json()["status"] == "expired"


def test_cancels__signed__order_is_cut(bridge: Bridge, client: TestClient, village: Village) -> None:
    window = village.window + 5
    village.offer(ADA, window, window, "1 kWh", "80 NGN/kWh")
    message = Cancel(ADA.account, 1, 0, village.chain.time_s + 600)
    answer = client.post("/v1/cancels", json=signed(village, ADA, message))
    assert answer.status_code == 202, answer.text
    rounds(bridge, 3)
    assert village.gateway.calendar(ADA.account).open_windows == 0


def test_agents_withdrawals_ratings__signed__done(bridge: Bridge, client: TestClient, village: Village) -> None:
    ems = Account.create()
    mandate = Agent(ADA.account, ems.address, village.chain.time_s + 9_000, 200, 10, 10**12, 0)
    withdrawal = Withdrawal(BOLA.account, BOLA.account, 1_000_000, 0, village.chain.time_s + 600)
    rating = Rating(CHIDI.account, True, 0, village.chain.time_s + 600)
    posted = {
        "agents": signed(village, ADA, mandate),
        "withdrawals": signed(village, BOLA, withdrawal),
        "ratings": signed(village, CHIDI, rating),
    }
    before = village.gateway.token_balance(BOLA.account)
    answers = [client.post(f"/v1/{path}", json=body) for path, body in posted.items()]
    assert [answer.status_code for answer in answers] == [202] * 3, [answer.text for answer in answers]
    rounds(bridge, 3)
    assert village.gateway.agent(ADA.account, ems.address).max_buy_level == 200
    assert village.gateway.token_balance(BOLA.account) == before + 1_000_000
    assert village.gateway.wallet(CHIDI.account).rated


def test_deposits__permit_of_the_token__deposited_for_its_owner(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    amount, domain = village.money("100 NGN"), village.gateway.token_domain()
    permit = Permit(ADA.account, village.deployment.market, amount, 0, village.chain.time_s + 600)
    body = {
        "message": permit.to_json(),
        "signature": "0x" + sign(permit, domain, ADA.account_key).to_bytes().hex(),
    }
    before = village.gateway.wallet(ADA.account).balance
    answer = client.post("/v1/deposits", json=body)
    assert answer.status_code == 202, answer.text
    rounds(bridge, 3)
    assert village.gateway.wallet(ADA.account).balance == before + amount


def test_withdrawals__more_than_is_free__problem(client: TestClient, village: Village) -> None:
    withdrawal = Withdrawal(BOLA.account, BOLA.account, 10**15, 0, village.chain.time_s + 600)
    answer = client.post("/v1/withdrawals", json=signed(village, BOLA, withdrawal))
    assert answer.status_code == 422
    assert answer.json()["reason"].startswith("wallets: ")


# The outbox


def test_round__nonce_taken_by_another_program__items_are_relayed_by_the_next(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    digest = client.post("/v1/orders", json=signed(village, ADA, order(village, ADA, SELL, "80 NGN/kWh"))).json()[
        "digest"
    ]
    assert bridge.outbox is not None
    # Signed and kept, but it never reaches the node; meanwhile the key pays for something else.
    bridge.outbox._push = lambda relay_id, raw: None  # type: ignore[method-assign]
    rounds(bridge, 1)
    del bridge.outbox._push
    other: TxParams = {"to": RELAYER.address, "value": village.w3.to_wei(1, "wei"), "gas": 21_000}
    KeyAccount(RELAYER).send(village.w3, other)
    rounds(bridge, 4)
    assert client.get(f"/v1/acts/{digest}").json()["status"] == "final"


def test_round__crash_between_keep_and_send__same_bytes_are_sent_later(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    digest = client.post("/v1/orders", json=signed(village, ADA, order(village, ADA, SELL, "80 NGN/kWh"))).json()[
        "digest"
    ]
    assert bridge.outbox is not None
    kept: list[bytes] = []
    bridge.outbox._push = lambda relay_id, raw: kept.append(raw)  # type: ignore[method-assign]
    rounds(bridge, 1)
    del bridge.outbox._push
    rounds(bridge, 3)
    shown = client.get(f"/v1/acts/{digest}").json()
    assert shown["status"] == "final"
    assert village.w3.keccak(kept[0]).to_0x_hex() == shown["transaction"]


def test_round__each_step__told_to_those_who_listen_to_the_account(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    posted = client.post("/v1/orders", json=signed(village, ADA, order(village, ADA, SELL, "80 NGN/kWh"))).json()
    rounds(bridge, 3)
    with bridge.database.reading() as connection:
        heard = [notice.data for notice in read_after(connection, 0) if notice.kind == "act"]
    assert {(data["id"], data["account"]) for data in heard} == {(posted["id"], ADA.account)}
    assert [data["status"] for data in heard][-2:] == ["confirmed", "final"]

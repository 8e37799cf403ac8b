"""The commands of a home through a bridge: the same commands, and no gas money."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account
from fastapi.testclient import TestClient
from web3.types import TxParams

from api.fixtures import bridge_at, client_of, sqlite_url
from cli.conftest import Run, home_folder, keys, move_in, run
from cli.traders import EMS
from cli.village import ADA, BOLA, Home, Village, write_keystore
from peerwatt.bridge import client as bridge_client
from peerwatt.market.senders import KeyAccount
from peerwatt_bridge.services.bridge import Bridge

__all__ = ["home_folder", "keys", "run"]
URL = "http://bridge.test"


class Wire(requests.Session):
    """The way to a bridge in this process; when somebody asks how far it is, it does a round first."""

    def __init__(self, bridge: Bridge, client: TestClient) -> None:
        super().__init__()
        self._bridge = bridge
        self._client = client
        self.away = False

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:
        if self.away:
            raise requests.ConnectionError("nobody listens")
        if method == "GET" and self._bridge.relayer is not None:
            self._bridge.relayer.round()
        answer = self._client.request(method, str(url).removeprefix(URL), json=options.get("json"))
        response = requests.Response()
        response.status_code = answer.status_code
        response._content = answer.content
        return response


@pytest.fixture
def wire(
    village: Village, tmp_path: Path, home_folder: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Wire]:
    """A bridge that the commands find. Ada and Bola have no gas money."""
    move_in(village, home_folder, monkeypatch)
    for home in (ADA, BOLA, EMS):
        write_keystore(keys, home.name, home.account_key)
    write_keystore(home_folder / "data" / "peerwatt" / "meters", "roof", ADA.meter_key)
    for home in (ADA, BOLA):
        spend_all(village, home)
    monkeypatch.setenv("PEERWATT_BRIDGE", URL)
    monkeypatch.setattr(bridge_client, "PAUSE_S", 0)
    with bridge_at(village, sqlite_url(tmp_path)) as bridge, client_of(bridge) as client:
        made = Wire(bridge, client)
        monkeypatch.setattr(bridge_client.requests, "Session", lambda: made)
        yield made


def spend_all(village: Village, home: Home) -> None:
    """Gives away an account's gas money, all but what is too little for anything."""
    sender = KeyAccount(Account.from_key(home.account_key))
    w3 = village.w3
    price = int(w3.eth.gas_price) * 4
    rest = w3.eth.get_balance(sender.address) - 21_000 * price
    payment: TxParams = {
        "to": village.relayer.address,
        "value": w3.to_wei(rest, "wei"),
        "gas": 21_000,
        "gasPrice": w3.to_wei(price, "wei"),
        "nonce": w3.eth.get_transaction_count(sender.address),
        "chainId": w3.eth.chain_id,
    }
    signed = Account.from_key(home.account_key).sign_transaction(payment)
    w3.eth.send_raw_transaction(signed.raw_transaction)
    assert w3.eth.get_balance(sender.address) < w3.to_wei(1, "milliether")


def iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat()


def test_life__no_gas_money__from_deposit_to_withdrawal(run: Run, village: Village, wire: Wire) -> None:
    sent = village.w3.eth.get_transaction_count(ADA.account)
    ran = run("wallet", "deposit", "100 NGN", "--account", "ada", "--yes")
    assert "the bridge pays" in ran.out and "600.00 NGN" in ran.out
    sold = run("sell", "1kWh", "--price", "80", "--account", "ada", "--yes", "--json").json
    assert (sold["side"], sold["fee_wei"]) == ("sell", 0)
    bought = run("buy", "1kWh", "--price", "150", "--account", "bola", "--yes", "--json").json
    assert bought["first_window"] == sold["first_window"]
    village.travel_to(sold["first_window"] + 1, 60)
    village.clear()
    opening, closing = (f"{iso(sold[name])}={kwh}kWh" for name, kwh in (("starts_s", 0), ("ends_s", 1)))
    reported = run("meter", "report", opening, closing, "--meter", "roof", "--account", "ada", "--yes", "--json").json
    assert [line["window"] for line in reported["windows"]] == [sold["first_window"]]
    assert village.gateway.exports(ADA.account).register_wh == 1000
    before = village.gateway.token_balance(ADA.account)
    assert "the bridge pays" in run("wallet", "withdraw", "50 NGN", "--account", "ada", "--yes").out
    assert village.gateway.token_balance(ADA.account) == before + village.money("50 NGN")
    # Not one transaction was its own.
    assert village.w3.eth.get_transaction_count(ADA.account) == sent


def test_cancel__through_the_bridge__order_is_cut(run: Run, village: Village, wire: Wire) -> None:
    clock_start = village.window + 6
    sold = run("sell", "1kWh", "--price", "185", "--windows", "8", "--account", "ada", "--yes", "--json").json
    ran = run("cancel", "--all", "--account", "ada", "--yes", "--json").json
    assert [row["nonce"] for row in ran["cancelled"]] == [sold["nonce"]]
    assert not village.gateway.calendar(ADA.account).is_open(clock_start)


def test_agents__through_the_bridge__authorised_and_revoked(run: Run, village: Village, wire: Wire) -> None:
    limits = ("--max-buy", "100", "--min-sell", "70", "--max-reserve", "300 NGN", "--for", "12h")
    run("wallet", "authorise", "ems", *limits, "--account", "ada", "--yes")
    assert village.gateway.agent(ADA.account, EMS.account).expiry > village.chain.time_s
    sold = run("sell", "1kWh", "--price", "80", "--account", "ada", "--agent", "ems", "--yes", "--json").json
    assert sold["agent"] == EMS.account
    run("wallet", "revoke", "ems", "--account", "ada", "--yes")
    assert village.gateway.agent(ADA.account, EMS.account).expiry == 0


def test_submit__signed_elsewhere__no_key_here(run: Run, village: Village, wire: Wire, tmp_path: Path) -> None:
    from peerwatt.signing import Order, parse_typed_data, sign

    file = tmp_path / "order.json"
    run("order", "build", "sell", "1kWh", "--price", "80", "--account", ADA.account, "--out", file)
    message = parse_typed_data(json.loads(file.read_text()), village.domain, (Order,))
    signature = "0x" + sign(message, village.domain, ADA.account_key).to_bytes().hex()
    ran = run("order", "submit", file, "--signature", signature, "--account", "bola", "--yes")
    assert "is in the market" in ran.out


def test_sell__bridge_refuses__the_markets_reason_and_exit_code(
    run: Run, village: Village, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("sell", "1kWh", "--price", "80", "--account", "ada", "--yes")
    # What the command itself finds it says itself; here it is blind, and the bridge is not.
    monkeypatch.setattr("peerwatt.cli.commands.orders.judge", lambda *_, **__: None, raising=False)
    ran = run("sell", "1kWh", "--price", "80", "--account", "ada", "--yes", expect=6)
    assert len(ran.err.strip().splitlines()) == 1


def test_sell__bridge_away__exit_code_of_a_node_and_what_to_do(run: Run, village: Village, wire: Wire) -> None:
    wire.away = True
    ran = run("sell", "1kWh", "--price", "80", "--account", "ada", "--yes", expect=4)
    assert "--bridge none" in ran.err and "ConnectionError" in ran.err


def test_sell__bridge_lies_about_the_transaction__not_believed(
    run: Run, village: Village, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = wire.request

    def lie(method: Any, url: Any, **options: Any) -> requests.Response:
        response = true(method, url, **options)
        body = response.json()
        body |= {"status": "confirmed", "transaction": "0x" + "ab" * 32}
        response._content = json.dumps(body).encode()
        return response

    monkeypatch.setattr(wire, "request", lie)
    ran = run("sell", "1kWh", "--price", "80", "--account", "ada", "--yes", expect=4)
    assert "does not show that" in ran.err


def test_sell__bridge_none__directly_and_gas_money_is_missed(
    run: Run, village: Village, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEERWATT_BRIDGE", "none")
    wire.away = True
    run("sell", "1kWh", "--price", "80", "--account", "ems", "--for", ADA.account, "--yes", expect=6)


"""What the bridge says has to be signed is what it then takes, signed by any wallet's eth_signTypedData_v4."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from fastapi.testclient import TestClient

from api.test_relaying import rounds
from cli.village import ADA, BOLA, Village
from peerwatt_bridge.services.bridge import Bridge


@pytest.mark.parametrize(
    ("kind", "wish"),
    [
        ("order", {"side": "sell", "energy_wh": 1000, "limit_level": 40}),
        ("withdrawal", {"amount": "1000000"}),
        ("deposit", {"amount": "1000000"}),
        (
            "agent",
            {
                "agent": BOLA.account,
                "expiry_s": 2_100_000_000,
                "max_buy_level": 100,
                "min_sell_level": 50,
                "max_reserve": "1000000",
            },
        ),
    ],
)
def test_typed_data__signed_by_a_wallet__taken_and_done(
    bridge: Bridge, client: TestClient, village: Village, kind: str, wish: dict[str, Any]
) -> None:
    drafted = client.post(f"/v1/typed-data/{kind}", json={"account": ADA.account, **wish})
    assert drafted.status_code == 200, drafted.text
    intent = drafted.json()
    # Another implementation of EIP-712 than ours.
    signed = Account.sign_message(encode_typed_data(full_message=intent["typed_data"]), ADA.account_key)
    body = {"message": intent["message"], "signature": signed.signature.to_0x_hex()}
    answer = client.post(intent["route"], json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["digest"] == intent["digest"]
    rounds(bridge, 3)
    assert client.get(f"/v1/acts/{intent['digest']}").json()["status"] == "final"


def test_typed_data__order_that_is_refused__problem_before_anybody_signs(client: TestClient, village: Village) -> None:
    wish = {"account": BOLA.account, "side": "buy", "energy_wh": 5_001, "limit_level": 200}
    assert client.post("/v1/typed-data/order", json=wish).json()["type"].endswith("/over-envelope")


def test_typed_data__cancel__says_what_it_frees(client: TestClient, village: Village) -> None:
    window = village.window + 5
    village.offer(ADA, window, window, "1 kWh", "80 NGN/kWh")
    intent = client.post("/v1/typed-data/cancel", json={"account": ADA.account, "nonce": 1}).json()
    assert int(intent["numbers"]["released"]) == village.gateway.wallet(ADA.account).reserved

"""Administrative acts: who may, what they do, and that each is in the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import SQLAlchemyError

from api.fixtures import bridge_at, client_of, reading, sqlite_url
from api.test_guard import is_problem
from api.test_meters import Meter
from api.test_readings import ended, post
from cli.village import ADA, Home, Village
from peerwatt_bridge.guard.defences import LOCKOUT_FAILURES
from peerwatt_bridge.services import administration
from peerwatt_bridge.services.bridge import Bridge

TOKEN = "a token with nothing to guess"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def bridge(village: Village, tmp_path: Path) -> Iterator[Bridge]:
    with bridge_at(village, sqlite_url(tmp_path), admin_token=TOKEN) as made:
        yield made


def log(client: TestClient) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = client.get("/v1/admin/log", headers=AUTHORIZED).json()["entries"]
    return entries


def quarantined(client: TestClient, village: Village) -> str:
    """A register that jumped; its digest."""
    [result] = post(client, reading(village, ADA, ended(village, 6), 0, 9_000))
    assert (result["status"], result["reason"]) == ("quarantined", "jump")
    return str(result["digest"])


def test_admin__no_token_set__403(village: Village, tmp_path: Path) -> None:
    for settings in ({}, {"admin_token": ""}):
        with bridge_at(village, sqlite_url(tmp_path), **settings) as bare, client_of(bare) as client:
            for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
                is_problem(client.get("/v1/admin/log", headers=headers), 403, "administration-off")


def test_admin__no_or_wrong_token__401(client: TestClient) -> None:
    is_problem(client.get("/v1/admin/log"), 401, "no-token")
    answer = client.get("/v1/admin/log", headers={"Authorization": "Bearer x"})
    is_problem(answer, 401, "wrong-token")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_admin__many_wrong_tokens__locked_out_even_with_the_right_one(bridge: Bridge, client: TestClient) -> None:
    for number in range(LOCKOUT_FAILURES):
        wrong = {"Authorization": f"Bearer {number}"}
        is_problem(client.get("/v1/admin/log", headers=wrong), 401, "wrong-token")
    answer = client.get("/v1/admin/log", headers=AUTHORIZED)
    is_problem(answer, 429, "locked-out")
    assert int(answer.headers["retry-after"]) > 0
    # Nothing else is closed to it.
    assert client.get("/v1/readings").status_code == 200
    for _ in range(10):
        client.get("/v1/admin/log", headers=AUTHORIZED)
    assert "guessing" in [alert["name"] for alert in client.get("/healthz").json()["alerts"]]


def test_release__quarantined_reading__received_and_in_the_log(client: TestClient, village: Village) -> None:
    digest = quarantined(client, village)
    listed = client.get("/v1/admin/readings", headers=AUTHORIZED).json()["readings"]
    assert [one["digest"] for one in listed] == [digest]
    answer = client.post(f"/v1/admin/readings/{digest}/release", json={"note": "new panels"}, headers=AUTHORIZED)
    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (200, "received", None)
    [entry] = log(client)
    assert (entry["act"], entry["subject"]) == ("release-reading", digest)
    assert entry["detail"] == {
        "meter": ADA.meter,
        "from": "quarantined",
        "reason": "jump",
        "note": "new panels",
        "client": "testclient",
    }


def test_release__then_the_next_reading__judged_by_the_released_one(client: TestClient, village: Village) -> None:
    digest = quarantined(client, village)
    first = client.get(f"/v1/readings/{digest}").json()["first_window"]
    client.post(f"/v1/admin/readings/{digest}/release", json={"note": "seen"}, headers=AUTHORIZED)
    assert post(client, reading(village, ADA, first + 1, 9_000, 9_100))[0]["status"] == "received"


def test_release__twice__409_and_once_in_the_log(client: TestClient, village: Village) -> None:
    path = f"/v1/admin/readings/{quarantined(client, village)}/release"
    answers = [client.post(path, json={"note": "seen"}, headers=AUTHORIZED) for _ in range(2)]
    assert answers[0].status_code == 200
    is_problem(answers[1], 409, "not-releasable")
    assert len(log(client)) == 1


def test_release__unknown__404(client: TestClient) -> None:
    path = f"/v1/admin/readings/0x{'12' * 32}/release"
    is_problem(client.post(path, json={"note": "seen"}, headers=AUTHORIZED), 404, "unknown-reading")
    assert log(client) == []


def test_release__log_can_not_be_written__nothing_is_released(
    client: TestClient, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = quarantined(client, village)

    def fail(*_: Any) -> None:
        raise SQLAlchemyError("the disk is full")

    monkeypatch.setattr(administration, "_log", fail)
    answer = client.post(f"/v1/admin/readings/{digest}/release", json={"note": "seen"}, headers=AUTHORIZED)
    is_problem(answer, 503, "database-unavailable")
    assert client.get(f"/v1/readings/{digest}").json()["status"] == "quarantined"


def test_command__given__reaches_the_meter_and_is_in_the_log(client: TestClient) -> None:
    path = f"/v1/admin/meters/{ADA.meter}/commands"
    body = {"kind": "resend", "first_window": 3, "last_window": 5}
    answers = [client.post(path, json=body, headers=AUTHORIZED) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    [command] = Meter(client).commands()
    assert {answer.json()["id"] for answer in answers} == {command["id"]}
    assert [(entry["act"], entry["subject"], entry["detail"]["kind"]) for entry in log(client)] == [
        ("give-command", ADA.meter, "resend")
    ] * 2


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "explode"},
        {"kind": "ping", "first_window": 1},
        {"kind": "resend"},
        {"kind": "resend", "first_window": 5, "last_window": 3},
        {"kind": "resend", "first_window": True, "last_window": 3},
    ],
)
def test_command__malformed__422_and_not_in_the_log(client: TestClient, body: dict[str, Any]) -> None:
    answer = client.post(f"/v1/admin/meters/{ADA.meter}/commands", json=body, headers=AUTHORIZED)
    is_problem(answer, 422, "malformed-request")
    assert log(client) == []


def test_command__meter_of_nobody__422(client: TestClient) -> None:
    path = f"/v1/admin/meters/{Home('stranger').meter}/commands"
    is_problem(client.post(path, json={"kind": "ping"}, headers=AUTHORIZED), 422, "unknown-meter")

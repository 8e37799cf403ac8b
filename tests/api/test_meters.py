"""Commands to meters: signed requests, waiting, answers."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from api.test_guard import is_problem
from cli.village import ADA, BOLA, Home, Village
from peerwatt.exceptions import BadMeterRequest, MeterRequestExpired
from peerwatt.meter.requests import MAX_AGE_S, request_text, sign_request, verify_request
from peerwatt_bridge.guard.signals import Sign
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.commands import CommandKind


class Meter:
    """A meter that asks for its commands; each request a second later than the one before."""

    def __init__(self, client: TestClient, home: Home = ADA) -> None:
        self.client = client
        self.home = home
        self.time_s = int(time.time())

    def header(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        self.time_s += 1
        return {"Authorization": sign_request(method, path, self.time_s, body, self.home.meter_key)}

    def get(self, after: int = 0, wait: int = 0) -> httpx.Response:
        path = f"/v1/meters/{self.home.meter}/commands?after={after}&wait={wait}"
        return self.client.get(path, headers=self.header("GET", path))

    def commands(self, after: int = 0, wait: int = 0) -> list[dict[str, Any]]:
        answer = self.get(after, wait)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["commands"]
        return found

    def answer(self, number: int, ok: bool = True, detail: str = "done") -> httpx.Response:
        path = f"/v1/meters/{self.home.meter}/commands/{number}/ack"
        body = json.dumps({"ok": ok, "detail": detail}).encode()
        headers = {**self.header("POST", path, body), "Content-Type": "application/json"}
        return self.client.post(path, content=body, headers=headers)


def give(bridge: Bridge, kind: CommandKind = CommandKind.PING, home: Home = ADA, **windows: int) -> int:
    first, last = windows.get("first"), windows.get("last")
    return bridge.administration.give_command(home.meter, kind, first, last, "test")


def test_commands__none__empty(client: TestClient) -> None:
    assert Meter(client).commands() == []


def test_commands__given__listed_until_they_are_answered(bridge: Bridge, client: TestClient) -> None:
    ada = Meter(client)
    ping, resend = give(bridge), give(bridge, CommandKind.RESEND, first=7, last=9)
    give(bridge, home=BOLA)
    assert [(one["id"], one["kind"], one["first_window"], one["last_window"]) for one in ada.commands()] == [
        (ping, "ping", None, None),
        (resend, "resend", 7, 9),
    ]
    assert [one["id"] for one in ada.commands(after=ping)] == [resend]
    assert ada.answer(ping).status_code == 204
    assert ada.answer(ping, ok=False).status_code == 204
    assert [one["id"] for one in ada.commands()] == [resend]


def test_commands__given_while_it_waits__answered_then(bridge: Bridge, client: TestClient) -> None:
    found: list[list[dict[str, Any]]] = []
    waiter = threading.Thread(target=lambda: found.append(Meter(client).commands(wait=25)), daemon=True)
    waiter.start()
    give(bridge)
    waiter.join(20)
    assert [[one["kind"] for one in commands] for commands in found] == [["ping"]]


def test_commands__nothing_within_the_time__empty(client: TestClient) -> None:
    began_s = time.monotonic()
    assert Meter(client).commands(wait=1) == []
    assert time.monotonic() - began_s >= 1


def test_acknowledge__command_of_another_meter__404(bridge: Bridge, client: TestClient) -> None:
    number = give(bridge, home=BOLA)
    is_problem(Meter(client).answer(number), 404, "unknown-command")
    assert [one["id"] for one in Meter(client, BOLA).commands()] == [number]


def test_commands__same_request_again__401_and_counted(bridge: Bridge, client: TestClient) -> None:
    path = f"/v1/meters/{ADA.meter}/commands"
    headers = Meter(client).header("GET", path)
    assert client.get(path, headers=headers).status_code == 200
    is_problem(client.get(path, headers=headers), 401, "meter-request-replayed")
    # Written otherwise it is the same request.
    upper = {"Authorization": headers["Authorization"][:-130] + headers["Authorization"][-130:].upper()}
    is_problem(client.get(path, headers=upper), 401, "meter-request-replayed")
    assert bridge.defences.metrics.signs.labels("replay")._value.get() == 2


@pytest.mark.parametrize("off_s", [MAX_AGE_S + 60, -MAX_AGE_S - 60])
def test_commands__old_or_early__401(client: TestClient, off_s: int) -> None:
    ada = Meter(client)
    ada.time_s += off_s
    answer = ada.get()
    is_problem(answer, 401, "meter-request-expired")
    assert answer.headers["www-authenticate"] == "Meter"


@pytest.mark.parametrize("header", ["", "Meter", "Bearer x", "Meter address=0x12,time=1,signature=0x12", "é" * 9])
def test_commands__no_credentials__401(client: TestClient, header: str) -> None:
    path = f"/v1/meters/{ADA.meter}/commands"
    is_problem(client.get(path, headers={"Authorization": header.encode()}), 401, "bad-meter-request")


def test_commands__signed_for_something_else__401_and_counted(bridge: Bridge, client: TestClient) -> None:
    path = f"/v1/meters/{ADA.meter}/commands"
    other = f"/v1/meters/{BOLA.meter}/commands"
    for signed, asked in (((path + "?after=1"), path), (path, path + "?after=1"), (path, other)):
        is_problem(client.get(asked, headers=Meter(client).header("GET", signed)), 401, "bad-meter-request")
    # The last one was signed well, for another path.
    is_problem(client.get(other, headers=Meter(client).header("GET", other)), 401, "bad-meter-request")
    assert bridge.defences.metrics.signs.labels(Sign.GUESSING.value)._value.get() == 3


def test_commands__meter_that_is_none__422(client: TestClient) -> None:
    is_problem(client.get("/v1/meters/0x12/commands", headers={"Authorization": "Meter x"}), 422, "malformed-request")


def test_request_text__example__as_documented() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    expected = f"peerwatt meter request\nGET /v1/meters/0x/commands?after=0\n17\n{empty}"
    assert request_text("get", "/v1/meters/0x/commands?after=0", 17, b"") == expected


def test_verify_request__own_signature__its_meter_and_time(village: Village) -> None:
    header = sign_request("POST", "/a", 1_000, b"x", ADA.meter_key)
    assert verify_request(header, "POST", "/a", b"x", 1_000 + MAX_AGE_S).meter == ADA.meter
    for method, path, body in (("GET", "/a", b"x"), ("POST", "/b", b"x"), ("POST", "/a", b"y")):
        with pytest.raises(BadMeterRequest):
            verify_request(header, method, path, body, 1_000)
    with pytest.raises(MeterRequestExpired):
        verify_request(header, "POST", "/a", b"x", 1_001 + MAX_AGE_S)

"""What stands between strangers and the bridge: rate, size, headers, origins, strict JSON, quotas."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from api.fixtures import bridge_at, client_of, reading, sqlite_url
from api.test_readings import ended, post
from cli.village import ADA, BOLA, Village
from peerwatt_bridge.guard.bodies import MAX_NESTING, read_json
from peerwatt_bridge.guard.limits import Buckets, Lockouts, Seen
from peerwatt_bridge.guard.limits import client_of as client_name
from peerwatt_bridge.guard.middleware import Limits
from peerwatt_bridge.guard.quotas import DAY_S, Quotas
from peerwatt_bridge.guard.signals import THRESHOLDS, WINDOW_S, Sign, Signals
from peerwatt_bridge.problems import Problem
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.settings import Settings

HEADERS = ("x-content-type-options", "content-security-policy", "referrer-policy", "cache-control", "x-frame-options")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def small(village: Village, tmp_path: Path) -> Iterator[TestClient]:
    """A bridge with small limits."""
    limits = {"requests_per_minute": 8, "max_body_bytes": 2048, "items_per_home_per_day": 2}
    with bridge_at(village, sqlite_url(tmp_path), **limits) as made, client_of(made) as client:
        yield client


def is_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"https://peerwatt.org/problems/{slug}"
    assert body["status"] == status and body["title"] and ";" in body["detail"]
    assert [name for name in HEADERS if name not in answer.headers] == []


# Over HTTP


def test_request__above_the_rate__429_with_retry_after(small: TestClient) -> None:
    answers = [small.get("/v1/readings") for _ in range(9)]
    assert [answer.status_code for answer in answers[:8]] == [200] * 8
    is_problem(answers[8], 429, "rate-limited")
    assert 1 <= int(answers[8].headers["retry-after"]) <= 8


@pytest.mark.parametrize("declared", [True, False])
def test_body__too_large__413_declared_or_streamed(small: TestClient, declared: bool) -> None:
    body = b" " * 2049
    content: Any = body if declared else iter([body[:1000], body[1000:]])
    answer = small.post("/v1/readings", content=content, headers={"Content-Type": "application/json"})
    is_problem(answer, 413, "too-large")
    assert answer.json()["most_bytes"] == 2048


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/readings/0x12", "/v1/readings", "/healthz", "/openapi.json"])
def test_answers__all__have_security_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert [name for name in HEADERS if name not in answer.headers] == []
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_answers__unforeseen_error__problem_with_headers(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(bridge.records, "list_readings", fail)
    # Printed for people it would take seconds.
    with capture_logs() as lines, client_of(bridge) as client:
        client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
        answer = client.get("/v1/readings")
    is_problem(answer, 500, "unforeseen")
    assert "secret" not in answer.text
    assert [line["error"] for line in lines if line["event"] == "unforeseen"] == [
        "ZeroDivisionError: a secret of the inside"
    ]


def test_cors__no_origins_set__none_allowed(client: TestClient) -> None:
    answer = client.get("/v1/readings", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_cors__origin_of_the_settings__it_alone_is_allowed(village: Village, tmp_path: Path) -> None:
    origins = {"allowed_origins": "https://home.example, https://two.example/", "requests_per_minute": 1}
    with bridge_at(village, sqlite_url(tmp_path), **origins) as bridge, client_of(bridge) as client:
        preflight = {"Origin": "https://two.example", "Access-Control-Request-Method": "POST"}
        asked = client.options("/v1/readings", headers=preflight)
        answers = [client.get("/v1/readings", headers={"Origin": "https://two.example"}) for _ in range(2)]
        other = client.get("/v1/readings", headers={"Origin": "https://evil.example"})
    assert asked.headers["access-control-allow-origin"] == "https://two.example"
    assert "x-content-type-options" in asked.headers
    # A page may read that it asked too often.
    assert [answer.status_code for answer in answers] == [200, 429]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"https://two.example"}
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe{",
        b"{",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": 1e999}',
        b'"\\ud800"',
        b"[" * (MAX_NESTING + 2) + b"]" * (MAX_NESTING + 2),
        b"[" * 100_000,
        b'["]",' * 50_000,
        b"1" * 5_000,
        b'{"a":' * 5_000,
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_body__undecodable_or_ambiguous__400(client: TestClient, body: bytes) -> None:
    for path in ("/v1/readings", "/v1/orders"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        is_problem(answer, 400, "undecodable-body")


def test_quota__single_reading_above_it__429(small: TestClient, village: Village) -> None:
    first = ended(village)
    for place in range(2):
        assert post(small, reading(village, ADA, first + place, 0, 0))[0]["status"] == "received"
    answer = small.post("/v1/readings", json=reading(village, ADA, first + 2, 0, 0))
    is_problem(answer, 429, "quota-used")
    assert answer.json()["account"] == ADA.account
    assert 0 < int(answer.headers["retry-after"]) <= DAY_S


def test_quota__one_home_of_several__its_readings_alone_are_refused(small: TestClient, village: Village) -> None:
    first = ended(village)
    sent = [reading(village, ADA, first, 0, 0), reading(village, ADA, first, 0, 0)]
    assert [one["duplicate"] for one in post(small, *sent)] == [False, True]
    # The first one's copy cost nothing.
    results = post(
        small,
        reading(village, ADA, first + 1, 0, 0),
        reading(village, ADA, first + 2, 0, 0),
        reading(village, BOLA, first, 0, 0),
    )
    assert [(one["status"], one["reason"]) for one in results] == [
        ("received", None),
        ("refused", "quota-used"),
        ("received", None),
    ]
    kept = small.get("/v1/readings", params={"meter": ADA.meter}).json()["readings"]
    assert len(kept) == 2


def test_quota__forged_readings__cost_the_home_nothing(small: TestClient, village: Village) -> None:
    first = ended(village)
    post(small, reading(village, ADA, first, 0, 0))
    forged = [reading(village, ADA, first + place, 0, 0, key=BOLA.meter_key) for place in range(3)]
    for one in forged:
        assert small.post("/v1/readings", json=one).json()["type"].endswith("/bad-signature")
    assert post(small, reading(village, ADA, first + 1, 0, 0))[0]["status"] == "received"


# Alone


def test_buckets__time_passes__tokens_come_back() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    assert buckets.take("b") == 0.0
    clock.now_s += 1
    assert (buckets.take("a"), buckets.take("a") > 0) == (0.0, True)


def test_buckets__many_clients__memory_has_a_bound() -> None:
    buckets = Buckets(60, Clock(), max_clients=100)
    for number in range(1_000):
        buckets.take(str(number))
    assert len(buckets) == 100


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_client__of_an_address__one_network_counts_together(one: str, other: str, same: bool) -> None:
    assert (client_name(one) == client_name(other)) is same


def test_lockouts__enough_failures__locked_for_a_while() -> None:
    clock = Clock()
    lockouts = Lockouts(3, 60, clock)
    for _ in range(2):
        lockouts.note_failure("a")
    assert lockouts.left_s("a") == 0
    lockouts.note_failure("a")
    assert (lockouts.left_s("a"), lockouts.left_s("b")) == (60, 0)
    clock.now_s += 61
    assert lockouts.left_s("a") == 0
    lockouts.note_failure("a")
    assert lockouts.left_s("a") == 0


def test_seen__again_within_the_time__false() -> None:
    clock = Clock()
    seen = Seen(10, clock, most=3)
    assert (seen.add(b"a"), seen.add(b"a")) == (True, False)
    clock.now_s += 11
    assert seen.add(b"a")
    assert [seen.add(bytes([number])) for number in range(5)] == [True] * 5
    assert len(seen._seen) <= 3


def test_quotas__next_day__begins_anew() -> None:
    clock = Clock()
    quotas = Quotas(2, clock)
    quotas.use("a", 2)
    with pytest.raises(Problem) as caught:
        quotas.check("a")
    clock.now_s += int(caught.value.headers["Retry-After"])
    quotas.check("a")


def test_signals__above_the_threshold__alert_until_it_is_over() -> None:
    clock = Clock()
    signals = Signals(clock)
    signals.note(Sign.GUESSING, THRESHOLDS[Sign.GUESSING] - 1)
    assert signals.alerts() == []
    signals.note(Sign.GUESSING)
    assert [alert.name for alert in signals.alerts()] == ["guessing"]
    clock.now_s += WINDOW_S + 20
    assert signals.alerts() == []


def test_signals__replays_beside_as_much_that_is_new__no_alert() -> None:
    signals = Signals(Clock())
    signals.note_taken(THRESHOLDS[Sign.REPLAY])
    signals.note(Sign.REPLAY, THRESHOLDS[Sign.REPLAY])
    assert signals.alerts() == []
    signals.note(Sign.REPLAY)
    assert [alert.name for alert in signals.alerts()] == ["replay"]


def test_read_json__good__as_json_reads_it() -> None:
    value = {"a": [1, 2.5, "\U0001f50c", None, True], "b": {"a": "\\u0041"}}
    assert read_json(json.dumps(value).encode()) == value
    deep: Any = "x"
    for _ in range(MAX_NESTING):
        deep = [deep]
    many = [deep, {"]": "[" * 1_000, "\\": '"[' * 1_000}, *([{"a": []}] * 1_000)][: MAX_NESTING * 40]
    assert read_json(json.dumps(deep).encode()) == deep
    assert read_json(json.dumps({"a": many[1:]}).encode()) == {"a": many[1:]}


def test_read_json__a_megabyte_of_quotes__read_once() -> None:
    body = b"[" * 40 + b'"' + b'\\"' * 500_000
    began_s = time.perf_counter()
    with pytest.raises(Problem):
        read_json(body)
    # Looking again from each quote would take hours.
    assert time.perf_counter() - began_s < 5


def test_settings__origins_by_commas__split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERWATT_BRIDGE_ALLOWED_ORIGINS", "https://a.example, https://b.example/")
    assert Settings(_env_file=None).allowed_origins == ("https://a.example", "https://b.example")


def run_limits(limits: Limits, messages: list[dict[str, Any]]) -> list[int]:
    """Statuses of one request whose body comes as these messages, and then nothing more."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": ("192.0.2.1", 1)}
    asyncio.run(limits(scope, receive, send))
    return statuses


def limits_of(app: Any, **options: Any) -> Limits:
    return Limits(app, Buckets(100), Signals(), 1_000, **options)


async def answer_204(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    assert len(message["body"]) == 6
    await send({"type": "http.response.start", "status": 204, "headers": []})


def test_limits__body_in_pieces__the_app_gets_it_whole() -> None:
    limits = limits_of(answer_204)
    pieces = [{"type": "http.request", "body": b"abc", "more_body": more} for more in (True, False)]
    assert run_limits(limits, pieces) == [204]
    assert limits._held_bytes == 0


def test_limits__slow_body__408() -> None:
    limits = limits_of(answer_204, timeout_s=0.02)
    assert run_limits(limits, [{"type": "http.request", "body": b"abc", "more_body": True}]) == [408]
    assert limits._held_bytes == 0


def test_limits__more_than_may_be_held__503() -> None:
    limits = limits_of(answer_204, max_held_bytes=5)
    pieces = [{"type": "http.request", "body": b"abc", "more_body": more} for more in (True, False)]
    assert run_limits(limits, pieces) == [503]
    assert limits._held_bytes == 0


def test_limits__client_leaves_within_the_body__nothing_is_held() -> None:
    limits = limits_of(answer_204)
    pieces = [{"type": "http.request", "body": b"abc", "more_body": True}, {"type": "http.disconnect"}]
    assert run_limits(limits, pieces) == []
    assert limits._held_bytes == 0

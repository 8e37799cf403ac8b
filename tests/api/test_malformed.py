"""A campaign of malformed payloads: whatever comes, no answer is a failure of the server, and memory has a bound."""

from __future__ import annotations

import json
import os
import random
import resource
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.fixtures import bridge_at, client_of, reading, sqlite_url
from api.test_readings import ended
from api.test_relaying import order, signed
from cli.village import ADA, BOLA, Village
from peerwatt.signing import SELL, Cancel, Rating, Withdrawal
from peerwatt_bridge.problems import MEDIA_TYPE

FUZZ = int(os.environ.get("PEERWATT_FUZZ") or 0)
SIZE = FUZZ or 600
SEED = 20_261_125
# What is kept is on disk, and what is counted has a bound; some bodies are large for a moment.
GROWTH_BYTES = 48 * 1024 * 1024
NASTY: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 2**255, 2**256, -(2**63) - 1, 10**400),
    *(
        0.5,
        -0.0,
        1e308,
        "",
        " ",
        "0",
        "-1",
        "1e3",
        "NaN",
        "0x",
        "0x0",
        "0x" + "00" * 65,
        "0x" + "ff" * 65,
        "0x" + "g" * 40,
    ),
    *("\x00", "\ud800", "\U0001f50c", "é", "½", "\u202e", "a" * 5_000, "0x" + "ab" * 20, "0x" + "00" * 20, "1" * 400),
    *("__proto__", "constructor", "' OR 1=1 --", "{{7*7}}", "../../etc/passwd", "%00", "\r\nX: y"),
    *([], {}, [[]], {"": {}}, [None] * 600, {"a": {"a": {"a": {}}}}),
]
TYPES = ["application/json"] * 12 + [
    "text/plain",
    "application/cbor",
    "application/problem+json",
    "",
    "multipart/form-data",
]


class Mutator:
    """Makes bodies that are almost right; a few are right."""

    def __init__(self, chance: random.Random, good: dict[str, list[Any]]) -> None:
        self.chance = chance
        self.good = good

    def request(self) -> tuple[str, bytes, str]:
        """Path, body, and media type."""
        path = self.chance.choice(list(self.good))
        body = json.loads(json.dumps(self.chance.choice(self.good[path])))
        for _ in range(self.chance.choice((0, 1, 1, 1, 1, 2, 3))):
            body = self.change(body)
        raw = json.dumps(body).encode()
        if self.chance.random() < 0.4:
            raw = self.damage(raw)
        return path, raw, self.chance.choice(TYPES)

    def change(self, value: Any) -> Any:
        """The value with something in it changed, or something else in its place."""
        chance = self.chance
        if isinstance(value, dict) and value and chance.random() < 0.9:
            name = chance.choice(list(value))
            return chance.choice(
                (
                    lambda: {**value, name: self.change(value[name])},
                    lambda: {**value, name: chance.choice(NASTY)},
                    lambda: {other: value[other] for other in value if other != name},
                    lambda: {**value, str(chance.choice(NASTY))[:60]: chance.choice(NASTY)},
                )
            )()
        if isinstance(value, list) and value and chance.random() < 0.9:
            place = chance.randrange(len(value))
            return chance.choice(
                (
                    lambda: [*value[:place], self.change(value[place]), *value[place + 1 :]],
                    lambda: [*value[:place], *value[place + 1 :]],
                    lambda: value * chance.choice((2, 30)),
                    lambda: [*value, chance.choice(NASTY)],
                )
            )()
        if isinstance(value, str) and value and chance.random() < 0.7:
            place = chance.randrange(len(value))
            return value[:place] + chance.choice(("", "0", "f", "Z", ".", "\x00", "é")) + value[place + 1 :]
        if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.7:
            return chance.choice(
                (value + 1, value - 1, -value, value * 10**9, str(value), value % 2**60 / 3, value * 2**200)
            )
        return chance.choice(NASTY)

    def damage(self, raw: bytes) -> bytes:
        """Bytes that may be no JSON any more."""
        chance, place = self.chance, self.chance.randrange(len(raw) + 1)
        ways: tuple[Callable[[], bytes], ...] = (
            lambda: raw[:place],
            lambda: raw[:place] + chance.randbytes(3) + raw[place:],
            lambda: (
                raw[:place] + chance.choice((b"NaN", b"[" * 40, b"{", b"}", b"\\", b'"', b"\xff\xfe", b"\xed\xa0\x80"))
            ),
            lambda: raw + raw,
            lambda: b"\xef\xbb\xbf" + raw,
            lambda: raw.decode().encode("utf-16"),
            lambda: b"[" * chance.choice((10, 40, 2_000)) + raw,
            lambda: raw.replace(b"{", b'{"message":1,', 1),
            lambda: chance.randbytes(chance.choice((1, 30, 3_000))),
            lambda: b"",
        )
        return chance.choice(ways)()


def good_bodies(village: Village) -> dict[str, list[Any]]:
    """What each path takes."""
    first, deadline = ended(village), village.chain.time_s + 600
    ada = [reading(village, ADA, first + place, place, place + 1) for place in range(3)]
    return {
        "/v1/readings": [ada[0], {"readings": ada}, {"readings": [ada[1], reading(village, BOLA, first, 0, 0)]}],
        "/v1/orders": [signed(village, ADA, order(village, ADA, SELL, "80 NGN/kWh"))],
        "/v1/cancels": [signed(village, ADA, Cancel(ADA.account, 1, 0, deadline))],
        "/v1/withdrawals": [signed(village, ADA, Withdrawal(ADA.account, ADA.account, 1, 0, deadline))],
        "/v1/ratings": [signed(village, ADA, Rating(ADA.account, True, 0, deadline))],
        "/v1/typed-data/order": [{"account": ADA.account, "side": "sell", "energy_wh": 100, "limit_level": 9}],
        "/v1/typed-data/withdrawal": [{"account": ADA.account, "amount": "1000"}],
        f"/v1/admin/meters/{ADA.meter}/commands": [{"kind": "resend", "first_window": 1, "last_window": 2}],
        f"/v1/admin/readings/0x{'12' * 32}/release": [{"note": "seen"}],
    }


def send(client: TestClient, mutator: Mutator, count: int) -> Counter[int]:
    """Sends so many; the statuses."""
    answered: Counter[int] = Counter()
    for _ in range(count):
        path, body, media_type = mutator.request()
        headers = {"Authorization": "Bearer fuzz", **({"Content-Type": media_type} if media_type else {})}
        answer = client.post(path, content=body, headers=headers)
        answered[answer.status_code] += 1
        assert answer.status_code < 500, (path, media_type, body[:2_000], answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == MEDIA_TYPE, (path, body[:2_000])
            assert {"type", "title", "status", "detail"} <= set(answer.json())
            assert len(answer.content) < 20_000
    return answered


def peak_bytes() -> int:
    """The most memory that this process ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@pytest.mark.fuzz
def test_malformed__many_payloads__no_failure_and_bounded_memory(village: Village, tmp_path: Path) -> None:
    limits = {"admin_token": "fuzz", "requests_per_minute": 10**9, "items_per_home_per_day": 10**9}
    mutator = Mutator(random.Random(SEED), good_bodies(village))
    with bridge_at(village, sqlite_url(tmp_path), **limits) as bridge, client_of(bridge) as client:
        # What is made once (caches, statements) is made before it is measured.
        warm = send(client, mutator, min(SIZE // 3, 2_000))
        before = peak_bytes()
        total = warm + send(client, mutator, SIZE - warm.total())
        growth = peak_bytes() - before
    print(f"\n{total.total()} payloads: {dict(sorted(total.items()))}, peak memory grew by {growth / 2**20:.1f} MiB")
    assert growth < GROWTH_BYTES
    # Both sides of the border were met.
    assert total[202] > 0 and total[400] > 0 and total[422] > 0

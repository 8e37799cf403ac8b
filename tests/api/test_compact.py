"""`/v1/readings` as CBOR: the same readings, the same answers, fewer bytes."""

from __future__ import annotations

import json
from typing import Any

import cbor2
import pytest
from fastapi.testclient import TestClient

from api.fixtures import reading
from api.test_readings import ended
from cli.village import ADA, BOLA, CHIDI, Village
from peerwatt.meter.submission import SignedReport
from peerwatt.signing import EXPORTS, IMPORTS, Report, sign
from peerwatt_bridge.routes.compact import MEDIA_TYPE, decode, encode
from peerwatt_bridge.services.bridge import Bridge

HEADERS = {"Content-Type": MEDIA_TYPE}


def report(village: Village, first: int, *values_wh: int, side: int = EXPORTS) -> SignedReport:
    made = Report(ADA.meter, side, first, values_wh)
    return SignedReport(made, sign(made, village.domain, ADA.meter_key))


def test_post__cbor__kept_as_the_json_of_it(client: TestClient, village: Village) -> None:
    first = ended(village)
    signed = [report(village, first, 0, 800, 900), report(village, first, 0, 10, side=IMPORTS)]
    answer = client.post("/v1/readings", content=encode(signed), headers=HEADERS)
    assert answer.status_code == 202, answer.text
    results = answer.json()["results"]
    assert [(result["status"], result["duplicate"]) for result in results] == [("received", False)] * 2
    again = client.post("/v1/readings", json=reading(village, ADA, first, 0, 800, 900))
    assert again.json()["results"] == [{**results[0], "duplicate": True}]


def test_post__cbor_signed_by_another_meter__refused_the_other_kept(client: TestClient, village: Village) -> None:
    first = ended(village)
    good = report(village, first, 0, 800)
    forged = SignedReport(good.report, sign(good.report, village.domain, BOLA.meter_key))
    results = client.post("/v1/readings", content=encode([forged, good]), headers=HEADERS).json()["results"]
    assert [result["status"] for result in results] == ["refused", "received"]


def test_encode__reports__decode_gives_them_back_in_half_the_bytes(village: Village) -> None:
    first = village.window
    bodies = [reading(village, home, first, 1_234_000, 1_234_800) for home in (ADA, BOLA, CHIDI)]
    signed = [report(village, first, 1_234_000, 1_234_800)] * 3
    assert decode(encode(signed)) == signed
    plain = json.dumps({"readings": bodies}, separators=(",", ":")).encode()
    assert len(encode(signed)) < len(plain) * 54 // 100


GOOD: list[Any] = [b"\1" * 20, 1, 2, 3, [4], b"\2" * 64]


@pytest.mark.parametrize(
    ("body", "fact"),
    [
        (b"", "no CBOR"),
        (b"\xff", "no array of readings"),
        (cbor2.dumps([GOOD])[:-1], "no CBOR"),
        (cbor2.dumps([GOOD]) + b"\0", "after its end"),
        (cbor2.dumps({}), "no array of readings"),
        (cbor2.dumps([]), "no array of readings"),
        (cbor2.dumps([GOOD, [1]]), "reading 1: a reading is an array of 6"),
        (cbor2.dumps([[b"\1" * 19, *GOOD[1:]]]), "meter is no byte string of 20"),
        (cbor2.dumps([[*GOOD[:5], b"\2" * 65]]), "signature is no byte string of 64"),
        (cbor2.dumps([[*GOOD[:4], [-1], GOOD[5]]]), "integers from 0"),
        (cbor2.dumps([[*GOOD[:4], [True], GOOD[5]]]), "integers from 0"),
        (cbor2.dumps([[*GOOD[:3], 2.5, *GOOD[4:]]]), "integers from 0"),
        (cbor2.dumps([[*GOOD[:4], [1] * 256, GOOD[5]]]), "at most 255"),
        (cbor2.dumps([[*GOOD[:2], 2**32, *GOOD[3:]]]), "reading 0"),
        (cbor2.dumps([[GOOD[0], 2, *GOOD[2:]]]), "reading 0"),
        (b"\x81" * 5000 + b"\0", "no CBOR"),
        (cbor2.dumps([[*GOOD[:3], 2**80, *GOOD[4:]]]), "reading 0"),
    ],
)
def test_post__malformed_cbor__problem_nothing_kept(client: TestClient, bridge: Bridge, body: bytes, fact: str) -> None:
    answer = client.post("/v1/readings", content=body, headers=HEADERS)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (422, "bad-reading"), answer.text
    assert fact in answer.json()["detail"]
    assert bridge.records.list_readings(None, None, 0, 10) == []


def test_post__more_cbor_than_allowed__problem(client: TestClient, bridge: Bridge) -> None:
    bridge.settings.max_readings = 2
    answer = client.post("/v1/readings", content=cbor2.dumps([GOOD] * 3), headers=HEADERS)
    assert (answer.status_code, answer.json()["most"]) == (413, 2)

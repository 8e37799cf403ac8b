"""Readings on arrival: what is taken, what is refused, what is kept apart."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.fixtures import reading
from cli.village import ADA, BOLA, CHIDI, Home, Village
from peerwatt.exceptions import BadAmount
from peerwatt.signing import IMPORTS
from peerwatt_bridge.routes.readings import to_wh
from peerwatt_bridge.storage.packing import pack_registers, unpack_registers


def post(client: TestClient, *readings: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/v1/readings", json={"readings": list(readings)})
    assert answer.status_code == 202, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def ended(village: Village, windows: int = 4) -> int:
    """Goes on, and returns the first of so many windows that are over."""
    first = village.window
    village.travel_to(first + windows, 60)
    return first


def test_post__good_reading__kept_and_found_by_its_digest(client: TestClient, village: Village) -> None:
    first = ended(village)
    sent = reading(village, ADA, first, 0, 800)
    answer = client.post("/v1/readings", json=sent)
    assert answer.status_code == 202
    [result] = answer.json()["results"]
    assert (result["status"], result["duplicate"]) == ("received", False)
    found = client.get(f"/v1/readings/{result['digest']}").json()
    assert (found["meter"], found["registers_wh"], found["register"]) == (ADA.meter, [0, 800], "2.8.0")
    assert found["signature"] == sent["signature"]


def test_post__same_again__duplicate_and_kept_once(client: TestClient, village: Village) -> None:
    sent = reading(village, ADA, ended(village), 0, 800)
    first, again = post(client, sent)[0], post(client, sent)[0]
    assert again == {**first, "duplicate": True}
    assert len(client.get("/v1/readings").json()["readings"]) == 1


def test_post__twice_in_one_call__second_is_duplicate(client: TestClient, village: Village) -> None:
    sent = reading(village, ADA, ended(village), 0, 800)
    assert [result["duplicate"] for result in post(client, sent, sent)] == [False, True]


def test_post__signed_by_another_key__refused_and_not_kept(client: TestClient, village: Village) -> None:
    sent = reading(village, ADA, ended(village), 0, 800, key=BOLA.meter_key)
    answer = client.post("/v1/readings", json=sent)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/bad-signature")
    assert client.get("/v1/readings").json()["readings"] == []


def test_post__changed_register__refused(client: TestClient, village: Village) -> None:
    sent = reading(village, ADA, ended(village), 0, 800)
    sent["values"][1] = "0.801"
    assert post(client, sent)[0]["reason"] == "bad-signature"


def test_post__meter_of_nobody__refused(client: TestClient, village: Village) -> None:
    sent = reading(village, Home("stranger"), ended(village), 0, 800)
    assert post(client, sent)[0]["reason"] == "unknown-meter"


def test_post__one_bad_among_good__each_has_its_own_result(client: TestClient, village: Village) -> None:
    first = ended(village)
    results = post(
        client,
        reading(village, ADA, first, 0, 800),
        reading(village, BOLA, first, 0, 10, key=ADA.meter_key),
        reading(village, CHIDI, first, 0, 300, side=IMPORTS),
    )
    assert [result["status"] for result in results] == ["received", "refused", "received"]


def test_post__register_falls__quarantined_and_shown(client: TestClient, village: Village) -> None:
    first = ended(village)
    post(client, reading(village, ADA, first, 0, 800))
    [result] = post(client, reading(village, ADA, first + 2, 700, 900))
    assert (result["status"], result["reason"]) == ("quarantined", "register-falls")
    assert "800 Wh" in result["detail"] and "700 Wh" in result["detail"]
    shown = client.get("/v1/readings", params={"status": "quarantined"}).json()["readings"]
    assert [one["digest"] for one in shown] == [result["digest"]]


def test_post__after_a_quarantined_one__judged_by_the_good_one(client: TestClient, village: Village) -> None:
    first = ended(village, 6)
    results = post(
        client,
        reading(village, ADA, first, 0, 800),
        reading(village, ADA, first + 2, 700, 750),
        reading(village, ADA, first + 4, 900, 950),
    )
    assert [result["status"] for result in results] == ["received", "quarantined", "received"]


def test_post__earlier_window_later__compared_with_its_neighbours(client: TestClient, village: Village) -> None:
    first = ended(village)
    late = [reading(village, ADA, first, 0, 100), reading(village, ADA, first + 3, 900, 950)]
    assert [result["status"] for result in post(client, *late)] == ["received", "received"]
    [between, above] = post(
        client, reading(village, ADA, first + 1, 100, 300), reading(village, ADA, first + 2, 300, 1000)
    )
    assert between["status"] == "received"
    assert (above["status"], above["reason"]) == ("quarantined", "equivocation")


def test_post__end_above_the_next_opening__quarantined(client: TestClient, village: Village) -> None:
    first = ended(village, 5)
    post(client, reading(village, ADA, first + 3, 900, 950))
    [result] = post(client, reading(village, ADA, first + 1, 100, 901))
    assert (result["status"], result["reason"]) == ("quarantined", "register-falls")


def test_post__window_still_running__clock_is_off(client: TestClient, village: Village) -> None:
    running = village.window
    [result] = post(client, reading(village, ADA, running, 0, 800))
    assert (result["status"], result["reason"]) == ("quarantined", "clock-off")


@pytest.mark.parametrize("values_wh", [(0, 6_001), (6_001, 6_002)])
def test_post__more_than_the_connection_carries__jump(
    client: TestClient, village: Village, values_wh: tuple[int, int]
) -> None:
    first = village.window
    village.travel_to(first + 3, 60)
    # The market read 0 Wh at enrolment, one window before; the limit is 5 kWh, and a fifth is no jump yet.
    [result] = post(client, reading(village, ADA, first + (values_wh[0] > 0), *values_wh))
    assert (
        (result["status"], result["reason"]) == ("quarantined", "jump")
        if values_wh[0] == 0
        else (
            "received",
            None,
        )
    )


def test_post__two_registers_for_one_moment__both_kept_as_evidence(client: TestClient, village: Village) -> None:
    first = ended(village)
    [one] = post(client, reading(village, ADA, first, 0, 800))
    [two] = post(client, reading(village, ADA, first, 0, 900))
    assert (two["status"], two["reason"]) == ("quarantined", "equivocation")
    kept = {record["digest"]: record for record in client.get("/v1/readings").json()["readings"]}
    assert {kept[one["digest"]]["reason"], kept[two["digest"]]["reason"]} == {"equivocation"}
    [case] = client.get("/v1/equivocations").json()["equivocations"]
    assert {case["first"]["digest"], case["second"]["digest"]} == {one["digest"], two["digest"]}
    assert (case["first_wh"], case["second_wh"]) == (800, 900)


def test_post__overlap_that_agrees__no_equivocation(client: TestClient, village: Village) -> None:
    first = ended(village)
    results = post(client, reading(village, ADA, first, 0, 800), reading(village, ADA, first, 0, 800, 1600))
    assert [result["status"] for result in results] == ["received", "received"]
    assert client.get("/v1/equivocations").json()["equivocations"] == []


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        ({"unit": "MWh"}, "malformed-request"),
        ({"register": "1.7.0"}, "malformed-request"),
        ({"values": []}, "malformed-request"),
        ({"values": ["-1", "2"]}, "bad-reading"),
        ({"values": ["0.0001", "2"]}, "bad-reading"),
        ({"values": ["2", "1"]}, "bad-reading"),
        ({"values": [1, 2]}, "malformed-request"),
        ({"first_window": -1}, "malformed-request"),
        ({"first_window": "7"}, "malformed-request"),
        ({"meter": "0x12"}, "bad-reading"),
        ({"signature": "0x12"}, "malformed-signature"),
        ({"surprise": 1}, "malformed-request"),
    ],
)
def test_post__malformed__problem_and_nothing_kept(
    client: TestClient, village: Village, change: dict[str, Any], slug: str
) -> None:
    answer = client.post("/v1/readings", json={**reading(village, ADA, ended(village), 0, 800), **change})
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"].endswith("/" + slug), answer.text
    assert client.get("/v1/readings").json()["readings"] == []


@pytest.mark.parametrize(
    ("text", "unit", "wh"), [("20.950", "kWh", 20_950), ("20.95", "kWh", 20_950), ("7", "Wh", 7), ("007.000", "Wh", 7)]
)
def test_to_wh__decimal_text__exact(text: str, unit: str, wh: int) -> None:
    assert to_wh(text, unit) == wh


@pytest.mark.parametrize("text", ["", ".5", "1e3", "1,5", "½", "1.", "+1", "0x10", " 1", "1.5"])
def test_to_wh__anything_else__refused(text: str) -> None:
    with pytest.raises(BadAmount):
        to_wh(text, "Wh")


@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=30))
def test_pack_registers__any__unpacks_to_the_same(growths_wh: list[int]) -> None:
    registers = [sum(growths_wh[: end + 1]) for end in range(len(growths_wh))]
    assert unpack_registers(pack_registers(registers)) == tuple(registers)

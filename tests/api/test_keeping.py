"""The bridge as a keeper, beside its relayer, and beside another bridge."""

from __future__ import annotations

from pathlib import Path

from fastapi.testclient import TestClient

from api.fixtures import RELAYER, bridge_at, reading, sqlite_url
from api.test_readings import post
from api.test_relaying import rounds, status
from cli.village import ADA, BOLA, Village
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.keeping import Keeping


def keeping_of(bridge: Bridge) -> Keeping:
    assert bridge.outbox is not None
    return Keeping(bridge.chain, bridge.outbox, bridge.leases)


def sold(village: Village) -> int:
    """Ada sold to Bola in a window that is over; nobody cleared it."""
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "80 NGN/kWh")
    village.bid(BOLA, window, window, "1 kWh", "150 NGN/kWh")
    village.travel_to(window + 1, 60)
    return window


def test_round__window_is_over__cleared_buyer_settled_and_reading_paid(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    window = sold(village)
    [result] = post(client, reading(village, ADA, window, 0, 1000))
    keeping_of(bridge).round()
    assert village.gateway.book_state().cleared >= window
    assert village.gateway.calendar(BOLA.account).open_windows == 0
    rounds(bridge, 3)
    assert status(client, result["digest"]) == "final"


def test_round__two_bridges_on_one_database__one_keeps(bridge: Bridge, village: Village, tmp_path: Path) -> None:
    sold(village)
    with bridge_at(village, sqlite_url(tmp_path)) as other:
        keeping_of(bridge).round()
        sent = village.w3.eth.get_transaction_count(RELAYER.address)
        assert sent > 0
        keeping_of(other).round()
        assert village.w3.eth.get_transaction_count(RELAYER.address) == sent


def test_round__nothing_to_do__sends_nothing(bridge: Bridge, village: Village) -> None:
    keeping_of(bridge).round()
    assert village.w3.eth.get_transaction_count(RELAYER.address) == 0

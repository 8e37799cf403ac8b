"""What the chain may still take back decides nothing for good, and who waits keeps nobody else waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.fixtures import bridge_at, client_of, reading, sqlite_url
from api.test_readings import post
from api.test_relaying import rounds, status, trade
from cli.village import ADA, BOLA, CHIDI, Village
from peerwatt.signing import BUY, SELL
from peerwatt_bridge.services import report_relay
from peerwatt_bridge.storage.tables import Status, readings


def test_round__clearing_not_final__nothing_is_held_yet(village: Village, tmp_path: Path) -> None:
    with bridge_at(village, sqlite_url(tmp_path), confirmations=2) as bridge, client_of(bridge) as client:
        window = trade(village)
        [result] = post(client, reading(village, ADA, window - 1, 0, 0))
        rounds(bridge)
        assert status(client, result["digest"]) == "received"
        village.chain.tester.mine_blocks(2)
        rounds(bridge)
        assert status(client, result["digest"]) == "held"


def test_round__what_was_held_is_wanted_after_all__relayed(village: Village, tmp_path: Path) -> None:
    with bridge_at(village, sqlite_url(tmp_path)) as bridge, client_of(bridge) as client:
        window = village.window + 2
        for home, side, price in ((ADA, SELL, "80 NGN/kWh"), (BOLA, BUY, "150 NGN/kWh")):
            village.order(home, side, window, window + 1, "1 kWh", price)
        village.travel_to(window + 2, 60)
        village.clear()
        [early] = post(client, reading(village, ADA, window, 0, 1000))
        # As if it had been judged on blocks that are gone.
        with bridge.database.writing() as connection:
            connection.execute(readings.update().values(status=int(Status.HELD)))
        [late] = post(client, reading(village, ADA, window + 1, 1000, 2000))
        rounds(bridge, 4)
        assert [status(client, one["digest"]) for one in (early, late)] == ["final", "final"]


def test_round__more_waits_than_a_round_takes__everybody_has_a_turn(
    village: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_relay, "MAX_REPORTS", 1)
    # Nothing is final, so Bola's reading, for which nothing was sold, is looked at again and again.
    with bridge_at(village, sqlite_url(tmp_path), confirmations=500) as bridge, client_of(bridge) as client:
        window = village.window + 2
        for home, side, price in ((CHIDI, BUY, "150 NGN/kWh"), (ADA, SELL, "80 NGN/kWh")):
            village.order(home, side, window, window + 1, "1 kWh", price)
        village.travel_to(window + 2, 60)
        [stuck] = post(client, reading(village, BOLA, window + 1, 0, 0))
        [due] = post(client, reading(village, ADA, window, 0, 1000))
        village.gateway.clear(village.relayer, 255)
        rounds(bridge, 6)
        assert status(client, due["digest"]) == "confirmed"
        assert status(client, stuck["digest"]) == "received"

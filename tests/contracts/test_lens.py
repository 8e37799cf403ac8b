"""MarketLens: every field of every packed word, the book rolled forward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import (
    CONTRACTS,
    FLOOR_PRICE,
    PRICE_STEP,
    Registry,
    Terms,
    address,
    bands,
    key,
    load,
    now,
    now_window,
    pack,
    refused,
    travel_to_window,
)

ALICE, AGENT = key(61), address(62)
METER = key(63)
BIAS = 2**55


@pytest.fixture(scope="module")
def deployed() -> Iterator[tuple[Any, Registry]]:
    with boa.env.anchor():
        made = Registry()
        yield load(CONTRACTS / "MarketLens.vy", made.market.address), made


@pytest.fixture
def registry(deployed: tuple[Any, Registry]) -> Iterator[Registry]:
    with boa.env.anchor():
        yield deployed[1]


@pytest.fixture
def market(registry: Registry) -> Any:
    return registry.market


@pytest.fixture
def lens(deployed: tuple[Any, Registry], registry: Registry) -> Any:
    return deployed[0]


def price(level: int) -> int:
    return FLOOR_PRICE + level * PRICE_STEP


def fields(struct: Any) -> dict[str, Any]:
    return struct._asdict()


def entry(window: int, net_bid: int = 0, net_offer: int = 0, only_bid: int = 0, only_offer: int = 0) -> int:
    return pack(
        (0, net_bid + BIAS), (56, net_offer + BIAS), (112, only_bid), (160, only_offer), (208, window // 256)
    )


def set_entry(market: Any, window: int, level: int, **wh: int) -> None:
    market.poke_entry(window % 256, level, entry(window, **wh))


def book(lens: Any, window: int) -> list[tuple[int, int, int]]:
    rows = lens.book(window)
    assert [row.price_per_wh for row in rows] == [price(row.level) for row in rows]
    return [(row.level, row.bid_wh, row.offer_wh) for row in rows]


def test_parameters__as_deployed(lens: Any, registry: Registry) -> None:
    found = fields(lens.parameters())
    assert found == {
        "token": address(1),
        "registry": registry.contract.address,
        "balancing_account": registry.balancing,
        "network_account": registry.network,
        "window_seconds": 900,
        "lead_seconds": 300,
        "floor_price": FLOOR_PRICE,
        "price_step": PRICE_STEP,
        "report_deadline_seconds": 259_200,
        "max_reading_age_seconds": 86_400,
        "min_order_wh": 50,
        "tolerance_bps": 500,
        "inertia_wh": 20_000,
    }
    assert lens.market() == registry.market.address


def test_wallet__every_field(lens: Any, market: Any) -> None:
    score = 6_249 * 65_536 + 65_535
    market.poke_account(ALICE.address, pack((0, 2**104 - 1), (104, 2**104 - 3), (208, score), (238, 1)), 0)
    assert fields(lens.wallet(ALICE.address)) == {
        "balance": 2**104 - 1,
        "reserved": 2**104 - 3,
        "free": 2,
        "score_points": 6_249,
        "score_fraction": 65_535,
        "band": 9,
        "rated": True,
    }


@pytest.mark.parametrize(
    ("points", "band"), [(0, 0), (624, 0), (625, 1), (9_374, 14), (9_375, 15), (10_000, 15)]
)
def test_wallet__band_of_score(lens: Any, market: Any, points: int, band: int) -> None:
    market.poke_account(ALICE.address, (points * 65_536) << 208, 0)
    assert (lens.wallet(ALICE.address).band, lens.wallet(ALICE.address).rated) == (band, False)


def test_participant__enrolled(lens: Any, registry: Registry) -> None:
    registry.open_classes()
    terms = Terms(2**24 - 1, 5, 2**16 - 1, 2, 3, 3)
    registry.enrol(ALICE, METER, terms=terms, imported=2**48 - 1, exported=7)
    assert fields(lens.participant(ALICE.address)) == {
        "enrolled": True,
        "meter": METER.address,
        "import_limit_wh": 2**24 - 1,
        "export_limit_wh": 5,
        "feeder": 2**16 - 1,
        "status": 2,
        "meter_class": 3,
        "retail_class": 3,
        "exported_wh": 7,
        "exported_window": now_window(),
        "imported_wh": 2**48 - 1,
        "imported_window": now_window(),
        "revoked": False,
        "revoked_window": 0,
        "settled_window": 0,
        "open_windows": 0,
        "next_open_window": 0,
    }


def test_participant__revoked__meter_stays(lens: Any, registry: Registry) -> None:
    registry.open_classes()
    registry.enrol(ALICE, METER)
    registry.contract.revoke(b"\x01" * 32, sender=registry.operator)
    found = lens.participant(ALICE.address)
    assert (found.enrolled, found.revoked, found.revoked_window) == (False, True, now_window())
    assert (found.meter, found.status) == (METER.address, 0)


@pytest.mark.parametrize(
    ("settled", "opened", "cleared", "moved"),
    [
        (100, [], 90, 100),
        (100, [], 150, 150),
        (100, [101], 150, 100),
        (100, [120, 121, 324], 110, 110),
        (100, [120, 121, 324], 119, 119),
        (100, [120, 121, 324], 150, 119),
        (100, [324], 50, 100),
    ],
)
def test_participant__pointer_moves_up(
    lens: Any, market: Any, settled: int, opened: list[int], cleared: int, moved: int
) -> None:
    windows = sum(1 << (window - settled - 1) for window in opened)
    market.poke_account(ALICE.address, 0, settled << 224 | windows)
    market.poke_book_state(cleared)
    found = lens.participant(ALICE.address)
    assert found.settled_window == moved
    assert found.open_windows == sum(1 << (window - moved - 1) for window in opened)
    assert found.next_open_window == (opened[0] if opened else 0)


def test_participant__closed_book__counts_as_cleared_to_the_end(lens: Any, market: Any) -> None:
    market.poke_account(ALICE.address, 0, 100 << 224)
    market.poke_book_state(pack((0, 90), (96, 1)))
    assert lens.participant(ALICE.address).settled_window == 2**32 - 1


def order_word(side: int, adjustment: int, fee: int) -> int:
    return pack(
        (0, 2**32 - 1),
        (32, 77),
        (64, 1_000),
        (96, 224),
        (104, 2**24 - 1),
        (128, 255),
        (136, 101),
        (144, side),
        (145, 1),
        (146, 0),
        (147, adjustment),
        (161, 2**16 - 1),
        (177, 2**15 - 1),
        (192, fee),
    )


def test_order__bid__every_field(lens: Any, market: Any) -> None:
    market.poke_order(ALICE.address, 15, order_word(0, 333, 2**64 - 1))
    part = -(-price(101) * 333 // 10_000)
    assert fields(lens.order(ALICE.address, 15)) == {
        "nonce": 2**32 - 1,
        "burnt_nonce": 77,
        "first_window": 1_000,
        "last_window": 1_223,
        "count": 224,
        "energy_wh": 2**24 - 1,
        "side": 0,
        "limit_level": 255,
        "limit_price": price(255),
        "effective_level": 101,
        "effective_price": price(101),
        "unit_price_at_effective": price(101) + part + 2**64 - 1,
        "rated": True,
        "single": False,
        "adjustment_bps": 333,
        "imbalance_price": price(2**16 - 1),
        "tariff_version": 2**15 - 1,
        "fee_per_wh": 2**64 - 1,
    }


def test_order__offer__haircut_comes_off(lens: Any, market: Any) -> None:
    market.poke_order(ALICE.address, 0, order_word(1, 9_999, 0))
    found = lens.order(ALICE.address, 0)
    assert (found.side, found.unit_price_at_effective) == (1, price(101) - -(-price(101) * 9_999 // 10_000))


def test_order__single_window_and_empty_slot(lens: Any, market: Any) -> None:
    market.poke_order(ALICE.address, 1, pack((64, 50), (96, 1), (146, 1)))
    found = lens.order(ALICE.address, 1)
    assert (found.first_window, found.last_window, found.single, found.rated) == (50, 50, True, False)
    market.poke_order(ALICE.address, 2, 9 << 32)
    burnt = lens.order(ALICE.address, 2)
    assert (burnt.burnt_nonce, burnt.count, burnt.last_window) == (9, 0, 0)


@pytest.mark.parametrize(("seconds", "active"), [(-1, False), (0, False), (1, True)])
def test_agent__every_field(lens: Any, market: Any, seconds: int, active: bool) -> None:
    word = pack((0, now() + seconds), (64, 200), (72, 90), (80, 2**128 - 1))
    market.poke_agent(ALICE.address, AGENT, word)
    assert tuple(lens.agent(ALICE.address, AGENT)) == (active, now() + seconds, 200, 90, 2**128 - 1)


def test_book_state__every_field(lens: Any, market: Any) -> None:
    market.poke_book_state(pack((0, 2**32 - 2), (32, 2**64 - 1), (96, 0), (97, 1)))
    assert tuple(lens.book_state()) == (2**32 - 2, 2**64 - 1, False, True)
    market.poke_book_state(1 << 96)
    assert tuple(lens.book_state()) == (0, 0, True, False)


def test_book__live_levels_only_where_the_bitmap_says(lens: Any, market: Any) -> None:
    market.poke_book_state(1_000)
    market.poke_live(1 << 7 | 1 << 255, 3, pack((0, 91), (48, 92), (96, 30), (144, 40)))
    market.poke_live(1 << 7 | 1 << 255, 127, pack((0, 1), (48, 2), (96, 2**48 - 1), (144, 5)))
    assert book(lens, 1_001) == [(7, 30, 40), (255, 2**48 - 1, 5)]


def test_book__differences_roll_in_window_by_window(lens: Any, market: Any) -> None:
    market.poke_book_state(1_000)
    market.poke_live(1 << 10, 5, pack((0, 500), (48, 70)))
    set_entry(market, 1_001, 0, net_bid=60)
    set_entry(market, 1_001, 10, net_bid=-200, only_offer=5)
    set_entry(market, 1_003, 10, net_bid=-300, net_offer=-70)
    set_entry(market, 1_003, 200, net_offer=80, only_bid=9)
    set_entry(market, 1_005, 0, net_bid=-60)
    assert book(lens, 1_001) == [(0, 60, 0), (10, 300, 75)]
    assert book(lens, 1_002) == [(0, 60, 0), (10, 300, 70)]
    assert book(lens, 1_003) == [(0, 60, 0), (200, 9, 80)]
    assert book(lens, 1_004) == [(0, 60, 0), (200, 0, 80)]
    assert book(lens, 1_255) == [(200, 0, 80)]


def test_book__entry_of_an_older_round__reads_as_nothing(lens: Any, market: Any) -> None:
    market.poke_book_state(1_000)
    set_entry(market, 1_010 - 256, 3, net_bid=60, only_offer=4)
    assert book(lens, 1_010) == []


def test_book__every_level_touched__all_256(lens: Any, market: Any) -> None:
    market.poke_book_state(1_000)
    for level in range(256):
        set_entry(market, 1_001, level, only_bid=level + 1)
    assert book(lens, 1_001) == [(level, level + 1, 0) for level in range(256)]
    assert book(lens, 1_002) == []


def test_book__outside_the_ring__reverts(lens: Any, market: Any) -> None:
    market.poke_book_state(1_000)
    with refused("lens: window cleared"):
        lens.book(1_000)
    with refused("lens: beyond the ring"):
        lens.book(1_256)
    market.poke_book_state(pack((0, 1_000), (96, 1)))
    with refused("lens: window cleared"):
        lens.book(1_001)


@pytest.mark.parametrize("net", [0, 2**49 - 1, -(2**49)])
def test_result__every_field(lens: Any, market: Any, net: int) -> None:
    word = pack((0, 255), (8, 3), (10, 2**48 - 1), (58, 2**48 - 2), (106, 2**32 - 1), (138, 2**48 - 3))
    word += (net + 2**49) << 186
    market.poke_result(44, word)
    expected = (True, 255, price(255), 3, 2**48 - 1, 2**48 - 2, 2**32 - 1, 2**48 - 3, net)
    assert tuple(lens.result(44)) == expected


def test_result__none(lens: Any) -> None:
    assert tuple(lens.result(45)) == (False, 0, 0, 0, 0, 0, 0, 0, 0)


def test_tariff__tables_and_head(lens: Any, registry: Registry) -> None:
    falling, rising = [9_999 - 7 * band for band in range(16)], [11 * band for band in range(16)]
    registry.publish(300, [value + 1 for value in falling], falling, rising)
    found = lens.tariff(1)
    assert found.surcharges_bps == [value + 1 for value in falling]
    assert (found.haircuts_bps, found.rebates_bps) == (falling, rising)
    assert tuple(lens.tariff_head()) == (1, price(300), 0, FLOOR_PRICE, 0, 1, price(300))
    registry.publish(500)
    start = now_window() + 256
    travel_to_window(start - 1)
    assert tuple(lens.tariff_head()) == (1, price(300), 2, price(500), start, 1, price(300))
    travel_to_window(start)
    assert tuple(lens.tariff_head()) == (1, price(300), 2, price(500), start, 2, price(500))
    assert registry.market.surcharges(1) == bands([value + 1 for value in falling])


def test_feeder__every_field(lens: Any, registry: Registry) -> None:
    registry.contract.set_feeder_scale(4, 10_000, 9_999, sender=registry.operator)
    registry.contract.set_feeder_fee(4, 2**64 - 1, sender=registry.regulator)
    assert tuple(lens.feeder(4)) == (2**64 - 1, 10_000, 9_999)

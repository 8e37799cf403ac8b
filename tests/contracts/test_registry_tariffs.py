"""EnergyRegistry: tariff versions, retail prices, feeders."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from contracts.helpers import (
    FLAT,
    FLOOR_PRICE,
    PRICE_STEP,
    Registry,
    address,
    bands,
    event,
    now_window,
    pack,
    refused,
    travel_to_window,
)

FALLING = [1_500 - 100 * band for band in range(16)]
RISING = [100 * band for band in range(16)]


@pytest.fixture(scope="module")
def deployed() -> Iterator[Registry]:
    with boa.env.anchor():
        yield Registry()


@pytest.fixture
def registry(deployed: Registry) -> Iterator[Registry]:
    with boa.env.anchor():
        travel_to_window(1_900_000)
        yield deployed


def imbalance(steps: int) -> int:
    return FLOOR_PRICE + steps * PRICE_STEP


def test_publish__first__holds_at_once(registry: Registry) -> None:
    registry.publish(300, FALLING, [value // 2 for value in FALLING], RISING)
    market = registry.market
    assert market.tariff_head() == pack((0, 1), (16, 300))
    assert market.surcharges(1) == bands(FALLING)
    assert market.haircuts(1) == bands([value // 2 for value in FALLING])
    assert market.rebates(1) == bands(RISING)


def test_publish__second__holds_after_the_horizon(registry: Registry) -> None:
    registry.publish(300)
    registry.publish(500, surcharges=FALLING)
    head = pack((0, 1), (16, 300), (32, 2), (48, 500), (64, now_window() + 256))
    assert registry.market.tariff_head() == head
    assert (registry.market.surcharges(1), registry.market.surcharges(2)) == (0, bands(FALLING))


def test_publish__pending__reverts_until_it_holds(registry: Registry) -> None:
    registry.publish(300)
    registry.publish(500)
    start = now_window()
    for window in (start, start + 255):
        travel_to_window(window)
        with refused("tariffs: too soon"):
            registry.publish(600)
    travel_to_window(start + 256)
    registry.publish(600)
    head = pack((0, 2), (16, 500), (32, 3), (48, 600), (64, start + 512))
    assert registry.market.tariff_head() == head


def test_publish__extremes__accepted(registry: Registry) -> None:
    registry.publish(65_535, [10_000] * 16, [9_999] * 16, [10_000] * 16)
    assert registry.market.tariff_head() == pack((0, 1), (16, 65_535))


def test_publish__by_another__reverts(registry: Registry) -> None:
    with refused("roles: not the regulator"):
        registry.contract.publish_tariff(300, 0, 0, 0, sender=registry.operator)


@pytest.mark.parametrize("steps", [0, 255])
def test_publish__inside_the_grid__reverts(registry: Registry, steps: int) -> None:
    with refused("tariffs: imbalance too low"):
        registry.publish(steps)


def test_publish__below_the_highest_retail_price__reverts(registry: Registry) -> None:
    registry.publish(400)
    registry.contract.set_retail(0, imbalance(300), sender=registry.regulator)
    registry.contract.set_retail(15, imbalance(349) + 1, sender=registry.regulator)
    with refused("tariffs: imbalance too low"):
        registry.publish(349)
    registry.publish(350)


def test_publish__retail_closed_again__bounds_no_longer(registry: Registry) -> None:
    registry.publish(400)
    registry.contract.set_retail(2, imbalance(400), sender=registry.regulator)
    registry.contract.set_retail(2, 0, sender=registry.regulator)
    registry.publish(256)


@pytest.mark.parametrize("steps", [65_536, 2**256 - 1])
def test_publish__past_16_bits__reverts(registry: Registry, steps: int) -> None:
    with refused("tariffs: imbalance out of bounds"):
        registry.publish(steps)


@pytest.mark.parametrize(
    "tables",
    [
        ([10_001, *FLAT[1:]], FLAT, FLAT),
        (FLAT, [10_000, *FLAT[1:]], FLAT),
        (FLAT, FLAT, [*FLAT[1:], 10_001]),
        ([*FLAT[:8], 1, *FLAT[9:]], FLAT, FLAT),
        (FLAT, [*FLAT[:15], 1], FLAT),
        (FLAT, FLAT, [1, *FLAT[1:]]),
        (FLAT, FLAT, [*FLAT[:7], 9, 8, *([10] * 7)]),
    ],
    ids=["surcharge", "haircut", "rebate", "surcharge-up", "haircut-up", "rebate-down", "rebate-dip"],
)
def test_publish__bad_table__reverts(
    registry: Registry, tables: tuple[list[int], list[int], list[int]]
) -> None:
    with refused("tariffs: bad table"):
        registry.publish(300, *tables)


def test_publish__versions_used_up__reverts(registry: Registry) -> None:
    registry.market.poke_tariff_head(pack((0, 2**15 - 2), (16, 300)))
    registry.publish(300)
    travel_to_window(now_window() + 256)
    with refused("tariffs: no version left"):
        registry.publish(300)


def test_set_retail__up_to_the_imbalance_price__kept(registry: Registry) -> None:
    registry.publish(300)
    registry.contract.set_retail(15, imbalance(300), sender=registry.regulator)
    logged = {"retail_class": 15, "price_per_wh": imbalance(300)}
    assert event(registry.contract, "RetailSet") == logged
    assert registry.contract.retail(15) == imbalance(300)


def test_set_retail__above_the_imbalance_price__reverts(registry: Registry) -> None:
    registry.publish(300)
    with refused("tariffs: retail above imbalance"):
        registry.contract.set_retail(1, imbalance(300) + 1, sender=registry.regulator)


def test_set_retail__before_any_tariff__reverts(registry: Registry) -> None:
    with refused("tariffs: retail above imbalance"):
        registry.contract.set_retail(1, 1, sender=registry.regulator)


def test_set_retail__above_the_published_one__reverts(registry: Registry) -> None:
    registry.publish(500)
    registry.publish(300)
    with refused("tariffs: retail above imbalance"):
        registry.contract.set_retail(1, imbalance(300) + 1, sender=registry.regulator)
    registry.contract.set_retail(1, imbalance(300), sender=registry.regulator)


def test_set_retail__published_is_higher__the_one_in_force_counts_until_then(registry: Registry) -> None:
    registry.publish(300)
    registry.publish(500)
    start = now_window()
    travel_to_window(start + 255)
    with refused("tariffs: retail above imbalance"):
        registry.contract.set_retail(1, imbalance(500), sender=registry.regulator)
    travel_to_window(start + 256)
    registry.contract.set_retail(1, imbalance(500), sender=registry.regulator)


def test_set_retail__by_another__reverts(registry: Registry) -> None:
    with refused("roles: not the regulator"):
        registry.contract.set_retail(1, 0, sender=registry.operator)


def test_set_retail__no_such_class__reverts(registry: Registry) -> None:
    with refused("tariffs: no such class"):
        registry.contract.set_retail(16, 0, sender=registry.regulator)


def test_set_feeder__fee_and_scales__leave_each_other_alone(registry: Registry) -> None:
    contract, market = registry.contract, registry.market
    contract.set_feeder_scale(9, 10_000, 4_000, sender=registry.operator)
    assert market.feeders(9) == pack((64, 10_000), (80, 4_000))
    contract.set_feeder_fee(9, 2**64 - 1, sender=registry.regulator)
    assert market.feeders(9) == pack((0, 2**64 - 1), (64, 10_000), (80, 4_000))
    contract.set_feeder_scale(9, 0, 10_000, sender=registry.operator)
    assert market.feeders(9) == pack((0, 2**64 - 1), (80, 10_000))
    contract.set_feeder_fee(9, 0, sender=registry.regulator)
    assert market.feeders(9) == pack((80, 10_000))


@pytest.mark.parametrize("scales", [(10_001, 0), (0, 10_001)], ids=["import", "export"])
def test_set_feeder_scale__above_one__reverts(registry: Registry, scales: tuple[int, int]) -> None:
    with refused("tariffs: scale out of bounds"):
        registry.contract.set_feeder_scale(9, *scales, sender=registry.operator)


def test_set_feeder_fee__past_64_bits__reverts(registry: Registry) -> None:
    with refused("tariffs: fee out of bounds"):
        registry.contract.set_feeder_fee(9, 2**64, sender=registry.regulator)


def test_set_feeder__past_16_bits__reverts(registry: Registry) -> None:
    with refused("tariffs: no such feeder"):
        registry.contract.set_feeder_scale(2**16, 1, 1, sender=registry.operator)
    with refused("tariffs: no such feeder"):
        registry.contract.set_feeder_fee(2**16, 1, sender=registry.regulator)


def test_set_feeder__by_another__reverts(registry: Registry) -> None:
    with refused("roles: not the operator"):
        registry.contract.set_feeder_scale(9, 1, 1, sender=registry.regulator)
    with refused("roles: not the regulator"):
        registry.contract.set_feeder_fee(9, 1, sender=registry.operator)


def test_setters__registry_that_the_market_does_not_know__reverts(registry: Registry) -> None:
    registry.market.poke_registry(address(77))
    with refused("participants: only the registry"):
        registry.publish(300)
    assert registry.market.tariff_head() == 0

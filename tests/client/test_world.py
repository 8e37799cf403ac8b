"""The world of the study: balances, knowledge at the gate, forecasts, scenarios, sizes, bills."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from peerwatt.bills import WindowUse, baseline_cost, residual_cost
from peerwatt.study.config import load_config
from peerwatt.study.models import StudyConfig
from peerwatt.study.world import BUY, SCENARIOS, SELL, Intent, World

CONFIG = load_config()
SEEDS = (0, 1, 2, 3, 4, 5)
Register = dict[str, tuple[int, int]]


def fill_all(world: World, share: float = 1.0) -> list[Register]:
    """Every order is filled to a share of its energy in every window."""
    standing = world.standing_intents()
    registers = []
    for window in range(world.windows):
        orders = [*standing, *world.intents(window)]
        fills = {o.home_id: int(o.energy_wh * share) for o in orders}
        registers.append(world.deliver(window, fills))
    return registers


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_deliver__every_scenario__balances_close_and_limits_hold(scenario: str) -> None:
    world = World(CONFIG, 3, 30, 16, 12, scenario)
    registers = fill_all(world, 0.9)
    homes = {home.id: home for home in world.homes}
    sources = {"wind": 0, "conventional": 0, "discharged": 0, "charged": 0}
    for grown, balances in zip(registers, world.balances, strict=True):
        assert set(grown) == set(balances) == set(homes)
        for home_id, balance in balances.items():
            assert balance.residual_wh() == 0
            assert grown[home_id] == (balance.imported_wh, balance.traded_wh + balance.exported_wh)
            assert all(type(value) is int for value in dataclasses.astuple(balance))
            assert balance.imported_wh <= homes[home_id].import_limit_wh
            assert balance.traded_wh + balance.exported_wh <= homes[home_id].export_limit_wh
            for name in sources:
                sources[name] += getattr(balance, f"{name}_wh")
    assert min(sources.values()) > 0


def test_world__same_seed__same_world_and_other_seed_another() -> None:
    runs = []
    for seed in (5, 5, 6):
        world = World(CONFIG, seed, 40, 9, 6)
        registers = fill_all(world)
        runs.append((world.homes, world.decisions, registers, world.forecast_quality()))
    assert runs[0] == runs[1]
    assert runs[0][2] != runs[2][2]


def test_world__more_homes__the_first_ones_stay_the_same() -> None:
    small, large = World(CONFIG, 4, 5, 3, 4), World(CONFIG, 4, 50, 9, 4)
    assert [h for h in large.homes if h.id in {s.id for s in small.homes}] == small.homes
    assert small.standing_intents() == large.standing_intents()[: len(small.standing_intents())]


def test_intents__delivered_before_or_after__the_same() -> None:
    eager, late = World(CONFIG, 2, 5, 14, 6), World(CONFIG, 2, 5, 14, 6)
    for window in range(6):
        fills = {o.home_id: o.energy_wh for o in eager.intents(window)}
        eager.deliver(window, fills)
    for window in range(6):
        order = late.intents(window)
        if window:
            late.deliver(window - 1, {o.home_id: o.energy_wh for o in late.intents(window - 1)})
        assert order == eager.intents(window)


def test_intents__the_future_changes__decision_does_not() -> None:
    plain, other = World(CONFIG, 2, 20, 14, 4), World(CONFIG, 2, 20, 14, 4)
    for world in (plain, other):
        world.deliver(0, {})
    known = other.timeline.known(2)
    assert known == other.timeline.first + 1
    other._prosumer_loads[:, known:] *= 7
    other._consumer_loads[:, other.timeline.known(0) :] *= 7
    for site in other._sites:
        site.generators[0].actual_wh[known:] = 0  # type: ignore[attr-defined]
    assert other.intents(2) == plain.intents(2)
    assert other.standing_intents() == plain.standing_intents()


def test_deliver__wrong_sequence_or_fill__refused() -> None:
    world = World(CONFIG, 0, 10, 3, 3)
    orders = world.intents(0)
    with pytest.raises(ValueError, match="the next is 0"):
        world.deliver(1, {})
    with pytest.raises(ValueError, match="its order is for"):
        world.deliver(0, {orders[0].home_id: orders[0].energy_wh + 1})
    with pytest.raises(ValueError, match="its order is for 0 Wh"):
        world.deliver(0, {"c9999": 1})
    with pytest.raises(ValueError, match="deliver it first"):
        world.intents(2)
    with pytest.raises(ValueError, match="outside"):
        world.intents(3)


@pytest.mark.parametrize("seed", SEEDS)
def test_forecast__load_blend__better_than_seasonal_naive(seed: int) -> None:
    quality = World(CONFIG, seed, 60, 14, 10).forecast_quality()
    assert 0.0 < quality.load < quality.load_seasonal_naive


def test_forecast__pv_blend__better_than_seasonal_naive_over_seeds() -> None:
    found = [World(CONFIG, seed, 1, 14, 10).forecast_quality() for seed in range(12)]
    blend, naive = [q.pv for q in found], [q.pv_seasonal_naive for q in found]
    assert np.mean(blend) < 0.9 * np.mean(naive)
    assert sum(b <= n for b, n in zip(blend, naive, strict=True)) >= 8


def test_intents__default_community__valid_orders_below_retail() -> None:
    world = World(CONFIG, 0)
    homes = {home.id: home for home in world.homes}
    standing = world.standing_intents()
    assert (len(world.homes), len(homes)) == (260, 260)
    assert len(standing) > 200
    assert all((o.first_window_index, o.last_window_index, o.side) == (0, 9, BUY) for o in standing)
    rolling = [o for w in range(10) for o in _placed(world, w)]
    assert {o.side for o in rolling} == {BUY, SELL}
    for order in [*standing, *rolling]:
        home = homes[order.home_id]
        limit = home.import_limit_wh if order.side == BUY else home.export_limit_wh
        assert CONFIG.market.min_order_wh <= order.energy_wh <= limit
        assert 0 <= order.limit_level <= 255
        if order.side == BUY:
            assert CONFIG.market.price(order.limit_level) < CONFIG.retail[home.retail_class].price
    for order in standing:
        assert 10 * order.energy_wh * CONFIG.market.price(order.limit_level) <= homes[order.home_id].deposit


def _placed(world: World, window: int) -> list[Intent]:
    orders = world.intents(window)
    world.deliver(window, {o.home_id: o.energy_wh for o in orders})
    return orders


def test_deliver__clouds_and_surges__some_sellers_fall_short_but_few_wh() -> None:
    world = World(CONFIG, 0)
    fill_all(world)
    sold = sum(o.energy_wh for w in range(10) for o in world.intents(w) if o.side == SELL)
    delivered = sum(b.traded_wh for balances in world.balances for b in balances.values())
    assert 0.90 * sold < delivered < sold


def test_markup__sold_out_or_unsold__moves_up_or_down() -> None:
    happy, sad = World(CONFIG, 1, 1, 3, 4), World(CONFIG, 1, 1, 3, 4)
    fill_all(happy, 1.0)
    fill_all(sad, 0.0)
    assert happy._states[2][-1].markup > happy._states[2][0].markup > sad._states[2][-1].markup


def test_scenarios__same_seed__each_differs_as_its_name_says() -> None:
    worlds: dict[str, World] = {}
    for name in SCENARIOS:
        worlds[name] = World(CONFIG, 8, 60, 14, 10, name)
        fill_all(worlds[name])
    load = {n: [sum(b.load_wh for b in w.values()) for w in world.balances] for n, world in worlds.items()}
    sun = {n: sum(b.pv_wh for w in world.balances for b in w.values()) for n, world in worlds.items()}
    assert sum(load["peak-demand"]) > 1.25 * sum(load["base"])
    assert load["unexpected-consumption"][:5] == load["base"][:5]
    assert load["unexpected-consumption"][5:] != load["base"][5:]
    assert load["fluctuating-renewables"] == load["base"]
    assert sun["fluctuating-renewables"] < sun["base"] == sun["peak-demand"]


@pytest.mark.parametrize(
    ("consumers", "prosumers", "windows"), [(1, 1, 1), (1, 200, 2), (2000, 1, 1), (3, 30, 96)]
)
def test_world__edge_sizes__runs_to_the_end(consumers: int, prosumers: int, windows: int) -> None:
    world = World(CONFIG, 11, consumers, prosumers, windows)
    assert len(fill_all(world)) == windows
    assert len({home.id for home in world.homes}) == consumers + prosumers
    assert all(home.deposit > 0 and home.import_limit_wh < 2**24 for home in world.homes)


@pytest.mark.parametrize(
    "wrong", [{"consumers": 0}, {"prosumers": 201}, {"windows": 97}, {"seed": -1}, {"scenario": "storm"}]
)
def test_world__out_of_bounds__refused(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"seed": 0, "consumers": 2, "prosumers": 2, "windows": 2, **wrong}
    with pytest.raises(ValueError, match=r"takes|negative|unknown scenario"):
        World(CONFIG, **arguments)  # type: ignore[arg-type]


def test_world__other_band_shares__config_alone_decides() -> None:
    feeders = tuple(
        dataclasses.replace(f, consumer_share=share)
        for f, share in zip(CONFIG.feeders, (1.0, 0.0, 0.0), strict=True)
    )
    config: StudyConfig = dataclasses.replace(CONFIG, feeders=feeders)
    world = World(config, 0, 30, 1, 1)
    assert {home.feeder for home in world.homes if home.kind == "consumer"} == {0}


def test_bills__nothing_traded__same_as_baseline() -> None:
    world = World(CONFIG, 9, 20, 14, 4)
    fill_all(world, 0.0)
    for home in world.homes:
        uses = [
            WindowUse(b.imported_wh, b.traded_wh + b.exported_wh)
            for b in (w[home.id] for w in world.balances)
        ]
        retail = CONFIG.retail[home.retail_class].price
        floor = CONFIG.market.floor_price
        assert baseline_cost(uses, retail, CONFIG.feed_in) == residual_cost(
            uses, retail, CONFIG.feed_in, floor
        )

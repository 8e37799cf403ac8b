"""Parts of the study's world: community file, equations, storage, decisions, bills."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from peerwatt.bills import WindowUse, baseline_cost, reduction_pct, residual_cost
from peerwatt.study.config import ConfigError, load_config, price_per_wh
from peerwatt.study.world import BUY, SELL
from peerwatt.study.world import forecast as forecasts
from peerwatt.study.world.balance import Balance
from peerwatt.study.world.decisions import Outlook, ask_level, decide_consumer, decide_prosumer
from peerwatt.study.world.dispatch import dispatch
from peerwatt.study.world.solar import Plant, plant_power_w, pv_bound_w
from peerwatt.study.world.storage import Battery, Vehicle
from peerwatt.study.world.wind import Turbine, wind_power_w

CONFIG = load_config()
BATTERY = Battery(10_000, 1_250, 1_250, 2_000, 960, 950)


def outlook(**changes: object) -> Outlook:
    """A prosumer at noon with a surplus of 1 kWh and half a battery that the afternoon will fill."""
    plain = Outlook(
        "p0001", 0, 12.0, 1.4, 1000.0, 100.0, 20_000.0, 1_500.0, BATTERY, 6_000, 2_000.0,
        3_450, 2_000, 10**12, 209_500, 8_000, 61_500, 0.3, 0.8,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def test_config__shipped_file__prices_in_base_units_on_the_grid() -> None:
    market = CONFIG.market
    assert (market.price(0), market.price(1), market.price(255)) == (61_500, 62_000, 189_000)
    assert market.level_at_most(95_000) == market.level_at_least(95_000) == 67
    assert CONFIG.feed_in == market.price(0)
    assert len(CONFIG.retail) == 2
    assert market.imbalance_price >= max(
        market.price(255) + market.price_step, *(r.price for r in CONFIG.retail)
    )
    assert (market.imbalance_price - market.floor_price) % market.price_step == 0


def test_market__price_off_the_grid__levels_bracket_it() -> None:
    market = CONFIG.market
    assert (market.level_at_most(61_499), market.level_at_least(61_499)) == (None, 0)
    assert (market.level_at_most(61_999), market.level_at_least(61_501)) == (0, 1)
    assert (market.level_at_most(10**9), market.level_at_least(189_001)) == (255, None)


@pytest.mark.parametrize("price", [Decimal("-1"), Decimal("61.5001"), Decimal("NaN"), "61.5", True, None])
def test_price_per_wh__not_a_price__refused(price: object) -> None:
    with pytest.raises(ConfigError, match="price"):
        price_per_wh(price)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("imbalance_price = 225.0", "imbalance_price = 189.0", "imbalance_price"),
        ("price_step = 0.5", "price_step = 0.0001", "base units"),
        ("lead_seconds = 300", "leed_seconds = 300", "leed_seconds"),
        ("lead_seconds = 300", 'lead_seconds = "300"', "lead_seconds"),
        ("history_days = 7", "history_days = 0", "history_days"),
        ('retail = "Band B"', 'retail = "Band Z"', "Band Z"),
        ("consumer_share = 0.1", "consumer_share = 0.2", "feeders"),
        ('profile = "g5"', 'profile = "x9"', "profiles"),
        ("[forecast]", "[forecasts]", "forecasts"),
        ("[place]", "[place", "TOML"),
    ],
)
def test_load_config__bad_entry__named(tmp_path: Path, old: str, new: str, fact: str) -> None:
    import peerwatt.study.config as module

    text = Path(str(module.__file__)).with_name("community.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "community.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=fact):
        load_config(path)


def test_wind_power_w__eq_3__cubic_then_flat_then_off() -> None:
    turbine = Turbine(10_000.0, 3.0, 11.0, 25.0)
    assert [wind_power_w(v, turbine) for v in (0.0, 2.99, 3.0, 7.0, 11.0, 25.0, 25.01)] == [
        0.0, 0.0, 0.0, 1_250.0, 10_000.0, 10_000.0, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize("speed", [-0.1, float("nan"), float("inf")])
def test_wind_power_w__senseless_speed__refused(speed: float) -> None:
    with pytest.raises(ValueError, match="wind speed"):
        wind_power_w(speed, Turbine(10_000.0, 3.0, 11.0, 25.0))


def test_turbine__speeds_out_of_order__refused() -> None:
    with pytest.raises(ValueError, match="cut_in"):
        Turbine(10_000.0, 11.0, 3.0, 25.0)


def test_plant_power_w__cold_and_bright__within_eq_2_and_inverter() -> None:
    plant = Plant(0, 10.0, 8_500.0, 0)
    irradiance = np.linspace(0.0, 1_300.0, 60)
    lossless = dataclasses.replace(CONFIG.solar, losses=0.0, inverter_efficiency=1.0)
    power = plant_power_w(plant, irradiance, np.full(60, -30.0), lossless)
    area = 10.0 / lossless.module_efficiency
    assert np.all(power <= pv_bound_w(irradiance, area, lossless.module_efficiency) + 1e-9)
    assert power.max() == 8_500.0
    assert power[10] == pytest.approx(irradiance[10] * 10.0)


def test_battery__charge_then_discharge__eq_4_with_losses() -> None:
    charged = BATTERY.step(5_000, 1_000, 0)
    assert charged == 5_960
    assert BATTERY.step(charged, 0, 912) == 5_000
    assert BATTERY.step(5_000, 0, 1) == 4_998


@pytest.mark.parametrize(
    ("stored", "charge", "discharge", "fact"),
    [(5_000, 1_251, 0, "charge"), (5_000, 0, 1_251, "discharge"), (9_900, 106, 0, "charge"),
     (2_100, 0, 96, "discharge"), (5_000, 1, 1, "at once"), (5_000, -1, 0, "charge")],
)  # fmt: skip
def test_battery__beyond_a_limit__refused(stored: int, charge: int, discharge: int, fact: str) -> None:
    with pytest.raises(ValueError, match=fact):
        BATTERY.step(stored, charge, discharge)


def test_battery__random_steps__level_in_range_and_no_energy_appears() -> None:
    rng = np.random.default_rng(7)
    stored, taken, given = 4_000, 0, 0
    for _ in range(3_000):
        wish = int(rng.integers(-2_000, 2_000))
        charge = min(max(wish, 0), BATTERY.charge_room_wh(stored))
        discharge = min(max(-wish, 0), BATTERY.discharge_room_wh(stored))
        stored = BATTERY.step(stored, charge, discharge)
        taken, given = taken + charge, given + discharge
        assert BATTERY.reserve_wh <= stored <= BATTERY.capacity_wh
    assert stored - 4_000 <= taken * 0.96 - given / 0.95
    assert taken > 100_000


def test_vehicle__departure_presses__charged_in_time_without_surplus() -> None:
    vehicle = Vehicle(Battery(40_000, 1_750, 0, 0, 960, 1000), 32_000, 17.0)
    stored, due_before = 24_000, []
    for left in range(20, 0, -1):
        flow = dispatch(0, 0, 0, None, 0, vehicle, stored, left)
        due_before.append(flow.imported_wh)
        stored = flow.vehicle_wh
    assert due_before[0] == 0
    assert due_before[-1] == 1_750
    assert 31_990 <= stored <= 32_000


def test_dispatch__sale_above_surplus__battery_covers_to_its_reserve() -> None:
    covered = dispatch(300, 1_000, 0, BATTERY, 6_000, None, 0, 0)
    assert (covered.exported_wh, covered.discharged_wh, covered.imported_wh) == (1_000, 700, 0)
    short = dispatch(300, 1_000, 0, BATTERY, 2_100, None, 0, 0)
    assert (short.exported_wh, short.discharged_wh) == (395, 95)


def test_dispatch__bought_to_store__charged_and_imported() -> None:
    flow = dispatch(200, 0, 800, BATTERY, 3_000, None, 0, 0)
    assert (flow.charged_wh, flow.imported_wh, flow.exported_wh, flow.stored_wh) == (1_000, 800, 0, 3_960)


def test_balance__one_wh_off__refused() -> None:
    closed = Balance(1_000, 100, 900, 50, 10, 40, 60, 20, 20)
    assert closed.check() is closed
    with pytest.raises(ValueError, match="does not close"):
        dataclasses.replace(closed, load_wh=999).check()
    with pytest.raises(ValueError, match="does not close"):
        dataclasses.replace(closed, load_wh=-1, charged_wh=1_021).check()


def test_nrmse__known_numbers__root_mean_square_over_mean() -> None:
    actual, guess = np.array([1.0, 3.0]), np.array([2.0, 2.0])
    assert forecasts.nrmse(actual, guess) == 0.5
    assert forecasts.nrmse(actual, actual) == 0.0
    assert forecasts.nrmse(np.zeros(2), guess) == 0.0


def test_seasonal_naive__beyond_a_day__takes_the_last_metered_day() -> None:
    series = np.arange(400)[None, :]
    assert forecasts.seasonal_naive(series, np.array([200, 300]), 200).tolist() == [[104.0, 108.0]]


def test_decide_prosumer__afternoon_fills_battery__sells_with_a_margin() -> None:
    decision, order = decide_prosumer(outlook(), CONFIG.market, CONFIG.decisions)
    assert decision.action == "sell" and order is not None
    assert order.side == SELL and 900 <= order.energy_wh < 1_000
    unsure, smaller = decide_prosumer(outlook(battery=None), CONFIG.market, CONFIG.decisions)
    assert unsure.action == "sell" and smaller is not None and smaller.energy_wh < order.energy_wh


def test_decide_prosumer__no_surplus_left_today__stores_or_buys_to_store() -> None:
    late = outlook(later_surplus_wh=0.0)
    stores, none = decide_prosumer(
        dataclasses.replace(late, surplus_wh=1_300.0), CONFIG.market, CONFIG.decisions
    )
    assert stores.action == "store" and none is None
    buys, order = decide_prosumer(dataclasses.replace(late, surplus_wh=0.0), CONFIG.market, CONFIG.decisions)
    assert buys.action == "buy" and order is not None and order.side == BUY
    kept = 0.96 * 0.95 * (1 - CONFIG.decisions.storing_gain)
    assert CONFIG.market.price(order.limit_level) <= 209_500 * kept


def test_decide_prosumer__evening__sells_from_the_battery_beyond_its_own_need() -> None:
    evening = outlook(hour=19.0, surplus_wh=-100.0, later_surplus_wh=0.0, stored_wh=9_000)
    decision, order = decide_prosumer(evening, CONFIG.market, CONFIG.decisions)
    assert decision.action == "sell" and order is not None and order.energy_wh > 1_000
    needy = dataclasses.replace(evening, later_need_wh=8_000.0)
    assert decide_prosumer(needy, CONFIG.market, CONFIG.decisions)[0].action != "sell"


def test_ask_level__abundance_and_hour__lower_at_noon_with_much_on_offer() -> None:
    noon, much = (ask_level(outlook(), wh, CONFIG.market, CONFIG.decisions) for wh in (200.0, 2_000.0))
    evening = ask_level(outlook(hour=19.0), 200.0, CONFIG.market, CONFIG.decisions)
    assert 0 < much < noon < evening <= 255


@pytest.mark.parametrize(
    ("money", "energy"),
    [(10**12, 200), (10 * 150 * 130_000, 150), (10 * 150 * 130_000 - 1, 149), (10**6, None)],
)
def test_decide_consumer__wallet__smaller_or_no_order(money: int, energy: int | None) -> None:
    decision, order = decide_consumer("c0001", 10, 200, 130_000, 8_000, money, CONFIG.market)
    assert (order.energy_wh if order else None) == energy
    assert ("wallet" in decision.reason) == (energy != 200)


def test_decide_consumer__retail_below_any_offer__no_order() -> None:
    decision, order = decide_consumer("c0001", 10, 200, 63_000, 12_000, 10**12, CONFIG.market)
    assert order is None and decision.reason == "no gain below retail"
    assert decide_consumer("c0001", 10, 49, 130_000, 8_000, 10**12, CONFIG.market)[1] is None


def test_decide_prosumer__poor_wallet__smaller_offer_or_none() -> None:
    _, full = decide_prosumer(outlook(), CONFIG.market, CONFIG.decisions)
    assert full is not None
    reserve = CONFIG.market.imbalance_price - CONFIG.market.price(full.limit_level)
    decision, order = decide_prosumer(outlook(free_money=500 * reserve), CONFIG.market, CONFIG.decisions)
    assert order is not None and order.energy_wh == 500 and "wallet" in decision.reason
    assert decide_prosumer(outlook(free_money=49 * reserve), CONFIG.market, CONFIG.decisions)[1] is None


def test_bills__arithmetic__market_and_baseline_by_hand() -> None:
    uses = [
        WindowUse(imported_wh=1_000, exported_wh=0, bought_wh=600),
        WindowUse(imported_wh=300, exported_wh=0, bought_wh=400),
        WindowUse(imported_wh=0, exported_wh=900, delivered_wh=700),
    ]
    assert baseline_cost(uses, 200, 60) == 1_300 * 200 - 900 * 60
    assert residual_cost(uses, 200, 60, 60) == 400 * 200 - 100 * 60 - 200 * 60
    assert residual_cost(uses, 200, 60, 50) == 400 * 200 - 100 * 50 - 200 * 60


def test_bills__senseless_use__refused() -> None:
    with pytest.raises(ValueError, match="delivered more"):
        WindowUse(0, 5, 0, 6)
    with pytest.raises(ValueError, match="negative"):
        WindowUse(-1, 0)


def test_reduction_pct__signs__a_gain_is_positive() -> None:
    assert (reduction_pct(200, 150), reduction_pct(-100, -150), reduction_pct(0, 5)) == (25.0, 50.0, 0.0)

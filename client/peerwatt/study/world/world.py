"""The world of the study: homes that forecast, decide and use energy; of the market it knows the fills."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from peerwatt.study.models import StudyConfig
from peerwatt.study.world import forecast, loads, scenarios, solar, wind
from peerwatt.study.world.balance import Balance
from peerwatt.study.world.decisions import (
    BUY,
    SELL,
    Decision,
    Intent,
    Outlook,
    decide_consumer,
    decide_prosumer,
)
from peerwatt.study.world.dispatch import Flow, dispatch
from peerwatt.study.world.generation import Generator, MeteredGenerator, ScheduledGenerator, wind_generator
from peerwatt.study.world.homes import (
    Home,
    Site,
    consumer_home,
    draw_consumer,
    draw_prosumer,
    prosumer_home,
)
from peerwatt.study.world.timeline import PER_DAY, PER_HOUR, Floats, Ints, Timeline

SIZES = {"consumers": (1, 2000), "prosumers": (1, 200), "windows": (1, 96)}


@dataclass(frozen=True)
class ForecastQuality:
    """nRMSE of the forecasts that orders came from, and of seasonal-naive with the same knowledge."""

    load: float
    pv: float
    load_seasonal_naive: float
    pv_seasonal_naive: float


@dataclass(frozen=True)
class SiteState:
    """A prosumer at the start of a window."""

    stored_wh: int
    vehicle_wh: int
    markup: float


class World:
    """The community over its trading windows 0..windows-1.

    Order of calls: `standing_intents()`, then for each window `intents(w)` and, once the market has cleared
    it, `deliver(w, fills)`. `intents(w)` uses what is known at w's gate, whether or not window w-1 was
    delivered already.
    """

    def __init__(
        self,
        config: StudyConfig,
        seed: int,
        consumers: int = 246,
        prosumers: int = 14,
        windows: int = 10,
        scenario: str = "base",
    ) -> None:
        """Draws the community.

        Raises:
            ValueError: a size outside SIZES, a negative seed, or an unknown scenario.
        """
        for name, value in (("consumers", consumers), ("prosumers", prosumers), ("windows", windows)):
            low, high = SIZES[name]
            if not low <= value <= high:
                raise ValueError(f"{name} = {value}; the study takes {low} to {high}")
        if seed < 0:
            raise ValueError(f"seed {seed} is negative; use 0 or more")
        scenarios.check_scenario(scenario)
        self.config, self.seed, self.scenario, self.windows = config, seed, scenario, windows
        self.timeline = Timeline.of(config.period, windows)
        self._weekend = self.timeline.weekend()
        self._build_consumers(consumers)
        self._build_prosumers(prosumers)
        self.homes: list[Home] = [*self._consumers, *(site.home for site in self._sites)]
        self.decisions: list[Decision] = []
        self._intents: dict[int, list[Intent]] = {}
        self._standing: list[Intent] | None = None
        self._states = [
            [SiteState(s.traits.stored_wh, s.traits.vehicle_wh, s.traits.markup)] for s in self._sites
        ]
        self._reserved = [0] * prosumers
        self.balances: list[dict[str, Balance]] = []

    def _loads(self, sites: list[loads.LoadSite], purpose: str) -> Ints:
        model = loads.model_loads(sites, self.timeline, self.config.load, self.seed, purpose)
        changed = scenarios.scenario_loads(model, self.timeline, self.scenario, self.seed, purpose)
        return loads.whole_wh(changed, self.config.load.standby_wh)

    def _quarters(self) -> Ints:
        return np.arange(self.timeline.first, self.timeline.first + self.windows)

    def _build_consumers(self, count: int) -> None:
        self._traits = [draw_consumer(self.config, self.seed, i) for i in range(count)]
        self._consumer_loads = self._loads([t.site for t in self._traits], "consumer load")
        known = self.timeline.known(0)
        self._consumer_forecast = forecast.forecast_loads(
            self._consumer_loads, self._quarters(), known, self._weekend, self.config.forecast
        )
        need = self._consumer_forecast.sum(axis=1)
        peak = self._consumer_loads[:, :known].max(axis=1)
        self._consumers = [
            consumer_home(self.config, i, traits, float(need[i]), int(peak[i]))
            for i, traits in enumerate(self._traits)
        ]

    def _build_prosumers(self, count: int) -> None:
        config, timeline = self.config, self.timeline
        traits = [draw_prosumer(config, self.seed, i) for i in range(count)]
        self._prosumer_loads = self._loads([t.site for t in traits], "prosumer load")
        planes = solar.clear_sky_planes(timeline, config.place, config.solar)
        air = solar.air_temperature_c(timeline, config.place)
        clouds = scenarios.scenario_clouds(config.solar.clouds, self.scenario)
        index = solar.cloud_indices(count, timeline, clouds, self.seed)
        speeds = wind.wind_speeds_m_s(timeline, config.wind, self.seed)
        peak = self._prosumer_loads[:, : timeline.known(0)].max(axis=1)
        self._sites: list[Site] = []
        for i, t in enumerate(traits):
            sky = planes[t.plant.plane]
            clear = solar.plant_power_w(t.plant, sky, air, config.solar) / PER_HOUR
            actual = solar.plant_energy_wh(solar.plant_power_w(t.plant, sky * index[i], air, config.solar))
            weights = config.forecast
            generators: list[Generator] = [
                MeteredGenerator("pv", t.plant.ac_w, actual, clear, weights.sky_decay, weights.sky_today)
            ]
            if t.turbine:
                generators.append(wind_generator(t.turbine, speeds, timeline))
            if t.kind.biogas:
                power, start, end = t.kind.biogas
                generators.append(ScheduledGenerator(1000.0 * power * t.scale, start, end))
            home = prosumer_home(config, i, t, self.windows, int(peak[i]))
            self._sites.append(Site(home, t, tuple(generators)))

    def standing_intents(self) -> list[Intent]:
        """One order per consumer over all windows, decided at the first gate; homes that hold have none."""
        if self._standing is not None:
            return list(self._standing)
        config, known = self.config, self.timeline.known(0)
        usual = forecast.similar_days(self._consumer_loads, self._quarters(), known, self._weekend)
        level = self._consumer_forecast.sum(axis=1) / np.maximum(usual.sum(axis=1), 1.0)
        samples = forecast.similar_samples(self._consumer_loads, self._quarters(), known, self._weekend)
        quantile = np.quantile(samples, config.decisions.order_quantile, axis=1) * level
        self._standing = []
        for i, (home, traits) in enumerate(zip(self._consumers, self._traits, strict=True)):
            limit = math.floor(config.retail[home.retail_class].price * traits.willingness)
            need = min(int(quantile[i]), home.import_limit_wh)
            fee = config.feeders[home.feeder].network_fee
            decision, intent = decide_consumer(
                home.id, self.windows, need, limit, fee, home.deposit, config.market
            )
            self.decisions.append(decision)
            if intent:
                self._standing.append(intent)
        return list(self._standing)

    def intents(self, window: int, free_money: Mapping[str, int] | None = None) -> list[Intent]:
        """The prosumers' orders for one window, decided at its gate; the same list when asked again.

        Args:
            free_money: free balances by home [base units]; without them the home counts its own reserves as
            kept.
        Raises:
            ValueError: no such window, or window - 2 is not delivered yet.
        """
        if not 0 <= window < self.windows:
            raise ValueError(f"window {window} is outside 0..{self.windows - 1}")
        if window in self._intents:
            return list(self._intents[window])
        if len(self.balances) < window - 1:
            raise ValueError(
                f"window {window} is decided after window {window - 2} is delivered; deliver it first"
            )
        quarter, known = self.timeline.first + window, self.timeline.known(window)
        rest = np.arange(quarter - 1, (quarter // PER_DAY + 1) * PER_DAY)
        model = self.config.forecast
        load = forecast.forecast_loads(self._prosumer_loads, rest, known, self._weekend, model)
        spread = forecast.similar_spread(self._prosumer_loads, rest[1:2], known, self._weekend)
        placed = []
        for i in range(len(self._sites)):
            outlook = self._outlook(i, window, rest, load[i], float(spread[i]), free_money)
            decision, intent = decide_prosumer(outlook, self.config.market, self.config.decisions)
            self.decisions.append(decision)
            if intent:
                placed.append(intent)
                price = self.config.market.price(intent.limit_level)
                unit = price if intent.side == BUY else self.config.market.imbalance_price - price
                self._reserved[i] += intent.energy_wh * unit
        self._intents[window] = placed
        return list(placed)

    def _outlook(
        self,
        i: int,
        window: int,
        rest: Ints,
        load: Floats,
        load_spread: float,
        free_money: Mapping[str, int] | None,
    ) -> Outlook:
        """What prosumer i knows at the gate of a window; `rest` starts one quarter before it."""
        site, config = self._sites[i], self.config
        known, quarter = self.timeline.known(window), int(rest[1])
        made = sum((g.expected_wh(rest, known) for g in site.generators), np.zeros(rest.size))
        net = made - load
        state = self._states[i][max(window - 1, 0)]
        if window > 0:
            flow = self._expected_flow(i, window - 1, int(net[0]), state)
            state = SiteState(flow.stored_wh, flow.vehicle_wh, state.markup)
        due = 0
        if site.traits.vehicle:
            due = site.traits.vehicle.due_wh(state.vehicle_wh, self._quarters_left(i, quarter))
        later = net[2:]
        hours = (rest[1:] % PER_DAY + 0.5) / PER_HOUR
        variance = load_spread**2 + sum(g.spread_wh(quarter, known) ** 2 for g in site.generators)
        money = (
            site.home.deposit - self._reserved[i] if free_money is None else free_money.get(site.home.id, 0)
        )
        return Outlook(
            home_id=site.home.id,
            window=window,
            hour=float(hours[0]),
            evening_factor=max(config.decisions.hour_factor(float(h)) for h in hours),
            surplus_wh=float(net[1]) - due,
            spread_wh=math.sqrt(variance),
            later_surplus_wh=float(np.maximum(later, 0.0).sum()),
            later_need_wh=float(np.maximum(-later, 0.0).sum()),
            battery=site.traits.battery,
            stored_wh=state.stored_wh,
            rated_wh=sum(g.rated_w for g in site.generators) / PER_HOUR,
            import_limit_wh=site.home.import_limit_wh,
            export_limit_wh=site.home.export_limit_wh,
            free_money=max(money, 0),
            retail_price=config.retail[site.home.retail_class].price,
            network_fee=config.feeders[site.home.feeder].network_fee,
            feed_in=config.feed_in,
            markup=state.markup,
            willingness=site.traits.willingness,
        )

    def _expected_flow(self, i: int, window: int, net_wh: int, state: SiteState) -> Flow:
        """What the running window will likely do to the stores, its order filled in full."""
        site = self._sites[i]
        order = next((n for n in self._intents.get(window, []) if n.home_id == site.home.id), None)
        sold = order.energy_wh if order and order.side == SELL else 0
        bought = order.energy_wh if order and order.side == BUY else 0
        return self._dispatch(i, window, net_wh, sold, bought, state)

    def _quarters_left(self, i: int, quarter: int) -> int:
        vehicle = self._sites[i].traits.vehicle
        return max(int(vehicle.departure_hour * PER_HOUR) - quarter % PER_DAY, 0) if vehicle else 0

    def _dispatch(self, i: int, window: int, net_wh: int, sold: int, bought: int, state: SiteState) -> Flow:
        traits = self._sites[i].traits
        left = self._quarters_left(i, self.timeline.first + window)
        return dispatch(
            net_wh, sold, bought, traits.battery, state.stored_wh, traits.vehicle, state.vehicle_wh, left
        )  # fmt: skip

    def deliver(self, window: int, fills: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """What happens in a window: loads, generation, stores, registers.

        Args:
            window: the next one not delivered.
            fills: Wh that clearing gave each home's order (the side is the order's); absent means 0.
        Returns:
            Growth of the import and the export register of every home [Wh].
        Raises:
            ValueError: out of sequence, undecided, a fill of a home without an order, or a fill above the
            order.
        """
        if window != len(self.balances) or window >= self.windows:
            raise ValueError(
                f"window {window} cannot be delivered; the next is {len(self.balances)} of {self.windows}"
            )
        self.standing_intents()
        orders = {n.home_id: n for n in [*(self._standing or []), *self.intents(window)]}
        for home_id, fill in fills.items():
            limit = orders[home_id].energy_wh if home_id in orders else 0
            if not 0 <= fill <= limit:
                raise ValueError(
                    f"fill of {home_id} in window {window} is {fill} Wh; its order is for {limit} Wh"
                )
        quarter = self.timeline.first + window
        balances: dict[str, Balance] = {}
        for home, load in zip(self._consumers, self._consumer_loads[:, quarter], strict=True):
            balances[home.id] = Balance(int(load), 0, 0, 0, 0, int(load), 0, 0, 0).check()
        for i, site in enumerate(self._sites):
            order = orders.get(site.home.id)
            balances[site.home.id] = self._deliver_site(i, window, order, fills.get(site.home.id, 0))
        self.balances.append(balances)
        return {home: (b.imported_wh, b.traded_wh + b.exported_wh) for home, b in balances.items()}

    def _deliver_site(self, i: int, window: int, order: Intent | None, fill: int) -> Balance:
        site, quarter = self._sites[i], self.timeline.first + window
        made = {"pv": 0, "wind": 0, "conventional": 0}
        for generator in site.generators:
            made[generator.source] += generator.energy_wh(quarter)
        load = int(self._prosumer_loads[i, quarter])
        sold = fill if order and order.side == SELL else 0
        bought = fill if order and order.side == BUY else 0
        state = self._states[i][window]
        flow = self._dispatch(i, window, sum(made.values()) - load, sold, bought, state)
        model, markup = self.config.decisions, state.markup
        if order and order.side == SELL:
            markup *= model.markup_up if fill >= order.energy_wh else model.markup_down if fill == 0 else 1.0
        self._states[i].append(SiteState(flow.stored_wh, flow.vehicle_wh, min(markup, 1.0)))
        traded = min(sold, flow.exported_wh)
        return Balance(
            load_wh=load,
            conventional_wh=made["conventional"],
            pv_wh=made["pv"],
            wind_wh=made["wind"],
            discharged_wh=flow.discharged_wh,
            imported_wh=flow.imported_wh,
            traded_wh=traded,
            exported_wh=flow.exported_wh - traded,
            charged_wh=flow.charged_wh,
        ).check()

    def forecast_quality(self) -> ForecastQuality:
        """Errors of the forecasts behind the orders: consumers' from the first gate, prosumers' from each."""
        quarters, timeline = self._quarters(), self.timeline
        actual = [self._consumer_loads[:, quarters].ravel()]
        blend = [self._consumer_forecast.ravel()]
        naive = [forecast.seasonal_naive(self._consumer_loads, quarters, timeline.known(0)).ravel()]
        sun: list[tuple[int, float, float]] = []
        for w in range(self.windows):
            known, at = timeline.known(w), quarters[w : w + 1]
            rows = self._prosumer_loads
            actual.append(rows[:, at].ravel())
            blend.append(
                forecast.forecast_loads(rows, at, known, self._weekend, self.config.forecast).ravel()
            )
            naive.append(forecast.seasonal_naive(rows, at, known).ravel())
            for site in self._sites:
                plant = site.generators[0]
                if isinstance(plant, MeteredGenerator):
                    before = forecast.seasonal_naive(plant.actual_wh, at, known)
                    sun.append(
                        (
                            plant.energy_wh(int(at[0])),
                            float(plant.expected_wh(at, known)[0]),
                            float(before[0]),
                        )
                    )
        happened = np.concatenate(actual)
        pv = np.array(sun, dtype=np.float64)
        return ForecastQuality(
            load=forecast.nrmse(happened, np.concatenate(blend)),
            pv=forecast.nrmse(pv[:, 0], pv[:, 1]),
            load_seasonal_naive=forecast.nrmse(happened, np.concatenate(naive)),
            pv_seasonal_naive=forecast.nrmse(pv[:, 0], pv[:, 2]),
        )

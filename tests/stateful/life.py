"""A market's random life: homes trade, meters report, time passes, the operator and the regulator interfere."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import cached_property

from peerwatt.reference.auction import ALL_CROSSING, BIDS_RATIONED, NO_TRADE, OFFERS_RATIONED
from peerwatt.reference.values import BUY
from stateful.checks import violations
from stateful.ruling import Ruling
from stateful.trading import Trading
from twin import Difference, Setup, Twin

# Lives differ: an impatient market, one of tiny numbers, one whose gate closes hours ahead, and the usual one.
SETUPS = (
    Setup(report_deadline_seconds=3_600, max_reading_age_seconds=86_400),
    Setup(
        window_seconds=60,
        lead_seconds=0,
        floor_price=0,
        price_step=1,
        report_deadline_seconds=600,
        max_reading_age_seconds=14_400,
        min_order_wh=1,
        inertia_wh=1,
        tolerance_bps=10_000,
        retail=(299, 300),
        fee_per_wh=3,
    ),
    Setup(report_deadline_seconds=7_200, lead_seconds=4_000, tolerance_bps=0),
    Setup(),
)
KINDS = {
    NO_TRADE: "no trade",
    ALL_CROSSING: "midpoint",
    OFFERS_RATIONED: "offers rationed",
    BIDS_RATIONED: "bids rationed",
}
SHORT, LONG = 50, 400


class Life(Trading, Ruling):
    """A life of one twin, told by a random generator. `step` does one act and checks all that must hold."""

    def __init__(self, twin: Twin, rng: random.Random) -> None:
        self.twin = twin
        self.rng = rng
        self.steps = 0
        self.last_act = "enrol"
        sellers = [twin.home(f"prosumer {number}") for number in range(4)]
        buyers = [twin.home(f"consumer {number}", feeding_in=False) for number in range(3)]
        self.homes = sellers + buyers
        self.twin.rate(buyers[0], True)

    @cached_property
    def acts(self) -> dict[Callable[[], list[str]], int]:
        """The acts with their weights."""
        return {
            self.relay_orders: 18,
            self.relay_market: 5,
            self.place: 8,
            self.cancel: 3,
            self.relay_cancel: 4,
            self.clear: 14,
            self.relay_report: 14,
            self.relay_due: 8,
            self.relay_all: 6,
            self.relay_mixed: 2,
            self.deposit: 3,
            self.withdraw: 6,
            self.enrol: 3,
            self.enrol_many: 1,
            self.move_out: 1,
            self.revoke: 2,
            self.swap_meter: 2,
            self.set_terms: 1,
            self.restore_terms: 1,
            self.publish_tariff: 1,
            self.set_numbers: 2,
            self.pause: 2,
            self.hand_over: 2,
            self.authorise: 3,
            self.rate: 2,
            self.wind_down: 1,
            self.mend: 12,
        }

    def step(self, *, thorough: bool = False) -> None:
        """Lets some time pass, does one act, and checks.

        Raises:
            Difference: contracts and reference differ, or a promise is broken.
        """
        if self.rng.random() < 0.35:
            self.pass_time()
        act = self.rng.choices(list(self.acts), list(self.acts.values()))[0]
        self.last_act = act.__name__
        self.check(act(), thorough=thorough)

    def check(self, touched: list[str], *, thorough: bool) -> None:
        """Compares what was touched, now and then everything, and the promises."""
        self.compare(touched)
        found = violations(self.twin, thorough=thorough or self.steps % SHORT == 0)
        if found:
            raise Difference("\n".join(found))

    def compare(self, touched: list[str]) -> None:
        """Compares what was touched, now and then everything."""
        twin = self.twin
        self.steps += 1
        accounts = twin.accounts
        if self.steps % SHORT:
            accounts = {account.lower() for account in self._funds() + touched}
        twin.compare_quickly(sorted(accounts), range(twin.market.book_state.cleared - 4, twin.gated + 2))
        if self.steps % LONG == 0:
            twin.compare(thorough=False)

    def end(self) -> None:
        """Looks at everything for the last time."""
        self.twin.compare()
        found = violations(self.twin, thorough=True)
        if found:
            raise Difference("\n".join(found))

    def _funds(self) -> list[str]:
        return [self.twin.market.balancing_account, self.twin.market.network_account]

    # Time

    def pass_time(self) -> None:
        """From a second to weeks; often to where something changes, to the second."""
        rng, twin = self.rng, self.twin
        window = twin.setup.window_seconds
        draw = rng.random()
        if draw < 0.3:
            twin.travel(rng.randrange(1, window))
        elif draw < 0.65:
            twin.travel(rng.choice((1, 1, 1, 2, 2, 3, 5)) * window)
        elif draw < 0.97:
            later = [at + rng.choice((-1, 0, 0, 1)) for at in self._turning_points()]
            twin.now = min([at for at in later if at > twin.now], default=twin.now + 1)
        elif draw < 0.997:
            twin.travel(rng.choice((10, 20, 60, 230)) * window)
        else:
            twin.travel(rng.choice((2, 8, 30)) * 86_400)

    def _turning_points(self) -> list[int]:
        """An instant at which the rules change: mostly the next one, sometimes any of them."""
        market, now = self.twin.market, self.twin.now
        parameters = market.parameters
        points = [
            parameters.start_of(self.twin.now_window + 1),
            parameters.start_of(self.twin.gated + 1) - parameters.lead_seconds,
        ]
        for window in list(market.results)[-20:]:
            result = market.results[window]
            if result.left_wh:
                ended = parameters.end_of(window) + result.delay_seconds
                points.append(ended + parameters.report_deadline_seconds)
        points += [agent.expiry for agent in market.agents.values() if now < agent.expiry < now + 10**6]
        age = parameters.max_reading_age_seconds
        points += [parameters.start_of(register.window) + age for register in market.exports.values()]
        if market.tariff_head.next_from:
            points.append(parameters.start_of(market.tariff_head.next_from))
        points = [point for point in points if point > now]
        return [min(points) if self.rng.random() < 0.85 else self.rng.choice(points)] if points else []

    def abandon(self) -> list[str]:
        """Nobody clears for a week and a day: the way to a closed book."""
        twin = self.twin
        twin.travel(9 * 86_400)
        twin.announce_wind_down()
        twin.travel(self.rng.choice((86_399, 86_400, 86_401)))
        twin.wind_down()
        return []

    # What was reached

    def tally(self) -> Counter[str]:
        """What happened in this life, counted."""
        market = self.twin.market
        counts: Counter[str] = Counter()
        for (function, reason), times in self.twin.outcomes.items():
            counts[f"{function}: {reason or 'done'}"] += times
        for what, times in self.twin.skipped.items():
            counts[f"item {what}"] += times
        for entry in market.ledger:
            who = "seller" if entry.order.side != BUY else "rated buyer" if entry.order.rated else "buyer"
            counts[f"settled {who} {entry.cause}"] += 1
            if entry.cause == "reported" and entry.order.side != BUY:
                counts["shortfall" if entry.delivered_wh < entry.fill_wh else "full delivery"] += 1
        for result in market.results.values():
            counts[f"result {KINDS[result.kind]}"] += 1
        counts["windows finished"] = len(market.rounding_wh)
        counts["windows with rounding Wh"] = sum(wh > 0 for wh in market.rounding_wh.values())
        counts["closed books"] = int(market.book_state.closed)
        counts["tariff versions"] = len(market.tables)
        counts["orders by agents"] = self.twin.agent_orders
        return counts

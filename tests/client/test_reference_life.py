"""Random lives of a market in the reference model: after every act, refused or not, all invariants hold."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from client.reference_village import (
    OPERATOR,
    REGULATOR,
    START,
    STRANGER,
    TABLES,
    TERMS,
    WINDOW,
    Village,
    account,
    connection,
    meter,
)
from peerwatt.reference import (
    BUY,
    SELL,
    CancelItem,
    CancelMessage,
    DueItem,
    Item,
    Market,
    MeterSwap,
    Refused,
    ReportItem,
    ReportMessage,
)
from peerwatt.reference.invariants import check_all
from peerwatt.reference.meters import is_revoked
from peerwatt.reference.participants import Agent
from peerwatt.reference.reasons import REASONS

HOMES = 8


class Life:
    """Homes that do anything at any time, some of it senseless."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.village = Village(HOMES, money=0)
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.spare_meters = HOMES
        for number in range(HOMES):
            self.market.deposit(START, account(number), self.choose.choice([10**6, 10**8, 10**8]))

    @property
    def market(self) -> Market:
        return self.village.market

    @property
    def window(self) -> int:
        return self.village.now // WINDOW

    def step(self) -> None:
        home = account(self.choose.randrange(HOMES))
        acts = {
            self.order: 50,
            self.clear: 16,
            self.report: 20,
            self.due: 12,
            self.wait: 12,
            self.cancel: 6,
            self.money: 6,
            self.rate: 3,
            self.agent: 2,
            self.swap: 2,
            self.revoke: 1,
            self.move: 8,
            self.publish: 2,
        }
        act = self.choose.choices(list(acts), list(acts.values()))[0]
        try:
            act(home)
        except Refused as refusal:
            self.refused[refusal.reason] += 1
        else:
            self.done[act.__name__] += 1

    def relay(self, *items: Item) -> None:
        for code in self.market.relay(self.village.now, items):
            if code:
                raise Refused(REASONS[code])

    def order(self, home: str) -> None:
        first = self.window + self.choose.choice([0, 1, 1, 1, 2, 3])
        last = first + self.choose.choices([0, 1, 3, 8, 300], [9, 9, 6, 4, 1])[0]
        side = self.choose.choice([BUY, SELL])
        level = self.choose.randrange(25, 60) if side == BUY else self.choose.randrange(10, 45)
        energy = self.choose.choices([49, 50, 77, 333, 1000, 1001, 20_001], [1, 4, 4, 6, 6, 6, 1])[0]
        item = self.village.order(home, side, first, last, energy, level)
        by_agent = self.choose.random() < 0.1
        self.relay(replace(item, agent=STRANGER, signer=STRANGER) if by_agent else item)

    def clear(self, home: str) -> None:
        self.market.clear(self.village.now, self.choose.choice([1, 400, 400]))

    def report(self, home: str) -> None:
        side = self.choose.choice([BUY, SELL, SELL])
        register = self.market.export_register(home) if side == SELL else self.market.import_register(home)
        first = register.window + self.choose.choice([0, 0, 0, 0, 1, -1])
        count = max(0, min(self.choose.choice([self.window - first] * 6 + [1, 0]), 224))
        growths = tuple(self.choose.choice([0, 50, 320, 1000, 5000]) for _ in range(count))
        report = ReportMessage(side, max(first, 0), register.register_wh, growths)
        hints = self.choose.choice([self.market.hints(home)] * 9 + [0])
        self.relay(ReportItem(home, report, hints, self.village.meters[home]))

    def due(self, home: str) -> None:
        self.relay(DueItem(home, self.market.hints(home), self.choose.choice([1, 3, 255])))

    def wait(self, home: str) -> None:
        windows = self.choose.choices([0.4, 1, 3, 12, 300], [16, 20, 10, 2, 1])[0]
        self.village.now += int(windows * WINDOW)

    def cancel(self, home: str) -> None:
        nonce = self.village.nonces.get(home, 16) + self.choose.choice([0, 0, 0, -1, 1])
        cut = CancelMessage(home, nonce, self.window + self.choose.randrange(4), self.village.now)
        self.relay(CancelItem(cut, signer=home))

    def money(self, home: str) -> None:
        wallet = self.market.wallet(home)
        if self.choose.random() < 0.5:
            self.market.deposit(self.village.now, home, 10**7, received=10**7 - self.choose.randrange(2))
        else:
            amount = self.choose.choice([wallet.free // 2, wallet.free + 1])
            self.market.withdraw(self.village.now, home, amount, STRANGER)

    def rate(self, home: str) -> None:
        self.village.registry.rate(self.village.now, home, self.choose.random() < 0.7)

    def agent(self, home: str) -> None:
        caps = Agent(self.village.now + 5 * WINDOW, 50, 20, 10**6)
        self.village.registry.authorise(self.village.now, home, STRANGER, caps)

    def swap(self, home: str) -> None:
        self.spare_meters += 1
        new = meter(self.spare_meters)
        swap = MeterSwap(home, self.village.meters[home], new, 7, 9, self.village.now)
        self.village.registry.swap_meter(self.village.now, OPERATOR, swap, 0, home, new)
        self.village.meters[home] = new

    def revoke(self, home: str) -> None:
        place = self.village.registry.connection_of.get(home, connection(99))
        self.village.registry.revoke(self.village.now, OPERATOR, place)

    def move(self, home: str) -> None:
        """Out of a connection that was cut off, and in again with another meter."""
        registry, now = self.village.registry, self.village.now
        place = registry.connection_of.get(home)
        if place is not None and not is_revoked(self.market, home, self.window):
            return
        if place is not None:
            registry.move_out(now, OPERATOR, place)
        self.spare_meters += 1
        number = int(home, 16) - int(account(0), 16)
        self.village.enrol(connection(number), home, meter(self.spare_meters))

    def publish(self, home: str) -> None:
        registry, now = self.village.registry, self.village.now
        registry.set_feeder_fee(now, REGULATOR, 1, self.choose.randrange(30))
        registry.set_feeder_scale(now, OPERATOR, 1, self.choose.choice([100, 10_000]), 10_000)
        registry.set_terms(now, OPERATOR, home, TERMS)
        registry.publish_tariff(now, REGULATOR, self.choose.randrange(300, 400), TABLES)


@pytest.mark.parametrize("seed", range(5))
def test_life__random_acts__every_invariant_holds_after_each(seed: int) -> None:
    life = Life(seed)
    for _ in range(800):
        life.step()
        assert check_all(life.market) == [], life.market.log[-3:]
    # A life in which nothing happens would prove nothing.
    assert {"order", "clear", "report", "due", "cancel", "money"} <= set(life.done)
    assert len(life.market.ledger) > 50
    assert len(life.refused) > 8


def test_life__market_wound_down__all_money_leaves() -> None:
    life = Life(99)
    village, market, registry = life.village, life.market, life.village.registry
    homes = [account(number) for number in range(HOMES)]
    orders = [
        village.order(home, i % 2, life.window + 1, life.window + 40, 50, 40) for i, home in enumerate(homes)
    ]
    accepted = village.relay(*orders).count(0)
    assert accepted > 1
    village.now += 3 * WINDOW
    market.clear(village.now, 2)
    village.now += 7 * 86400 + WINDOW
    with pytest.raises(Refused, match="auction: no notice"):
        registry.wind_down(village.now)
    registry.announce_wind_down(village.now)
    with pytest.raises(Refused, match="auction: notice too young"):
        registry.wind_down(village.now + 86399)
    registry.wind_down(village.now + 86400)
    village.now += 86400
    with pytest.raises(Refused, match="offers: market closed"):
        life.order(homes[0])
    assert village.relay(*[DueItem(home, market.hints(home), 255) for home in homes]).count(0) == accepted
    assert check_all(market) == []
    for holder, wallet in list(market.wallets.items()):
        if wallet.balance:
            market.withdraw(village.now, holder, wallet.balance, STRANGER)
    assert market.token_balance == 0

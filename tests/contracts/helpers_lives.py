"""The lives whose gas is measured: the study's ten windows, a day of standing orders, a seller's every window."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from contracts.helpers_gas import WINDOW_SECONDS, Chain, Home, due, split
from peerwatt.market.relay import Item

RING = 256
SLOTS = 16
STUDY_WINDOWS, DAY_WINDOWS = 10, 96
# Relays keep below 2^24 gas: a day of one home settles for 150,000.
DUES_A_RELAY = {STUDY_WINDOWS: 246, DAY_WINDOWS: 82}
# Words of a seller's report of one window and its next order.
PAIR_WORDS = 9


@dataclass
class Bill:
    """Gas of a life: by kind of act, each transaction's, and how many participants' windows it was for."""

    participant_windows: int
    order: int = 0
    clear: int = 0
    settle: int = 0
    clears: list[int] = field(default_factory=list)
    largest: int = 0

    def pay(self, kind: str, gas: int) -> None:
        setattr(self, kind, getattr(self, kind) + gas)
        self.largest = max(self.largest, gas)
        if kind == "clear":
            self.clears.append(gas)

    @property
    def total(self) -> int:
        return self.order + self.clear + self.settle

    def per_participant_window(self, kind: str = "total") -> float:
        return float(getattr(self, kind)) / self.participant_windows


def draw_levels(rnd: random.Random) -> list[int]:
    """The price levels that a community's bids lie at; its offers lie as far down."""
    return [rnd.randint(120, 255) for _ in range(40)]


def live_study(chain: Chain, buyers: list[Home], sellers: list[Home]) -> Bill:
    """Ten windows: one standing order of each consumer, an order for each window and one report of each prosumer."""
    rnd = random.Random(1)
    levels, windows, first = draw_levels(rnd), STUDY_WINDOWS, chain.next_window
    bill = Bill(windows * (len(buyers) + len(sellers)))
    last = first + windows - 1
    orders: list[Item] = [
        home.order(chain.domain, first, last, rnd.randint(100, 900), rnd.choice(levels)) for home in buyers
    ]
    for batch in split(orders):
        bill.pay("order", chain.relay(batch))
    for window in range(first, last + 1):
        offers = [
            home.order(chain.domain, window, window, rnd.randint(3_000, 12_000), rnd.randint(10, 150), window % SLOTS)
            for home in sellers
        ]
        bill.pay("order", chain.relay(offers))
        chain.to_gate(window)
        bill.pay("clear", chain.clear())
    chain.to_end(last)
    slots = [window % SLOTS for window in range(first, last + 1)]
    reports = [home.report(chain.domain, first, draw_growths(rnd, windows), slots) for home in sellers]
    settle(chain, bill, reports, buyers, windows)
    return bill


def live_day(chain: Chain, buyers: list[Home], sellers: list[Home]) -> Bill:
    """A day: one standing order of each home, one late clear, one report of each seller."""
    bill = Bill(DAY_WINDOWS * (len(buyers) + len(sellers)))
    first, rnd = chain.next_window, random.Random(1)
    for batch in split(draw_day(chain, rnd, buyers, sellers)):
        bill.pay("order", chain.relay(batch))
    chain.to_end(first + DAY_WINDOWS - 1)
    bill.pay("clear", chain.clear())
    reports = [home.report(chain.domain, first, draw_growths(rnd, DAY_WINDOWS), [0]) for home in sellers]
    settle(chain, bill, reports, buyers, DAY_WINDOWS)
    return bill


def cancel_day(chain: Chain, buyers: list[Home], sellers: list[Home]) -> None:
    """A day's orders placed and taken back: every slot used once, without the day."""
    first = chain.next_window
    for batch in split(draw_day(chain, random.Random(1), buyers, sellers)):
        chain.relay(batch)
    # Out of the gate's reach of one window more.
    chain.now -= 2 * WINDOW_SECONDS
    for home in (*buyers, *sellers):
        chain.send(chain.market.cancel, home.nonce, first, sender=home.account)
    chain.now += 2 * WINDOW_SECONDS


def draw_day(chain: Chain, rnd: random.Random, buyers: list[Home], sellers: list[Home]) -> list[Item]:
    levels, first = draw_levels(rnd), chain.next_window
    last = first + DAY_WINDOWS - 1
    bids = [home.order(chain.domain, first, last, rnd.randint(100, 900), rnd.choice(levels)) for home in buyers]
    offers = [
        home.order(chain.domain, first, last, rnd.randint(3_000, 12_000), rnd.randint(10, 150)) for home in sellers
    ]
    return [*bids, *offers]


def draw_growths(rnd: random.Random, windows: int) -> list[int]:
    return [rnd.randint(2_500, 12_000) for _ in range(windows)]


def settle(chain: Chain, bill: Bill, reports: list[Item], buyers: list[Home], windows: int) -> None:
    for batch in split(reports):
        bill.pay("settle", chain.relay(batch))
    for batch in split((due(home, windows) for home in buyers), most=DUES_A_RELAY[windows]):
        bill.pay("settle", chain.relay(batch))


def lap_ring(chain: Chain, start: int, sellers: list[Home]) -> None:
    """On to where the same slots of the ring come round again; sellers' readings are made recent."""
    chain.now = start + RING * WINDOW_SECONDS
    chain.clear()
    for batch in split(home.report(chain.domain, chain.now // WINDOW_SECONDS, [], []) for home in sellers):
        chain.relay(batch)


@dataclass
class Seller:
    """Gas of a seller for each window, by how its order and its report travel."""

    order: float = 0
    report: float = 0
    pair: float = 0


def live_sellers(chain: Chain, buyer: Home, sellers: list[Home], together: bool) -> Seller:
    """A seller who orders and reports every single window. The report of a window and the order for the next one but
    one travel apart, or in one relay: between the end of the one and the gate of the other."""
    rnd = random.Random(2)
    levels = [level - 110 for level in draw_levels(rnd)]
    mine = {home.account: rnd.choice(levels) for home in sellers}
    start = chain.now
    gas = Seller()
    for lap in range(2):
        if lap:
            lap_ring(chain, start, sellers)
        first = chain.next_window
        chain.relay([buyer.order(chain.domain, first, first + 3, 50_000, 250)])

        def order(home: Home, window: int) -> Item:
            return home.order(chain.domain, window, window, 5_000, mine[home.account], window % 2)

        def report(home: Home, window: int) -> Item:
            return home.report(chain.domain, window, [5_000], [window % 2])

        count = len(sellers)
        gas.order = send(chain, [order(home, first) for home in sellers]) / count
        chain.to_gate(first)
        chain.clear()
        send(chain, [order(home, first + 1) for home in sellers])
        chain.to_gate(first + 1)
        chain.clear()
        chain.to_end(first)
        if together:
            pairs = [item for home in sellers for item in (report(home, first), order(home, first + 2))]
            gas.pair = send(chain, pairs) / count
        else:
            gas.report = send(chain, [report(home, first) for home in sellers]) / count
            gas.order = send(chain, [order(home, first + 2) for home in sellers]) / count
        chain.to_gate(first + 2)
        chain.clear()
        chain.to_end(first + 3)
        chain.clear()
        send(
            chain, [home.report(chain.domain, first + 1, [5_000] * 2, [(first + 1) % 2, first % 2]) for home in sellers]
        )
        chain.relay([due(buyer, 4)])
    return gas


def send(chain: Chain, items: list[Item]) -> int:
    return sum(chain.relay(batch) for batch in split(items))

"""A small market in the reference model, for tests: homes with meters and money, and the items they sign."""

from __future__ import annotations

from peerwatt.reference import (
    SELL,
    Enrolment,
    Item,
    Market,
    MarketParameters,
    OrderItem,
    OrderMessage,
    Registry,
    RegistryParameters,
    ReportItem,
    ReportMessage,
    Terms,
)
from peerwatt.reference.tariffs import Tables

WINDOW = 900
START = 1_800_000_000
NOW_WINDOW = START // WINDOW
OPERATOR, REGULATOR, BALANCING, NETWORK, REGISTRY, MARKET, TOKEN, STRANGER = (
    f"0x{number:040x}" for number in range(1, 9)
)
TABLES = Tables(
    surcharges=(900,) * 6 + (300,) * 10,
    haircuts=(600,) * 6 + (250,) * 10,
    rebates=(0,) * 8 + (2000,) * 8,
)
TERMS = Terms(20_000, 20_000, feeder=1, status=2, meter_class=0, retail_class=0)


def account(number: int) -> str:
    return f"0x{0xA000 + number:040x}"


def meter(number: int) -> str:
    return f"0x{0xB000 + number:040x}"


def connection(number: int) -> bytes:
    return (number + 1).to_bytes(32, "big")


class Village:
    """A market with homes 0..n-1, each with money, at the start of a window."""

    def __init__(self, homes: int, money: int = 10**9) -> None:
        self.now = START
        parameters = MarketParameters(
            token=TOKEN,
            registry=REGISTRY,
            window_seconds=WINDOW,
            lead_seconds=300,
            floor_price=100,
            price_step=10,
            report_deadline_seconds=3 * 86400,
            max_reading_age_seconds=86400,
            min_order_wh=50,
            tolerance_bps=500,
            inertia_wh=10_000,
            balancing_account=BALANCING,
            network_account=NETWORK,
        )
        self.market = Market(START, parameters, MARKET)
        self.registry = Registry(
            self.market, RegistryParameters(MARKET, OPERATOR, REGULATOR, 1, BALANCING, NETWORK)
        )
        self.registry.publish_tariff(START, REGULATOR, 300, TABLES)
        self.registry.set_retail(START, REGULATOR, 0, 2600)
        self.registry.set_feeder_fee(START, REGULATOR, 1, 7)
        self.registry.set_feeder_scale(START, OPERATOR, 1, 10_000, 10_000)
        self.meters: dict[str, str] = {}
        self.nonces: dict[str, int] = {}
        for number in range(homes):
            self.enrol(connection(number), account(number), meter(number))
            if money:
                self.market.deposit(START, account(number), money)

    def enrol(self, place: bytes, home: str, device: str) -> None:
        message = Enrolment(home, device, 0, 0, self.now)
        self.registry.enrol(self.now, OPERATOR, place, TERMS, message, home, device)
        self.meters[home] = device

    def order(self, home: str, side: int, first: int, last: int, wh: int, level: int) -> OrderItem:
        self.nonces[home] = self.nonces.get(home, 15) + 1
        message = OrderMessage(home, self.meters[home], side, first, last, wh, level, self.nonces[home])
        return OrderItem(message, signer=home)

    def report(self, home: str, side: int, growths: list[int]) -> ReportItem:
        register = self.market.export_register(home) if side == SELL else self.market.import_register(home)
        message = ReportMessage(side, register.window, register.register_wh, tuple(growths))
        return ReportItem(home, message, self.market.hints(home), self.meters[home])

    def relay(self, *items: Item) -> list[int]:
        return self.market.relay(self.now, items)

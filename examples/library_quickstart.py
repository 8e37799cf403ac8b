"""Two homes trade for one quarter of an hour on a chain inside this process.

Run it with `python examples/library_quickstart.py`. Every step is what a program on a real chain does; only the keys
are made up here, and the clock is moved instead of waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from peerwatt.market import relay
from peerwatt.market.deployment import MarketNumbers, Roles, deploy_market
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.senders import NodeAccount
from peerwatt.market.words import FEEDING_IN, ONLY_CONSUMING, TableWord
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.signing import BUY, EXPORTS, SELL, Domain, Enrolment, Order, Permit, Report, Withdrawal, sign
from peerwatt.units import (
    PriceGrid,
    format_money,
    format_price,
    parse_energy,
    parse_money,
    parse_price,
    parse_unit_price,
)

GRID = PriceGrid(floor_price=61_500, price_step=500, token_decimals=6, currency="NGN")
NUMBERS = MarketNumbers(
    window_seconds=900,
    lead_seconds=300,
    floor_price=GRID.floor_price,
    price_step=GRID.price_step,
    report_deadline_seconds=3 * 86400,
    max_reading_age_seconds=4 * 86400,
    min_order_wh=50,
    tolerance_bps=200,
    inertia_wh=50_000,
)
# One per cent surcharge and haircut for every reputation, no rebate on the network fee.
TABLES = [TableWord((bps,) * 16).encode() for bps in (100, 100, 0)]
IMBALANCE_STEPS = (parse_unit_price("225 NGN/kWh", GRID) - GRID.floor_price) // GRID.price_step
METER_CLASS, RETAIL_CLASS, FEEDER = 1, 0, 0


@dataclass(frozen=True)
class Key:
    """A private key and its address. These ones are public: they serve an example."""

    name: str

    @property
    def secret(self) -> bytes:
        return bytes(keccak(text=f"peerwatt example {self.name}"))

    @property
    def address(self) -> str:
        return str(PrivateKey(self.secret).public_key.to_checksum_address())


@dataclass(frozen=True)
class Home:
    """An account, its meter, and what the operator certifies about the connection."""

    name: str
    status: int

    @property
    def account(self) -> Key:
        return Key(f"{self.name} account")

    @property
    def meter(self) -> Key:
        return Key(f"{self.name} meter")


ADA, BOLA = Home("Ada", FEEDING_IN), Home("Bola", ONLY_CONSUMING)


class Example:
    """A market on an embedded chain with Ada and Bola in it."""

    def __init__(self) -> None:
        self.chain = EmbeddedChain()
        operator, regulator, balancing, network, relayer = self.chain.accounts[:5]
        self.operator, self.regulator = NodeAccount(operator), NodeAccount(regulator)
        # The relayer pays the gas. It is nobody special: Ada and Bola need no gas money, and anyone could do it.
        self.relayer = NodeAccount(relayer)
        roles = Roles(operator, regulator, balancing, network)
        self.deployment = deploy_market(self.chain.w3, self.operator, NUMBERS, roles)
        self.gateway = MarketGateway(self.chain.w3, self.deployment)
        self.domain = Domain(self.deployment.chain_id, self.deployment.market)
        self.funds = {"balancing account": balancing, "network account": network}

    def publish_tariffs(self) -> None:
        """The regulator's prices and the operator's feeder."""
        registry = self.gateway.registry.functions
        self.gateway.act(self.regulator, registry.publish_tariff(IMBALANCE_STEPS, *TABLES))
        retail = parse_unit_price("209.5 NGN/kWh", GRID)
        self.gateway.act(self.regulator, registry.set_retail(RETAIL_CLASS, retail))
        self.gateway.act(self.regulator, registry.set_feeder_fee(FEEDER, parse_unit_price("8 NGN/kWh", GRID)))
        self.gateway.act(self.operator, registry.set_feeder_scale(FEEDER, 10_000, 10_000))

    def enrol(self, home: Home) -> None:
        """Account and meter sign, the operator certifies the connection under a pseudonym."""
        deadline = self.gateway.now_s() + 3600
        message = Enrolment(home.account.address, home.meter.address, imported_wh=0, exported_wh=0, deadline=deadline)
        by_account = sign(message, self.domain, home.account.secret)
        by_meter = sign(message, self.domain, home.meter.secret)
        limit_wh = parse_energy("3450 Wh")
        terms = (limit_wh, limit_wh, FEEDER, home.status, METER_CLASS, RETAIL_CLASS)
        connection = keccak(text=f"salted number of {home.name}'s connection")
        words = (by_account.r, by_account.vs, by_meter.r, by_meter.vs)
        call = self.gateway.registry.functions.enrol(connection, terms, astuple(message), *words)
        self.gateway.act(self.operator, call)

    def deposit(self, home: Home, amount: int) -> None:
        """The home signs a permit, the relayer brings it. The local token is minted first."""
        account, deadline = home.account.address, self.gateway.now_s() + 3600
        self.gateway.act(self.operator, self.gateway.token.functions.mint(account, amount))
        permit = Permit(account, self.deployment.market, amount, nonce=0, deadline=deadline)
        signed = sign(permit, self.gateway.token_domain(), home.account.secret)
        r, s = signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")
        call = self.gateway.market.functions.deposit_permit(account, amount, deadline, signed.v, r, s)
        self.gateway.act(self.relayer, call)

    def order(self, home: Home, side: int, window: int, energy: str, limit: str) -> relay.OrderItem:
        """A signed order, ready to be relayed."""
        order = Order(
            maker=home.account.address,
            meter=home.meter.address,
            side=side,
            first_window=window,
            last_window=window,
            energy_wh=parse_energy(energy),
            limit_level=parse_price(limit, GRID),
            nonce=1,
        )
        return relay.OrderItem.from_message(order, sign(order, self.domain, home.account.secret))

    def report(self, home: Home, window: int, exported_wh: int) -> relay.ReportItem:
        """The meter's signed export registers, from the reading the market has to the end of the window."""
        known = self.gateway.exports(home.account.address)
        quiet = window - known.window + 1
        registers = (known.register_wh,) * quiet + (known.register_wh + exported_wh,)
        report = Report(home.meter.address, EXPORTS, known.window, registers)
        signature = sign(report, self.domain, home.meter.secret)
        # The order of this window is in slot 1: nonce & 15.
        return relay.ReportItem.from_message(home.account.address, report, signature, slots=[1])

    def withdraw(self, home: Home) -> int:
        """Everything that is free goes home, by the home's signature."""
        account = home.account.address
        amount, deadline = self.gateway.wallet(account).free, self.gateway.now_s() + 3600
        nonce = self.gateway.withdrawal_nonce(account)
        message = Withdrawal(account, account, amount, nonce, deadline)
        signed = sign(message, self.domain, home.account.secret)
        call = self.gateway.market.functions.withdraw_signed(
            account, account, amount, nonce, deadline, signed.r, signed.vs
        )
        self.gateway.act(self.relayer, call)
        return amount

    def relay(self, items: Iterable[relay.Item]) -> None:
        """Strict: the first bad item is an exception that says why."""
        self.gateway.relay(self.relayer, relay.pack(items), strict=True)

    def print_money(self, title: str) -> None:
        """All balances in the market."""
        print(title)
        accounts = {home.name: home.account.address for home in (ADA, BOLA)} | self.funds
        for name, account in accounts.items():
            wallet = self.gateway.wallet(account)
            balance, reserved = format_money(wallet.balance, GRID), format_money(wallet.reserved, GRID)
            print(f"  {name:<20}{balance:>18}   reserved {reserved}")


def main() -> None:
    """From an empty chain to money in both wallets."""
    example = Example()
    example.publish_tariffs()
    for home in (ADA, BOLA):
        example.enrol(home)
        example.deposit(home, parse_money("500 NGN", GRID))
    example.print_money("Before")

    window = example.gateway.now_s() // NUMBERS.window_seconds + 2
    example.relay(
        [
            example.order(ADA, SELL, window, "2 kWh", "100 NGN/kWh"),
            example.order(BOLA, BUY, window, "1.5 kWh", "150 NGN/kWh"),
        ]
    )
    example.print_money("Both ordered")

    example.chain.travel_to(window * NUMBERS.window_seconds - NUMBERS.lead_seconds)
    example.gateway.clear(example.relayer)
    result = example.gateway.result(window)
    print(f"Cleared at {format_price(result.level, GRID)}, level {result.level}")

    example.chain.travel_to((window + 1) * NUMBERS.window_seconds)
    # Ada fed in 1,480 Wh of the 1,500 Wh she sold. Bola needs no report: she pays for what she bought.
    due = relay.DueItem(BOLA.account.address, max_windows=1, hints=relay.pack_hints([1]))
    example.relay([example.report(ADA, window, 1_480), due])
    example.print_money("Settled")

    for home in (ADA, BOLA):
        print(f"{home.name} withdraws {format_money(example.withdraw(home), GRID)}")


if __name__ == "__main__":
    main()

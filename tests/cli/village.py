"""A market on a chain in this process with a few homes in it, for the commands to work on."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak

from peerwatt.market import relay
from peerwatt.market.deployment import MarketNumbers, Roles, deploy_market
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.senders import KeyAccount, NodeAccount
from peerwatt.market.words import FEEDING_IN, ONLY_CONSUMING, TableWord
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.signing import BUY, SELL, Domain, Enrolment, Order, sign
from peerwatt.units import PriceGrid, parse_energy, parse_money, parse_price, parse_unit_price

NUMBERS = MarketNumbers(
    window_seconds=900,
    lead_seconds=300,
    floor_price=61_500,
    price_step=500,
    report_deadline_seconds=3 * 86_400,
    max_reading_age_seconds=4 * 86_400,
    min_order_wh=50,
    tolerance_bps=200,
    inertia_wh=50_000,
)
IMBALANCE, RETAIL, FEE = "225 NGN/kWh", "209.5 NGN/kWh", "8 NGN/kWh"
TABLES = [TableWord((bps,) * 16).encode() for bps in (100, 100, 0)]
METER_CLASS, RETAIL_CLASS, FEEDER = 1, 0, 0
# Two minutes into a window: no gate and no window's end is near, whenever the tests are run.
START_S = 2_000_000_000 // 900 * 900 + 120
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Home:
    """An account with its meter; keys from public text."""

    name: str
    feeds_in: bool = False

    @property
    def account_key(self) -> bytes:
        return bytes(keccak(text=f"peerwatt test account {self.name}"))

    @property
    def meter_key(self) -> bytes:
        return bytes(keccak(text=f"peerwatt test meter {self.name}"))

    @property
    def account(self) -> str:
        return str(Account.from_key(self.account_key).address)

    @property
    def meter(self) -> str:
        return str(Account.from_key(self.meter_key).address)


ADA, BOLA, CHIDI = Home("ada", feeds_in=True), Home("bola"), Home("chidi")
HOMES = (ADA, BOLA, CHIDI)


def write_keystore(folder: Path, name: str, key: bytes, password: str = PASSWORD) -> Path:
    """A keystore that opens quickly."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(Account.encrypt(key, password, kdf="pbkdf2", iterations=2)))
    path.chmod(0o600)
    return path


class Village:
    """The market. Node accounts 0 to 3 hold the roles; ada, bola and chidi are enrolled and have 500 NGN each in the
    market, 1,000 NGN outside, and gas money. `empty`: a market with a tariff and no homes."""

    def __init__(self, homes: tuple[Home, ...] = HOMES, chain: Any = None) -> None:
        """`chain`: another one than in this process, with the same attributes."""
        self.chain = chain or EmbeddedChain(START_S)
        self.w3 = self.chain.w3
        operator, regulator, balancing, network = self.chain.accounts[:4]
        self.operator, self.regulator = NodeAccount(operator), NodeAccount(regulator)
        self.relayer = NodeAccount(self.chain.accounts[9])
        roles = Roles(operator, regulator, balancing, network)
        self.deployment = deploy_market(self.w3, self.operator, NUMBERS, roles)
        self.gateway = MarketGateway(self.w3, self.deployment)
        self.domain = Domain(self.deployment.chain_id, self.deployment.market)
        self.grid = self.gateway.price_grid()
        self._publish()
        for home in homes:
            self.fund(home.account)
            self.enrol(home)
            self.gateway.deposit(KeyAccount(Account.from_key(home.account_key)), self.money("500 NGN"))

    def money(self, text: str) -> int:
        return parse_money(text, self.grid)

    def _publish(self) -> None:
        registry, grid = self.gateway.registry.functions, self.grid
        steps = (parse_unit_price(IMBALANCE, grid) - grid.floor_price) // grid.price_step
        self.gateway.act(self.regulator, registry.publish_tariff(steps, *TABLES))
        self.gateway.act(self.regulator, registry.set_retail(RETAIL_CLASS, parse_unit_price(RETAIL, grid)))
        self.gateway.act(self.regulator, registry.set_feeder_fee(FEEDER, parse_unit_price(FEE, grid)))
        self.gateway.act(self.operator, registry.set_feeder_scale(FEEDER, 10_000, 10_000))

    def fund(self, account: str) -> None:
        """Gas money, and 1,500 NGN outside the market."""
        self.w3.eth.send_transaction(
            {"from": self.relayer.address, "to": account, "value": self.w3.to_wei(10, "ether")}
        )
        self.gateway.act(self.operator, self.gateway.token.functions.mint(account, self.money("1500 NGN")))

    def enrol(self, home: Home, limit: str = "5 kWh") -> None:
        deadline = self.gateway.now_s() + 3600
        message = Enrolment(home.account, home.meter, imported_wh=0, exported_wh=0, deadline=deadline)
        by_account = sign(message, self.domain, home.account_key)
        by_meter = sign(message, self.domain, home.meter_key)
        limit_wh = parse_energy(limit)
        status = FEEDING_IN if home.feeds_in else ONLY_CONSUMING
        terms = (limit_wh, limit_wh, FEEDER, status, METER_CLASS, RETAIL_CLASS)
        words = (by_account.r, by_account.vs, by_meter.r, by_meter.vs)
        call = self.gateway.registry.functions.enrol(self.connection(home), terms, astuple(message), *words)
        self.gateway.act(self.operator, call)

    @staticmethod
    def connection(home: Home) -> bytes:
        return bytes(keccak(text=f"peerwatt test connection {home.name}"))

    def order(
        self, home: Home, side: int, first: int, last: int, energy: str, price: str, nonce: int = 1
    ) -> None:
        """Signs and relays an order."""
        level = parse_price(price, self.grid)
        order = Order(home.account, home.meter, side, first, last, parse_energy(energy), level, nonce)
        item = relay.OrderItem.from_message(order, sign(order, self.domain, home.account_key))
        self.gateway.relay(self.relayer, item.pack(), strict=True)

    def bid(self, home: Home, first: int, last: int, energy: str, price: str, nonce: int = 1) -> None:
        self.order(home, BUY, first, last, energy, price, nonce)

    def offer(self, home: Home, first: int, last: int, energy: str, price: str, nonce: int = 1) -> None:
        self.order(home, SELL, first, last, energy, price, nonce)

    @property
    def window(self) -> int:
        """The window that is running."""
        return self.chain.time_s // NUMBERS.window_seconds

    def travel_to(self, window: int, seconds: int = 0) -> None:
        """Goes to so many seconds after the start of a window."""
        self.chain.travel_to(window * NUMBERS.window_seconds + seconds)

    def clear(self) -> None:
        self.gateway.clear(self.relayer)


def grid() -> PriceGrid:
    """The village's prices, for tests without a chain."""
    return PriceGrid(NUMBERS.floor_price, NUMBERS.price_step, 6, "NGN")

"""A market with many homes on a local node: real signed orders and reports through the real contracts.

The homes live as in the study: a consumer bids once for ten windows, a prosumer makes an offer for each window and one
report of all ten. After each round everything is cleared and settled, and the next round begins.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import RPCEndpoint, TxParams

from peerwatt.market import relay
from peerwatt.market.deployment import Deployment, MarketNumbers, Roles, deploy_market
from peerwatt.market.gateway import MAX_RELAY_WORDS, MAX_TRANSACTION_GAS, MarketGateway
from peerwatt.market.senders import NodeAccount
from peerwatt.market.words import FEEDING_IN, ONLY_CONSUMING, TableWord
from peerwatt.node.accounts import BLOCK_GAS_LIMIT
from peerwatt.node.travel import travel_to
from peerwatt.signing import BUY, EXPORTS, SELL, Domain, Enrolment, Order, Permit, Report, sign

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
TABLES = [TableWord((bps,) * 16).encode() for bps in (100, 100, 0)]
IMBALANCE_STEPS, RETAIL, FEE = 327, 209_500, 8_000
METER_CLASS, RETAIL_CLASS, FEEDER = 1, 0, 0
DEPOSIT = 50_000 * 10**6
DEPOSIT_GAS = 200_000
WINDOWS_PER_ROUND = 10
# What a transaction's gas has room for.
ENROLMENTS_AT_ONCE, MINTS_AT_ONCE, ORDERS_AT_ONCE, DUES_AT_ONCE = 32, 100, 120, 100


@dataclass(frozen=True)
class Home:
    """A home with keys that everybody can compute."""

    number: int
    sells: bool

    @cached_property
    def account_key(self) -> bytes:
        return bytes(keccak(text=f"peerwatt bench account {self.number}"))

    @cached_property
    def meter_key(self) -> bytes:
        return bytes(keccak(text=f"peerwatt bench meter {self.number}"))

    @cached_property
    def account(self) -> str:
        return str(PrivateKey(self.account_key).public_key.to_checksum_address())

    @cached_property
    def meter(self) -> str:
        return str(PrivateKey(self.meter_key).public_key.to_checksum_address())


@dataclass(frozen=True)
class Size:
    """How much a chain holds: homes, a share of which sells, and rounds of ten windows.

    Attributes:
        sellers_percent: of the homes.
        single: whether each home orders and reports every window by itself; else as in the study.
    """

    homes: int
    rounds: int
    sellers_percent: int = 20
    single: bool = False

    @property
    def participant_windows(self) -> int:
        """Orders settled in it, one for each home and window."""
        return self.homes * self.rounds * WINDOWS_PER_ROUND


class BenchMarket:
    """The market and its homes.

    Attributes:
        deployment: its manifest.
    """

    def __init__(self, w3: Web3, size: Size, say: Callable[[str], None]) -> None:
        self.w3 = w3
        self.size = size
        self._say = say
        self._random = random.Random(1)
        operator, regulator, balancing, network = list(w3.eth.accounts)[:4]
        self._operator, self._regulator = NodeAccount(operator), NodeAccount(regulator)
        self._relayer = NodeAccount(list(w3.eth.accounts)[9])
        self.deployment: Deployment = deploy_market(
            w3, self._operator, NUMBERS, Roles(operator, regulator, balancing, network)
        )
        self._gateway = MarketGateway(w3, self.deployment)
        self._domain = Domain(self.deployment.chain_id, self.deployment.market)
        self._homes = [Home(number, number % 100 < size.sellers_percent) for number in range(size.homes)]
        self._registers = dict.fromkeys(range(size.homes), 0)
        self._nonces = dict.fromkeys(range(size.homes), 0)

    def build(self) -> None:
        """Everything, from the first tariff to the last payment."""
        self._publish()
        self._admit()
        for number in range(self.size.rounds):
            self._round()
            self._say(f"round {number + 1} of {self.size.rounds}, block {self.w3.eth.block_number}")

    def _publish(self) -> None:
        registry = self._gateway.registry.functions
        self._gateway.act(self._regulator, registry.publish_tariff(IMBALANCE_STEPS, *TABLES))
        self._gateway.act(self._regulator, registry.set_retail(RETAIL_CLASS, RETAIL))
        self._gateway.act(self._regulator, registry.set_feeder_fee(FEEDER, FEE))
        self._gateway.act(self._operator, registry.set_feeder_scale(FEEDER, 10_000, 10_000))

    def _admit(self) -> None:
        registry, token = self._gateway.registry.functions, self._gateway.token.functions
        deadline = self._gateway.now_s() + 86_400
        for homes in _parts(self._homes, ENROLMENTS_AT_ONCE):
            self._gateway.act(self._operator, registry.enrol_many([self._application(one, deadline) for one in homes]))
        for homes in _parts(self._homes, MINTS_AT_ONCE):
            accounts = [home.account for home in homes]
            self._gateway.act(self._operator, token.mint_many(accounts, [DEPOSIT] * len(accounts)))
        token_domain = self._gateway.token_domain()
        deposits = []
        for home in self._homes:
            permit = Permit(home.account, self.deployment.market, DEPOSIT, 0, deadline)
            signed = sign(permit, token_domain, home.account_key)
            r, s = signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")
            market = self._gateway.market.functions
            deposits.append(market.deposit_permit(home.account, DEPOSIT, deadline, signed.v, r, s))
        self._send(deposits, DEPOSIT_GAS)

    def _application(self, home: Home, deadline: int) -> tuple[object, ...]:
        message = Enrolment(home.account, home.meter, 0, 0, deadline)
        by_account = sign(message, self._domain, home.account_key)
        by_meter = sign(message, self._domain, home.meter_key)
        terms = (6_000, 6_000, FEEDER, FEEDING_IN if home.sells else ONLY_CONSUMING, METER_CLASS, RETAIL_CLASS)
        connection = keccak(text=f"connection {home.number}")
        return connection, terms, astuple(message), by_account.r, by_account.vs, by_meter.r, by_meter.vs

    def _round(self) -> None:
        # Two windows on, so that no gate closes while orders are relayed.
        first = self._gateway.now_s() // NUMBERS.window_seconds + 3
        windows = range(first, first + WINDOWS_PER_ROUND)
        sold = {home.number: [self._random.randrange(200, 1_500) for _ in windows] for home in self._homes}
        orders = [item for home in self._homes for item in self._orders(home, windows, sold[home.number])]
        self._relay(orders, ORDERS_AT_ONCE)
        travel_to(self.w3, windows.stop * NUMBERS.window_seconds)
        self._gateway.clear(self._relayer)
        sellers = [home for home in self._homes if home.sells]
        self._relay((item for home in sellers for item in self._reports(home, windows, sold[home.number])), 60)
        dues = (self._due(home) for home in self._homes if not home.sells)
        self._relay(dues, DUES_AT_ONCE)

    def _orders(self, home: Home, windows: range, wh: list[int]) -> Iterable[relay.OrderItem]:
        if home.sells or self.size.single:
            stretches = [(window, window, energy_wh) for window, energy_wh in zip(windows, wh, strict=True)]
        else:
            stretches = [(windows[0], windows[-1], wh[0])]
        for first, last, energy_wh in stretches:
            self._nonces[home.number] += 1
            side = SELL if home.sells else BUY
            level = self._random.randrange(40, 120) if home.sells else self._random.randrange(110, 255)
            nonce = self._nonces[home.number]
            order = Order(home.account, home.meter, side, first, last, energy_wh, level, nonce)
            yield relay.OrderItem.from_message(order, sign(order, self._domain, home.account_key))

    def _reports(self, home: Home, windows: range, wh: list[int]) -> Iterable[relay.ReportItem]:
        """Most homes deliver what they sold, one in ten falls short."""
        short = self._random.random() < 0.1
        slots = [(self._nonces[home.number] - WINDOWS_PER_ROUND + 1 + place) & 15 for place in range(len(windows))]
        growths = [energy_wh * self._random.randrange(60, 90) // 100 if short else energy_wh + 20 for energy_wh in wh]
        step = 1 if self.size.single else len(windows)
        for at in range(0, len(windows), step):
            registers = [self._registers[home.number]]
            for growth in growths[at : at + step]:
                registers.append(registers[-1] + growth)
            self._registers[home.number] = registers[-1]
            report = Report(home.meter, EXPORTS, windows[at], tuple(registers))
            signature = sign(report, self._domain, home.meter_key)
            yield relay.ReportItem.from_message(home.account, report, signature, slots=slots[at : at + step])

    def _due(self, home: Home) -> relay.DueItem:
        newest = self._nonces[home.number]
        count = WINDOWS_PER_ROUND if self.size.single else 1
        slots = [(newest - count + 1 + place) & 15 for place in range(count)]
        return relay.DueItem(home.account, WINDOWS_PER_ROUND, relay.pack_hints(slots))

    def _relay(self, items: Iterable[relay.Item], at_once: int) -> None:
        batches = (words for part in _parts(list(items), at_once) for words in relay.batches(part, MAX_RELAY_WORDS))
        self._send([self._gateway.market.functions.relay(words, True) for words in batches], MAX_TRANSACTION_GAS)

    def _send(self, calls: list[Any], gas: int) -> None:
        """Sends calls, as many to a block as it has gas for."""
        for part in _parts(calls, BLOCK_GAS_LIMIT // gas):
            self._ask("evm_setAutomine", False)
            transactions: list[TxParams] = [
                {"to": call.address, "data": call._encode_transaction_data(), "gas": gas} for call in part
            ]
            hashes = [self._relayer.send(self.w3, transaction) for transaction in transactions]
            self._ask("evm_mine")
            self._ask("evm_setAutomine", True)
            if not all(self.w3.eth.get_transaction_receipt(one)["status"] for one in hashes):
                raise RuntimeError("the market refused a transaction of the bench")

    def _ask(self, method: str, *params: Any) -> None:
        answer = self.w3.provider.make_request(RPCEndpoint(method), list(params))
        if answer.get("error"):
            raise RuntimeError(f"{method}: {answer['error']}")


def _parts(entries: list, size: int) -> Iterable[list]:  # type: ignore[type-arg]
    return (entries[at : at + size] for at in range(0, len(entries), size))

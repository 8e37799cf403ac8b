"""What an act costs when it is a transaction of its own, on titanoboa.

titanoboa runs calls, not transactions: storage stays warm from call to call, and every word counts as new since
the environment began, so what it shows is far too little. `Chain.send` begins each call as a transaction begins;
test_gas.py holds it against receipts of eth-tester, to the last unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boa
from eth_keys import keys
from eth_utils.crypto import keccak

from contracts.helpers import CONTRACTS, bands, compiled, pack
from peerwatt.market.relay import DueItem, Item, OrderItem, ReportItem
from peerwatt.market.relay import pack as pack_items
from peerwatt.signing import BUY, SELL, Domain, Order, Report, sign

TRANSACTION = 21_000
# EIP-2028: gas of calldata; EIP-7623: its floor.
ZERO_BYTE, OTHER_BYTE = 4, 16
FLOOR_ZERO_BYTE, FLOOR_OTHER_BYTE = 10, 40
MAX_REFUND = 5
PRECOMPILES = range(1, 18)
SHA3, SSTORE = 0x20, 0x55

SKIPPED = int.from_bytes(keccak(text="ItemSkipped(address,uint256,uint256)"), "big")

WINDOW_SECONDS, LEAD_SECONDS = 900, 300
# NGN/kWh with 6 decimals: NGN 50 to 177.5, half a Naira a step.
FLOOR_PRICE, PRICE_STEP, IMBALANCE_STEPS = 50_000, 500, 500
DEADLINE_SECONDS, READING_AGE_SECONDS = 3 * 86_400, 86_400
MIN_ORDER_WH, TOLERANCE_BPS, INERTIA_WH = 50, 500, 100_000
REGISTER_WH = 1_000
# Deployer, registry, balancing and network account, relayer.
PEOPLE = [str(boa.util.abi.Address(keccak(text=f"person {number}")[12:])) for number in range(5)]
START = 1_900_000_000 // WINDOW_SECONDS * WINDOW_SECONDS + 10
MONEY = 10**13


def charge(data: bytes, used: int, refund: int) -> int:
    """What a transaction pays.

    Args:
        data: its calldata.
        used: gas of its execution.
        refund: counted by its execution, before the cap.
    """
    zeros = data.count(0)
    others = len(data) - zeros
    total = TRANSACTION + ZERO_BYTE * zeros + OTHER_BYTE * others + used
    floor = TRANSACTION + FLOOR_ZERO_BYTE * zeros + FLOOR_OTHER_BYTE * others
    return max(total - min(refund, total // MAX_REFUND), floor)


@dataclass
class Home:
    """A participant: keys, and what its meter shows."""

    key: bytes
    meter_key: bytes
    account: str
    meter: str
    side: int
    register_wh: int = REGISTER_WH
    nonce: int = 0

    @classmethod
    def make(cls, number: int, side: int) -> Home:
        key, meter_key = keccak(text=f"account {number}"), keccak(text=f"meter {number}")
        account, meter = (keys.PrivateKey(secret).public_key.to_checksum_address() for secret in (key, meter_key))
        return cls(bytes(key), bytes(meter_key), account, meter, side)

    def next_nonce(self, slot: int) -> int:
        """A nonce that the slot takes."""
        self.nonce = (self.nonce // 16 + 1) * 16 + slot
        return self.nonce

    def order(self, domain: Domain, first: int, last: int, energy_wh: int, level: int, slot: int = 0) -> OrderItem:
        """A signed order in a slot, its nonce the next one that the slot takes."""
        nonce = self.next_nonce(slot)
        message = Order(self.account, self.meter, self.side, first, last, energy_wh, level, nonce)
        return OrderItem.from_message(message, sign(message, domain, self.key))

    def report(self, domain: Domain, first: int, growths_wh: Sequence[int], slots: Iterable[int]) -> ReportItem:
        """A signed report of exports that goes on where the last one ended."""
        registers = [self.register_wh]
        for growth_wh in growths_wh:
            registers.append(registers[-1] + growth_wh)
        self.register_wh = registers[-1]
        message = Report(self.meter, SELL, first, tuple(registers))
        return ReportItem.from_message(self.account, message, sign(message, domain, self.meter_key), slots)

    def words(self, window: int) -> tuple[int, int, int, int]:
        """Device, both registers read at the start of a window, and score: as the registry binds them."""
        meter = int(self.meter, 16)
        limits = ((160, 50_000), (184, 50_000))
        device = pack((0, meter), *limits, (208, 1), (224, 2), (226, 1), (232, 1))
        exports = pack((0, meter), (160, REGISTER_WH), (208, window))
        return device, exports, pack((0, 2_000), (48, window)), 5_000 << 16


def split(items: Iterable[Item], words: int = 1024, most: int = 1024) -> Iterator[list[Item]]:
    """Batches of items of at most so many words and so many items."""
    batch: list[Item] = []
    length = 0
    for item in items:
        count = len(item.pack())
        if batch and (length + count > words or len(batch) == most):
            yield batch
            batch, length = [], 0
        batch.append(item)
        length += count
    if batch:
        yield batch


class Chain:
    """A token and a market, the registry an ordinary address, in an environment of their own."""

    def __init__(
        self,
        reading_age_seconds: int = READING_AGE_SECONDS,
        people: Sequence[str] = PEOPLE,
        chain_id: int | None = None,
    ) -> None:
        self.env = boa.env
        if chain_id is not None:
            self.env.evm.patch.chain_id = chain_id
        self.reading_age_seconds = reading_age_seconds
        self.now = START
        self.deployer, self.registry, self.balancing, self.network, self.relayer = people
        with self.env.prank(self.deployer):
            self.token = compiled(CONTRACTS / "SettlementToken.vy").deploy("Naira", "NGN", 6)
            self.market = compiled(CONTRACTS / "EnergyMarket.vy").deploy(*self.parameters())
        self.domain = Domain(int(self.env.evm.patch.chain_id), self.market.address)

    def parameters(self) -> tuple[Any, ...]:
        return (
            self.token.address,
            self.registry,
            WINDOW_SECONDS,
            LEAD_SECONDS,
            FLOOR_PRICE,
            PRICE_STEP,
            DEADLINE_SECONDS,
            self.reading_age_seconds,
            MIN_ORDER_WH,
            TOLERANCE_BPS,
            INERTIA_WH,
            self.balancing,
            self.network,
        )

    @property
    def now(self) -> int:
        return int(self.env.evm.patch.timestamp)

    @now.setter
    def now(self, seconds: int) -> None:
        self.env.evm.patch.timestamp = seconds

    @property
    def next_window(self) -> int:
        """The first window that still takes orders."""
        return (self.now + LEAD_SECONDS) // WINDOW_SECONDS + 1

    def to_gate(self, window: int) -> None:
        self.now = window * WINDOW_SECONDS - LEAD_SECONDS + 5

    def to_end(self, window: int) -> None:
        self.now = (window + 1) * WINDOW_SECONDS + 5

    def send(self, function: Any, *args: Any, sender: str | None = None) -> int:
        """Calls as a transaction would: nothing warm but what every transaction finds warm, and words that
        earlier transactions wrote count as written.

        Returns:
            What the transaction pays [gas].
        """
        sender = self.relayer if sender is None else sender
        state = self.env.evm.vm.state
        state.lock_changes()
        warm = [function.contract.address.canonical_address, boa.util.abi.Address(sender).canonical_address]
        for address in [*warm, *(number.to_bytes(20, "big") for number in PRECOMPILES)]:
            state.mark_address_warm(address)
        data = function.prepare_calldata(*args)
        contract = function.contract
        done = self.env.execute_code(contract.address, sender, data=data, contract=contract)
        # A batch may hide a refusal; what is measured must have been done.
        skipped = [topics[1:] for _, topics, _ in done.get_log_entries() if topics[0] == SKIPPED]
        assert not done.is_error and not skipped, f"{function.fn_ast.name}: {done.output!r} {skipped}"
        return charge(data, done.get_gas_used(), done.get_gas_refund())

    def relay(self, items: Sequence[Item]) -> int:
        """Relays items that must all be good."""
        return self.send(self.market.relay, pack_items(items), False)

    def clear(self, max_windows: int = 255) -> int:
        return self.send(self.market.clear, max_windows)

    def tariff_calls(self) -> list[tuple[Any, tuple[int, ...]]]:
        """Surcharge and haircut on, a rebate too: nothing is cheaper for being zero."""
        head = pack((0, 1), (16, IMBALANCE_STEPS))
        tables = (bands([200] * 16), bands([100] * 16), bands([100] * 16))
        feeder = (1, pack((0, 5_000), (64, 10_000), (80, 10_000)))
        return [(self.market.set_tariff, (head, 1, *tables)), (self.market.set_feeder, feeder)]

    def enrol(self, home: Home, money: int = MONEY) -> None:
        window = self.now // WINDOW_SECONDS
        with self.env.prank(self.registry):
            self.market.bind(home.account, *home.words(window))
        with self.env.prank(self.deployer):
            self.token.mint(home.account, 2 * money)
        with self.env.prank(home.account):
            self.token.approve(self.market.address, 2**256 - 1)
            self.market.deposit(money)


def _untraced() -> boa.Env:
    """An environment that keeps no track of hashes and storage: half as slow, and the same gas.

    Every new environment wraps opcodes that all of them share; they are put back as they were.
    """
    shared = boa.env.evm.vm.state.computation_class.opcodes
    before = dict(shared)
    env = boa.Env()
    plain = dict(shared)
    while hasattr(plain[SHA3], "sha3"):
        plain[SHA3] = plain[SHA3].sha3
    while hasattr(plain[SSTORE], "sstore"):
        plain[SSTORE] = plain[SSTORE].sstore
    env.evm.vm.state.computation_class.opcodes = plain
    shared.update(before)
    return env


@contextmanager
def chain_of_its_own(
    people: Sequence[str] = PEOPLE, chain_id: int | None = None, tariff: bool = True
) -> Iterator[Chain]:
    """A chain apart from the other tests' environment: its transactions can't be rolled back."""
    with boa.swap_env(_untraced()):
        chain = Chain(people=people, chain_id=chain_id)
        if tariff:
            with chain.env.prank(chain.registry):
                for function, words in chain.tariff_calls():
                    function(*words)
        yield chain


def homes(chain: Chain, consumers: int, prosumers: int) -> tuple[list[Home], list[Home]]:
    """Enrols so many homes that buy and so many that sell."""
    buyers = [Home.make(number, BUY) for number in range(consumers)]
    sellers = [Home.make(consumers + number, SELL) for number in range(prosumers)]
    for home in (*buyers, *sellers):
        chain.enrol(home)
    return buyers, sellers


def due(home: Home, windows: int, slot: int = 0) -> DueItem:
    return DueItem(home.account, windows, slot)

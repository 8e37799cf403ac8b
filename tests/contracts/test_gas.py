"""Gas as a transaction pays it, against the budgets of gas_budgets.toml and the project's ceilings.

`make gas` prints the figures. Everything is in: the transaction's 21,000, calldata, cold storage, refunds, every
check. Slots were used once before, as in a market that has run for a while.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.helpers import CONTRACTS, compiled
from contracts.helpers_gas import (
    MONEY,
    START,
    WINDOW_SECONDS,
    Chain,
    Home,
    chain_of_its_own,
    charge,
    due,
    homes,
)
from contracts.helpers_lives import (
    PAIR_WORDS,
    Bill,
    Seller,
    cancel_day,
    draw_levels,
    lap_ring,
    live_day,
    live_sellers,
    live_study,
)
from peerwatt.artifacts import load
from peerwatt.market.relay import CancelItem, Item
from peerwatt.market.relay import pack as pack_items
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.signing import BUY, SELL, Cancel, Withdrawal, sign

# A chain of transactions can't be rolled back; each test has one of its own.
pytestmark = [pytest.mark.gas, pytest.mark.ignore_isolation]

TABLES = tomllib.loads((Path(__file__).parent / "gas_budgets.toml").read_text())
BUDGETS, CEILINGS = TABLES["budgets"], TABLES["ceilings"]
MAX_CODE_BYTES = 24_576
MAX_TRANSACTION_GAS = 2**24
CONSUMERS, PROSUMERS = 246, 14
# As many pairs of report and order as one relay takes.
FULL_RELAY = 1024 // PAIR_WORDS
ORDERS, MANY_ORDERS = 260, 10_000
TOUCHED_LEVELS = 251

# Writes a book as accepting its orders would: energy [0,24), level [24,32) and side [32] of each.
SEED = """
@external
def seed(first: uint256, last: uint256, words: DynArray[uint256, 1024]):
    total: uint256 = 0
    for word: uint256 in words:
        if first == last:
            book._add_single(first, (word >> 24) & 255, word >> 32, word & (2**24 - 1))
        else:
            book._move(first, last + 1, (word >> 24) & 255, word >> 32, word & (2**24 - 1))
        total += (word & (2**24 - 1)) * (last + 1 - first)
    book.book_state += total << 32
"""


def check(name: str, gas: float) -> None:
    """Within its budget, and within the ceiling where there is one."""
    ceiling = CEILINGS.get(name)
    promised = f", ceiling {ceiling:,}" if ceiling else ""
    print(f"\n  {name:<28} {gas:>12,.0f}  budget {BUDGETS[name]:,}{promised}", end="")
    assert gas <= BUDGETS[name]
    assert ceiling is None or gas <= ceiling
    # A budget far away shows nothing.
    assert gas > 0.9 * BUDGETS[name], f"tighten the budget of {name}"


def check_bill(name: str, bill: Bill) -> None:
    for kind in ("order", "clear", "settle"):
        check(f"{name}_{kind}", bill.per_participant_window(kind))
    check(name, bill.per_participant_window())
    assert bill.largest < MAX_TRANSACTION_GAS


@pytest.fixture
def chain() -> Iterator[Chain]:
    with chain_of_its_own() as made:
        yield made


class Twin:
    """The same market on eth-tester, at the same addresses: every call is made on both, and must cost the same."""

    def __init__(self, node: EmbeddedChain, chain: Chain) -> None:
        self.node, self.chain = node, chain
        self.calls = 0
        self.deploy("SettlementToken", "Naira", "NGN", 6)
        self.deploy("EnergyMarket", *chain.parameters())

    def deploy(self, name: str, *arguments: Any) -> None:
        made = {"SettlementToken": self.chain.token, "EnergyMarket": self.chain.market}[name]
        contract = self.node.w3.eth.contract(
            abi=load(name).abi, bytecode=compiled(CONTRACTS / f"{name}.vy").compiler_data.bytecode
        )
        done = contract.constructor(*arguments).transact({"from": self.chain.deployer})
        assert self.node.w3.eth.get_transaction_receipt(done)["contractAddress"] == made.address

    def call(self, sender: str, function: Any, *args: Any) -> None:
        eth = self.node.w3.eth
        data = function.prepare_calldata(*args)
        to = function.contract.address
        done = eth.send_transaction({"from": sender, "to": to, "data": data, "gas": 10**7})
        receipt = eth.get_transaction_receipt(done)
        assert receipt["status"] == 1
        self.chain.now = eth.get_block(receipt["blockNumber"])["timestamp"]
        assert self.chain.send(function, *args, sender=sender) == receipt["gasUsed"], function.fn_ast.name
        self.calls += 1


def test_gas__same_transactions__receipts_of_eth_tester() -> None:
    node = EmbeddedChain(START)
    people = node.accounts[:5]
    deployer, registry, _, _, relayer = people
    with chain_of_its_own(people, node.w3.eth.chain_id, tariff=False) as chain:
        twin = Twin(node, chain)
        market, token, domain = chain.market, chain.token, chain.domain
        node.travel_to(START + 60)
        for function, words in chain.tariff_calls():
            twin.call(registry, function, *words)
        buyer, other, seller = Home.make(1, BUY), Home.make(2, BUY), Home.make(3, SELL)
        for home in (buyer, other, seller):
            node.w3.provider.ethereum_tester.add_account(f"0x{home.key.hex()}")
            node.w3.eth.send_transaction({"from": relayer, "to": home.account, "value": 10**20})
            twin.call(registry, market.bind, home.account, *home.words(START // WINDOW_SECONDS))
            twin.call(deployer, token.mint, home.account, 2 * MONEY)
            twin.call(home.account, token.approve, market.address, MONEY)
            twin.call(home.account, market.deposit, MONEY // 2)
        first = chain.next_window + 1
        bid = (buyer.meter, BUY, first, first + 2, 700, 200, buyer.next_nonce(0))
        twin.call(buyer.account, market.place, *bid)
        twin.call(buyer.account, market.place, buyer.meter, BUY, first + 3, first + 3, 700, 200, 17)
        twin.call(buyer.account, market.cancel, 17, first + 3)
        items: list[Item] = [
            other.order(domain, first, first + 2, 500, 220),
            seller.order(domain, first, first + 2, 900, 100),
        ]
        twin.call(relayer, market.relay, pack_items(items), False)
        node.travel_to((first + 3) * WINDOW_SECONDS + 5)
        twin.call(relayer, market.clear, 255)
        items = [seller.report(domain, first, [900, 0, 500], [0]), due(buyer, 9), due(other, 9)]
        twin.call(relayer, market.relay, pack_items(items), False)
        twin.call(buyer.account, market.withdraw, 10**6, relayer)
        # A refund; and calldata that costs more than what is done with it.
        twin.call(buyer.account, token.approve, market.address, 0)
        data = bytes(100) + b"\x01" * 900
        done = node.w3.eth.send_transaction({"from": relayer, "to": registry, "data": data, "gas": 10**6})
        assert node.w3.eth.get_transaction_receipt(done)["gasUsed"] == charge(data, 0, 0)
        assert twin.calls == 22


def test_charge__refund_and_floor__eip_2028_7623_3529() -> None:
    data = bytes(10) + b"\x01" * 10
    assert charge(data, 50_000, 0) == 21_000 + 40 + 160 + 50_000
    assert charge(data, 50_000, 4_800) == 21_200 + 50_000 - 4_800
    assert charge(data, 50_000, 50_000) == 71_200 - 71_200 // 5
    assert charge(data, 0, 0) == 21_000 + 100 + 400


def test_gas__study__ten_windows_of_260_homes(chain: Chain) -> None:
    buyers, sellers = homes(chain, CONSUMERS, PROSUMERS)
    start = chain.now
    live_study(chain, buyers, sellers)
    lap_ring(chain, start, sellers)
    bill = live_study(chain, buyers, sellers)
    check_bill("study", bill)
    check("clear_study", max(bill.clears))


def test_gas__day__96_windows_of_standing_orders(chain: Chain) -> None:
    buyers, sellers = homes(chain, CONSUMERS, PROSUMERS)
    start = chain.now
    cancel_day(chain, buyers, sellers)
    lap_ring(chain, start, sellers)
    check_bill("day", live_day(chain, buyers, sellers))


@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
@pytest.mark.parametrize("count", [FULL_RELAY, PROSUMERS])
def test_gas__seller__every_single_window(chain: Chain, count: int, together: bool) -> None:
    (buyer,), sellers = homes(chain, 1, count)
    gas: Seller = live_sellers(chain, buyer, sellers, together)
    name = f"seller_{'full' if count == FULL_RELAY else 'study'}"
    if together:
        check(f"{name}_pair", gas.pair)
    else:
        check(f"{name}_order", gas.order)
        check(f"{name}_report", gas.report)


def draw_orders(count: int) -> list[tuple[int, int, int]]:
    """Side, level and energy of orders at the levels of the study."""
    rnd = random.Random(1)
    levels = draw_levels(rnd)
    bids = [(BUY, levels[number % len(levels)], rnd.randint(100, 900)) for number in range(count)]
    offers = [(SELL, level - 110, 15 * energy_wh) for _, level, energy_wh in bids]
    return [offers[number] if number % 19 == 0 else bid for number, bid in enumerate(bids)]


def seed(chain: Chain, first: int, last: int, orders: list[tuple[int, int, int]]) -> None:
    if not hasattr(chain.market, "inject"):
        chain.market.inject_function(SEED)
    words = [energy_wh | level << 24 | side << 32 for side, level, energy_wh in orders]
    for start in range(0, len(words), 1024):
        chain.market.inject.seed(first, last, words[start : start + 1024])


def clear_seeded(chain: Chain, orders: list[tuple[int, int, int]], windows: int = 1) -> int:
    """Gas of clearing the first window of a book."""
    first = chain.next_window
    seed(chain, first, first + windows - 1, orders)
    chain.to_gate(first)
    gas = chain.clear()
    # Out of the way of the next book.
    chain.to_gate(first + windows)
    chain.clear()
    return gas


def test_gas__clear__as_much_for_10_000_orders_as_for_260(chain: Chain) -> None:
    buyers, _ = homes(chain, ORDERS, 0)
    # 260 homes that place orders, and the same book written straight into storage, cost the same to clear. So
    # 10,000 orders are written, not placed.
    window = chain.next_window
    for home, (side, level, energy_wh) in zip(buyers, draw_orders(ORDERS), strict=True):
        chain.send(chain.market.place, home.meter, side, window, window, energy_wh, level, 16, sender=home.account)
    words = [chain.market.orders(home.account, 0) for home in buyers]
    orders = [(word >> 144 & 1, word >> 136 & 255, word >> 104 & (2**24 - 1)) for word in words]
    chain.to_gate(window)
    placed = chain.clear()
    assert clear_seeded(chain, orders) == placed
    check("clear_260_orders", placed)
    many = [orders[number % ORDERS] for number in range(MANY_ORDERS)]
    gas = clear_seeded(chain, many)
    check("clear_10000_orders", gas)
    assert abs(gas - placed) <= placed // 10


def test_gas__clear__251_touched_levels(chain: Chain) -> None:
    orders = [(level % 2, level, 1_000 + level) for level in range(256 - TOUCHED_LEVELS, 256)]
    check("clear_251_levels", clear_seeded(chain, orders))
    # Standing orders: what stays live is written. The first time into fresh slots, which happens once in a market's
    # life; then into used ones.
    check("clear_251_levels_fresh", clear_seeded(chain, orders, windows=3))
    check("clear_251_levels_standing", clear_seeded(chain, orders, windows=3))


def test_gas__single_acts__slots_used_once(chain: Chain) -> None:
    (buyer, other), (seller,) = homes(chain, 2, 1)
    market, domain = chain.market, chain.domain
    start = chain.now
    gas: dict[str, int] = {}
    for lap in range(2):
        if lap:
            lap_ring(chain, start, [seller])
        first = chain.next_window + 2
        with chain.env.prank(chain.deployer):
            chain.token.mint(buyer.account, MONEY)
        gas["deposit"] = chain.send(market.deposit, MONEY // 2, sender=buyer.account)
        gas["withdraw"] = chain.send(market.withdraw, MONEY // 4, buyer.account, sender=buyer.account)
        nonce = market.nonces(buyer.account)
        withdrawal = Withdrawal(buyer.account, buyer.account, MONEY // 4, nonce, 2**40)
        signed = sign(withdrawal, domain, buyer.key)
        gas["withdraw_signed"] = chain.send(
            market.withdraw_signed,
            buyer.account,
            buyer.account,
            MONEY // 4,
            nonce,
            2**40,
            signed.r,
            signed.vs,
        )

        bid = (buyer.meter, BUY, first, first, 700, 250, buyer.next_nonce(0))
        gas["place_one_window"] = chain.send(market.place, *bid, sender=buyer.account)
        gas["cancel"] = chain.send(market.cancel, buyer.nonce, first, sender=buyer.account)
        bid = (buyer.meter, BUY, first, first + 9, 700, 250, buyer.next_nonce(1))
        gas["place_ten_windows"] = chain.send(market.place, *bid, sender=buyer.account)
        gas["relay_bid"] = chain.relay([other.order(domain, first, first + 9, 500, 240)])
        cancel = Cancel(other.account, other.nonce, first + 9, 2**40)
        gas["relay_cancel"] = chain.relay([CancelItem.from_message(cancel, sign(cancel, domain, other.key))])
        gas["relay_offer"] = chain.relay([seller.order(domain, first, first, 5_000, 100)])
        chain.to_gate(first)
        gas["clear_three_orders"] = chain.clear()
        chain.to_end(first)
        gas["relay_report"] = chain.relay([seller.report(domain, first, [5_000], [0])])
        gas["relay_due"] = chain.relay([due(other, 1)])
        chain.to_end(first + 9)
        chain.clear()
        gas["relay_due_ten_windows"] = chain.relay([due(buyer, 10, 1)])
        chain.relay([due(other, 10)])
    for name, used in gas.items():
        check(f"act_{name}", used)


@pytest.mark.parametrize("name", ["EnergyMarket", "EnergyRegistry", "MarketLens", "SettlementToken"])
def test_code__deployed_size__below_the_limit(name: str) -> None:
    # What the chain stores: immutables included.
    size = load(name).deployed_size
    print(f"\n  {name:<28} {size:>12,}  bytes, limit {MAX_CODE_BYTES:,}", end="")
    assert size < MAX_CODE_BYTES


def test_code__deployed__as_large_as_the_artifact_says(chain: Chain) -> None:
    assert len(chain.env.get_code(chain.market.address)) == load("EnergyMarket").deployed_size

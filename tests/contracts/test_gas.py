"""Gas as a transaction pays it, against the budgets of gas_budgets.toml and the project's ceilings.

`make gas` prints the figures. Everything is in: the transaction's 21,000, calldata, cold storage, refunds, every
check. Slots were used once before, as in a market that has run for a while.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boa
import pytest

from contracts.helpers import CONTRACTS, compiled, pack
from contracts.helpers_gas import (
    LEAD_SECONDS,
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
from peerwatt.market.relay import CancelItem, Item
from peerwatt.market.relay import pack as pack_items
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.signing import BUY, SELL, Cancel, Withdrawal, sign

pytestmark = pytest.mark.gas

TABLES = tomllib.loads((Path(__file__).parent / "gas_budgets.toml").read_text())
BUDGETS, CEILINGS = TABLES["budgets"], TABLES["ceilings"]
MAX_CODE_BYTES = 24_576
MAX_TRANSACTION_GAS = 2**24
CONSUMERS, PROSUMERS = 246, 14
# As many pairs of report and order as one relay takes.
FULL_RELAY = 1024 // PAIR_WORDS
ORDERS, MANY_ORDERS = 260, 10_000
TOUCHED_LEVELS = 251

# Writes a book as accepting its orders would: energy, level and side of orders for one window each.
SEED = """
@external
def seed(window: uint256, words: DynArray[uint256, 1024]):
    total: uint256 = 0
    for word: uint256 in words:
        book._add_single(window, (word >> 24) & 255, word >> 32, word & (2**24 - 1))
        total += word & (2**24 - 1)
    book.book_state += total << 32
"""


def check(name: str, gas: float) -> None:
    """Within its budget, and within the ceiling where there is one."""
    ceiling = CEILINGS.get(name)
    said = f", ceiling {ceiling:,}" if ceiling else ""
    print(f"\n  {name:<28} {gas:>12,.0f}  budget {BUDGETS[name]:,}{said}")
    assert gas <= BUDGETS[name]
    assert ceiling is None or gas <= ceiling
    # A budget that is far away shows nothing.
    assert gas > 0.9 * BUDGETS[name]


def check_bill(name: str, bill: Bill) -> None:
    for kind in ("order", "clear", "settle"):
        check(f"{name}_{kind}", bill.per_participant_window(kind))
    check(name, bill.per_participant_window())
    assert bill.largest < MAX_TRANSACTION_GAS


@pytest.fixture
def chain() -> Iterator[Chain]:
    with chain_of_its_own() as made:
        yield made


def test_gas__same_transactions__receipts_of_eth_tester() -> None:
    node = EmbeddedChain(START)
    deployer, registry, balancing, network, relayer, caller = node.accounts[:6]
    people = (deployer, registry, balancing, network, relayer)
    with chain_of_its_own(people, node.w3.eth.chain_id) as chain:
        code = {
            chain.token.address: deploy_twin(node, deployer, "SettlementToken", ("Naira", "NGN", 6)),
            chain.market.address: deploy_twin(node, deployer, "EnergyMarket", chain.parameters()),
        }
        assert all(address == twin for address, twin in code.items())

        def both(function: Any, *args: Any, sender: str) -> None:
            data = function.prepare_calldata(*args)
            done = node.w3.eth.send_transaction(
                {"from": sender, "to": function.contract.address, "data": data, "gas": 10**7, "gasPrice": 10**10}
            )
            receipt = node.w3.eth.get_transaction_receipt(done)
            assert receipt["status"] == 1
            chain.now = node.w3.eth.get_block(receipt["blockNumber"])["timestamp"]
            assert chain.send(function, *args, sender=sender) == receipt["gasUsed"], function.fn_ast.name

        market, token = chain.market, chain.token
        node.travel_to(START + 60)
        # The registry's setters that the fixture did already; the twin needs them, and twice changes nothing.
        head = market.tariff_head()
        tables = (market.surcharges(1), market.haircuts(1), market.rebates(1))
        both_first = [(market.set_tariff, (head, 1, *tables)), (market.set_feeder, (1, market.feeders(1)))]
        for function, args in both_first:
            data = function.prepare_calldata(*args)
            node.w3.eth.send_transaction({"from": registry, "to": market.address, "data": data, "gas": 10**7})
        buyer, seller = Home.make(1, BUY), Home.make(2, SELL)
        direct = Home(b"", b"", caller, Home.make(3, BUY).meter, BUY)
        window = START // WINDOW_SECONDS
        for home in (buyer, seller, direct):
            words = (home.device(), home.exports(window), pack((0, 2_000), (48, window)))
            both(market.bind, home.account, *words, 5_000 << 16, sender=registry)
        both(token.mint, caller, MONEY, sender=deployer)
        both(token.approve, market.address, MONEY, sender=caller)
        both(market.deposit, MONEY // 2, sender=caller)
        both(market.deposit, MONEY // 4, sender=caller)
        for home in (buyer, seller):
            fund_twin(node, chain, deployer, home, both)
        first = chain.next_window + 1
        both(market.place, direct.meter, BUY, first, first + 2, 700, 200, 16, sender=caller)
        both(market.place, direct.meter, BUY, first + 3, first + 3, 700, 200, 17, sender=caller)
        both(market.cancel, 17, first + 3, sender=caller)
        items: list[Item] = [
            buyer.order(chain.domain, first, first + 2, 500, 220),
            seller.order(chain.domain, first, first + 2, 900, 100),
        ]
        both(market.relay, pack_items(items), False, sender=relayer)
        node.travel_to((first + 3) * WINDOW_SECONDS + 5)
        both(market.clear, 255, sender=relayer)
        items = [seller.report(chain.domain, first, [900, 0, 500], [0]), due(buyer, 9), due(direct, 9)]
        both(market.relay, pack_items(items), False, sender=relayer)
        both(market.withdraw, 10**6, relayer, sender=caller)
        # A refund, and calldata that costs more than what it does.
        both(token.approve, market.address, 0, sender=caller)
        both(token.transfer, caller, 0, sender=caller)
        both(market.relay, [due(buyer, 9).pack()[0]] * 1024, False, sender=relayer)


def deploy_twin(node: EmbeddedChain, deployer: str, name: str, arguments: tuple[Any, ...]) -> str:
    deployed = compiled(CONTRACTS / f"{name}.vy")
    data = deployed.compiler_data.bytecode + boa.util.abi.abi_encode(
        "(" + ",".join(str(kind) for kind in constructor_types(deployed)) + ")", arguments
    )
    done = node.w3.eth.send_transaction({"from": deployer, "data": data, "gas": 2 * 10**7})
    return str(node.w3.eth.get_transaction_receipt(done)["contractAddress"])


def constructor_types(deployed: Any) -> list[str]:
    abi = next(entry for entry in deployed.compiler_data_abi if entry["type"] == "constructor")
    return [entry["type"] for entry in abi["inputs"]]


def fund_twin(node: EmbeddedChain, chain: Chain, deployer: str, home: Home, both: Callable[..., None]) -> None:
    """Money for a home without ether: a permit that anyone relays."""
    raise AssertionError

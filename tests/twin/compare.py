"""Compares every storage view of the contracts with the reference, through the packed words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from peerwatt.reference.offers import SLOTS
from peerwatt.reference.registry import Connection
from twin.records import message_of, word

if TYPE_CHECKING:
    from twin.twin import Twin

ZERO_ADDRESS = "0x" + "00" * 20
# How many books a quick comparison adds up.
TURNS = 8
# A view's name, its arguments, and the word that the reference expects of it.
View = tuple[str, tuple[Any, ...], Any]


def account_views(twin: Twin, account: str) -> Iterator[View]:
    """What the market stores of an account."""
    market = twin.market
    yield "wallets", (account,), word(market.wallet(account))
    yield "calendars", (account,), word(market.calendar(account))
    device = market.devices.get(account)
    yield "devices", (account,), word(device)
    # An unbound account's word is empty, where the record says so field by field.
    yield "exports_of", (account,), word(market.export_register(account))
    yield "imports_of", (account,), word(market.import_register(account))
    yield "nonces", (account,), market.nonces.get(account, 0)
    for slot in range(SLOTS):
        yield "orders", (account, slot), word(market.order(account, slot))


def market_views(twin: Twin) -> Iterator[View]:
    """What the market stores of no single account."""
    market = twin.market
    yield "book_state", (), word(market.book_state)
    yield "tariff_head", (), word(market.tariff_head)
    yield "balancing_account", (), int(market.balancing_account, 16)
    yield "network_account", (), int(market.network_account, 16)
    for version, tables in market.tables.items():
        yield "surcharges", (version,), word(tables.surcharges)
        yield "haircuts", (version,), word(tables.haircuts)
        yield "rebates", (version,), word(tables.rebates)
    for feeder, record in market.feeders.items():
        yield "feeders", (feeder,), word(record)
    for (account, agent), mandate in market.agents.items():
        yield "agents", (account, agent), word(mandate)


def result_views(twin: Twin, windows: Iterable[int]) -> Iterator[View]:
    for window in windows:
        yield "results", (window,), word(twin.market.results.get(window))


def registry_views(twin: Twin) -> Iterator[View]:
    """What the registry stores, but for its records of connections."""
    registry = twin.registry
    for role, holder in registry.holders.items():
        yield "holders", (role,), int(holder, 16)
        yield "offered", (role,), int(registry.offered.get(role, ZERO_ADDRESS), 16)
    for retail_class in range(16):
        yield "retail", (retail_class,), registry.retail.get(retail_class, 0)
    yield "participants", (), registry.participants
    yield "accepted_classes", (), registry.accepted_classes
    yield "notice_time", (), registry.notice_time
    yield "notice_cleared", (), registry.notice_cleared
    for account in twin.accounts:
        connection = registry.connection_of.get(account, bytes(32))
        yield "connection_of", (account,), int.from_bytes(connection, "big")
        yield "agent_nonces", (account,), registry.agent_nonces.get(account, 0)
        yield "rating_nonces", (account,), registry.rating_nonces.get(account, 0)
    for meter in twin.meters:
        yield "meter_bound_to", (meter,), int(registry.meter_bound_to.get(meter, ZERO_ADDRESS), 16)
    for account, message in registry.consents:
        yield "consents", (account, message_of(message).digest(twin.domain)), 1


def _differences(where: str, read: Callable[..., int], views: Iterable[View]) -> Iterator[str]:
    for name, arguments, expected in views:
        found = read(name, *arguments)
        if found != expected:
            yield f"{where}.{name}{arguments}: the contract has {found:#x}, the reference {expected:#x}"


def book_differences(twin: Twin, windows: Iterable[int]) -> Iterator[str]:
    """The books of windows not cleared, as the lens adds them up."""
    for window in windows:
        if window <= twin.market.cleared:
            continue
        levels = twin.contracts.lens.view("book", window)
        found = {level: (bid, offer) for level, _, bid, offer in levels}
        if found != twin.market.book(window):
            expected = twin.market.book(window)
            yield f"book of window {window}: the contract has {found}, the reference {expected}"


def connection_differences(twin: Twin) -> Iterator[str]:
    for connection in twin.connections:
        held = twin.registry.connections.get(connection, Connection())
        expected = (held.account, held.known, held.score)
        found = tuple(twin.contracts.registry.view("connections", connection))
        if found != expected:
            yield f"connection {connection.hex()}: the contract has {found}, the reference {expected}"
        score = twin.contracts.registry.view("score_of", connection)
        wanted = twin.registry.score_of(connection)
        if score != wanted:
            yield f"score of {connection.hex()}: the contract has {score}, the reference {wanted}"


def quick_differences(twin: Twin, accounts: Iterable[str], windows: Iterable[int]) -> Iterator[str]:
    """What an act on these accounts and windows can have changed, read from storage."""
    read = twin.market_storage.read
    for account in accounts:
        yield from _differences("market", read, account_views(twin, account))
    yield from _differences("market", read, market_views(twin))
    yield from _differences("market", read, result_views(twin, windows))
    yield from token_differences(twin)


def token_differences(twin: Twin) -> Iterator[str]:
    found = twin.token_storage.read("balanceOf", twin.contracts.market.address)
    if found != twin.market.token_balance:
        yield f"tokens: the contract has {found}, the reference {twin.market.token_balance}"


def _getters(contract: Any) -> Callable[..., int]:
    """Reads a contract's words as everybody does."""

    def read(name: str, *arguments: Any) -> int:
        value = contract.view(name, *arguments)
        if isinstance(value, bytes):
            return int.from_bytes(value, "big")
        return int(value, 16) if isinstance(value, str) else int(value)

    return read


def all_differences(twin: Twin, *, thorough: bool) -> Iterator[str]:
    """Everything: thorough through the getters and with the books of all windows, else the same words from
    storage and the books where they change."""
    contracts, market = twin.contracts, twin.market
    of_market = _getters(contracts.market) if thorough else twin.market_storage.read
    of_registry = _getters(contracts.registry) if thorough else twin.registry_storage.read
    for account in twin.accounts:
        yield from _differences("market", of_market, account_views(twin, account))
    yield from _differences("market", of_market, market_views(twin))
    windows = sorted(market.books.keys() | market.results.keys())
    yield from _differences("market", of_market, result_views(twin, windows))
    yield from _differences("registry", of_registry, registry_views(twin))
    yield from token_differences(twin)
    yield from connection_differences(twin)
    yield from book_differences(twin, windows if thorough else _turns(twin, windows))


def _turns(twin: Twin, windows: Iterable[int]) -> list[int]:
    """The first windows whose book is not their predecessor's, of those not cleared."""
    book = twin.market.book
    after = {window for window in windows if window > twin.market.cleared}
    after |= {window + 1 for window in after if window + 1 < twin.market.cleared + 255}
    return [window for window in sorted(after) if book(window) != book(window - 1)][:TURNS]

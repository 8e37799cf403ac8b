"""Compares every storage view of the contracts with the reference, through the packed words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from peerwatt.market.views import View, account_views, market_views, registry_views, result_views
from peerwatt.reference.registry import Connection

if TYPE_CHECKING:
    from twin.twin import Twin

# How many books a quick comparison adds up.
TURNS = 8


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
        yield from _differences("market", read, account_views(twin.market, account))
    yield from _differences("market", read, market_views(twin.market))
    yield from _differences("market", read, result_views(twin.market, windows))
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
        yield from _differences("market", of_market, account_views(twin.market, account))
    yield from _differences("market", of_market, market_views(twin.market))
    windows = sorted(market.books.keys() | market.results.keys())
    yield from _differences("market", of_market, result_views(twin.market, windows))
    of_all = registry_views(twin.registry, twin.domain, twin.accounts, twin.meters)
    yield from _differences("registry", of_registry, of_all)
    yield from token_differences(twin)
    yield from connection_differences(twin)
    yield from book_differences(twin, windows if thorough else _turns(twin, windows))


def _turns(twin: Twin, windows: Iterable[int]) -> list[int]:
    """The first windows whose book is not their predecessor's, of those not cleared."""
    book = twin.market.book
    after = {window for window in windows if window > twin.market.cleared}
    after |= {window + 1 for window in after if window + 1 < twin.market.cleared + 255}
    return [window for window in sorted(after) if book(window) != book(window - 1)][:TURNS]

"""Whether a chain's market and the reference model hold the same: every storage view, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from web3 import Web3

from peerwatt.market.gateway import MarketGateway
from peerwatt.market.views import account_views, market_views, result_views
from peerwatt.reference.market import Market

# What one call of the lens takes.
ACCOUNTS_PER_CALL = 64
SLOTS = 16


def find_differences(
    gateway: MarketGateway,
    market: Market,
    accounts: Sequence[str],
    results: Iterable[int],
    books: Iterable[int] = (),
    *,
    slots: int = SLOTS,
) -> list[str]:
    """Compares every storage view of a chain with the reference.

    Args:
        accounts: whose words are compared; also the two fund accounts should be among them.
        results: windows whose results are compared.
        books: windows not cleared yet whose books are compared.
        slots: how many slots of each account were ever used.
    Returns:
        One line for each difference; none means that the chain is the reference.
    """
    differences: list[str] = []
    for name, found, expected in _pairs(gateway, market, accounts, results, books, slots):
        if found != expected:
            differences.append(f"{name}: the chain has {found}, the reference {expected}")
    return differences


def _pairs(
    gateway: MarketGateway,
    market: Market,
    accounts: Sequence[str],
    results: Iterable[int],
    books: Iterable[int],
    slots: int,
) -> Iterator[tuple[str, Any, Any]]:
    for start in range(0, len(accounts), ACCOUNTS_PER_CALL):
        part = [Web3.to_checksum_address(account) for account in accounts[start : start + ACCOUNTS_PER_CALL]]
        found = iter(gateway.lens.functions.account_words(part, slots).call())
        for account in part:
            for name, arguments, expected in account_views(market, account.lower(), slots):
                yield _label(name, arguments), next(found), expected
    read = gateway.market.functions
    for name, arguments, expected in (*market_views(market), *result_views(market, results)):
        yield _label(name, arguments), _to_int(read[name](*map(_checksum, arguments)).call()), expected
    yield "tokens", gateway.token_balance(gateway.deployment.market), market.token_balance
    for window in books:
        levels = {level: tuple(energies) for level, energies in market.book(window).items() if any(energies)}
        yield f"book of window {window}", gateway.book(window), levels


def _label(name: str, arguments: Sequence[Any]) -> str:
    return f"{name}({', '.join(map(str, arguments))})"


def _checksum(argument: Any) -> Any:
    return Web3.to_checksum_address(argument) if isinstance(argument, str) else argument


def _to_int(value: Any) -> int:
    return int(value, 16) if isinstance(value, str) else int(value)

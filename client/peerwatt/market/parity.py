"""Whether a chain's market and the reference model hold the same: every storage view, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from web3 import Web3

from peerwatt.market import words
from peerwatt.market.gateway import MarketGateway
from peerwatt.reference.market import Market
from peerwatt.reference.offers import Calendar

# What one call of the lens takes.
ACCOUNTS_PER_CALL = 64
SLOTS = 16


def calendar_word(calendar: Calendar) -> words.CalendarWord:
    """The stored form of a calendar."""
    return words.CalendarWord(open_windows=calendar.bitmap, settled=calendar.settled)


def account_words(market: Market, account: str, slots: int) -> list[int]:
    """An account's words in the reference, in the sequence of the lens's `account_words`."""
    return [
        _encode(words.WalletWord, market.wallet(account)),
        calendar_word(market.calendar(account)).encode(),
        _encode(words.DeviceWord, market.device(account)),
        _encode(words.ExportsWord, market.export_register(account)),
        _encode(words.ImportsWord, market.import_register(account)),
        market.nonces.get(account, 0),
        *(_encode(words.OrderWord, market.order(account, slot)) for slot in range(slots)),
    ]


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
    names = ["wallet", "calendar", "device", "exports", "imports", "nonce", *(f"order {slot}" for slot in range(slots))]
    for start in range(0, len(accounts), ACCOUNTS_PER_CALL):
        part = [Web3.to_checksum_address(account) for account in accounts[start : start + ACCOUNTS_PER_CALL]]
        found = gateway.lens.functions.account_words(part, slots).call()
        for index, account in enumerate(part):
            modelled = account_words(market, account.lower(), slots)
            row = found[index * len(names) : (index + 1) * len(names)]
            yield from zip((f"{name} of {account}" for name in names), row, modelled, strict=True)
    read = gateway.market.functions
    yield "book state", read.book_state().call(), _encode(words.BookStateWord, market.book_state)
    yield "tariff head", read.tariff_head().call(), _encode(words.TariffHeadWord, market.tariff_head)
    for version, tables in market.tables.items():
        for name in ("surcharges", "haircuts", "rebates"):
            yield f"{name} {version}", read[name](version).call(), words.TableWord(getattr(tables, name)).encode()
    for feeder, word in market.feeders.items():
        yield f"feeder {feeder}", read.feeders(feeder).call(), _encode(words.FeederWord, word)
    yield "balancing account", read.balancing_account().call().lower(), market.balancing_account
    yield "network account", read.network_account().call().lower(), market.network_account
    yield "tokens", gateway.token_balance(gateway.deployment.market), market.token_balance
    for window in results:
        result = market.results.get(window)
        expected = 0 if result is None else _encode(words.ResultWord, result)
        yield f"result of window {window}", read.results(window).call(), expected
    for window in books:
        levels = {level: tuple(energies) for level, energies in market.book(window).items() if any(energies)}
        yield f"book of window {window}", gateway.book(window), levels


def _encode(kind: Any, record: Any) -> int:
    return int(kind(**asdict(record)).encode())

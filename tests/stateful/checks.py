"""What is always true of the contracts, read from their storage alone, and the reference's promises by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from peerwatt.market.words import BookStateWord, CalendarWord, ResultWord, WalletWord
from peerwatt.reference.invariants import (
    INVARIANTS,
    free_money_never_negative,
    tokens_cover_free_money,
    words_fit,
)
from twin import Twin

Violations = list[str]
AMOUNT = 2**104 - 1
# The same few words are looked at after every step.
_result, _book_state, _calendar = (
    lru_cache(maxsize=1 << 12)(kind.decode) for kind in (ResultWord, BookStateWord, CalendarWord)
)


def _wallets(twin: Twin) -> dict[str, int]:
    read = twin.market_storage.read
    return {account: read("wallets", account) for account in twin.accounts}


def _tokens(twin: Twin) -> int:
    return twin.token_storage.read("balanceOf", twin.contracts.market.address)


def contract_covers_free_money(twin: Twin) -> Violations:
    """Promise 3: the contract's tokens suffice for everybody to leave with all free money at once."""
    free = sum((word & AMOUNT) - (word >> 104 & AMOUNT) for word in _wallets(twin).values())
    return [] if _tokens(twin) >= free else [f"{_tokens(twin)} tokens, {free} free"]


def contract_reserves_are_backed(twin: Twin) -> Violations:
    """Promise 2: nobody has reserved more than they have."""
    return [
        f"{account}: {WalletWord.decode(word)}"
        for account, word in _wallets(twin).items()
        if word & AMOUNT < word >> 104 & AMOUNT
    ]


def contract_conserves_money(twin: Twin) -> Violations:
    """Promise 7: balances and tokens differ by what the windows not finished owe, to the base unit."""
    read = twin.market_storage.read
    owed = 0
    for window, result in twin.market.results.items():
        if result.left_wh:
            word = _result(read("results", window))
            owed -= word.net_wh * twin.market.parameters.price(word.level)
    balances = sum(word & AMOUNT for word in _wallets(twin).values())
    found = balances - _tokens(twin)
    return [] if found == owed else [f"balances less tokens are {found}, the open windows owe {owed}"]


def contract_words_have_no_stray_bits(twin: Twin) -> Violations:
    """No field of a word ever runs over into the next: what lies beyond the fields is zero."""
    read = twin.market_storage.read
    found = [f"wallet of {account}: {word:#x}" for account, word in _wallets(twin).items() if word >> 239]
    if read("book_state") >> 98:
        found.append(f"book state {read('book_state'):#x}")
    return found


def contract_settles_only_what_is_cleared(twin: Twin) -> Violations:
    """No calendar's pointer passes the newest cleared window."""
    read = twin.market_storage.read
    state = _book_state(read("book_state"))
    if state.closed:
        return []
    settled = {account: _calendar(read("calendars", account)).settled for account in twin.accounts}
    return [f"{account}: settled {at}" for account, at in settled.items() if at > state.cleared]


CONTRACT_INVARIANTS: tuple[Callable[[Twin], Violations], ...] = (
    contract_covers_free_money,
    contract_reserves_are_backed,
    contract_conserves_money,
    contract_words_have_no_stray_bits,
    contract_settles_only_what_is_cleared,
)
# The reference's that cost little: they may hold again by the time that all are looked at.
QUICK = (free_money_never_negative, tokens_cover_free_money, words_fit)


def violations(twin: Twin, *, thorough: bool) -> Violations:
    """Violations of promises, each with the promise's name before it.

    Args:
        thorough: all of them, recomputed from the whole history; else those that cost little.
    """
    found = [f"{check.__name__}: {each}" for check in CONTRACT_INVARIANTS for each in check(twin)]
    promises = INVARIANTS if thorough else QUICK
    return found + [f"{check.__name__}: {each}" for check in promises for each in check(twin.market)]

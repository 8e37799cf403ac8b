"""What an act would do, before it is sent: the reference model with what a chain's market keeps of a few accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from peerwatt.market.accounts import AccountState
from peerwatt.market.bitfields import PackedWord
from peerwatt.market.deployment import Deployment
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import BookStateWord, ResultWord
from peerwatt.reference.auction import BookState, Result
from peerwatt.reference.meters import ExportRegister, ImportRegister
from peerwatt.reference.offers import Calendar, Order
from peerwatt.reference.parameters import MarketParameters
from peerwatt.reference.participants import Device
from peerwatt.reference.settlement import Funds, settle_due
from peerwatt.reference.state import MarketState
from peerwatt.reference.wallets import Wallet

ReadResult = Callable[[int], ResultWord]


def rehearse(
    deployment: Deployment, book: BookStateWord, accounts: Sequence[AccountState], results: Mapping[int, ResultWord]
) -> MarketState:
    """A market of the reference that knows these accounts and results, and nobody else.

    Settling in it says to the base unit what settling on the chain would do.

    Args:
        results: of the cleared windows that are open in these accounts, see `read_results`.
    """
    roles = deployment.roles
    parameters = MarketParameters(
        token=deployment.token,
        registry=deployment.registry,
        balancing_account=roles.balancing_account,
        network_account=roles.network_account,
        **asdict(deployment.parameters),
    )
    market = MarketState(
        parameters=parameters,
        address=deployment.market.lower(),
        balancing_account=parameters.balancing_account,
        network_account=parameters.network_account,
        book_state=BookState(**fields_of(book)),
        results={window: Result(**fields_of(word)) for window, word in results.items()},
    )
    for state in accounts:
        account = state.address.lower()
        market.wallets[account] = Wallet(**fields_of(state.wallet))
        market.calendars[account] = Calendar(frozenset(state.open_windows), state.calendar.settled)
        if state.enrolled:
            market.devices[account] = Device(**fields_of(state.device))
        market.exports[account] = ExportRegister(**fields_of(state.exports))
        market.imports[account] = ImportRegister(**fields_of(state.imports))
        for slot, order in enumerate(state.orders):
            market.orders[account, slot] = Order(**fields_of(order))
    return market


def read_results(
    read: ReadResult, book: BookStateWord, accounts: Sequence[AccountState]
) -> dict[int, ResultWord]:
    """The results that settling the open windows of accounts needs.

    Args:
        read: reads one, such as `gateway.result`.
    """
    windows: Iterable[int] = {window for state in accounts for window in state.open_windows}
    return {window: read(window) for window in sorted(windows) if window <= book.cleared}


def rehearse_accounts(gateway: MarketGateway, accounts: Sequence[AccountState]) -> MarketState:
    """The reference market for accounts that were read, with the chain's book state and results."""
    book = gateway.book_state()
    return rehearse(gateway.deployment, book, accounts, read_results(gateway.result, book, accounts))


def count_due(market: MarketState, now_s: int, account: str, hints: int, max_windows: int = 255) -> int:
    """How many of an account's next windows a due item would settle now; settles them in this market.

    Args:
        account: address, any case.
        max_windows: at most so many.
    Raises:
        Refused: none.
    """
    before = len(market.ledger)
    settle_due(market, now_s, account.lower(), hints, max_windows, Funds())
    return len(market.ledger) - before


def fields_of(word: PackedWord) -> dict[str, Any]:
    """The word's fields as the model has them: addresses in lower case."""
    return {name: value.lower() if isinstance(value, str) else value for name, value in asdict(word).items()}

"""One account in the reference model: what the market would do for it, computed before anything is signed or sent.

The model is given the account's words as they are on the chain. It then judges an order by the rules that the parity
tests compare with the contract, so that no rule is written a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from peerwatt.market.accounts import AccountState, read_account
from peerwatt.market.bitfields import PackedWord
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import BookStateWord, TableWord
from peerwatt.reference.auction import BookState
from peerwatt.reference.meters import ExportRegister, ImportRegister
from peerwatt.reference.offers import Calendar, Order
from peerwatt.reference.parameters import MarketParameters
from peerwatt.reference.participants import Agent, Device
from peerwatt.reference.state import MarketState
from peerwatt.reference.tariffs import Feeder, Tables, TariffHead
from peerwatt.reference.wallets import Wallet


@dataclass(frozen=True)
class Mirror:
    """An account at one block.

    Attributes:
        state: its words.
        book: of the market.
        market: the model with this one account in it; the books of windows are left out, since no order is judged by
            them.
    """

    state: AccountState
    book: BookStateWord
    market: MarketState

    @property
    def account(self) -> str:
        """Its address as the model has it."""
        return self.state.address.lower()

    @contextmanager
    def trying(self) -> Iterator[MarketState]:
        """The model, to act on; afterwards it is as it was."""
        saved = self.market.snapshot()
        try:
            yield self.market
        finally:
            self.market.restore(saved)


def read_mirror(gateway: MarketGateway, account: str, agent: str | None = None) -> Mirror:
    """An account at the newest block.

    Args:
        agent: a key that may act for it, whose mandate is read too.
    """
    state, book, head = read_account(gateway, account), gateway.book_state(), gateway.tariff_head()
    market = MarketState(
        parameters=_parameters(gateway),
        address=gateway.deployment.market.lower(),
        balancing_account=gateway.deployment.roles.balancing_account.lower(),
        network_account=gateway.deployment.roles.network_account.lower(),
        book_state=_to_record(BookState, book),
        tariff_head=_to_record(TariffHead, head),
        tables={version: _read_tables(gateway, version) for version in {head.version, head.next_version} - {0}},
    )
    mirror = Mirror(state, book, market)
    key = mirror.account
    market.wallets[key] = _to_record(Wallet, state.wallet)
    market.calendars[key] = Calendar(frozenset(state.open_windows), state.calendar.settled)
    market.exports[key] = _to_record(ExportRegister, state.exports)
    market.imports[key] = _to_record(ImportRegister, state.imports)
    market.orders = {(key, slot): _to_record(Order, order) for slot, order in enumerate(state.orders)}
    if state.enrolled:
        market.devices[key] = _to_record(Device, state.device)
        market.feeders[state.device.feeder] = _to_record(Feeder, gateway.feeder(state.device.feeder))
    if agent is not None:
        market.agents[key, agent.lower()] = _to_record(Agent, gateway.agent(account, agent))
    return mirror


def _parameters(gateway: MarketGateway) -> MarketParameters:
    deployment = gateway.deployment
    return MarketParameters(
        token=deployment.token,
        registry=deployment.registry,
        **asdict(deployment.parameters),
        balancing_account=deployment.roles.balancing_account,
        network_account=deployment.roles.network_account,
    )


def _read_tables(gateway: MarketGateway, version: int) -> Tables:
    words: dict[str, TableWord] = {name: gateway.table(name, version) for name in ("surcharges", "haircuts", "rebates")}
    return Tables(**{name: word.bands for name, word in words.items()})


def _to_record(kind: Any, word: PackedWord) -> Any:
    """A word as the model's record of the same fields; the model writes addresses in lower case."""
    return kind(**{name: value.lower() if isinstance(value, str) else value for name, value in asdict(word).items()})

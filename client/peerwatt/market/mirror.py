"""One account in the reference model: what the market would do for it, computed before anything is signed or sent.

The model is given the account's words as they are on the chain. It then judges an order by the rules that the parity
tests compare with the contract, so that no rule is written a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from peerwatt.market.accounts import AccountState, read_account
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.rehearsal import fields_of, rehearse
from peerwatt.market.words import BookStateWord, TableWord
from peerwatt.reference.participants import Agent
from peerwatt.reference.state import MarketState
from peerwatt.reference.tariffs import Feeder, Tables, TariffHead


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
    market = rehearse(gateway.deployment, book, [state], {})
    market.tariff_head = TariffHead(**fields_of(head))
    market.tables = {version: _read_tables(gateway, version) for version in {head.version, head.next_version} - {0}}
    mirror = Mirror(state, book, market)
    if state.enrolled:
        market.feeders[state.device.feeder] = Feeder(**fields_of(gateway.feeder(state.device.feeder)))
    if agent is not None:
        market.agents[mirror.account, agent.lower()] = Agent(**fields_of(gateway.agent(account, agent)))
    return mirror


def _read_tables(gateway: MarketGateway, version: int) -> Tables:
    words: dict[str, TableWord] = {name: gateway.table(name, version) for name in ("surcharges", "haircuts", "rebates")}
    return Tables(**{name: word.bands for name, word in words.items()})

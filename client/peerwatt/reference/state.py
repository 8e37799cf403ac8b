"""Everything the market remembers. The acts in the other modules read and write it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from .auction import BookState, Result
from .meters import ExportRegister, ImportRegister
from .offers import Calendar, Levels, Order
from .parameters import MarketParameters
from .participants import Agent, Device
from .past import Past
from .settlement import Settled
from .tariffs import Feeder, Tables, TariffHead
from .wallets import Wallet

# In a closed market every window counts as cleared.
END_OF_TIME = 2**32 - 1


@dataclass(frozen=True)
class Event:
    """A record of the log: the event's name, and its values by the names in docs/contract.md.

    A packed word of the contract is the record of the same name here.
    """

    name: str
    values: dict[str, object]


@dataclass
class MarketState:
    """The market's storage. Records are frozen and replaced whole: copies of the tables are copies of all.

    `outside` follows the tokens of accounts outside the market, counted from zero. `ledger`, `rounding_wh`
    and the books of past windows are history that no act reads: they are there to be checked. `past` is what
    is left of history that was forgotten (`forgetting`).
    """

    parameters: MarketParameters
    address: str
    balancing_account: str
    network_account: str
    book_state: BookState
    wallets: dict[str, Wallet] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    exports: dict[str, ExportRegister] = field(default_factory=dict)
    imports: dict[str, ImportRegister] = field(default_factory=dict)
    orders: dict[tuple[str, int], Order] = field(default_factory=dict)
    agents: dict[tuple[str, str], Agent] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)
    books: dict[int, Levels] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    tariff_head: TariffHead = field(default_factory=TariffHead)
    tables: dict[int, Tables] = field(default_factory=dict)
    feeders: dict[int, Feeder] = field(default_factory=dict)
    token_balance: int = 0
    outside: dict[str, int] = field(default_factory=dict)
    log: list[Event] = field(default_factory=list)
    ledger: list[Settled] = field(default_factory=list)
    rounding_wh: dict[int, int] = field(default_factory=dict)
    past: Past = field(default_factory=Past)

    @property
    def cleared(self) -> int:
        """The newest window that counts as cleared."""
        return END_OF_TIME if self.book_state.closed else self.book_state.cleared

    def wallet(self, account: str) -> Wallet:
        """The account's wallet, an empty one if it never had any."""
        return self.wallets.get(account, Wallet())

    def emit(self, name: str, **values: object) -> None:
        """Appends an event to the log."""
        self.log.append(Event(name, values))

    def snapshot(self) -> dict[str, Any]:
        """What `restore` needs to undo everything that follows."""
        saved: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, list):
                saved[item.name] = len(value)  # history only grows
            elif item.name == "books":
                saved[item.name] = {window: dict(levels) for window, levels in value.items()}
            elif isinstance(value, dict):
                saved[item.name] = dict(value)
            else:
                saved[item.name] = value
        return saved

    def restore(self, saved: dict[str, Any]) -> None:
        """Undoes everything since the snapshot."""
        for name, value in saved.items():
            current = getattr(self, name)
            if isinstance(current, list):
                del current[value:]
            else:
                setattr(self, name, value)

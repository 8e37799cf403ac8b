"""What the bridge answers from: the stored events, and two replays of them, one to the head and one to what stays.

Every answer is of one state: `block` is the newest block in it, `final_block` the newest that stays.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection
from web3 import Web3

from peerwatt.market.history import Head
from peerwatt.market.prices import ClearedWindow, to_cleared_window
from peerwatt.market.statement import Row, to_history
from peerwatt.market.words import WalletWord
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.model import FullReplay, Model
from peerwatt_bridge.storage import history
from peerwatt_bridge.storage.database import Database

# Cleared windows that one answer looks through for those that traded.
LOOK = 5_000
PAGE = 500


class At(StrEnum):
    """Which state: to the newest block, or to the newest that stays."""

    HEAD = "head"
    FINAL = "final"


class NotFollowed(LookupError):
    """Nothing of the chain was followed yet."""


@dataclass(frozen=True)
class View:
    """The market at a block.

    Attributes:
        block: newest block in it; final_block: newest that stays, -1 if there is none.
        connection: reads the store as of the same moment.
    """

    replay: FullReplay
    block: int
    final_block: int
    connection: Connection


class Views:
    """The answers. Thread-safe; one is made at a time."""

    def __init__(self, database: Database, chain: Chain) -> None:
        self._database = database
        self._chain = chain
        self._models = {at: Model(chain.deployment) for at in At}
        self._lock = threading.Lock()

    @contextmanager
    def view(self, at: At = At.HEAD) -> Iterator[View]:
        """The market as it is stored now; the view must not be used after the block.

        Raises:
            NotFollowed: nothing was followed yet.
        """
        with self._lock, self._database.viewing() as connection:
            head, final = history.read_position(connection)
            if head < 0:
                raise NotFollowed("the chain was not followed yet")
            block = head if at is At.HEAD else final
            model = self._models[at]
            model.follow(connection, block)
            yield View(model.replay, block, final, connection)

    def clearings(
        self, view: View, before: int | None, limit: int, *, traded_only: bool = False
    ) -> tuple[list[ClearedWindow], int | None]:
        """Cleared windows with orders, the newest first, and the `before` of the next page (None: no more).

        Args:
            traded_only: leave out windows without a trade; a page may then be short, though there is a next one.
        """
        found: list[ClearedWindow] = []
        for _ in range(LOOK // PAGE):
            events = history.read_clearings(view.connection, before, view.block, PAGE if traded_only else limit)
            for event in events:
                cleared = to_cleared_window(self._chain.gateway, event)
                before = cleared.window
                if cleared.traded_wh or not traded_only:
                    found.append(cleared)
                if len(found) == limit:
                    return found, before
            if not traded_only or len(events) < PAGE:
                return found, None
        return found, before

    def clearing(self, view: View, window: int) -> ClearedWindow | None:
        """One cleared window; None if it had no orders or is not cleared."""
        found, _ = self.clearings(view, window + 1, 1)
        return found[0] if found and found[0].window == window else None

    def rows(self, view: View, account: str) -> tuple[Row, ...]:
        """An account's windows with an order, by window."""
        wallet = view.replay.state.wallet(account.lower())
        head = Head(view.block, "", 0)
        word = WalletWord(wallet.balance, wallet.reserved, wallet.score, wallet.rated)
        return to_history(view.replay, account, head, word).rows

    def accounts(self, view: View) -> list[str]:
        """Checksum addresses of all that ever had money or a connection, sorted."""
        state = view.replay.state
        return [Web3.to_checksum_address(account) for account in sorted({*state.wallets, *state.devices})]

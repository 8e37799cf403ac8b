"""The keeper itself. It prints nothing and keeps no secrets: every tick returns what was done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from web3.exceptions import Web3Exception

from peerwatt.exceptions import from_code
from peerwatt.keeper.doings import (
    ClearedWindow,
    Cost,
    Doing,
    Overtaken,
    Reorganised,
    SettledAccount,
    Trouble,
    WindowsCleared,
    WindowsSettled,
)
from peerwatt.keeper.follower import FollowerState, OrderFollower
from peerwatt.market import relay
from peerwatt.market.accounts import ACCOUNTS_PER_CALL, AccountState, read_accounts
from peerwatt.market.clock import get_chain_time_s
from peerwatt.market.events import Event
from peerwatt.market.gateway import MAX_TRANSACTION_GAS, MarketGateway
from peerwatt.market.rehearsal import count_due, read_results, rehearse
from peerwatt.market.senders import Sender
from peerwatt.market.transactions import explain
from peerwatt.market.words import NO_TRADE, BookStateWord, ResultWord
from peerwatt.reference.reasons import Refused
from peerwatt.refusals.base import MarketError

# What one `clear` may be asked for; the ring holds no more.
MAX_CLEAR = 255
# Due items of one relay, so that they fit into a transaction wherever storage is fresh.
MAX_ITEMS, MAX_WINDOWS = 150, 1_200
# An empty book is moved on so rarely [windows]: enough that no order meets the horizon of 255.
IDLE_WINDOWS = 24
# A node that is away, busy or behind. A transaction that fails for none of the market's reasons is a RuntimeError.
TROUBLES = (Web3Exception, OSError, RuntimeError)


class Keeper:
    """Clears gated windows and settles what is due: buyers whose window is over, orders that found no partner, and
    sellers and rated buyers whose report never came.

    Any number of keepers may run: acts are simulated first, and doing one twice does nothing the second time.
    """

    def __init__(self, gateway: MarketGateway, sender: Sender, state: FollowerState | None = None) -> None:
        """
        Args:
            sender: pays the gas.
            state: where an earlier keeper stopped reading logs; without it they are read from the market's block on.
        """
        self._gateway = gateway
        self._sender = sender
        self.follower = OrderFollower(gateway, state)
        self._results: dict[int, ResultWord] = {}
        self._looked: tuple[int, int] | None = None
        self._fresh: set[str] = set()

    def tick(self) -> Iterator[Doing]:
        """Does everything that can be done now, and yields each thing as it is done.

        A node that fails ends the tick with `Trouble`; the next one does the rest.
        """
        try:
            yield from self._clear()
            yield from self._follow()
            yield from self._settle()
        except TROUBLES as error:
            # Whatever was on its way: look at all accounts again.
            self._looked = None
            yield Trouble(error)

    # Clearing

    def _clear(self) -> Iterator[Doing]:
        while True:
            book = self._gateway.book_state()
            parameters = self._gateway.deployment.parameters
            gated = (get_chain_time_s(self._gateway.w3) + parameters.lead_seconds) // parameters.window_seconds
            waiting = gated - book.cleared
            if book.closed or waiting <= 0 or (book.open_wh == 0 and waiting < IDLE_WINDOWS):
                return
            try:
                yield self._clear_some(min(waiting, MAX_CLEAR))
            except MarketError as refusal:
                yield Overtaken("clear", str(refusal.reason))
                return

    def _clear_some(self, windows: int) -> WindowsCleared:
        """Clears as many windows as fit into a transaction."""
        clear = self._gateway.market.functions.clear
        while (obstacle := self._find_obstacle(clear(windows))) is not None:
            if windows == 1:
                raise RuntimeError(f"the node does not clear a single window: {obstacle}") from obstacle
            windows = -(-windows // 2)
        receipt = self._gateway.act(self._sender, clear(windows))
        events = self._gateway.get_events(receipt)
        cleared = tuple(_cleared_window(event) for event in events if event.name == "WindowCleared")
        return WindowsCleared(Cost.from_receipt(receipt), cleared, self._gateway.book_state().cleared)

    # Settling

    def _follow(self) -> Iterator[Doing]:
        seen, reread = self.follower.update()
        self._fresh |= seen
        if reread is not None:
            self._results.clear()
            self._looked = None
            yield Reorganised(reread)

    def _settle(self) -> Iterator[Doing]:
        book = self._gateway.book_state()
        now_s = get_chain_time_s(self._gateway.w3)
        moment = (book.cleared, now_s // self._gateway.deployment.parameters.window_seconds)
        # What is due changes with a window that ends or is cleared; else only new orders can change it.
        accounts = sorted(self._fresh if moment == self._looked else self.follower.state.accounts)
        items: list[relay.DueItem] = []
        for start in range(0, len(accounts), ACCOUNTS_PER_CALL):
            states = read_accounts(self._gateway, accounts[start : start + ACCOUNTS_PER_CALL])
            items += self._find_due(states, book, now_s)
            self.follower.forget(state.address for state in states if state.calendar.open_windows == 0)
        for batch in _batches(items):
            yield from self._relay(batch)
        self._looked = moment
        self._fresh.clear()

    def _find_due(
        self, states: Sequence[AccountState], book: BookStateWord, now_s: int
    ) -> Iterator[relay.DueItem]:
        """What the reference says is due in accounts."""
        market = rehearse(self._gateway.deployment, book, states, read_results(self._result, book, states))
        for state in states:
            if state.calendar.open_windows == 0:
                continue
            hints = relay.pack_hints(state.slots_met())
            try:
                windows = count_due(market, now_s, state.address, hints)
            except Refused:
                continue
            yield relay.DueItem(state.address, windows, hints)

    def _result(self, window: int) -> ResultWord:
        """The result of a cleared window. What of it says whether an order is due never changes."""
        if window not in self._results:
            self._results[window] = self._gateway.result(window)
        return self._results[window]

    def _relay(self, items: Sequence[relay.DueItem]) -> Iterator[Doing]:
        """Relays due items in as few transactions as they fit into."""
        call = self._gateway.market.functions.relay
        try:
            obstacle = self._find_obstacle(call(relay.pack(items), True))
        except MarketError as refusal:
            # One of them is not due any more: find out which.
            if len(items) == 1:
                yield Overtaken(f"settle {items[0].account}", str(refusal.reason))
                return
            obstacle = refusal
        if obstacle is not None:
            if len(items) == 1:
                raise RuntimeError(f"the node does not settle {items[0].account}: {obstacle}") from obstacle
            middle = len(items) // 2
            yield from self._relay(items[:middle])
            yield from self._relay(items[middle:])
            return
        receipt = self._gateway.act(self._sender, call(relay.pack(items), False))
        events = self._gateway.get_events(receipt)
        settled = tuple(_settled_account(event) for event in events if event.name == "DueSettled")
        skipped = tuple(
            (str(event.args["account"]), str(from_code(int(event.args["reason"])).reason))
            for event in events
            if event.name == "ItemSkipped"
        )
        yield WindowsSettled(Cost.from_receipt(receipt), settled, skipped)

    def _find_obstacle(self, call: Any) -> Exception | None:
        """Simulates a call: None if it would succeed within the gas of a transaction, else what the node says.

        Raises:
            MarketError: the market would refuse it.
            OSError: the node is away.
        """
        try:
            call.call({"from": self._sender.address, "gas": MAX_TRANSACTION_GAS}, "pending")
        except OSError:
            raise
        except Exception as error:
            # Nodes say in many ways that the gas ran out.
            explained = explain(error)
            if isinstance(explained, MarketError):
                raise explained from error
            return error
        return None


def _batches(items: Sequence[relay.DueItem]) -> Iterator[list[relay.DueItem]]:
    batch: list[relay.DueItem] = []
    for item in items:
        windows = sum(other.max_windows for other in batch) + item.max_windows
        if batch and (len(batch) == MAX_ITEMS or windows > MAX_WINDOWS):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _cleared_window(event: Event) -> ClearedWindow:
    result = ResultWord.decode(int(event.args["result"]))
    level = None if result.kind == NO_TRADE else result.level
    return ClearedWindow(int(event.args["window"]), level, int(event.args["traded_wh"]))


def _settled_account(event: Event) -> SettledAccount:
    word = int(event.args["windows"])
    return SettledAccount(
        str(event.args["account"]), word & 0xFFFFFFFF, word >> 32 & 0xFFFFFFFF, word >> 64 & 0xFFFFFFFF
    )

"""A life in the village that has everything a statement may have to explain."""

from __future__ import annotations

from dataclasses import dataclass

from eth_account import Account

from cli.village import ADA, BOLA, CHIDI, Home, Village
from peerwatt.market import relay
from peerwatt.market.accounts import read_account
from peerwatt.market.senders import KeyAccount
from peerwatt.signing import BUY, SELL, Cancel, Report, sign


@dataclass
class Life:
    """What homes and meters do. `first` is the window in which everything begins."""

    village: Village
    first: int

    def account(self, home: Home) -> KeyAccount:
        """The home as a sender of its own transactions."""
        return KeyAccount(Account.from_key(home.account_key))

    def report(self, home: Home, side: int, first: int, registers: list[int]) -> None:
        """A signed report of the home's meter."""
        message = Report(home.meter, side, first, tuple(registers))
        signature = sign(message, self.village.domain, home.meter_key)
        slots = self.hints(home, first + len(registers) - 2)
        item = relay.ReportItem.from_message(home.account, message, signature, slots)
        self.village.gateway.relay(self.village.relayer, item.pack(), strict=True)

    def due(self, home: Home, windows: int = 224) -> None:
        """Settles what is due of the home."""
        item = relay.DueItem(home.account, windows, relay.pack_hints(self.hints(home)))
        self.village.gateway.relay(self.village.relayer, item.pack(), strict=True)

    def hints(self, home: Home, last: int | None = None) -> list[int]:
        return read_account(self.village.gateway, home.account).slots_met(last)

    def cancel(self, home: Home, nonce: int, from_window: int = 0) -> None:
        """A signed cancel."""
        message = Cancel(home.account, nonce, from_window, self.village.gateway.now_s() + 3600)
        item = relay.CancelItem.from_message(message, sign(message, self.village.domain, home.account_key))
        self.village.gateway.relay(self.village.relayer, item.pack(), strict=True)

    def rate(self, home: Home) -> None:
        self.village.gateway.act(self.account(home), self.village.gateway.registry.functions.rate(True))


def live(village: Village) -> Life:
    """Windows from `first`: 0 and 1 rationed bids, 2 a shortfall, 3 nobody buys, 4 a default, 5 cancelled, 6 revoked.

    Ada sells. Bola buys unrated, chidi buys rated. Ada deposits and withdraws, burns a nonce, and is cut off at last.
    """
    # Ahead of the wall clock time goes on with the blocks only.
    village.travel_to(village.window + 1, 60)
    life = Life(village, village.window + 2)
    first, gateway = life.first, village.gateway
    life.rate(CHIDI)
    gateway.deposit(life.account(ADA), village.money("450.5 NGN"))
    gateway.withdraw(life.account(ADA), village.money("100.000001 NGN"), BOLA.account)
    village.offer(ADA, first, first + 3, "1 kWh", "95", 1)
    village.offer(ADA, first + 4, first + 5, "700 Wh", "100", 2)
    life.cancel(ADA, 39)
    life.cancel(ADA, 2, first + 5)
    village.bid(BOLA, first, first + 2, "777 Wh", "150", 1)
    village.bid(CHIDI, first, first + 2, "1001 Wh", "150", 1)
    village.bid(BOLA, first + 4, first + 4, "400 Wh", "140", 2)
    village.travel_to(first + 3)
    village.clear()
    # 0 and 1 delivered, 2 short.
    life.report(ADA, SELL, first, [0, 1100, 2150, 2850])
    life.report(CHIDI, BUY, first, [0, 900, 1100, 1300])
    life.due(BOLA)
    village.travel_to(first + 5)
    village.clear()
    life.due(BOLA)
    # 6: gated when the operator cuts ada off; 7 is not.
    village.offer(ADA, first + 6, first + 7, "600 Wh", "100", 3)
    village.bid(BOLA, first + 6, first + 6, "600 Wh", "145", 3)
    village.travel_to(first + 6, 1)
    village.clear()
    return life


def end(life: Life) -> None:
    """Ada's meter stays silent, and the operator revokes it."""
    village, first = life.village, life.first
    village.gateway.act(village.operator, village.gateway.registry.functions.revoke(village.connection(ADA)))
    village.travel_to(first + 7 + 4 * 96)
    life.due(ADA)
    life.due(BOLA)

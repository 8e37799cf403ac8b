"""What the market keeps of an account, read in one call, and what follows from it: open windows, hints, free slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from web3 import Web3

from peerwatt.exceptions import SlotInUse
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import (
    BookStateWord,
    CalendarWord,
    DeviceWord,
    ExportsWord,
    ImportsWord,
    OrderWord,
    WalletWord,
)

SLOTS = 16
# What one call of the lens takes.
ACCOUNTS_PER_CALL = 64
_WORDS = 6 + SLOTS


@dataclass(frozen=True)
class AccountState:
    """An account at one block.

    Attributes:
        address: checksum address.
        withdrawal_nonce: that its next signed withdrawal needs.
        orders: of the 16 slots.
    """

    address: str
    wallet: WalletWord
    calendar: CalendarWord
    device: DeviceWord
    exports: ExportsWord
    imports: ImportsWord
    withdrawal_nonce: int
    orders: tuple[OrderWord, ...]

    @property
    def enrolled(self) -> bool:
        """Whether a meter is bound now."""
        return self.device.encode() != 0

    @property
    def open_windows(self) -> Iterator[int]:
        """Windows with an order that are still to settle, in their sequence."""
        bitmap = self.calendar.open_windows
        while bitmap:
            yield self.calendar.settled + (bitmap & -bitmap).bit_length()
            bitmap &= bitmap - 1

    def slot_of(self, window: int) -> int | None:
        """The slot of the order that is live in a window, None if there is none."""
        if not self.calendar.is_open(window):
            return None
        return next((slot for slot, order in enumerate(self.orders) if order.covers(window)), None)

    def slots_met(self, last: int | None = None) -> list[int]:
        """Slots of the orders met while walking through the open windows up to `last`: the hints of a report or due."""
        slots: list[int] = []
        for window in self.open_windows:
            if last is not None and window > last:
                break
            slot = self.slot_of(window)
            assert slot is not None, f"window {window} of {self.address} is open without an order"
            if not slots or slots[-1] != slot:
                slots.append(slot)
        return slots

    def live_windows(self, slot: int) -> list[int]:
        """Windows of a slot's order that are still to settle."""
        return [window for window in self.open_windows if self.orders[slot].covers(window)]

    def settled(self, book: BookStateWord) -> int:
        """Newest settled window, moved up as an act of the account would."""
        reachable = book.cleared if self.calendar.next_open is None else self.calendar.next_open - 1
        return max(self.calendar.settled, min(book.cleared, reachable))

    def next_nonce(self, book: BookStateWord) -> int:
        """The smallest nonce that a new order can have.

        Raises:
            SlotInUse: all 16 slots hold an order with a window to settle.
        """
        settled = self.settled(book)
        nonces = [
            _above(max(order.nonce, order.burnt), slot)
            for slot, order in enumerate(self.orders)
            if order.count == 0 or order.first + order.count - 1 <= settled
        ]
        if not nonces:
            raise SlotInUse("all 16 orders of the account have a window to settle; cancel one or wait until it settles")
        return min(nonces)


def _above(nonce: int, slot: int) -> int:
    """The smallest number above a slot's nonces that names the slot; 0 is none."""
    candidate = (nonce & ~(SLOTS - 1)) | slot
    return candidate if candidate > nonce else candidate + SLOTS


def read_accounts(gateway: MarketGateway, accounts: Sequence[str]) -> list[AccountState]:
    """The state of accounts at the newest block."""
    states = []
    for start in range(0, len(accounts), ACCOUNTS_PER_CALL):
        part = [Web3.to_checksum_address(account) for account in accounts[start : start + ACCOUNTS_PER_CALL]]
        words = gateway.lens.functions.account_words(part, SLOTS).call()
        for index, account in enumerate(part):
            states.append(_decode(account, words[index * _WORDS : (index + 1) * _WORDS]))
    return states


def read_account(gateway: MarketGateway, account: str) -> AccountState:
    """The state of an account at the newest block."""
    return read_accounts(gateway, [account])[0]


def _decode(account: str, words: Sequence[int]) -> AccountState:
    wallet, calendar, device, exports, imports, nonce, *orders = words
    return AccountState(
        account,
        WalletWord.decode(wallet),
        CalendarWord.decode(calendar),
        DeviceWord.decode(device),
        ExportsWord.decode(exports),
        ImportsWord.decode(imports),
        nonce,
        tuple(OrderWord.decode(word) for word in orders),
    )

"""What a keeper did, as values: whoever runs one decides how to say it."""

from __future__ import annotations

from dataclasses import dataclass

from web3 import Web3
from web3.types import TxReceipt


@dataclass(frozen=True)
class Cost:
    """A transaction and what it cost the keeper.

    Attributes:
        transaction_hash: 0x-prefixed hex.
        gas_used: whole receipt [gas].
        cost_wei: what was paid for it [wei].
    """

    transaction_hash: str
    gas_used: int
    cost_wei: int

    @classmethod
    def from_receipt(cls, receipt: TxReceipt) -> Cost:
        """The cost of a mined transaction."""
        gas_used, gas_price = int(receipt["gasUsed"]), int(receipt.get("effectiveGasPrice", 0))
        return cls(Web3.to_hex(receipt["transactionHash"]), gas_used, gas_used * gas_price)


@dataclass(frozen=True)
class ClearedWindow:
    """A window with orders that was cleared. `level` is the price, None if nothing was traded."""

    window: int
    level: int | None
    traded_wh: int


@dataclass(frozen=True)
class WindowsCleared:
    """A `clear`: the windows that had orders, and the newest cleared window after it."""

    cost: Cost
    windows: tuple[ClearedWindow, ...]
    cleared: int


@dataclass(frozen=True)
class SettledAccount:
    """Windows of one account that were due: `first` to `last`, so many of them."""

    account: str
    first: int
    last: int
    windows: int


@dataclass(frozen=True)
class WindowsSettled:
    """A relay of due items. `skipped`: accounts that somebody else had settled in the meantime, with the reason."""

    cost: Cost
    accounts: tuple[SettledAccount, ...]
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Overtaken:
    """Somebody else did it first, so nothing was done; `reason` is the market's, `what` the act."""

    what: str
    reason: str


@dataclass(frozen=True)
class Reorganised:
    """The chain took back blocks; logs are read again from `block` on."""

    block: int


@dataclass(frozen=True)
class Trouble:
    """The node did not do what was asked. The next tick tries again."""

    error: Exception


Doing = WindowsCleared | WindowsSettled | Overtaken | Reorganised | Trouble

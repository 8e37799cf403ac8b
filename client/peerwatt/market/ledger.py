"""What a run sent to a chain, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from web3 import Web3
from web3.types import TxReceipt


def format_gas_money(amount_wei: int) -> str:
    """An amount of the chain's own money for people, whatever the chain calls it."""
    return f"{Web3.from_wei(amount_wei, 'ether'):.6f} of the chain's gas money"


@dataclass(frozen=True)
class Entry:
    """One transaction that was mined."""

    what: str
    address: str | None
    gas: int
    fee_wei: int

    def __str__(self) -> str:
        return self.what if self.address is None else f"{self.what} at {self.address}"


@dataclass
class Ledger:
    """All transactions of a run, in their sequence."""

    entries: list[Entry] = field(default_factory=list)

    def note(self, what: str, receipt: TxReceipt) -> Entry:
        """Adds a transaction."""
        gas = int(receipt["gasUsed"])
        entry = Entry(what, receipt["contractAddress"], gas, gas * int(receipt.get("effectiveGasPrice", 0)))
        self.entries.append(entry)
        return entry

    @property
    def gas(self) -> int:
        """Gas of all transactions."""
        return sum(entry.gas for entry in self.entries)

    @property
    def fee_wei(self) -> int:
        """What all transactions cost [wei]."""
        return sum(entry.fee_wei for entry in self.entries)

    @property
    def costs(self) -> str:
        """Gas and money in words."""
        return f"{self.gas:,} gas, {format_gas_money(self.fee_wei)}"

    def to_json(self) -> dict[str, Any]:
        """Gas and money as numbers."""
        return {"transactions": len(self.entries), "gas": self.gas, "fee_wei": self.fee_wei}

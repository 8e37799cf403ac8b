"""What one account was paid and paid, window by window, as the replay has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peerwatt.audit.replay import Replay
from peerwatt.pages.numbers import Money, grouped
from peerwatt.reference.values import BUY
from peerwatt.reference.wallets import Wallet


@dataclass(frozen=True)
class Line:
    """One settled order in one window. Energy in Wh, prices in base units per Wh, money in base units.

    Attributes:
        cause: why it was settled so: reported, taken, defaulted, revoked or unfilled.
        limit_per_wh: what was signed.
        growth_wh: what the meter counted; None without a report.
    """

    window: int
    side: str
    nonce: int
    cause: str
    energy_wh: int
    limit_per_wh: int
    price_per_wh: int
    fill_wh: int
    growth_wh: int | None
    delivered_wh: int
    paid: int
    received: int


@dataclass(frozen=True)
class Statement:
    """Everything of one account.

    Attributes:
        account: lower case.
        lines: in the sequence of settlement.
        deposited, withdrawn, balance, reserved: [base units].
    """

    account: str
    lines: tuple[Line, ...]
    deposited: int
    withdrawn: int
    balance: int
    reserved: int

    def to_dict(self) -> dict[str, Any]:
        """With stable names."""
        return {**vars(self), "lines": [vars(line) for line in self.lines]}

    def rows(self, money: Money) -> list[list[str]]:
        """For a table; see `COLUMNS`."""
        return [
            [
                str(line.window), line.side, line.cause, money.price_number(line.limit_per_wh),
                money.price_number(line.price_per_wh) if line.fill_wh else "-",
                grouped(line.fill_wh), grouped(line.delivered_wh) if line.side == "offer" else "-",
                money.number(line.paid), money.number(line.received),
            ]
            for line in self.lines
        ]  # fmt: skip


COLUMNS = ("window", "side", "settled", ">limit", ">price", ">fill Wh", ">delivered Wh", ">paid", ">received")


def make_statement(replay: Replay, account: str) -> Statement:
    """The statement of an account; without lines if it never had an order settled."""
    market, account = replay.market, account.lower()
    parameters = market.parameters
    lines = tuple(
        Line(
            window=entry.window,
            side="bid" if entry.order.side == BUY else "offer",
            nonce=entry.order.nonce,
            cause=entry.cause,
            energy_wh=entry.order.energy_wh,
            limit_per_wh=parameters.price(entry.order.limit_level),
            price_per_wh=entry.price_per_wh,
            fill_wh=entry.fill_wh,
            growth_wh=entry.growth_wh,
            delivered_wh=entry.delivered_wh,
            paid=entry.payment.paid,
            received=entry.payment.received,
        )
        for entry in market.ledger
        if entry.account == account
    )
    wallet = market.wallets.get(account, Wallet())
    moved = {
        name: sum(
            int(str(event.values["amount"]))
            for event in market.log
            if event.name == name and event.values["account"] == account
        )
        for name in ("Deposited", "Withdrawn")
    }
    return Statement(account, lines, moved["Deposited"], moved["Withdrawn"], wallet.balance, wallet.reserved)

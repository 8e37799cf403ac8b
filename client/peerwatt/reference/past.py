"""What a market was: sums of its ledger and its log, by which the invariants tell whether promises were kept.

The invariants add them up from all of ledger and log. Who follows a market for years does not want to keep
either: `forgetting` moves what is over into `Past`, and the invariants go on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .meters import ExportRegister, ImportRegister
from .offers import SLOTS, Levels, Order, add_to_levels
from .values import BUY

if TYPE_CHECKING:
    from .auction import Result
    from .parameters import MarketParameters
    from .settlement import Settled
    from .state import Event

Violations = list[str]


def as_int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no int")
    return value


@dataclass(slots=True)
class WindowSums:
    """The settled orders of one window: the book they make, energy [Wh] and money [base units].

    `at_price` of them stood at a price at which one side got only a share.
    """

    levels: Levels = field(default_factory=dict)
    bought_wh: int = 0
    sold_wh: int = 0
    delivered_wh: int = 0
    paid: int = 0
    received: int = 0
    balancing: int = 0
    network: int = 0
    at_price: int = 0

    def copy(self) -> WindowSums:
        return replace(self, levels=dict(self.levels))

    def add(self, line: Settled, result: Result | None) -> None:
        order, payment = line.order, line.payment
        add_to_levels(self.levels, order, order.energy_wh)
        if order.side == BUY:
            self.bought_wh += line.fill_wh
        else:
            self.sold_wh += line.fill_wh
            self.delivered_wh += line.delivered_wh
        self.paid += payment.paid
        self.received += payment.received
        self.balancing += payment.balancing
        self.network += payment.network
        self.at_price += result is not None and result.is_rationed_at(order.effective_level)


def add_up_windows(
    windows: dict[int, WindowSums], ledger: Iterable[Settled], results: Mapping[int, Result]
) -> None:
    """Adds lines of the ledger to the sums of their windows."""
    for line in ledger:
        sums = windows.get(line.window)
        if sums is None:
            sums = windows[line.window] = WindowSums()
        sums.add(line, results.get(line.window))


@dataclass(slots=True)
class Tally:
    """The settled orders of one account: energy [Wh], money [base units].

    `last` is the newest of its settled windows, `windows` the sum of their numbers, `sales` how many were
    sales.
    """

    lines: int = 0
    sales: int = 0
    last: int = -1
    windows: int = 0
    bought_wh: int = 0
    sold_wh: int = 0
    delivered_wh: int = 0
    paid: int = 0
    received: int = 0
    released: int = 0

    def add(self, line: Settled) -> None:
        self.lines += 1
        self.last = max(self.last, line.window)
        self.windows += line.window
        if line.order.side == BUY:
            self.bought_wh += line.fill_wh
        else:
            self.sales += 1
            self.sold_wh += line.fill_wh
            self.delivered_wh += line.delivered_wh
        self.paid += line.payment.paid
        self.received += line.payment.received
        self.released += line.released


def add_up_accounts(tallies: dict[str, Tally], ledger: Iterable[Settled]) -> Violations:
    """Adds lines of the ledger to the tallies of their accounts; those that settle a window again, in words."""
    found: Violations = []
    for line in ledger:
        tally = tallies.get(line.account)
        if tally is None:
            tally = tallies[line.account] = Tally()
        if line.window <= tally.last:
            # An account's windows are settled in their sequence.
            found.append(f"{line.account} settled window {line.window} after {tally.last}")
        tally.add(line)
    return found


@dataclass
class Moves:
    """What moved money beside the settlements [base units].

    `balances` is what deposits, withdrawals and credits come to, `totals` their sums: `Deposited`,
    `Withdrawn`, and what was credited to the accounts `balancing` and `network`.
    """

    balances: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    funds: dict[str, str] = field(default_factory=dict)

    def copy(self) -> Moves:
        return Moves(self.balances.copy(), self.totals.copy(), dict(self.funds))

    def follow(self, log: Iterable[Event], parameters: MarketParameters) -> None:
        if not self.funds:
            self.funds = {"balancing": parameters.balancing_account, "network": parameters.network_account}
        for event in log:
            values = event.values
            if event.name in ("Deposited", "Withdrawn"):
                amount = as_int(values["amount"])
                self.totals[event.name] += amount
                self.balances[str(values["account"])] += amount if event.name == "Deposited" else -amount
            elif event.name == "FundAccountsSet":
                self.funds = {name: str(values[name]) for name in self.funds}
            elif event.name == "FundsCredited":
                for name, account in self.funds.items():
                    amount = as_int(values[name])
                    self.totals[name] += amount
                    self.balances[account] += amount


@dataclass
class Readings:
    """The last reading of each account's registers, by side: register [Wh] and window."""

    last: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def copy(self) -> Readings:
        return Readings(dict(self.last))

    def follow(self, log: Iterable[Event]) -> Violations:
        """Takes the readings of a log; those that do not rise above the ones before, in words."""
        found: Violations = []
        for event in log:
            values = event.values
            if event.name == "ParticipantBound":
                account = str(values["account"])
                for side, name in enumerate(("imports", "exports")):
                    register = values[name]
                    if not isinstance(register, ExportRegister | ImportRegister):
                        raise TypeError(f"{name} of {account} is {register!r}")
                    self.last[account, side] = (register.register_wh, register.window)
            elif event.name == "ReportSettled":
                account, side = str(values["account"]), as_int(values["side"])
                reading = (as_int(values["closing_wh"]), as_int(values["first"]) + as_int(values["n"]))
                before = self.last[account, side]
                if reading[0] < before[0] or reading[1] <= before[1] or reading[0] >= 2**48:
                    found.append(f"{account}: reading {reading} after {before}")
                self.last[account, side] = reading
        return found


@dataclass
class Nonces:
    """The highest nonce that was ever used or burnt in each slot."""

    highest: dict[tuple[str, int], int] = field(default_factory=dict)

    def copy(self) -> Nonces:
        return Nonces(dict(self.highest))

    def follow(self, log: Iterable[Event]) -> Violations:
        """Takes the orders of a log; those whose nonce was used before, in words."""
        found: Violations = []
        for event in log:
            if event.name not in ("OrderPlaced", "OrderCancelled"):
                continue
            order = event.values["order"]
            if not isinstance(order, Order):
                raise TypeError(f"{event.name} without an order")
            # A burn can hit an empty slot: its number is then in the burnt nonce.
            slot = (str(event.values["account"]), max(order.nonce, order.burnt) % SLOTS)
            used = self.highest.get(slot, 0)
            if event.name == "OrderPlaced" and order.nonce <= used:
                found.append(f"{slot}: nonce {order.nonce} after {used}")
            self.highest[slot] = max(used, order.nonce, order.burnt)
        return found


@dataclass
class Past:
    """What was forgotten of a market: nothing that an act reads.

    `windows` are the sums of windows in which something is still to settle; those that are over are only
    counted: `books` of them, `results` of them with one, `rounding_wh` together. `events` counts the log by
    name. `violations` were found before they were forgotten, by invariant.
    """

    events: Counter[str] = field(default_factory=Counter)
    moves: Moves = field(default_factory=Moves)
    readings: Readings = field(default_factory=Readings)
    nonces: Nonces = field(default_factory=Nonces)
    accounts: dict[str, Tally] = field(default_factory=dict)
    windows: dict[int, WindowSums] = field(default_factory=dict)
    books: int = 0
    results: int = 0
    rounding_wh: int = 0
    violations: dict[str, Violations] = field(default_factory=dict)

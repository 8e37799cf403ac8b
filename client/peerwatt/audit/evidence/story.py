"""One account's history told from its transactions: every payment recomputed, every signature recovered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from peerwatt.audit.evidence.authority import Authorities, Authority
from peerwatt.audit.evidence.own import Pair, to_events
from peerwatt.market import words
from peerwatt.market.deployment import Deployment
from peerwatt.market.events import Event
from peerwatt.market.history import Head
from peerwatt.market.replay import Replay
from peerwatt.market.statement import AccountHistory, to_history
from peerwatt.reference import offers
from peerwatt.reference.settlement import DEFAULTED, Settled
from peerwatt.reference.state import END_OF_TIME
from peerwatt.reference.tariffs import all_in_price
from peerwatt.reference.values import BUY
from peerwatt.reference.wallets import Wallet

# Logs of everybody that an account's payments follow from.
COMMON = ("WindowCleared", "BookJumped", "BookClosed", "FundAccountsSet", "FundsCredited")


@dataclass(frozen=True)
class Place:
    """A log's place in the chain. `log_index` counts as the source of the log does."""

    block_number: int
    time_s: int
    transaction_hash: str
    log_index: int


@dataclass(frozen=True)
class Deed:
    """One log of the account.

    Attributes:
        settled: windows that it settled.
        wallet: of the account after it, as the rules give it.
    """

    name: str
    place: Place
    authority: Authority
    event: Event
    settled: tuple[Settled, ...]
    wallet: Wallet


@dataclass(frozen=True)
class Clearing:
    """How a window cleared."""

    window: int
    place: Place
    result: words.ResultWord
    supply_wh: int
    demand_wh: int
    traded_wh: int


@dataclass(frozen=True)
class Story:
    """An account up to a block.

    Attributes:
        deeds: its logs, in their sequence.
        clearings: of the windows it had orders in.
        history: rows, movements and wallet.
        signatures: how many were recovered, and are by who had to sign.
        violations: what does not follow from the rules, in words; the first one first.
        unseen: what can't be told, in words.
    """

    account: str
    deployment: Deployment
    deeds: tuple[Deed, ...]
    clearings: dict[int, Clearing]
    history: AccountHistory
    signatures: int
    violations: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def settled(self) -> list[Settled]:
        """Its lines of the ledger."""
        return [line for deed in self.deeds for line in deed.settled]


class Teller:
    """Follows one account through its transactions."""

    def __init__(self, deployment: Deployment, account: str) -> None:
        self.deployment = deployment
        self.account = account.lower()
        self.replay = Replay(deployment)
        self.deeds: list[Deed] = []
        self.clearings: dict[int, Clearing] = {}
        self.violations: list[str] = []
        self.unseen: list[str] = []
        self.signatures = 0
        self._authorities = Authorities(deployment, account)
        self._told = 0
        self._closed_at = END_OF_TIME

    def follow_all(self, pairs: Iterable[Pair]) -> Teller:
        """Follows transactions in the chain's sequence; returns itself."""
        for pair in pairs:
            self.follow(pair)
        return self

    def follow(self, pair: Pair) -> None:
        """Takes one transaction: what it logged of the account, and of everybody."""
        transaction, block = pair
        asked = None if transaction.calls is None else self._authorities.read(transaction.calls)
        for event in to_events(transaction, self.deployment.registry):
            if self._is_own(event):
                self._authorities.follow(event)
        events = to_events(transaction, self.deployment.market)
        for event in events:
            place = Place(block.number, block.time_s, event.transaction_hash, event.log_index)
            if self._is_own(event) and event.name != "ItemSkipped":
                authority = self._authorities.find(event, asked, events, self.replay.state, block.time_s)
                self._judge(event, place, authority)
                self._authorities.follow(event)
                self._apply(event, place, authority)
            elif event.name in COMMON:
                if event.name == "WindowCleared":
                    self.clearings[event.args["window"]] = _to_clearing(event, place)
                self._apply(event, place, None)

    def end(self, head: Head, wallet: words.WalletWord | None) -> Story:
        """The story, with the wallet that the chain holds at its end, if that is known."""
        if wallet is not None:
            self.replay.check_wallet(self.account, wallet, f"at block {head.number}")
            self._take_differences()
        rebuilt = self.replay.state.wallet(self.account)
        word = wallet or words.WalletWord(rebuilt.balance, rebuilt.reserved, rebuilt.score, rebuilt.rated)
        self.violations += self._check_sums(rebuilt)
        history = to_history(self.replay, self.account, head, word)
        return Story(
            self.account,
            self.deployment,
            tuple(self.deeds),
            self.clearings,
            history,
            self.signatures,
            tuple(self.violations),
            tuple(self.unseen),
        )

    def _is_own(self, event: Event) -> bool:
        return str(event.args.get("account", "")).lower() == self.account

    def _judge(self, event: Event, place: Place, authority: Authority) -> None:
        where = f"{event.name} in block {place.block_number}, transaction {place.transaction_hash}"
        if authority.wrong is not None:
            self.violations.append(f"{where}: {authority.wrong}")
        elif authority.unseen is not None:
            self.unseen.append(f"{where}: {authority.unseen}")
        self.signatures += authority.wrong is None and authority.r is not None

    def _apply(self, event: Event, place: Place, authority: Authority | None) -> None:
        ledger = self.replay.state.ledger
        before = len(ledger)
        self.violations += self._check_cleared(event)
        if event.name == "BookClosed":
            self._closed_at = event.args["cleared"]
        self.replay.apply(event)
        settled = tuple(ledger[before:])
        for line in settled:
            self.violations += self._check_line(line, place)
        self._take_differences()
        if authority is not None:
            wallet = self.replay.state.wallet(self.account)
            self.deeds.append(Deed(event.name, place, authority, event, settled, wallet))

    def _take_differences(self) -> None:
        differences = self.replay.differences
        self.violations += differences[self._told :]
        self._told = len(differences)

    def _check_line(self, line: Settled, place: Place) -> Iterator[str]:
        """Nobody pays more, or is paid less, for a Wh than the order's limit, and nobody defaults before the time."""
        parameters, order = self.replay.state.parameters, line.order
        if line.cause == DEFAULTED:
            delay_s = self.replay.state.results[line.window].delay_seconds
            due_s = parameters.end_of(line.window) + delay_s + parameters.report_deadline_seconds
            if place.time_s < due_s:
                yield f"window {line.window} was settled without a report at {place.time_s}, and was due at {due_s}"
        if line.fill_wh:
            limit = parameters.price(order.limit_level)
            price = all_in_price(order.side, line.price_per_wh, order.adjustment_bps, order.fee_per_wh)
            if price > limit if order.side == BUY else price < limit:
                where = f"window {line.window}, settled in transaction {place.transaction_hash}"
                yield f"{where}: {price} for each Wh, the order's limit is {limit}"

    def _check_cleared(self, event: Event) -> Iterator[str]:
        """No price comes from nowhere: what is settled was cleared, or the market had closed before."""
        if event.name == "ReportSettled":
            report = words.SettledReportWord.decode(event.args["report"])
            last = report.first + report.n - 1
        elif event.name == "DueSettled":
            last = words.SettledDueWord.decode(event.args["windows"]).last
        else:
            return
        state = self.replay.state
        for window in sorted(offers.get_calendar(state, self.account).open):
            if window <= last and window not in state.results and window <= self._closed_at:
                yield f"window {window}, settled in transaction {event.transaction_hash}: there is no clearing of it"

    def _check_sums(self, rebuilt: Wallet) -> Iterator[str]:
        """What came in less what went out is the balance."""
        moved = sum(line.payment.received - line.payment.paid for deed in self.deeds for line in deed.settled)
        for deed in self.deeds:
            if deed.name in ("Deposited", "Withdrawn"):
                moved += deed.event.args["amount"] * (1 if deed.name == "Deposited" else -1)
        state = self.replay.state
        funds = {state.balancing_account, state.network_account} | {
            account.lower()
            for account in (self.deployment.roles.balancing_account, self.deployment.roles.network_account)
        }
        if self.account not in funds and moved != rebuilt.balance:
            yield f"deposits, withdrawals and payments sum to {moved}, the balance is {rebuilt.balance}"


def _to_clearing(event: Event, place: Place) -> Clearing:
    args = event.args
    word = words.ResultWord.decode(args["result"])
    return Clearing(args["window"], place, word, args["supply_wh"], args["demand_wh"], args["traded_wh"])
